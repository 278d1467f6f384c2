// One run: how it does, its charts and tables, its answers, and the files it can be taken away as.

import { ask, complain } from '../dialogs.js';
import { fill, h, iconButton } from '../dom.js';
import { openUnsaved } from '../library.js';
import { menu, menuItem } from '../menu.js';
import { openPage } from '../pages.js';
import { download, offerPictures } from '../picture.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { answersView } from './answers.js';
import { drawChart, legendOf } from './charts.js';
import { askJudge } from './judge.js';
import { actionOf, progressOf, stateOf } from './list.js';
import { titleOf } from './page.js';

const TYPES = { html: 'text/html', csv: 'text/csv', json: 'application/json', jsonl: 'application/x-ndjson', yaml: 'application/yaml' };

/** The view of the run `id`; `follow(entry)` is told how it does. */
export function runView(id, { back, act }) {
  const title = h('h2', {});
  const now = h('div.exp-now', {});
  const actions = h('div.exp-actions', {});
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const figures = h('div.exp-figures', {});
  const answers = answersView(id);
  const element = h(
    'div.exp-one',
    { 'data-run': id },
    h('div.exp-head', {}, iconButton('back', t('experiments.back'), back), title, h('span.grow'), actions),
    now,
    problem,
    figures,
    answers.element,
  );
  let shown = ''; // of which state the figures are drawn
  let drawn = '';
  let offered = '';

  function follow(entry) {
    const key = JSON.stringify(entry);
    if (key !== drawn) {
      drawn = key;
      fill(title, titleOf(entry));
      fill(now, stateOf(entry), progressOf(entry), h('span.muted.exp-folder', {}, entry.folder));
    }
    const able = `${entry.state} ${entry.results} ${entry.answered > 0}`;
    if (able !== offered) {
      offered = able;
      drawActions(entry);
    }
    const state = `${entry.state} ${entry.results}`;
    if (state === shown) return;
    shown = state;
    load().catch(complain);
    answers.load();
  }

  function drawActions(entry) {
    const { state, results, kind } = entry;
    const done = results && state !== 'running';
    const compared = done && (kind === 'evaluate' || kind === 'ablate');
    const kinds = [
      done && !compared && menuButton('experiments.open_found', 'found', () => openPreset('').catch(complain)),
      done && menuButton('experiments.report', 'report', () => take('report.html').catch(complain)),
      done && menuButton('experiments.picture', 'picture', () => offerPictures(figures, title.textContent)),
    ];
    const more = menu(
      t('experiments.actions'),
      [
        entry.answered > 0 && menuItem(t('experiments.files'), () => files().catch(complain), { 'data-action': 'files' }),
        compared && menuItem(t('experiments.judge'), () => askJudge(entry, act), { 'data-action': 'judge' }),
        compared && menuItem(t('experiments.again'), () => act('experiment_resume', { run: id }), { 'data-action': 'again', title: t('experiments.again.hint') }),
        state !== 'running' && menuItem(t('experiments.remove'), remove, { 'data-action': 'remove' }),
      ].filter(Boolean),
    );
    const focused = actions.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    fill(actions, actionOf(entry, act), kinds, more.button, more.list);
    if (focused) actions.querySelector(`[data-action=${focused}]`)?.focus();
  }

  async function load() {
    const { view } = await call('experiment_run', { run: id });
    fill(figures);
    if (!view) return;
    const sections = view.sections.map(sectionOf);
    if (view.summary) figures.append(h('p', {}, view.summary));
    figures.append(
      ...sections.slice(0, view.first),
      h('div.exp-charts', {}, view.charts.map(chartCard)),
      ...sections.slice(view.first),
    );
  }

  function sectionOf({ name, about, rows: [head, ...rows], numbers_from: from }) {
    return h(
      'section.exp-card',
      { 'data-section': name },
      h('h3', {}, t(`experiments.section.${name}`, { about })),
      h(
        'div.exp-scroll',
        { tabIndex: 0, role: 'group', 'aria-label': t(`experiments.section.${name}`, { about }) },
        h(
          'table.exp-table',
          {},
          h('thead', {}, h('tr', {}, head.map((cell) => h('th', { scope: 'col' }, cell)))),
          h('tbody', {}, rows.map((row) => h('tr', {}, row.map((cell, i) => (i ? h(i >= from ? 'td.n' : 'td', {}, cell) : h('th', { scope: 'row' }, cell)))))),
        ),
      ),
    );
  }

  /** Open the found preset, or an assistant's, in the editor. */
  async function openPreset(assistant) {
    const draft = await call('experiment_preset', { run: id, assistant });
    if (await openUnsaved(draft, t('experiments.opened', { name: draft.name }))) openPage('chat');
  }

  async function take(name) {
    const text = await call('experiment_file', { run: id, name });
    const type = TYPES[name.split('.').pop()] ?? 'text/plain';
    download(new Blob([text], { type }), name === 'report.html' ? `${id}.html` : name);
  }

  async function files() {
    const names = await call('experiment_files', { run: id });
    const buttons = names.map((name) => h('li', {}, h('button.small', { type: 'button', 'data-file': name, onclick: () => take(name).catch(complain) }, name)));
    await ask({ title: t('experiments.files'), body: [h('p', {}, t('experiments.files.hint')), h('ul.exp-files', {}, buttons)], ok: t('dialog.close') });
  }

  async function remove() {
    const sure = await ask({ title: t('experiments.remove.title'), body: [h('p', {}, t('experiments.remove.body', { name: id }))], ok: t('experiments.remove.ok'), danger: true });
    if (sure) await act('experiment_remove', { run: id });
  }

  answers.onPreset = (assistant) => openPreset(assistant).catch(complain);
  return { element, follow };
}

function menuButton(label, action, onclick) {
  return h('button.small', { type: 'button', 'data-action': action, onclick }, t(label));
}

function chartCard(chart) {
  return h(
    'section.exp-card.exp-chart-card',
    {},
    h('h3', {}, chart.title),
    drawChart(chart),
    h('p.chart-legend', {}, legendOf(chart).map((name, n) => h('span', {}, h(`span.swatch.c${n % 7}`), name))),
  );
}
