// The models page: pairs on this computer and those that can be downloaded, and what is done with each model.

import { complain } from '../dialogs.js';
import { fill, h, icon } from '../dom.js';
import { askForModels } from '../page.js';
import { server } from '../store.js';
import { bytes, count, t } from '../text.js';
import { call } from '../wire.js';
import { openAdd } from './add.js';
import { modelRow } from './row.js';

const POLL_BUSY_MS = 500;
const POLL_IDLE_MS = 3000;
const BUSY = ['queued', 'waiting', 'running', 'checking'];
const languageNames = new Intl.DisplayNames(['en'], { type: 'language' });

export function mount(section) {
  const search = h('input.models-search', { type: 'search', id: 'models-search', placeholder: t('models.filter') });
  search.setAttribute('aria-label', t('models.filter'));
  const resources = h('p.muted.models-resources', { id: 'models-resources' });
  const problems = h('div', { id: 'models-problems' });
  const groups = ['others', 'here', 'away'].map((name) => {
    const list = h('div.models-list');
    const element = h('section.models-group', { id: `models-${name}`, hidden: true }, h('h2', {}, t(`models.${name}`)), list);
    return { name, list, element };
  });
  const nothing = h('p.muted', { hidden: true }, t('models.nothing'));
  const cards = new Map(); // pair -> card
  const others = new Map(); // download -> row
  let shown = null; // what the server said last
  let visible = false;
  let timer = null;
  let asked = Promise.resolve();

  /** Do something on the server, then look how it went. */
  async function act(name, body) {
    try {
      const answer = await call(name, body);
      await refresh();
      return answer ?? true;
    } catch (error) {
      complain(error);
      return null;
    }
  }

  /** Look again, after whatever look is under way. */
  function refresh() {
    clearTimeout(timer);
    return (asked = asked.catch(() => {}).then(look));
  }

  async function look() {
    if (document.hidden) return; // coming back into sight looks again
    const answer = await call('shelf', { name: '' }).catch(() => null); // the page says elsewhere if nobody answers
    clearTimeout(timer);
    if (visible) timer = setTimeout(refresh, answer && isBusy(answer) ? POLL_BUSY_MS : POLL_IDLE_MS);
    if (!answer) return;
    draw(answer);
    const known = new Map(server.models.map((one) => [one.id, one.status]));
    const models = modelsOf(answer);
    if (models.length === known.size && models.every(({ id, status }) => known.get(id) === status)) return;
    await askForModels().catch(() => {});
  }

  function draw(answer) {
    shown = answer;
    const loaded = modelsOf(answer).filter(({ status }) => status === 'ready');
    fill(
      resources,
      [
        loaded.length && t('models.loaded', { n: loaded.length, size: bytes(loaded.reduce((sum, one) => sum + one.memory_bytes, 0)) }),
        answer.free_bytes !== null && t('models.free', { size: bytes(answer.free_bytes) }),
        answer.free_disk_bytes !== null && t('models.free_disk', { size: bytes(answer.free_disk_bytes) }),
      ]
        .filter(Boolean)
        .join(' · '),
    );
    fill(problems, answer.problems.map((one) => h('p.problem', {}, t('models.passed_over', { problem: one }))));
    drawPairs(answer.pairs);
    drawOthers(answer.downloads);
    filter();
  }

  function drawPairs(pairs) {
    const names = new Set(pairs.map(({ pair }) => pair));
    for (const [name, card] of cards) {
      if (names.has(name)) continue;
      card.element.remove();
      cards.delete(name);
    }
    const lists = { here: [], away: [] };
    for (const pair of pairs) {
      if (!cards.has(pair.pair)) cards.set(pair.pair, pairCard(act, refresh));
      const card = cards.get(pair.pair);
      card.draw(pair);
      lists[pair.models.some(({ present }) => present) ? 'here' : 'away'].push(card.element);
    }
    for (const { name, list } of groups) if (lists[name]) arrange(list, lists[name]);
  }

  /** Downloads of what no list names, such as those begun at a terminal. */
  function drawOthers(downloads) {
    const keys = downloads.map(({ key }) => key);
    for (const key of [...others.keys()]) if (!keys.includes(key)) others.delete(key);
    for (const download of downloads) {
      if (!others.has(download.key)) others.set(download.key, modelRow(act, refresh));
      others.get(download.key).draw({ id: download.key, title: download.title, unlisted: true, download });
    }
    arrange(groups[0].list, keys.map((key) => others.get(key).element));
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const card of cards.values()) card.element.hidden = !words.every((word) => card.text.includes(word));
    for (const { element, list } of groups) element.hidden = [...list.children].every((one) => one.hidden);
    nothing.hidden = !shown || groups.some(({ element }) => !element.hidden);
  }

  async function add() {
    const added = await openAdd();
    if (!added) return;
    search.value = '';
    await refresh();
    const row = section.querySelector(`[data-model="${CSS.escape(added)}"]`);
    row?.scrollIntoView({ block: 'nearest' });
    row?.querySelector('button')?.focus({ preventScroll: true });
  }

  search.addEventListener('input', filter);
  section.append(
    h(
      'div.models-page',
      {},
      h('div.models-bar', {}, search, h('button.small', { type: 'button', id: 'models-add', onclick: add }, icon('plus'), t('models.add')), h('span.grow'), resources),
      problems,
      groups.map(({ element }) => element),
      nothing,
    ),
  );
  addEventListener('visibilitychange', () => visible && !document.hidden && refresh());
  return {
    show: () => {
      visible = true;
      refresh();
    },
    hide: () => {
      visible = false;
      clearTimeout(timer);
    },
  };
}

