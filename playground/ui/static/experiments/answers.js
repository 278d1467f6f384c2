// The answers of a run, question by question, assistants beside each other, each with its metrics.

import { complain } from '../dialogs.js';
import { fill, h, iconButton } from '../dom.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { figure } from './charts.js';

const PAGE = 10;
const MOST_SHOWN = 3;

export function answersView(run) {
  const choosers = h('div.exp-choosers', {});
  const differ = h('input', { type: 'checkbox', id: 'exp-differ', onchange: () => load(0) });
  const place = h('span.muted', { role: 'status' });
  const before = iconButton('back', t('experiments.before'), () => load(start - PAGE));
  const after = iconButton('chevron', t('experiments.after'), () => load(start + PAGE));
  const body = h('div.exp-questions', {});
  const element = h(
    'section.exp-card.exp-answers',
    { hidden: true },
    h(
      'div.exp-answers-head',
      {},
      h('h3', {}, t('experiments.answers')),
      choosers,
      h('label.exp-check', {}, differ, t('experiments.differ')),
      h('span.grow'),
      place,
      before,
      after,
    ),
    body,
  );
  const view = { element, load: () => load(start), onPreset: () => {} };
  let start = 0;
  let looked = []; // the assistants whose answers are shown; none is left to the server
  let presets = []; // the assistants that have one to open
  let asked = 0;

  async function load(from) {
    const mine = ++asked;
    try {
      const found = await call('experiment_answers', { run, assistants: looked, start: Math.max(0, from), count: PAGE, differ: differ.checked });
      if (mine === asked) draw(found, Math.max(0, from));
    } catch (error) {
      complain(error);
    }
  }

  function draw({ total, assistants, presets: opened, questions }, from) {
    start = from;
    presets = opened;
    const answered = questions.some(({ turns }) => turns.some(({ answers }) => answers.length));
    element.hidden = !answered && !differ.checked && from === 0;
    looked = looked.filter((name) => assistants.includes(name));
    if (!looked.length) looked = assistants.slice(0, 2);
    drawChoosers(assistants);
    fill(place, total ? t('experiments.place', { from: from + 1, to: Math.min(total, from + PAGE), all: total }) : t('experiments.no_difference'));
    before.disabled = from === 0;
    after.disabled = from + PAGE >= total;
    fill(body, questions.map(questionOf));
  }

  function drawChoosers(assistants) {
    const select = (at) =>
      h(
        'select',
        { 'aria-label': t('experiments.column', { n: at + 1 }), onchange: (event) => choose(at, event.target.value) },
        at === looked.length && h('option', { value: '' }, t('experiments.add_column')),
        at < looked.length && looked.length > 1 && h('option', { value: '' }, t('experiments.drop_column')),
        assistants.map((name) => h('option', { value: name, selected: looked[at] === name }, name)),
      );
    const columns = Math.min(looked.length + 1, MOST_SHOWN, assistants.length);
    fill(choosers, Array.from({ length: columns }, (_, at) => select(at)));
  }

  function choose(at, name) {
    if (name) looked[at] = name;
    else looked.splice(at, 1);
    looked = [...new Set(looked)];
    load(start);
  }

  function questionOf({ place: row, category, turns }) {
    return h(
      'article.exp-question',
      {},
      turns.flatMap(({ query, reference, answers }, turn) => [
        h(
          'p.exp-query',
          {},
          h('span.muted', {}, [row && turn === 0 ? t('experiments.row', { n: row }) : '', turns.length > 1 ? t('experiments.turn', { n: turn + 1 }) : '', turn === 0 ? category : ''].filter(Boolean).join(' · ')),
          h('b', {}, query),
          reference && h('span.exp-reference', {}, t('experiments.reference', { text: reference })),
        ),
        h('div.exp-columns', {}, looked.map((name) => column(name, answers.filter(({ assistant }) => assistant === name)))),
      ]),
    );
  }

  function column(name, answers) {
    return h(
      'div.exp-column',
      { 'data-assistant': name },
      h('p.exp-name', {}, h('span', { title: name }, name), presets.includes(name) && iconButton('pencil', t('experiments.open_preset', { name }), () => view.onPreset(name))),
      answers.length === 0 && h('p.muted', {}, t('experiments.unanswered')),
      answers.flatMap(({ text, error, metrics, finish_reason: why }) => [
        error ? h('p.problem', {}, error) : h('pre.exp-text', {}, text || t('experiments.empty')),
        h('p.exp-metrics', {}, metrics.map(([title, value]) => h('span', {}, `${title} `, h('b', {}, figure(value)))), !error && h('span', {}, t(`experiments.finish.${why}`))),
      ]),
    );
  }

  return view;
}
