// The tokens of a prompt, each a box: white space and special tokens visible, half characters as bytes.
//
// 20,000 boxes are drawn in chunks that the browser lays out only when they come into sight; there is one
// listener for all of them.

import { h } from './dom.js';

const CHUNK_TOKENS = 240;
const MOST_IN_CHUNK = 1200; // where a text has no line to break at
const UNSEEN = /[\u0000-\u001f\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const NAMES = { '\n': '⏎\n', '\t': '⇥\t', '\r': '␍' };
const PLAIN = /^[ -~]*$/; // what needs no decoding
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Tokens off the wire: `{ids, special, size, bytesOf(i), textOf(i), shown(i), runs}`; see `api/prompts.py`. */
export function readTokens({ ids, sizes, bytes, runs, special }) {
  const data = atob(bytes); // a character a byte
  const starts = new Uint32Array(ids.length + 1);
  for (let i = 0; i < ids.length; i += 1) starts[i + 1] = starts[i] + sizes[i];
  const cut = (i) => data.slice(starts[i], starts[i + 1]);
  const bytesOf = (i) => Uint8Array.from(cut(i), (character) => character.charCodeAt(0));
  return {
    ids,
    runs,
    special: new Set(special),
    size: ids.length,
    bytesOf,
    textOf: (i) => decoder.decode(bytesOf(i)),
    shown: (i) => (PLAIN.test(cut(i)) ? { raw: cut(i), shown: visible(cut(i)) } : shownToken(bytesOf(i))),
  };
}

/** What stands in a token's box. `raw` is null where the bytes are no whole characters. */
export function shownToken(bytes) {
  const raw = decoder.decode(bytes);
  if (raw.includes('\ufffd') && !isReplacement(bytes)) return { raw: null, shown: hex(bytes) };
  return { raw, shown: visible(raw).replace(UNSEEN, (one) => NAMES[one] ?? escaped(one)) };
}

function escaped(one) {
  return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function visible(text) {
  return text.replaceAll(' ', '␣');
}

function isReplacement(bytes) {
  for (let i = 0; i + 2 < bytes.length; i += 1) {
    if (bytes[i] === 0xef && bytes[i + 1] === 0xbf && bytes[i + 2] === 0xbd) return true;
  }
  return false;
}

/** [0xe2, 0x9f] -> 'E2 9F' */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}

/**
 * Boxes for tokens as a list of chunks. `classOf(piece)` gives the classes of the piece of that index, -1 for
 * what the engine put in front.
 */
export function tokenBoxes(tokens, classOf) {
  const chunks = [];
  let chunk = null;
  let at = 0;
  const box = document.createElement('span');
  for (const [piece, count] of tokens.runs) {
    const classes = `tok ${classOf(piece)}`;
    for (const end = at + count; at < end; at += 1) {
      if (!chunk) chunks.push((chunk = h('div.tok-chunk', { 'data-start': String(at) })));
      const { raw, shown } = tokens.shown(at);
      const one = box.cloneNode();
      one.className = tokens.special.has(at) ? `${classes} special` : raw === null ? `${classes} half` : classes;
      one.textContent = shown;
      chunk.append(one);
      const length = chunk.childElementCount;
      if ((length >= CHUNK_TOKENS && shown.endsWith('\n')) || length >= MOST_IN_CHUNK) chunk = null;
    }
  }
  return chunks;
}

/** The index of the token whose box holds `element`, or null. */
export function tokenAt(element) {
  const box = element.closest?.('.tok');
  if (!box) return null;
  return Number(box.parentElement.dataset.start) + [...box.parentElement.children].indexOf(box);
}

/** The box of token `index` among `chunks`. */
export function boxOf(chunks, index) {
  const chunk = chunks.findLast((one) => Number(one.dataset.start) <= index);
  return chunk?.children[index - Number(chunk.dataset.start)] ?? null;
}
