// Start of the page: what was kept, what the server has, then the islands; `body[data-ready]` comes last.

import * as conversations from './conversation.js';
import { current, abandon } from './run.js';
import { enterSpace } from './space.js';
import { server, session, on, openDraft, restore, touch } from './store.js';
import { t } from './text.js';
import { applyTheme } from './themes.js';
import { notice } from './dialogs.js';
import './arrivals.js';
import './folder.js';
import { Unreachable, call } from './wire.js';

const SIDEBAR_FITS_PX = 1000; // as in editor.css
const ISLANDS = ['header', 'editor', 'panes', 'composer', 'pages'];
const waiting = new Set(ISLANDS);
let islandsMounted;
const mounted = new Promise((resolve) => (islandsMounted = resolve));

/** An island says that it is in the page; it draws itself when 'ready' is touched. */
export function islandMounted(name) {
  waiting.delete(name);
  if (waiting.size === 0) islandsMounted();
}

async function begin() {
  applyTheme();
  const kept = restore();
  applyTheme();
  const [booted] = await Promise.all([call('boot', { name: session.saved?.name ?? 'friendly' }), mounted]);
  Object.assign(server, {
    presets: booted.presets,
    folder: booted.folder,
    models: booted.models,
    templates: booted.templates,
    version: booted.version,
    maxPresetBytes: booted.max_preset_bytes,
    space: booted.space,
  });
  enterSpace();
  noticed = booted.noticed;
  if (!kept || !session.sides.length) session.sides = booted.sides;
  session.conversation ??= conversations.empty();
  session.view.sidebar ??= innerWidth > SIDEBAR_FITS_PX;
  if (!session.draft && booted.draft) openDraft(booted.draft, savedAs(booted.draft.name));
  loadChosen();
  touch('ready', 'opened', 'view');
  on('unkept', () => notice(t('session.unkept')));
  poll();
  document.body.dataset.ready = 'true';
}

export function savedAs(name) {
  const entry = server.presets.find((preset) => preset.name === name);
  return { name, shipped: entry?.shipped ?? false, digest: entry?.digest };
}

/** Sides' models that nobody has loaded yet start loading. */
export function loadChosen() {
  for (const { model } of session.sides) {
    if (server.models.find(({ id }) => id === model)?.status === 'unloaded') {
      call('load_model', { name: model }).then(models, () => {});
    }
  }
}

function models(states) {
  const changed = JSON.stringify(states) !== JSON.stringify(server.models);
  server.models = states;
  if (changed) touch('models');
}

const LONG_NOTICE = 160; // characters: one with a command in it is read, or copied, in one's own time

/** Ask how the models do; what the server did by itself meanwhile is said. */
export async function askForModels() {
  const answer = await call('models', { after: noticed });
  for (const [number, text] of answer.notices) {
    if (number <= noticed) continue;
    noticed = number;
    notice(text, { stays: text.length > LONG_NOTICE });
  }
  models(answer.models);
  followRenamed(answer.models);
}

/** Sides of a session that name a model by a former name get its name of today. */
function followRenamed(all) {
  let changed = false;
  for (const side of session.sides) {
    if (all.some(({ id }) => id === side.model)) continue;
    const now = all.find(({ former }) => former?.includes(side.model));
    if (!now) continue;
    side.model = now.id;
    changed = true;
  }
  if (changed) touch('sides');
}

const POLL_BUSY_MS = 700;
const POLL_IDLE_MS = 5000;
let misses = 0;
let noticed = 0; // number of the last notice that was said
let found = () => {}; // takes the notice away once the server answers again

async function poll() {
  try {
    if (!document.hidden) await askForModels();
    misses = 0;
    found();
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    misses += 1;
    if (misses === 2) {
      abandon(t('run.lost'));
      found = notice(t('run.lost'), { kind: 'error', stays: true });
    }
  }
  const busy = misses || current || server.models.some(({ status }) => status === 'loading');
  setTimeout(poll, busy ? POLL_BUSY_MS : POLL_IDLE_MS);
}

begin().catch((error) => {
  console.error(error);
  notice(t('server.unexpected'));
});
