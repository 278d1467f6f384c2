// Presets that were found in something: what each was taken for, what was kept how, and its examples and prompt.

import { fill, h } from '../dom.js';
import { titleOf } from '../library.js';
import { table } from '../studio/diff.js';
import { t } from '../text.js';
import { examplesOf, factsOf, promptOf } from './shown.js';

const SHOWN_EXAMPLES = 40;

/** The view of what was found. `chosen()` and `all()` give drafts under the names that the person chose. */
export function foundView() {
  const which = h('select', { id: 'found-which', 'aria-label': t('import.which') });
  const facts = h('p.found-facts');
  const notes = h('ul.found-notes');
  const even = h('input', { type: 'checkbox', id: 'found-even' });
  const evenRow = h('label.check', { for: even.id }, even, t('import.even'));
  const difference = h('div.found-difference', { tabIndex: 0, role: 'region', 'aria-label': t('import.difference') });
  const name = h('input', { type: 'text', id: 'found-name', maxLength: 80, autocomplete: 'off', spellcheck: false });
  const examples = h('section.found-part');
  const prompt = h('details.found-part.found-prompt');
  const refused = h('ul.found-notes.found-refused');
  const one = h(
    'div.found-one',
    {},
    facts,
    notes,
    evenRow,
    difference,
    examples,
    prompt,
  );
  const element = h('div.found', { hidden: true }, refused, which, one);
  let items = [];
  let at = 0;

  const shown = ({ even: evened, found }) => (evened ? found.normalised : found);
  const draftOf = (item) => ({ ...shown(item).draft, name: item.name.trim() });

  function draw() {
    const item = items[at];
    one.hidden = !item;
    if (!item) return;
    const { format, kind, notes: said, normalised } = item.found;
    const view = shown(item);
    fill(
      facts,
      h('b', {}, titleOf(view.draft)),
      ` · ${t(`import.format.${format}`)} · ${t(`import.kind.${item.even ? 'structured' : kind}`)} · ${factsOf(view.draft)}`,
    );
    fill(notes, said.map((note) => h('li', {}, note)));
    evenRow.hidden = !normalised;
    even.checked = item.even;
    difference.hidden = !item.even;
    fill(difference, item.even && differenceOf(normalised.difference));
    const list = view.draft.examples;
    examples.hidden = !list.length;
    fill(
      examples,
      h('h3', {}, t(view.draft.prefix === null ? 'import.examples' : 'import.examples_beside', { n: list.length })),
      examplesOf(list, SHOWN_EXAMPLES),
    );
    fill(prompt, h('summary', {}, t('gallery.prompt')), promptOf(view));
    name.value = item.name;
  }

  which.addEventListener('change', () => {
    at = Number(which.value);
    draw();
  });
  even.addEventListener('change', () => {
    items[at].even = even.checked;
    draw();
  });
  name.addEventListener('input', () => (items[at].name = name.value));

  return {
    element,
    name: h('label.found-name', { for: name.id }, t('preset.file_name'), name),
    /** Show presets, and those that could not be read: `[[name, sentence]]`. */
    show(found, bad = []) {
      items = found.map((one) => ({ found: one, name: one.draft.name, even: false }));
      at = 0;
      element.hidden = !items.length && !bad.length;
      fill(refused, bad.map(([of, sentence]) => h('li', {}, h('b', {}, of), ` ${sentence}`)));
      which.hidden = items.length < 2;
      fill(which, items.map(({ found: { draft } }, i) => h('option', { value: i }, titleOf(draft))));
      draw();
    },
    count: () => items.length,
    chosen: () => draftOf(items[at]),
    all: () => items.map(draftOf),
  };
}

function differenceOf(lines) {
  if (!lines.length) return h('p.muted', {}, t('import.even.same'));
  return [h('h3', {}, t('import.difference')), table(lines)];
}