function modelsOf({ pairs }) {
  return pairs.flatMap(({ models }) => models);
}

function isBusy(answer) {
  const working = ({ status, download, check }) =>
    status === 'loading' || BUSY.includes(download?.status) || check?.status === 'running';
  return modelsOf(answer).some(working) || answer.downloads.some(({ status }) => BUSY.includes(status));
}

/** Bring a list's elements in line without taking those out that stay. */
function arrange(list, elements) {
  const stay = new Set(elements);
  for (const one of [...list.children]) if (!stay.has(one)) one.remove();
  elements.forEach((one, i) => {
    if (list.children[i] !== one) list.insertBefore(one, list.children[i] ?? null);
  });
}

function pairCard(act, look) {
  const title = h('h3');
  const facts = h('p.muted.pair-facts');
  const description = h('p.pair-description');
  const list = h('div.pair-models');
  const element = h('article.pair-card', {}, h('div.pair-head', {}, title, facts), description, list);
  const rows = new Map();
  const card = { element, text: '', draw };

  function draw(pair) {
    element.dataset.pair = pair.pair;
    element.setAttribute('aria-label', pair.title);
    fill(title, pair.title);
    fill(facts, factsOf(pair));
    fill(description, pair.description);
    description.hidden = !pair.description;
    const ids = pair.models.map(({ id }) => id);
    for (const id of [...rows.keys()]) if (!ids.includes(id)) rows.delete(id);
    for (const model of pair.models) {
      if (!rows.has(model.id)) rows.set(model.id, modelRow(act, look));
      rows.get(model.id).draw(model);
    }
    arrange(list, ids.map((id) => rows.get(id).element));
    card.text = textOf(pair);
  }

  return card;
}

function factsOf({ parameters, context, languages, license, gated, tried, architecture, historic, suggested, evidence }) {
  const named = languages.map((code) => languageNames.of(code) ?? code);
  const spoken = named.length > 3 ? t('models.languages', { n: named.length }) : named.join(', ');
  const parts = [
    suggested && h('span.suggested', { title: t('models.suggested.hint') }, t('models.suggested')),
    historic && h('span.historic', { title: t('models.historic.hint') }, t('models.historic')),
    parameters > 0 && t('models.parameters', { n: parameters >= 1e9 ? parameters / 1e9 : parameters / 1e6, unit: parameters >= 1e9 ? 'B' : 'M' }),
    architecture && t(`models.architecture.${architecture}`),
    context > 0 && t('models.context', { n: context }),
    spoken && h('span', { title: named.join(', ') }, spoken),
    license && (gated ? t('models.license_gated', { license }) : license),
    !tried && h('span.untried', { title: [t('models.untried.hint'), ...evidence].join('\n') }, t('models.untried')),
  ].filter(Boolean);
  return parts.flatMap((part, i) => (i ? [' · ', part] : [part]));
}

function textOf(pair) {
  const ofModels = pair.models.flatMap((one) => [one.id, one.title, one.repository, one.quantization, one.path]);
  const marks = [pair.historic && t('models.historic'), pair.suggested && t('models.suggested'), pair.architecture && t(`models.architecture.${pair.architecture}`)].filter(Boolean);
  return [pair.title, pair.description, pair.license, ...marks, ...pair.languages.map((code) => languageNames.of(code) ?? code), count(pair.context), ...ofModels]
    .join(' ')
    .toLowerCase();
}
