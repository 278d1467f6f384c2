// Steps of the conversation and the sides that can be taken back. The preset's edits are history of their own.
//
// A step is noted before it is taken: what was shown and which sides there were. Turns and answers are never
// deleted, so going back is looking at what was looked at before. Kept as long as the page is open.

import { answersOf, showAnswer } from './answers.js';
import * as conversations from './conversation.js';
import { current } from './run.js';
import { session, on, touch } from './store.js';

const MOST = 100;
let past = []; // {label, state}
let future = [];

/** Note what is there before something changes; `label` is the key of the sentence that says what was undone. */
export function step(label, values = {}) {
  past = [...past.slice(1 - MOST), { label, values, state: state() }];
  future = [];
  touch('steps');
}

function state() {
  const { conversation } = session;
  return {
    conversation,
    head: conversation.head,
    answers: { ...conversation.turns[conversation.head]?.replies },
    sides: session.sides.map((side) => ({ ...side })),
  };
}

/** The step that would be taken back next: {label, values}; undefined where there is none. */
export function lastStep() {
  return past.at(-1);
}

export function canUndo() {
  return past.length > 0 && current === null;
}

export function canRedo() {
  return future.length > 0 && current === null;
}

/** Take the last step back; returns it, null where there is none. */
export function undo() {
  if (!canUndo()) return null;
  const last = past.pop();
  future.push({ ...last, state: state() });
  restore(last.state);
  return last;
}

/** Take the step again that was taken back last. */
export function redo() {
  if (!canRedo()) return null;
  const next = future.pop();
  past.push({ ...next, state: state() });
  restore(next.state);
  return next;
}

function restore({ conversation, head, answers, sides }) {
  session.conversation = conversation;
  conversations.look(conversation, head);
  for (const [side, answer] of Object.entries(answers)) {
    const place = answersOf(conversation.turns[head], side).indexOf(answer);
    if (place >= 0) showAnswer(conversation.turns[head], side, place);
  }
  session.sides = sides.map((side) => ({ ...side }));
  touch('conversation', 'sides', 'steps');
}

on('run', () => touch('steps')); // nothing is taken back while answers come
