// The sides: one to four assistants that answer the same message. Their ids go by their letters.
//
// A side's answers are found by its id in every turn, so an id that answered something is not given to
// another side: a second B is called B2, and shown as B.

import * as conversations from './conversation.js';
import { loadChosen } from './page.js';
import { step } from './steps.js';
import { server, session, touch } from './store.js';

export const MOST_SIDES = 4;
const LETTERS = 'ABCD';

export function sideOf(id) {
  return session.sides.find((side) => side.id === id);
}

/** What a side is called by people. */
export function letterOf(id) {
  return id[0];
}

/** Add the next useful assistant; returns the side. */
export function addSide() {
  return insert('step.side_added', session.sides.length, usefulNext());
}

/** Add a side like another one beside it, with its answers so far. */
export function duplicateSide(id) {
  const side = insert('step.side_copied', session.sides.indexOf(sideOf(id)) + 1, sideOf(id));
  if (!side) return null;
  conversations.copyReplies(session.conversation, id, side.id);
  touch('conversation');
  return side;
}

function insert(label, at, { model, preset, options = {} }) {
  if (session.sides.length >= MOST_SIDES) return null;
  const id = freeId();
  step(label, { side: letterOf(id) });
  const side = { id, model, preset, options: { ...options } };
  session.sides.splice(at, 0, side);
  touch('sides');
  loadChosen();
  return side;
}

/** Take a side away; its answers stay in the conversation, so that it can come back. */
export function removeSide(id) {
  if (session.sides.length === 1) return false;
  step('step.side_removed', { side: letterOf(id) });
  session.sides = session.sides.filter((side) => side.id !== id);
  if (session.view.expanded === id) session.view.expanded = null;
  touch('sides');
  return true;
}

/** What Python is told of a side. */
export function sideAsked({ id, model, preset, options = {} }) {
  return { id, model, preset, options };
}

/** Give a side another model or preset, or other options; another model's template has options of its own. */
export function changeSide(id, change) {
  step('step.side_changed', { side: letterOf(id) });
  Object.assign(sideOf(id), change.model ? { options: {} } : {}, change);
  touch('sides');
  if (change.model) loadChosen();
}

const phone = matchMedia('(max-width: 700px)'); // as in panes.css
phone.addEventListener('change', () => touch('view'));

/** The side that has the whole width, null where none has. On a phone each has it as it is. */
export function expandedSide() {
  return phone.matches ? null : session.view.expanded;
}

/** Give a side the whole width, or with null let all be seen again. */
export function expandSide(id) {
  session.view.expanded = id;
  touch('view');
}

function freeId() {
  const used = new Set(session.sides.map(({ id }) => letterOf(id)));
  const letter = [...LETTERS].find((one) => !used.has(one));
  let id = letter;
  for (let n = 2; conversations.hasReplies(session.conversation, id); n += 1) id = letter + n;
  return id;
}

/** What to compare with next: of the pairs in use, then of the others, what no side has yet. */
function usefulNext() {
  const used = new Set(session.sides.map(({ model }) => model));
  const models = [...server.models].sort((a, b) => used.has(b.id) - used.has(a.id));
  const of = (kind, preset) =>
    models.filter((model) => model.kind === kind).map(({ id }) => ({ model: id, preset }));
  const choices = [
    ...of('base', '@draft').slice(0, 1),
    ...of('instruct', 'none').slice(0, 1),
    ...of('base', 'none').slice(0, 1),
    ...of('instruct', '@draft').slice(0, 1),
    ...of('base', '@draft').slice(1),
    ...of('instruct', 'none').slice(1),
  ];
  const has = ({ model, preset }) =>
    session.sides.some((side) => side.model === model && side.preset === preset);
  return choices.find((choice) => !has(choice)) ?? session.sides.at(-1);
}
