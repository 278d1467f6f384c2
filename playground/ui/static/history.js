// Undo and redo of every edit of the preset.
//
// Whoever changes the draft says so by touching 'draft', and that is all: each state is compared with the one
// before it, and what did not change is shared with it. Keystrokes in one field are one step until a pause. An
// example keeps its object through every step, so that the editor keeps its element, with focus and scroll.

import { session, on, touch } from './store.js';

const MOST_STEPS = 300;
const PAUSE_MS = 1000;
// What saving changes, and what is kept apart.
const NOT_EDITED = ['schema', 'name', 'title', 'derived_from', 'results', 'examples'];

let present = null;
let past = [];
let future = [];
let last = { what: null, at: 0 }; // the field that was written into, and when
let gesture = null; // what belongs together because the person has not let go
const latest = new WeakMap(); // example -> its part of the latest state

/** `{fields: {key: JSON text}, examples: [{ref, query, answer, enabled, note}]}` */
function snapshot() {
  const fields = {};
  for (const [key, value] of Object.entries(session.draft)) {
    if (!NOT_EDITED.includes(key)) fields[key] = JSON.stringify(value);
  }
  const examples = session.draft.examples.map((ref) => {
    const before = latest.get(ref);
    const { query, answer, enabled, note } = ref;
    if (
      before?.query === query &&
      before.answer === answer &&
      before.enabled === enabled &&
      before.note === note
    ) {
      return before;
    }
    const now = { ref, query, answer, enabled, note };
    latest.set(ref, now);
    return now;
  });
  return { fields, examples };
}

/** What differs: `[{part, field, ref, index}]`, in the order of the page. */
function differences(before, after) {
  const found = [];
  for (const key of new Set([...Object.keys(before.fields), ...Object.keys(after.fields)])) {
    if (before.fields[key] === after.fields[key]) continue;
    if (key === 'sampling') found.push(...samplingDifferences(before.fields[key], after.fields[key]));
    else found.push({ part: key, field: key });
  }
  const same = before.examples.length === after.examples.length;
  if (!same || before.examples.some(({ ref }, i) => ref !== after.examples[i].ref)) {
    found.push({ part: 'examples', field: 'list' });
    return found;
  }
  after.examples.forEach((example, index) => {
    const old = before.examples[index];
    if (old === example) return;
    for (const field of ['query', 'answer', 'note', 'enabled']) {
      if (old[field] !== example[field]) found.push({ part: 'example', field, ref: example.ref, index });
    }
  });
  return found;
}

function samplingDifferences(before, after) {
  const [old, now] = [JSON.parse(before ?? '{}'), JSON.parse(after ?? '{}')];
  return Object.keys({ ...old, ...now })
    .filter((field) => old[field] !== now[field])
    .map((field) => ({ part: 'sampling', field }));
}

function record() {
  if (!session.draft) return;
  const now = snapshot();
  if (!present) return void (present = now);
  const found = differences(present, now);
  if (!found.length) return;
  const [one] = found;
  const typed = found.length === 1 && !['list', 'enabled', 'template'].includes(one.field);
  const what = gesture ?? (typed ? one : null);
  const goesOn =
    what !== null &&
    last.what?.field === what.field &&
    last.what.part === what.part &&
    last.what.ref === what.ref &&
    (gesture !== null || performance.now() - last.at < PAUSE_MS);
  if (!goesOn) {
    past.push(present);
    if (past.length > MOST_STEPS) past.shift();
  }
  present = now;
  future = [];
  last = { what, at: performance.now() };
  touch('history');
}

function reset() {
  present = session.draft ? snapshot() : null;
  past = [];
  future = [];
  last = { what: null, at: 0 };
  touch('history');
}

/** Edits belong to one step until `endGesture`: a slider that is being moved. */
export function beginGesture(name) {
  gesture ??= { part: 'gesture', field: name, ref: {} };
}

export function endGesture() {
  gesture = null;
}

/** The next keystroke begins a step of its own. */
export function endStep() {
  last = { what: null, at: 0 };
}

export const canUndo = () => past.length > 0;
export const canRedo = () => future.length > 0;

/** Take the last step back; what it changed, or null where there is none. */
export function undo() {
  return step(past, future);
}

/** Take the last undo back. */
export function redo() {
  return step(future, past);
}

function step(from, to) {
  record(); // an edit that nobody told of is a step of its own
  if (!from.length) return null;
  const target = from.pop();
  to.push(present);
  const found = differences(present, target);
  const { draft } = session;
  for (const key of Object.keys(draft)) {
    if (!NOT_EDITED.includes(key) && !(key in target.fields)) delete draft[key];
  }
  for (const [key, text] of Object.entries(target.fields)) draft[key] = JSON.parse(text);
  draft.examples = target.examples.map((example) => {
    const { ref, query, answer, enabled, note } = example;
    latest.set(ref, example);
    return Object.assign(ref, { query, answer, enabled, note });
  });
  present = target;
  endStep();
  touch('restored', 'draft', 'history');
  return found;
}

/**
 * Put a whole draft in place of the one that is edited, as one step that can be undone. An example that is in
 * both stays the same object.
 */
export function applyDraft(draft) {
  record();
  const free = new Set(session.draft.examples);
  const same = (example) => [...free].find((one) => one.query === example.query && one.answer === example.answer);
  const kept = draft.examples.map((example) => {
    const ref = same(example);
    free.delete(ref);
    return ref;
  });
  const examples = draft.examples.map((example, index) => {
    const there = session.draft.examples[index];
    const ref = kept[index] ?? (free.has(there) ? there : {});
    free.delete(ref);
    return Object.assign(ref, { note: '', enabled: true, ...example });
  });
  const { name, title } = session.draft;
  session.draft = { ...structuredClone({ ...draft, examples: [] }), name, title, examples };
  touch('restored', 'draft');
}

on('opened', reset);
on('draft', record);
