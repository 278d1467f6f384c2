// One example in the editor: a query, an answer, and what can be done with the two.

import { autosize, fill, h, iconButton } from './dom.js';
import { t } from './text.js';

/** A card bound to `example`, which it changes in place; `actions` hears of it. */
export function exampleCard(example, actions) {
  const name = h('span.example-name');
  const tokens = h('span.tokens');
  const toggle = h('input', { type: 'checkbox', checked: example.enabled });
  const up = iconButton('up', t('example.up'), () => moved(-1, up));
  const down = iconButton('down', t('example.down'), () => moved(1, down));
  const copy = iconButton('copy', t('example.duplicate'), () => actions.duplicate(example));
  const remove = iconButton('close', t('example.delete'), () => actions.remove(example));
  const query = area('query');
  const answer = area('answer');
  const element = h(
    'li.example',
    {},
    h(
      'div.example-head',
      {},
      h('label.example-toggle', {}, toggle, name),
      tokens,
      h('span.grow'),
      up,
      down,
      copy,
      remove,
    ),
    h('div.example-texts', {}, query, answer),
  );

  toggle.addEventListener('change', () => {
    example.enabled = toggle.checked;
    shade();
    actions.toggled();
  });

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

  shade();
  return {
    element,
    focus: () => query.focus(),
    resize: () => [query, answer].forEach(autosize),
    place: (index, of) => {
      const label = t('example.name', { n: index + 1 });
      fill(name, label);
      toggle.setAttribute('aria-label', t('example.use', { name: label }));
      query.setAttribute('aria-label', t('example.query', { name: label }));
      answer.setAttribute('aria-label', t('example.answer', { name: label }));
      up.disabled = index === 0;
      down.disabled = index === of - 1;
    },
    tokens: (n) => {
      fill(tokens, !example.enabled ? t('example.off') : n === undefined ? '' : t('unit.tokens', { n }));
    },
  };
}
