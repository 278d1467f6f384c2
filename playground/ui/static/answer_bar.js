// Under an answer: which of the turn's answers it is, and what can be done with it.

import { addAnswer, answersOf, differing, placeOf, pruneAnswer, saidBy, showAnswer } from './answers.js';
import { ask, complain, notice } from './dialogs.js';
import { h, iconButton } from './dom.js';
import { scoreReply } from './lens.js';
import { lensMode } from './lens_mode.js';
import { menu, menuItem } from './menu.js';
import { offerPictures } from './picture.js';
import { current, goOn } from './run.js';
import { openSamples } from './samples.js';
import { session, touch } from './store.js';
import { t } from './text.js';
import { bytesOf, hasTokens, idOf, painter, textOf } from './tokens.js';

/** Put another token at place `at` of an answer, and let the side go on from there. */
export function swapToken(turn, side, reply, at, { id, text, logprob, rank }) {
  const kept = reply.rows.slice(0, at);
  const old = reply.rows[at];
  const row = [id, text, logprob, rank, old[4], old[5]];
  goOnFrom(turn, side, reply, [...kept, row]);
}

function goOnFrom(turn, side, reply, rows) {
  const { model } = session.sides.find(({ id }) => id === side);
  // Another model's ids mean other tokens; it is given the text.
  const own = reply.model === undefined || reply.model === model;
  const same = own && rows.every((row) => idOf(row) >= 0);
  const described = rows.every(Array.isArray);
  goOn(turn, side, {
    ids: same ? rows.map(idOf) : [],
    text: described ? textOf(rows) : reply.text,
    rows: same ? rows : [],
  });
}

/** The buttons of an answer: its siblings, and a menu. */
export function answerBar(turn, side, reply) {
  const all = answersOf(turn, side);
  const at = placeOf(turn, side);
  const busy = current !== null;
  const shown = (place) => {
    showAnswer(turn, side, place);
    touch('conversation');
  };
  const step = (name, label, by) =>
    Object.assign(
      iconButton(name, t(label), () => shown(at + by), `.answer-${name}`),
      { disabled: busy },
    );
  const switcher =
    all.length > 1 &&
    h(
      'span.answer-branches',
      { role: 'group', 'aria-label': t('answer.branches') },
      step('back', 'answer.previous', -1),
      h('span', {}, t('answer.place', { at: at + 1, of: all.length })),
      step('chevron', 'answer.next', 1),
      reply.name && h('span.answer-name', {}, reply.name),
    );
  const text = reply.text.trim();
  const lens = lensMode() !== 'off';
  const items = [
    reply.finish_reason === 'length' && item('answer.continue', () => goOnFrom(turn, side, reply, rowsOf(reply)), busy),
    lens && text && item(hasTokens(reply) ? 'answer.rescore' : 'answer.score', () => scoreReply(turn, side, reply).catch(complain), busy),
    item('answer.samples', () => openSamples(turn, side), busy),
    item('answer.edit', () => editAnswer(turn, side, reply), busy),
    all.length > 1 && item('answer.compare', () => compareAnswers(all, at)),
    item('answer.name', () => nameAnswer(reply)),
    all.length > 1 && item('answer.prune', () => prune(turn, side), busy),
    text && item('answer.picture', (event) => offerPictures(pictureOf(event), t('answer.picture.title', { side }))),
  ];
  const more = menu(t('answer.more', { side }), items.filter(Boolean));
  return [switcher, more.button, more.list];
}

let opened = null; // the answer whose menu was opened last: a closed menu is no longer where it was

function pictureOf() {
  return opened;
}

document.addEventListener('click', ({ target }) => {
  const turn = target.closest?.('.menu-button')?.closest('.turn');
  if (turn) opened = turn;
});

function item(key, onclick, disabled = false) {
  return menuItem(t(key), onclick, { disabled, 'data-do': key.split('.')[1] });
}

function rowsOf(reply) {
  return reply.rows ?? [];
}

async function editAnswer(turn, side, reply) {
  const box = h('textarea.answer-editor', { value: saidBy(reply), rows: 8, 'aria-label': t('answer.edit.text') });
  const text = await ask({
    title: t('answer.edit.title'),
    body: [h('p.muted', {}, t('answer.edit.hint')), box],
    ok: t('answer.edit.ok'),
    submit: async () => {
      if (!box.value.trim()) throw new Error(t('answer.edit.empty'));
      return box.value;
    },
  });
  if (text === null || current) return;
  const written = { text, finish_reason: 'stop', error: null, edited: true };
  addAnswer(turn, side, written);
  touch('conversation');
  if (lensMode() !== 'off') scoreReply(turn, side, written).catch(complain);
}

async function nameAnswer(reply) {
  const box = h('input', { type: 'text', value: reply.name ?? '', maxLength: 60, 'aria-label': t('answer.name.text') });
  const name = await ask({
    title: t('answer.name.title'),
    body: [box],
    ok: t('answer.name.ok'),
    submit: async () => box.value.trim(),
  });
  if (name === null) return;
  if (name) reply.name = name;
  else delete reply.name;
  touch('conversation');
}

function prune(turn, side) {
  const back = pruneAnswer(turn, side);
  touch('conversation');
  notice(t('answer.pruned'), {
    action: t('dialog.undo'),
    onAction: () => {
      if (current) return;
      back();
      touch('conversation');
    },
  });
}

/** All answers to the turn beside each other; what is not in the first of them is marked. */
function compareAnswers(all, at) {
  const order = [all[at], ...all.filter((_, i) => i !== at)];
  const units = order.map(unitsOf);
  const marks = differing(units.map((one) => one.map(({ key }) => key)));
  const cards = order.map((reply, n) => {
    const body = h('div.answer.lens.compared');
    units[n].forEach(({ nodes }, i) => body.append(h(`span${marks[n][i] ? '.differs' : ''}`, {}, nodes)));
    const title = reply.name ?? t('answer.number', { n: all.indexOf(reply) + 1 });
    return h('section.compared-answer', {}, h('h3', {}, title, n === 0 ? h('span.muted', {}, t('answer.first')) : null), body);
  });
  ask({
    title: t('answer.compare.title'),
    body: [h('p.muted', {}, t('answer.compare.hint')), h('div.compared-answers', {}, cards)],
    ok: t('answer.compare.ok'),
  });
}

/** What two answers are compared by: tokens where they are known, else words. */
function unitsOf(reply) {
  if (hasTokens(reply) && reply.rows.every(Array.isArray)) {
    const paint = painter(() => 'lens-token');
    return reply.rows.map((row) => ({ key: bytesOf(row[1]).join(), nodes: paint.add([row]) }));
  }
  return (reply.text.match(/\s+|\S+/g) ?? []).map((word) => ({ key: word, nodes: [word] }));
}

