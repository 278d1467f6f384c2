// What a preset was made from and what was made of it, as a tree; any two of it are compared.

import { h } from '../dom.js';
import { choose, entryOf, titleOf } from '../library.js';
import { openDiff } from '../studio/diff.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { openSheet } from './sheet.js';

const MOST_DEPTH = 12; // deeper ones stand below each other

/** Open the tree of the preset `name`. */
export async function openLineage(name) {
  const rows = await call('lineage', { name });
  const chosen = startWith(rows, name);
  const compare = h('button.filled', { type: 'button', onclick: () => differ() }, t('lineage.compare'));
  const sheet = openSheet(
    t('lineage.title', { name: titleOf(entryOf(name) ?? { name }) }),
    'lineage',
    [h('p.muted', {}, t(rows.length > 1 ? 'lineage.hint' : 'lineage.alone')), h('ul.lineage-tree', {}, rows.map(line))],
    h('div.dialog-buttons', { hidden: rows.length < 2 }, compare),
  );

  function line({ depth, name: one, hash, present, link }) {
    const box = h('input', {
      type: 'checkbox',
      checked: chosen.includes(one),
      disabled: !present,
      'aria-label': t('lineage.choose', { name: one }),
    });
    box.addEventListener('change', () => mark(one, box.checked));
    const said = [
      one === name && t('lineage.this'),
      !present && t('lineage.missing'),
      link === 'changed' && t('lineage.changed'),
    ].filter(Boolean);
    const item = h(
      'li',
      { 'data-name': one, class: one === name ? 'here' : '' },
      box,
      h('span.lineage-name', {}, titleOf(entryOf(one) ?? { name: one })),
      h('code', { title: t('lineage.hash') }, hash.slice(0, 8)),
      said.length > 0 && h('span.muted', {}, said.join(' · ')),
      h('span.grow'),
      present && one !== name && h('button.small', { type: 'button', onclick: () => show(one) }, t('lineage.open')),
    );
    item.style.setProperty('--depth', Math.min(depth, MOST_DEPTH));
    return item;
  }

  /** The two that were ticked last stay ticked. */
  function mark(one, on) {
    if (on) chosen.push(one);
    else chosen.splice(chosen.indexOf(one), 1);
    if (chosen.length > 2) chosen.shift();
    for (const item of sheet.body.querySelectorAll('li')) {
      item.querySelector('input').checked = chosen.includes(item.dataset.name);
    }
    draw();
  }

  function draw() {
    compare.disabled = chosen.length !== 2;
  }

  function differ() {
    const order = rows.map((row) => row.name);
    const [before, after] = [...chosen].sort((a, b) => order.indexOf(a) - order.indexOf(b));
    openDiff({ before, after });
  }

  async function show(one) {
    if (await choose(one)) sheet.close();
  }

  draw();
}

/** A preset and the one that it was made from, else its first child. */
function startWith(rows, name) {
  const at = rows.findIndex((row) => row.name === name);
  const { depth } = rows[at];
  const parent = rows.slice(0, at).findLast((row) => row.depth < depth);
  const child = rows.slice(at + 1).find((row) => row.depth === depth + 1);
  return [parent, rows[at], parent?.present ? null : child].filter((row) => row?.present).map((row) => row.name).slice(0, 2);
}
