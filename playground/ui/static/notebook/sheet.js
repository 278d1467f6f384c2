// The notebook's text: a text area over a layer that shades what a model wrote, and the way back.
//
// The text area is the browser's own, so typing is never drawn by us. Its undo would not know what a model
// wrote, so every step is kept here: typing until a pause is one, a generation is one.

import { autosize, h } from '../dom.js';
import { t } from '../text.js';
import { difference, edited, marked, moved } from './marks.js';

const PAUSE_MS = 1000;
const MOST_STEPS = 200;
const NEAR_PX = 80;
const LONG_CHARS = 8_000; // a text area lays all of its text out anew whenever some is added,
const LONG_EVERY_MS = 150; // so a long text is added to less often

/** `changed()` is called after each edit, `looked()` when the cursor has moved. */
export function sheet({ changed, looked }) {
  const area = h('textarea.sheet-text', {
    id: 'notebook-text',
    rows: 1,
    spellcheck: false,
    placeholder: t('notebook.placeholder'),
    'aria-label': t('notebook.text'),
  });
  const layer = h('div.sheet-layer', { 'aria-hidden': 'true' });
  const element = h('div.sheet', {}, h('div.sheet-paper', {}, layer, area));
  let book = null;
  let steps = { past: [], future: [] };
  let typedAt = -Infinity; // when the step that typing belongs to was last added to
  let caret = 0; // before the edit under way
  let writing = null; // where a model writes into this text, and what it wrote that is not added yet
  let composing = false; // an input method holds the text
  let due = false; // the layer is drawn in the next frame
  const histories = new WeakMap(); // book -> its steps

  const state = () => ({ text: book.text, marks: book.marks, caret });

  function remember() {
    steps.past.push(state());
    if (steps.past.length > MOST_STEPS) steps.past.shift();
    steps.future = [];
  }

  function take() {
    const { from, to, length } = difference(book.text, area.value, Math.min(caret, area.selectionStart));
    if (from === to && length === 0) return;
    const now = performance.now();
    if (!writing && now - typedAt > PAUSE_MS) remember();
    typedAt = now;
    book.text = area.value;
    book.marks = edited(book.marks, from, to, length);
    if (writing) writing.at = moved(writing.at, from, to, length);
    caret = area.selectionStart;
    drawSoon();
    changed();
  }

  function drawSoon() {
    autosize(area);
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      drawLayer();
      if (writing?.follows) reveal();
    });
  }

  /** Bring the layer's stretches in line with the marks, touching only those that differ. */
  function drawLayer() {
    const wanted = [];
    let at = 0;
    for (const [start, end] of book.marks) {
      wanted.push(book.text.slice(at, start), book.text.slice(start, end));
      at = end;
    }
    while (layer.childElementCount > wanted.length) layer.lastChild.remove();
    wanted.forEach((text, i) => {
      const one = layer.children[i] ?? layer.appendChild(h(i % 2 ? 'mark' : 'span', {}, ''));
      if (!one.firstChild) one.append('');
      if (one.firstChild.data !== text) one.firstChild.data = text;
    });
  }

  /** Keep the end of what is being written in sight. */
  function reveal() {
    const mark = book.marks.findIndex(([, end]) => end === writing.at);
    const end = mark < 0 ? [] : layer.children[2 * mark + 1].getClientRects();
    if (!end.length) return;
    const over = end[end.length - 1].bottom + NEAR_PX / 2 - element.getBoundingClientRect().bottom;
    if (over > 0) element.scrollTop += over;
  }

  function put({ text, marks, caret: to }) {
    book.text = area.value = text;
    book.marks = marks;
    area.setSelectionRange(to, to);
    caret = to;
    typedAt = -Infinity;
    drawSoon();
    changed();
  }

  function step(from, to) {
    if (writing || !from.length) return false;
    to.push(state());
    put(from.pop());
    return true;
  }

  area.addEventListener('beforeinput', (event) => {
    caret = area.selectionStart;
    const back = { historyUndo: undo, historyRedo: redo }[event.inputType];
    if (!back) return;
    event.preventDefault();
    back();
  });
  area.addEventListener('input', take);
  area.addEventListener('compositionstart', () => (composing = true));
  area.addEventListener('compositionend', () => {
    composing = false;
    if (writing?.held) insert('');
  });
  document.addEventListener('selectionchange', () => {
    if (document.activeElement === area && book) looked();
  });
  element.addEventListener(
    'wheel',
    ({ deltaY }) => writing && deltaY < 0 && (writing.follows = false),
    { passive: true },
  );
  element.addEventListener('click', ({ target }) => target === element && area.focus());

  function undo() {
    return step(steps.past, steps.future);
  }

  function redo() {
    return step(steps.future, steps.past);
  }

  /** Write what a model wrote where it writes. A text area knows one kind of line end. */
  function insert(text, last = false) {
    let piece = writing.held + text;
    const early = writing.addedAt + LONG_EVERY_MS - performance.now();
    if (early > 0 && !last && book.text.length > LONG_CHARS) {
      writing.held = piece;
      writing.later ??= setTimeout(() => writing && ((writing.later = null), insert('')), early);
      return;
    }
    const cut = composing ? 0 : piece.length - (!last && piece.endsWith('\r') ? 1 : 0);
    writing.held = piece.slice(cut);
    piece = piece.slice(0, cut).replace(/\r\n?/g, '\n');
    if (!piece) return;
    const { at } = writing;
    writing.addedAt = performance.now();
    const follows = area.selectionStart === at && area.selectionEnd === at;
    area.setRangeText(piece, at, at, 'preserve');
    writing.at = at + piece.length;
    if (follows) area.setSelectionRange(writing.at, writing.at);
    book.text = area.value;
    book.marks = marked(edited(book.marks, at, at, piece.length), at, writing.at);
    caret = area.selectionStart;
    drawSoon();
    changed();
  }

  return {
    area,
    element,
    undo,
    redo,
    insert,
    canUndo: () => !writing && steps.past.length > 0,
    canRedo: () => !writing && steps.future.length > 0,
    /** Show a notebook; the cursor goes to its end. */
    show: (next) => {
      if (book === next) return;
      book = next;
      if (!histories.has(book)) histories.set(book, { past: [], future: [] });
      steps = histories.get(book);
      layer.replaceChildren();
      area.value = book.text;
      caret = book.text.length;
      area.setSelectionRange(caret, caret);
      typedAt = -Infinity;
      drawSoon();
      element.scrollTop = element.scrollHeight;
    },
    cursor: () => area.selectionEnd,
    /** A model begins to write at the cursor: one step from here until `end`. */
    begin: () => {
      caret = area.selectionEnd;
      remember();
      typedAt = -Infinity;
      if (area.selectionStart !== caret) area.setSelectionRange(caret, caret);
      writing = { at: caret, follows: true, held: '', later: null, addedAt: 0 };
    },
    end: () => {
      if (!writing) return;
      composing = false;
      clearTimeout(writing.later);
      insert('', true);
      writing = null;
      if (steps.past.at(-1)?.text === book.text) steps.past.pop(); // nothing was written
      typedAt = -Infinity;
      changed();
    },
  };
}
