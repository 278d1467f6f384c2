// The exact prompts and the token counts, asked for soon after whatever shapes them has changed.

import { branch } from './conversation.js';
import { debounce } from './dom.js';
import { current } from './run.js';
import { sideAsked } from './sides.js';
import { offers } from './space.js';
import { server, session, on, touch } from './store.js';
import { Refusal, call } from './wire.js';

const PAUSE_MS = 60;
let asked = '';
let under_way = false;
let again = false;

async function ask() {
  if (!session.draft) return;
  if (under_way) {
    again = true;
    return;
  }
  const body = {
    sides: session.sides.map(sideAsked),
    draft: session.draft,
    conversation: branch(session.conversation),
    text: session.composer,
    pieces: session.view.tab === 'prompt',
    tokens: session.view.tab === 'prompt' && session.view.tokens,
  };
  const states = server.models.map(({ status }) => status).join();
  const key = JSON.stringify(body) + states + server.folder; // sides may use presets of the library
  if (key === asked) return;
  under_way = true;
  try {
    const { sides, counts } = await call('preview', body);
    Object.assign(server, { views: sides, counts, draftProblem: null });
    asked = key;
  } catch (error) {
    if (!(error instanceof Refusal)) return;
    server.draftProblem = error.message;
    asked = key;
  } finally {
    under_way = false;
  }
  touch('preview');
  if (again) {
    again = false;
    ask();
  }
}

const soon = debounce(ask, PAUSE_MS);
on('ready draft opened composer sides view models presets', soon);
on('conversation', () => current || soon());

// While a person pauses, the models may compute what the next prompts start with.

const WARM_MS = 500;
const tab = Math.random().toString(36).slice(2, 12) || 'tab';
let warmed = '';

async function warm() {
  if (!session.draft || current || !offers('warm')) return;
  const body = {
    sides: session.sides.map(sideAsked),
    draft: session.draft,
    conversation: branch(session.conversation),
  };
  const key = JSON.stringify(body);
  if (key === warmed) return;
  warmed = key;
  try {
    await call('warm', { tab, ...body });
  } catch {
    // Nobody waits for it: whatever is wrong is said when the message is sent.
  }
}

const later = debounce(warm, WARM_MS);
on('draft opened sides conversation', later);
