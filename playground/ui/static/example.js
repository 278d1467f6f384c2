// One example in the editor: a query, an answer, a note, and what can be done with them.

import { autosize, fill, h, icon, iconButton } from './dom.js';
import { draggable } from './reorder.js';
import { t } from './text.js';

const GLIMPSE = 120; // characters of a folded example

/** A card bound to `example`, which it changes in place; `actions` hears of it. */
export function exampleCard(example, actions) {
  const name = h('span.example-name');
  const glimpse = h('span.example-glimpse', { onclick: () => actions.fold(example, false) });
  const tokens = h('span.tokens');
  const toggle = h('input', { type: 'checkbox', checked: example.enabled });
  const grip = h('button.icon-button.grip', { type: 'button', title: t('example.drag') }, icon('grip'));
  const fold = h(
    'button.icon-button.fold',
    { type: 'button', onclick: () => actions.fold(example, !folded) },
    icon('chevron'),
  );
  const annotate = iconButton('note', t('example.add_note'), () => {
    note.hidden = false;
    note.focus();
  });
  const up = iconButton('up', t('example.up'), () => moved(-1, up));
  const down = iconButton('down', t('example.down'), () => moved(1, down));
  const copy = iconButton('copy', t('example.duplicate'), () => actions.duplicate(example));
  const remove = iconButton('close', t('example.delete'), () => actions.remove(example));
  const query = area('query');
  const answer = area('answer');
  const note = area('note');
  const texts = h('div.example-texts', {}, query, answer, note);
  const element = h(
    'li.example',
    {},
    h(
      'div.example-head',
      {},
      grip,
      fold,
      h('label.example-toggle', {}, toggle, name),
      glimpse,
      tokens,
      h('div.example-tools', {}, annotate, up, down, copy, remove),
    ),
    texts,
  );
  let folded = false;
  let shown = null; // what stands in `tokens`

  toggle.addEventListener('change', () => {
    example.enabled = toggle.checked;
    shade();
    actions.toggled();
  });
  note.addEventListener('blur', () => (note.hidden = !note.value));
  query.addEventListener('paste', (event) => {
    if (!example.query && !example.answer) actions.pasted(example, event.clipboardData.getData('text/plain'));
  });
  grip.addEventListener('keydown', (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    moved(by, grip);
  });
  draggable(grip, element, actions.drag(example));

  function area(field) {
    const box = h('textarea', {
      rows: 1,
      spellcheck: false,
      class: field,
      value: example[field],
      placeholder: t(`example.${field}_hint`),
    });
    box.addEventListener('input', () => {
      autosize(box);
      example[field] = box.value;
      actions.edited();
    });
    return box;
  }

  function moved(by, button) {
    actions.move(example, by);
    (button.disabled ? (by < 0 ? down : up) : button).focus(); // moving an element drops its focus
    element.scrollIntoView({ block: 'nearest' });
  }

  function shade() {
    element.classList.toggle('off', !example.enabled);
  }

  function drawFold() {
    element.classList.toggle('folded', folded);
    texts.hidden = folded;
    fold.setAttribute('aria-expanded', String(!folded));
    if (!folded) return;
    const line = `${example.query} → ${example.answer}`.slice(0, GLIMPSE).replaceAll(/\s+/g, ' ');
    fill(glimpse, line);
    glimpse.title = example.note;
  }

  function sync() {
    toggle.checked = example.enabled;
    setText(query, example.query);
    setText(answer, example.answer);
    setText(note, example.note ?? '');
    note.hidden = !example.note && document.activeElement !== note;
    shade();
    drawFold();
  }

  sync();
  return {
    element,
    sync,
    move: (by) => moved(by, grip.contains(document.activeElement) ? grip : document.activeElement),
    focus: () => (folded ? toggle : query).focus(),
    toggle: () => toggle.click(),
    get folded() {
      return folded;
    },
    fold: (wanted) => {
      if (folded === wanted) return;
      const inside = texts.contains(document.activeElement);
      folded = wanted;
      drawFold();
      if (inside) fold.focus();
      if (!folded) [query, answer, note].forEach(autosize);
    },
    resize: () => [query, answer, note].forEach(autosize),
    place: (index, of) => {
      const label = t('example.name', { n: index + 1 });
      if (name.textContent !== label) {
        fill(name, label);
        toggle.setAttribute('aria-label', t('example.use', { name: label }));
        fold.setAttribute('aria-label', t('example.fold', { name: label }));
        grip.setAttribute('aria-label', t('example.drag_name', { name: label }));
        for (const [field, box] of Object.entries({ query, answer, note })) {
          box.setAttribute('aria-label', t(`example.${field}`, { name: label }));
        }
      }
      up.disabled = index === 0;
      down.disabled = index === of - 1;
    },
    tokens: (n) => {
      const text = !example.enabled ? t('example.off') : n === undefined ? '' : t('unit.tokens', { n });
      if (text === shown) return;
      shown = text;
      fill(tokens, text);
    },
  };
}

/** Put another text into a field; where the person is in it, the caret goes to the end of what changed. */
export function setText(area, text) {
  const before = area.value;
  if (before === text) return;
  const focused = document.activeElement === area;
  area.value = text;
  autosize(area);
  if (!focused) return;
  const most = Math.min(before.length, text.length);
  let head = 0;
  while (head < most && before[head] === text[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before.at(-1 - tail) === text.at(-1 - tail)) tail += 1;
  area.setSelectionRange(text.length - tail, text.length - tail);
}
