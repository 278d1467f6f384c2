// Tokens as the page keeps them: rows of [id, text, logprob, rank, entropy, [id, text, logprob, ...]], where the
// text of half a character is the list of its bytes, and a row of which only the id is known is that number.
// The same as playground/ui/token_rows.py.

import { h } from './dom.js';

export const ID = 0;
export const TEXT = 1;
export const LOGPROB = 2;
export const RANK = 3;
export const ENTROPY = 4;
export const OTHERS = 5;

/** Whose tokens an element shows: {rows}; for pictures, which say beside each token what is known of it. */
export const noted = new WeakMap();

const encoder = new TextEncoder();

export function isDescribed(row) {
  return Array.isArray(row) && row[LOGPROB] !== null;
}

/** Whether an answer's tokens can be looked at. */
export function hasTokens(reply) {
  return Boolean(reply?.rows?.every(Array.isArray) && reply.rows.some(isDescribed));
}

/** The alternatives of a row as [{id, text, logprob}]. */
export function alternatives(row) {
  const flat = row[OTHERS] ?? [];
  const all = [];
  for (let i = 0; i < flat.length; i += 3) all.push({ id: flat[i], text: flat[i + 1], logprob: flat[i + 2] });
  return all;
}

export function idOf(row) {
  return Array.isArray(row) ? row[ID] : row;
}

export function bytesOf(text) {
  return typeof text === 'string' ? encoder.encode(text) : Uint8Array.from(text);
}

/** The text that rows stand for; half a character at the end is left out. */
export function textOf(rows) {
  const decoder = new TextDecoder();
  let text = '';
  for (const row of rows) if (Array.isArray(row)) text += decoder.decode(bytesOf(row[TEXT]), { stream: true });
  return text;
}

/** Means over an answer: {n, logprob, perplexity, entropy}; null where nothing is known. */
export function meansOf(rows = []) {
  const known = rows.filter(isDescribed);
  if (!known.length) return null;
  const mean = (column) => known.reduce((sum, row) => sum + row[column], 0) / known.length;
  const logprob = mean(LOGPROB);
  return { n: known.length, logprob, perplexity: Math.exp(-logprob), entropy: mean(ENTROPY) };
}

const SIGNS = new Map([
  ['\n', '↵'],
  ['\t', '⇥'],
  ['\r', '␍'],
  ['\u00a0', '⍽'],
]);
// Controls, and marks that turn the direction of what follows or cannot be seen at all.
const UNSEEN = /[\u0000-\u001f\u007f-\u00a0\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/** A sign that is seen and neither selected nor copied. */
function sign(text) {
  return h('span.sign', { 'data-sign': text });
}

/** A text as nodes in which nothing is hidden: line ends, tabs and controls carry signs. */
export function visible(text) {
  if (!UNSEEN.test(text)) return [text];
  const nodes = [];
  let plain = '';
  for (const character of text) {
    if (!UNSEEN.test(character)) {
      plain += character;
      continue;
    }
    if (plain) nodes.push(plain);
    plain = character === '\n' || character === '\t' ? character : '';
    nodes.push(sign(SIGNS.get(character) ?? codeOf(character)));
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function codeOf(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** One token by itself: its text with signs, or the bytes of half a character. */
export function shownToken(text) {
  if (typeof text !== 'string') return [sign(hex(text))];
  return text ? visible(text) : [sign('∅')];
}

/** What is known of a token, on one line. */
export function noteOf(row) {
  if (!isDescribed(row)) return '';
  const percent = (logprob) => `${(100 * Math.exp(logprob)).toPrecision(3)} %`;
  const others = alternatives(row).map(({ text, logprob }) => `${quoted(text)} ${percent(logprob)}`);
  const parts = [quoted(row[TEXT]), percent(row[LOGPROB]), `rank ${row[RANK]}`, `entropy ${row[ENTROPY].toFixed(2)}`];
  return [parts.join(' · '), ...others].join('\n');
}

/** A token's text on one line, for labels: as a string literal would say it. */
export function quoted(text) {
  return typeof text === 'string' ? JSON.stringify(text) : hex(text);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}

/**
 * Draws rows one after another: `add(rows)` gives their elements. A character of several tokens stands in the
 * last of them, the bytes in all.
 */
export function painter(classOf) {
  const decoder = new TextDecoder();
  let at = 0;
  let open = false; // a character is half written

  function one(row) {
    const element = document.createElement('span');
    element.className = classOf(row, at);
    element.dataset.i = at;
    at += 1;
    const text = Array.isArray(row) ? row[TEXT] : '';
    if (typeof text === 'string' && !open) {
      element.append(...(text ? visible(text) : [sign('∅')]));
      return element;
    }
    const decoded = decoder.decode(bytesOf(text), { stream: true });
    open = typeof text !== 'string' && !decoded;
    if (typeof text !== 'string') element.append(sign(hex(text)));
    element.append(...visible(decoded));
    return element;
  }

  return { add: (rows) => rows.map(one), get drawn() { return at; } };
}

/** Differences of two rows' log-probabilities over the stretches that both cut alike; null where none is. */
export function differences(rows, others) {
  const values = new Array(rows.length).fill(null);
  let [i, j] = [0, 0];
  let [here, there] = [0, 0]; // bytes
  let [from, own, other] = [0, 0, 0];
  const size = (row) => bytesOf(row[TEXT]).length;
  while (i < rows.length && j < others.length) {
    if (here <= there) {
      own += rows[i][LOGPROB] ?? NaN;
      here += size(rows[i++]);
    } else {
      other += others[j][LOGPROB] ?? NaN;
      there += size(others[j++]);
    }
    while (here === there && i > from) {
      // both stand at a border
      const difference = own - other;
      for (; from < i; from++) values[from] = Number.isNaN(difference) ? null : difference;
      [own, other] = [0, 0];
    }
  }
  return closed(values, rows, others, { i, j, here, there, from, own, other, size });
}

// The last stretch: one way is used up, the other may still have tokens up to the same border.
function closed(values, rows, others, state) {
  const { size } = state;
  let { i, j, here, there, from, own, other } = state;
  while (i < rows.length && here < there) {
    own += rows[i][LOGPROB] ?? NaN;
    here += size(rows[i++]);
  }
  while (j < others.length && there < here) {
    other += others[j][LOGPROB] ?? NaN;
    there += size(others[j++]);
  }
  if (here === there) for (; from < i; from++) values[from] = Number.isNaN(own - other) ? null : own - other;
  return values;
}

const MOST_DESCRIBED = 12_000; // rows with alternatives that a conversation keeps
const MOST_ROWS = 60_000;

/**
 * Keep a conversation within what the browser stores: alternatives of the oldest answers go first, then their
 * tokens. An answer says in `trimmed` what it lost.
 */
export function trim(conversation) {
  let rows = 0;
  for (const turn of Object.values(conversation.turns).reverse()) {
    const replies = [
      ...Object.values(turn.replies),
      ...Object.values(turn.others ?? {}).flatMap((others) => others.replies),
    ];
    for (const reply of replies) {
      if (!reply.rows?.length) continue;
      rows += reply.rows.length;
      if (rows > MOST_ROWS) {
        delete reply.rows;
        reply.trimmed = 'tokens';
      } else if (rows > MOST_DESCRIBED && !reply.trimmed) {
        for (const row of reply.rows) if (Array.isArray(row)) row[OTHERS] = [];
        reply.trimmed = 'alternatives';
      }
    }
  }
}
