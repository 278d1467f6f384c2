// The question of a turn as one side shows it: edited in place, and switched to its siblings.

import * as conversations from './conversation.js';
import { autosize, fill, h, iconButton } from './dom.js';
import { register } from './keys.js';
import { askInstead, current } from './run.js';
import { step } from './steps.js';
import { session, save, touch } from './store.js';
import { t } from './text.js';

/** `side`: the id of the side that shows it. */
export function questionView(turn, side) {
  const text = h('div.query', {}, turn.query);
  const pencil = iconButton('pencil', t('question.edit'), edit, '.edit');
  const back = iconButton('back', t('question.previous'), () => go(-1), '.previous');
  const next = iconButton('chevron', t('question.next'), () => go(1), '.next');
  const place = h('span.place');
  const branches = h('span.branches', { role: 'group', 'aria-label': t('question.branches') }, back, place, next);
  const element = h('div.question', { 'data-turn': turn.id });
  const key = `${side}/${turn.id}`;
  let editor = null;

  function draw() {
    const all = conversations.siblings(session.conversation, turn);
    const at = all.indexOf(turn);
    branches.hidden = all.length < 2;
    fill(place, h('span', { 'aria-hidden': 'true' }, t('question.place', { at: at + 1, of: all.length })));
    place.append(h('span.heard', {}, t('question.place.said', { at: at + 1, of: all.length })));
    back.disabled = current !== null || at <= 0;
    next.disabled = current !== null || at === all.length - 1;
    editor?.draw();
  }

  function go(by) {
    const all = conversations.siblings(session.conversation, turn);
    const target = all[all.indexOf(turn) + by];
    if (current || !target) return;
    step('step.branch');
    conversations.show(session.conversation, target);
    touch('conversation');
    const shown = document.querySelector(`[data-side="${side}"] [data-turn="${target.id}"]`);
    const [wanted, other] = by < 0 ? ['.previous', '.next'] : ['.next', '.previous'];
    const button = shown?.querySelector(`${wanted}:not(:disabled)`) ?? shown?.querySelector(other);
    button?.focus({ preventScroll: true });
    shown?.scrollIntoView({ block: 'nearest' });
  }

  function edit() {
    if (!editor) open();
    editor.focus();
  }

  function open() {
    session.edits[key] ??= turn.query;
    editor = questionEditor(turn, key, leave);
    fill(element, editor.element);
  }

  function leave() {
    editor = null;
    delete session.edits[key];
    save();
    fill(element, text, h('span.question-tools', {}, pencil, branches));
    draw();
    pencil.focus({ preventScroll: true });
  }

  if (key in session.edits) open();
  else fill(element, text, h('span.question-tools', {}, pencil, branches));
  draw();
  return { element, draw, edit };
}

function questionEditor(turn, key, leave) {
  const area = h('textarea', { rows: 1, value: session.edits[key], 'aria-label': t('question.edited') });
  const send = h('button.small', { type: 'submit', title: t('question.send.hint') }, t('question.send'));
  const cancel = h('button.small', { type: 'reset' }, t('dialog.cancel'));
  const form = h('form.question-edit', {}, area, h('div.question-buttons', {}, send, cancel));
  area.addEventListener('input', () => {
    autosize(area);
    session.edits[key] = area.value;
    draw();
    save();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const query = area.value;
    if (send.disabled) return;
    delete session.edits[key];
    askInstead(turn, query);
    document.getElementById('message').focus({ preventScroll: true });
  });
  form.addEventListener('reset', (event) => {
    event.preventDefault();
    leave();
  });

  function draw() {
    send.disabled = current !== null || !area.value.trim();
  }

  draw();
  return {
    element: form,
    draw,
    focus: () => {
      autosize(area);
      area.focus();
      area.setSelectionRange(area.value.length, area.value.length);
    },
  };
}

const inForm = { page: 'chat', group: 'conversation', within: '.question-edit textarea' };
register(
  { ...inForm, keys: ['Enter', 'Ctrl+Enter'], run: ({ target }) => target.form.requestSubmit() },
  { ...inForm, keys: ['Escape'], run: ({ target }) => target.form.reset() },
  {
    page: 'chat',
    group: 'conversation',
    keys: ['E'],
    label: 'keys.edit',
    run: () => {
      // of the turn that has the focus, else the last one of the side that has it
      const pane = document.activeElement.closest('.pane') ?? document.querySelector('.pane:not([hidden])');
      const turn = document.activeElement.closest('.turn') ?? [...pane.querySelectorAll('.turn')].at(-1);
      const pencil = turn?.querySelector('.question .edit');
      pencil?.click();
      return Boolean(pencil);
    },
  },
);
