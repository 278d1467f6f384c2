// The gallery: every preset as a card with what it shows, found by words, tags and language, and its prompt beside.

import { complain } from '../dialogs.js';
import { fill, h } from '../dom.js';
import { choose, entryOf, titleOf } from '../library.js';
import { openPage } from '../pages.js';
import { server, session, on } from '../store.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { openImport } from './import.js';
import { openLineage } from './lineage.js';
import { openShare } from './share.js';
import { factsOf, languageName, originsOf, promptOf } from './shown.js';
import { openSheet } from './sheet.js';

const beside = matchMedia('(min-width: 1100px)'); // as in presets.css

export function mount(section) {
  const search = h('input', { type: 'search', id: 'gallery-search', placeholder: t('gallery.search'), 'aria-label': t('gallery.search') });
  const language = h('select', { id: 'gallery-language', 'aria-label': t('gallery.language'), onchange: draw });
  const tags = h('div.gallery-tags', { role: 'group', 'aria-label': t('gallery.tags') });
  const found = h('p.muted.gallery-found', { role: 'status' });
  const cards = h('div.gallery-cards');
  const panel = h('section.gallery-panel', { 'aria-label': t('gallery.preview') });
  const wanted = new Set(); // tags
  let chosen = null; // the name that is looked at
  let drawn = ''; // name and digest of what the panel shows
  let sheet = null;

  search.addEventListener('input', draw);
  section.append(
    h(
      'div.gallery',
      {},
      h(
        'div.gallery-main',
        {},
        h(
          'div.gallery-bar',
          {},
          search,
          language,
          h('button.small', { type: 'button', 'data-action': 'import', onclick: () => openImport() }, t('preset.import')),
        ),
        tags,
        found,
        cards,
      ),
      panel,
    ),
  );

  function drawFilters() {
    const count = (all) => [...all.reduce((n, one) => n.set(one, (n.get(one) ?? 0) + 1), new Map())].sort((a, b) => a[0].localeCompare(b[0]));
    const { value } = language;
    const languages = count(server.presets.map((entry) => entry.language).filter(Boolean));
    fill(
      language,
      h('option', { value: '' }, t('gallery.any_language')),
      languages.map(([code, n]) => h('option', { value: code }, t('gallery.counted', { name: languageName(code), n }))),
    );
    language.value = languages.some(([code]) => code === value) ? value : '';
    const known = count(server.presets.flatMap((entry) => entry.tags));
    for (const tag of wanted) if (!known.some(([name]) => name === tag)) wanted.delete(tag);
    fill(
      tags,
      known.map(([name, n]) =>
        h(
          'button.tag',
          { type: 'button', 'aria-pressed': String(wanted.has(name)), 'data-tag': name, onclick: () => toggle(name) },
          name,
          h('span.muted', { 'aria-hidden': 'true' }, n),
        ),
      ),
    );
  }

  function toggle(tag) {
    if (!wanted.delete(tag)) wanted.add(tag);
    for (const button of tags.children) button.setAttribute('aria-pressed', String(wanted.has(button.dataset.tag)));
    draw();
  }

  /** Every word occurs somewhere, and every tag that is wanted is there. */
  function fits(entry) {
    if (language.value && entry.language !== language.value) return false;
    if ([...wanted].some((tag) => !entry.tags.includes(tag))) return false;
    const text = [entry.name, entry.title, entry.description, entry.author, ...entry.tags].join(' ').toLowerCase();
    return search.value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  function draw() {
    const fitting = server.presets.filter(fits);
    fill(found, fitting.length ? t('gallery.found', { n: fitting.length }) : t('gallery.none'));
    const groups = [
      ['header.own', fitting.filter(({ shipped }) => !shipped)],
      ['header.shipped', fitting.filter(({ shipped }) => shipped)],
    ].filter(([, entries]) => entries.length);
    fill(
      cards,
      groups.map(([title, entries]) =>
        h('section', {}, h('h2.gallery-group', {}, t(title)), h('ul', {}, entries.map(card))),
      ),
    );
    mark();
  }

  function card(entry) {
    const { name, description, error, language: code, shipped } = entry;
    const spoken = code && code !== 'en' ? languageName(code) : '';
    const marks = [...entry.tags, entry.tags.includes(spoken.toLowerCase()) ? '' : spoken].filter(Boolean);
    return h(
      'li.preset-card',
      { 'data-name': name, class: error ? 'broken' : '' },
      h('h3', {}, h('button.card-name', { type: 'button', onclick: () => look(name), disabled: Boolean(error) }, titleOf(entry))),
      error ? h('p.card-problem', {}, error) : h('p', {}, description),
      h(
        'div.card-foot',
        {},
        h('span.card-tags', {}, marks.join(' · '), !shipped && entry.parent && t('gallery.from', { name: entry.parent })),
        !error && h('button.small.try', { type: 'button', onclick: () => tryIt(name) }, t('gallery.try')),
      ),
    );
  }

  /** Look at a preset: beside the cards, or over them where there is no room. */
  async function look(name) {
    chosen = name;
    mark();
    if (await show(name)) over();
  }

  function over() {
    if (beside.matches || sheet) return;
    sheet = openSheet(titleOf(entryOf(chosen)), 'preset-sheet', panel);
    sheet.closed.then(back);
  }

  function back() {
    sheet = null;
    section.firstChild.append(panel);
  }

  beside.addEventListener('change', () => sheet?.close());

  function mark() {
    for (const one of cards.querySelectorAll('.preset-card')) {
      if (one.dataset.name === chosen) one.setAttribute('aria-current', 'true');
      else one.removeAttribute('aria-current');
    }
  }

  async function show(name) {
    const entry = entryOf(name);
    if (!entry || entry.error) return false;
    const key = `${name} ${entry.digest}`;
    if (key === drawn) return true;
    try {
      const view = await call('view_preset', { name });
      if (chosen !== name) return false; // another one was chosen meanwhile
      drawn = key;
      fill(panel, panelOf(view, entry));
      panel.scrollTop = 0;
      return true;
    } catch (error) {
      complain(error);
      return false;
    }
  }

  function panelOf(view, { name, tags: marks }) {
    const { draft } = view;
    const does = (key, work) => h('button.small', { type: 'button', 'data-action': key, onclick: () => guarded(work) }, t(`preset.${key}`));
    return [
      h('h2', {}, titleOf(draft)),
      h('p', {}, draft.description),
      h('p.muted', {}, factsOf(draft)),
      h(
        'div.panel-buttons',
        {},
        h('button.filled', { type: 'button', 'data-action': 'try', onclick: () => tryIt(name) }, t('gallery.try')),
        does('share', () => openShare(draft)),
        does('history', () => openLineage(name)),
      ),
      promptOf(view),
      marks.length > 0 && h('p.muted', {}, marks.join(' · ')),
      originsOf(draft),
    ];
  }

  async function guarded(work) {
    try {
      await work();
    } catch (error) {
      complain(error);
    }
  }

  async function tryIt(name) {
    if (!(await choose(name))) return;
    sheet?.close();
    openPage('chat');
  }

  function drawAll() {
    drawFilters();
    draw();
    if (!entryOf(chosen) || entryOf(chosen).error) {
      const open = entryOf(session.saved?.name);
      chosen = (open && !open.error ? open : server.presets.find((entry) => !entry.error))?.name ?? null;
    }
    mark();
    if (chosen && (beside.matches || sheet)) show(chosen);
  }

  let visible = false;
  on('presets', () => visible && drawAll());
  return {
    show: () => {
      visible = true;
      drawAll();
    },
    hide: () => {
      visible = false;
      sheet?.close();
    },
  };
}
