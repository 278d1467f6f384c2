// One run: a message goes to all sides, their answers come back, and it ends, whatever happens.

import { stepAside } from './answers.js';
import * as conversations from './conversation.js';
import { askedLogprobs, takeRows } from './lens_mode.js';
import { letterOf, sideAsked } from './sides.js';
import { step } from './steps.js';
import { session, touch, save } from './store.js';
import { t } from './text.js';
import { call, leave, start } from './wire.js';

/** The run under way: {id, turn, sides: {ID: live}} or null. `live` is what the panes draw from. */
export let current = null;

const listeners = new Set();

/** `listener(side, what, live)` for each event: 'start', 'text' (with the new text), 'end'. */
export function onEvent(listener) {
  listeners.add(listener);
}

function tell(side, what, live, text = '') {
  for (const listener of listeners) listener(side, what, live, text);
}

export function send(query) {
  if (current || !query.trim()) return false;
  step('step.send', { query });
  answer(conversations.addTurn(session.conversation, query));
  return true;
}

/** Ask the last question again, as a new branch beside the old answers. */
export function retry() {
  const last = conversations.path(session.conversation).at(-1);
  if (current || !last) return;
  step('step.retry');
  answer(conversations.addTurn(session.conversation, last.query, last.parent));
}

/** Ask otherwise what was asked in `turn`, as a new branch beside it. */
export function askInstead(turn, query) {
  if (current || !query.trim()) return false;
  step('step.edit');
  answer(conversations.addTurn(session.conversation, query, turn.parent));
  return true;
}

/** Let one side answer `turn` again, beside its old answer, or for the first time. */
export function answerOnly(turn, side) {
  if (current) return;
  if (!(side in turn.replies)) return answer(turn, [side]);
  step('step.regenerate', { side: letterOf(side) });
  answer(openAgain(turn, side), [side]);
}

/** The turn with room for another answer of a side: itself, or a sibling where the conversation went on. */
function openAgain(turn, side) {
  if (turn.id !== session.conversation.head) return conversations.addWithout(session.conversation, turn, side);
  stepAside(turn, side);
  return turn;
}

/** Let a side go on from what an answer began with ({ids, text, rows}), as another answer to `turn`. */
export function goOn(turn, side, begun) {
  if (current) return;
  step('step.regenerate', { side: letterOf(side) });
  answer(openAgain(turn, side), [side], { [side]: begun });
}

/** Ask `turn`'s question of the sides named, of all unless they are; `begun` says by side what goes before. */
function answer(turn, only = session.sides.map(({ id }) => id), begun = {}) {
  const sides = session.sides.filter(({ id }) => only.includes(id));
  const request = {
    run: conversations.newId(),
    sides: sides.map(sideAsked),
    draft: session.draft,
    conversation: conversations.branch(session.conversation, turn.id),
    logprobs: askedLogprobs(),
    begun: Object.fromEntries(Object.entries(begun).map(([side, { ids, text }]) => [side, { ids, text }])),
  };
  current = { id: request.run, turn, asked: performance.now(), stopping: false, sides: {} };
  for (const { id, model } of sides) {
    turn.replies[id] = { ...conversations.openReply(), model };
    if (begun[id]) Object.assign(turn.replies[id], keptOf(begun[id]));
    current.sides[id] = { reply: turn.replies[id], state: 'waiting', tokens: 0, firstAt: 0 };
  }
  touch('conversation', 'run');
  start(request, onLine);
}

/** What a reply holds of the answer that it goes on from; text that was sent as text is one stretch. */
function keptOf({ ids, text, rows }) {
  if (ids.length) return { kept: rows, forked: rows.length };
  return { rows: [[-1, text, null, null, null, []]], lead: 1, forked: 1 };
}

function onLine(line) {
  if (line.at === 'open') return;
  const live = current?.sides[line.side];
  if (!live || live.state === 'ended') return;
  if (line.at === 'start' && live.state === 'waiting') {
    live.state = 'reading';
    live.promptTokens = line.prompt_tokens;
    live.reply.dropped_turns = line.dropped_turns;
    if (line.notes?.length) live.reply.notes = line.notes;
    tell(line.side, 'start', live);
  } else if (line.at === 'text') {
    takeRows(live.reply, line.rows);
    write(line.side, live, line.text, live.tokens + line.tokens, line.thinking_chars);
  } else if (line.at === 'all') {
    takeRows(live.reply, line.rows, true);
    write(line.side, live, line.text.slice(live.reply.text.length), line.tokens, line.thinking_chars);
  } else if (line.at === 'end') {
    end(line.side, line.reply);
  } else if (line.at === 'cut') {
    end(line.side, { finish_reason: line.finish_reason, error: line.error });
  }
}

function write(side, live, text, tokens, thinking = 0) {
  live.state = 'writing';
  live.firstAt ||= performance.now();
  live.tokens = tokens;
  live.reply.text += text;
  if (thinking || live.reply.thinking_chars) live.reply.thinking_chars = thinking;
  if (text) tell(side, 'text', live, text);
  save();
}

function end(side, reply) {
  const live = current.sides[side];
  Object.assign(live.reply, reply);
  live.state = 'ended';
  const over = Object.values(current.sides).every(({ state }) => state === 'ended');
  tell(side, 'end', live);
  if (!over) return save();
  current = null;
  leave();
  touch('conversation', 'run');
}

/** Stop; what was written stands. */
export function stop() {
  if (!current || current.stopping) return;
  current.stopping = true;
  touch('run');
  call('stop', { name: current.id }).catch(() => abandon(t('run.lost')));
}

/** End every side that still runs because the server is gone. */
export function abandon(error) {
  if (!current) return;
  for (const [side, { state }] of Object.entries(current.sides)) {
    if (state !== 'ended') end(side, { finish_reason: 'error', error });
  }
}

// Gradio says that the stream has closed: normally after every side's end was read. Where one is missing
// the run failed on the way, and the sides are ended here.
const LAST_LINES_MS = 500;
addEventListener('playground-run-over', () => {
  const over = current?.id;
  setTimeout(() => over && current?.id === over && abandon(t('server.unexpected')), LAST_LINES_MS);
});
