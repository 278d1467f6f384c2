// The lens: answers coloured token by token, by what the model thought of each.

import * as conversations from './conversation.js';
import { fill, h } from './dom.js';
import { lensMode } from './lens_mode.js';
import { onEvent } from './run.js';
import { sideAsked } from './sides.js';
import { session, server, on, save, touch } from './store.js';
import { t } from './text.js';
import { ENTROPY, LOGPROB, RANK, differences, hasTokens, isDescribed, noted, painter, textOf, trim } from './tokens.js';
import { Refusal, call } from './wire.js';

export const MODES = ['off', 'probability', 'entropy', 'rank', 'difference'];
const PROBABILITY_STEPS = [0.8, 0.5, 0.25, 0.1, 0.02]; // at least this: the step's place is its colour
const ENTROPY_STEPS = [0.25, 0.75, 1.5, 2.5, 3.5]; // nats
const RANK_STEPS = [1, 3, 10, 100, 1000];
const DIFFERENCE_STEPS = [0.25, 0.75, 1.5, 3, 5]; // nats, either way

function step(value, steps) {
  const at = steps.findIndex((limit) => value <= limit);
  return at < 0 ? steps.length : at;
}

/** The class that colours a row: `h0` (as expected) to `h5`, or `d-5` to `d5` for differences. */
export function heatOf(row, mode, difference = null) {
  if (mode === 'difference') {
    if (difference === null || difference === undefined) return 'unknown';
    const size = step(Math.abs(difference), DIFFERENCE_STEPS);
    return size === 0 ? 'h0' : difference > 0 ? `more${size}` : `less${size}`;
  }
  if (!isDescribed(row)) return 'unknown';
  if (mode === 'entropy') return `h${step(row[ENTROPY], ENTROPY_STEPS)}`;
  if (mode === 'rank') return `h${step(row[RANK], RANK_STEPS)}`;
  const probability = Math.exp(row[LOGPROB]);
  const at = PROBABILITY_STEPS.findIndex((limit) => probability >= limit);
  return `h${at < 0 ? PROBABILITY_STEPS.length : at}`;
}

/** Draws an answer's rows under the lens; `draw` anew, `more` what came since. */
export function lensView(body, reply) {
  let paint = null;
  let drawnAs = '';

  function key() {
    const beside = besides.get(reply);
    return [lensMode(), reply.rows?.length, reply.scored, Boolean(beside?.values), reply.trimmed].join();
  }

  function draw() {
    if (body.classList.contains('lens') && drawnAs === key()) return;
    const mode = lensMode();
    const beside = mode === 'difference' ? besides.get(reply)?.values : null;
    paint = painter((row, i) => `lens-token ${heatOf(row, mode, beside?.[i])}`);
    drawnAs = key();
    body.className = 'answer lens';
    noted.set(body, reply);
    body.replaceChildren();
    more();
  }

  function more() {
    const rows = reply.rows.slice(paint.drawn);
    if (rows.length) body.append(...paint.add(rows));
    drawnAs = key();
  }

  return { draw, more };
}

// Answers that came without tokens are scored: one forward over the whole text.

const besides = new WeakMap(); // reply -> {side, values}: differences to another side
const scoring = new Map(); // reply -> promise

/** The conversation as it was when `turn` was asked, for a call. */
export function openTurn(turn) {
  const open = { ...turn, replies: {} };
  const { turns } = session.conversation;
  return conversations.branch({ head: turn.id, turns: { ...turns, [turn.id]: open } }, turn.id);
}

async function scored(turn, side, text) {
  return call('score', {
    side: sideAsked(side),
    draft: session.draft,
    conversation: openTurn(turn),
    text,
  });
}

/** Look at the tokens of an answer that has none: as its side's model sees them now. */
export function scoreReply(turn, sideId, reply) {
  if (scoring.has(reply)) return scoring.get(reply);
  const side = session.sides.find(({ id }) => id === sideId);
  const work = scored(turn, side, reply.text).then((rows) => {
    reply.rows = rows;
    reply.scored = true;
    reply.model = side.model; // whose tokens these are
    delete reply.trimmed;
    trim(session.conversation);
    touch('conversation');
  });
  scoring.set(reply, work);
  return work.finally(() => scoring.delete(reply));
}

/** The side that the lens compares with: the first other one. */
export function otherSide(sideId) {
  return session.sides.find(({ id }) => id !== sideId) ?? null;
}

export function besideOf(reply) {
  return besides.get(reply) ?? null;
}

async function compareReply(turn, sideId, reply) {
  const other = otherSide(sideId);
  const key = other && JSON.stringify([other, reply.rows.length]);
  if (!other || besides.get(reply)?.key === key) return;
  besides.set(reply, { key, side: other.id, values: null, others: null });
  const rows = await scored(turn, other, textOf(reply.rows) || reply.text);
  besides.set(reply, { key, side: other.id, values: differences(reply.rows, rows) });
  touch('conversation');
}

let looking = false;

/** Bring what is shown under the lens: the newest answers first, one after another. */
async function look() {
  if (looking || lensMode() === 'off' || !session.conversation) return;
  looking = true;
  try {
    for (const turn of conversations.path(session.conversation).reverse()) {
      for (const { id, model } of session.sides) {
        const reply = turn.replies[id];
        const ready = server.models.find((one) => one.id === model)?.status === 'ready';
        if (!reply?.text || !ready || running.has(reply) || failed.has(reply)) continue;
        try {
          if (!hasTokens(reply)) await scoreReply(turn, id, reply);
          if (lensMode() === 'difference') await compareReply(turn, id, reply);
        } catch (error) {
          failed.add(reply); // its button says why when it is pressed
          if (!(error instanceof Refusal)) return;
        }
      }
    }
  } finally {
    looking = false;
  }
}

const failed = new WeakSet();
const running = new Set();
onEvent((side, what, live) => {
  if (what !== 'end') return running.add(live.reply);
  running.delete(live.reply);
  delete live.reply.kept;
  trim(session.conversation);
  if (lensMode() === 'difference') queueMicrotask(look);
});

/** The chooser in the toolbar, and what the colours mean. */
export function lensControl() {
  const chooser = h('select.lens-mode', { 'aria-label': t('lens.choose'), title: t('lens.hint') });
  chooser.addEventListener('change', () => {
    session.view.lens = chooser.value;
    touch('view');
    save();
    look();
  });
  const legend = h('span.lens-legend', { 'aria-hidden': 'true' });

  function draw() {
    const mode = lensMode();
    fill(
      chooser,
      MODES.map((one) => h('option', { value: one, selected: one === mode }, t(`lens.${one}`))),
    );
    legend.hidden = mode === 'off';
    fill(legend, mode === 'off' ? [] : legendOf(mode));
    chooser.parentElement?.classList.toggle('on', mode !== 'off');
  }
  on('ready view', draw);
  on('ready conversation models', look);
  return h('span.lens-control', {}, chooser, legend);
}

function legendOf(mode) {
  const ends = [t(`lens.${mode}.low`), t(`lens.${mode}.high`)];
  const names =
    mode === 'difference'
      ? ['less5', 'less3', 'h0', 'more3', 'more5']
      : ['h0', 'h1', 'h2', 'h3', 'h4', 'h5'];
  return [ends[0], ...names.map((name) => h(`span.lens-token.${name}`, {}, '\u2002')), ends[1]];
}
