// Token shift: where an aligned model's answer departs from what a base model would write, bare and behind the
// preset in the sidebar, which is measured again as soon as it changes.

import { chartLegend, differenceChart, lineChart, percent, shareBar } from '../chart.js';
import { debounce, fill, h } from '../dom.js';
import { choose, titleOf } from '../library.js';
import { chosenModel, modelOptions } from '../model_options.js';
import { offerPictures } from '../picture.js';
import { offers } from '../space.js';
import { server, session, on, save } from '../store.js';
import { count, t } from '../text.js';
import { inspectable } from '../token_card.js';
import { noted, painter, quoted } from '../tokens.js';
import { call } from '../wire.js';
import { studyView } from './study.js';

const AGAIN_MS = 150;
const SAME_STYLE = 'same-style';
const KINDS = ['unshifted', 'marginal', 'shifted'];

export function mount(section) {
  const kept = (session.shift ??= { question: '', base: '', aligned: '' });
  const question = h('textarea', {
    id: 'shift-question',
    rows: 1,
    value: kept.question,
    placeholder: t('shift.question.hint'),
    'aria-label': t('shift.question'),
  });
  const base = h('select', { id: 'shift-base', 'aria-label': t('shift.base') });
  const aligned = h('select', { id: 'shift-aligned', 'aria-label': t('shift.aligned') });
  const go = h('button.filled', { type: 'submit' }, t('shift.measure'));
  const state = h('p.muted.shift-state', { role: 'status', 'aria-live': 'polite' });
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const view = h('div.shift-view', { hidden: true });
  const study = studyView(() => asked());
  const picture = h('button.small', { type: 'button', disabled: true, onclick: () => offerPictures(view, t('shift.picture')) }, t('shift.save'));
  let visible = false;
  let shown = null; // the report that is drawn
  let measured = ''; // what it was asked for
  let working = false;

  function drawModels() {
    for (const [select, kind, name] of [
      [base, 'base', 'base'],
      [aligned, 'instruct', 'aligned'],
    ]) {
      const fitting = server.models.filter((model) => model.kind === kind);
      if (!fitting.some(({ id }) => id === kept[name])) {
        const side = session.sides.find(({ model }) => fitting.some(({ id }) => id === model));
        kept[name] = side?.model ?? fitting[0]?.id ?? '';
      }
      fill(select, modelOptions(fitting, kept[name]));
    }
    go.disabled = !kept.base || !kept.aligned;
  }

  function asked() {
    return { question: kept.question, base: kept.base, aligned: kept.aligned, draft: session.draft };
  }

  async function measure() {
    const body = asked();
    const key = JSON.stringify(body);
    if (working || key === measured || !body.question.trim()) return;
    working = true;
    fill(state, t('shift.working'));
    try {
      const report = await call('shift', body);
      measured = key;
      problem.hidden = true;
      draw(report);
      lookAtExamples(body, key);
    } catch (error) {
      measured = key;
      problem.hidden = false;
      fill(problem, error.message);
    } finally {
      working = false;
      fill(state, '');
    }
    if (visible && JSON.stringify(asked()) !== measured) measure();
  }

  let looking = false;

  /** The chart of examples follows when nothing else is to be measured. */
  async function lookAtExamples(body, key) {
    if (looking || !offers('shift_examples')) return;
    looking = true;
    try {
      const left = await call('shift_examples', body);
      if (key === measured) drawExamples(body, left);
    } catch (error) {
      fill(examples, h('h3', {}, t('shift.examples')), h('p.muted', {}, error.message));
    } finally {
      looking = false;
    }
    if (key !== measured && visible && !working) lookAtExamples(JSON.parse(measured), measured);
  }

  const contexts = h('div.shift-contexts');
  const charts = h('div.shift-charts');
  const examples = h('section.shift-card.shift-examples', { 'data-needs': 'shift_examples' });
  const table = h('section.shift-card.shift-most');
  view.append(contexts, charts, h('div.shift-charts', {}, examples, table));

  function draw(report) {
    shown = report;
    view.hidden = false;
    picture.disabled = false;
    const names = report.contexts.map(({ name }) => nameOf(name));
    fill(contexts, !report.same_tokenizer && h('p.muted.shift-note', {}, t('shift.other_tokenizer')), higherNotes(report.contexts), report.contexts.map(contextCard));
    fill(
      charts,
      card('shift.curve', 'shift.curve.hint', names, lineChart(t('shift.curve'), report.contexts.map(({ curve }, i) => ({ name: names[i], values: curve })), {
        most: 1,
        say: percent,
        ends: [t('shift.curve.start'), t('shift.curve.end')],
      })),
      card('shift.probability', 'shift.probability.hint', names, lineChart(t('shift.probability'), report.contexts.map(({ rows }, i) => ({ name: names[i], values: rows.map(([, , logprob]) => (logprob === null ? null : Math.exp(logprob))) })), {
        most: 1,
        say: percent,
        ends: [t('shift.position', { n: 1 }), t('shift.position', { n: report.contexts[0].rows.length })],
      })),
    );
    fill(table, h('h3', {}, t('shift.most')), mostTable(report.contexts, names));
  }

  function contextCard(context) {
    const body = h('div.answer.lens', { tabIndex: 0, role: 'group', 'aria-label': t('lens.tokens') });
    const looked = { rows: context.rows };
    body.append(...painter((_, i) => `lens-token ${context.shift[i] ?? 'unknown'}`).add(context.rows));
    noted.set(body, looked);
    inspectable(body, () => ({
      reply: looked,
      facts: (i) => [
        ['shift.class', context.shift[i] ? t(`shift.${context.shift[i]}`) : null],
        ['shift.aligned_logprob', context.aligned[i]?.toFixed(3)],
        ['shift.kl', context.kl[i]?.toFixed(3)],
      ],
    }));
    return h(
      'section.shift-card',
      { 'data-context': context.name },
      h('h3', {}, nameOf(context.name)),
      ratiosOf(context),
      body,
    );
  }

  function drawExamples(body, left) {
    const whole = shown.contexts.at(-1);
    fill(examples, h('h3', {}, t('shift.examples')), h('p.muted', {}, t('shift.examples.hint')));
    if (!left.length || shown.contexts.length < 2) {
      examples.append(h('p.muted', {}, t('shift.examples.none')));
      return;
    }
    const rows = left.map(({ index, mean_logprob }) => ({
      name: t('shift.example', { n: index + 1, text: body.draft.examples[index].query.slice(0, 16) }),
      value: whole.mean_logprob - mean_logprob,
    }));
    examples.append(differenceChart(t('shift.examples'), rows, (value) => `${value >= 0 ? '+' : '−'}${Math.abs(value).toFixed(3)}`));
  }

  const soon = debounce(() => visible && shown && measure(), AGAIN_MS);
  on('draft opened', soon);
  on('ready models sides', drawModels);
  question.addEventListener('input', () => {
    kept.question = question.value;
    save();
  });
  question.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  for (const [select, name] of [
    [base, 'base'],
    [aligned, 'aligned'],
  ])
    select.addEventListener('change', () => {
      const chosen = chosenModel(select, kept[name]);
      if (!chosen) return;
      kept[name] = chosen;
      save();
      drawSuggestions();
      soon();
    });
  const form = h(
    'form.shift-form',
    {
      onsubmit: (event) => {
        event.preventDefault();
        if (!kept.question.trim()) {
          fill(state, t('shift.empty'));
          question.focus();
          return;
        }
        measured = '';
        measure();
      },
    },
    question,
    h('label', {}, t('shift.base'), base),
    h('label', {}, t('shift.aligned'), aligned),
    go,
    picture,
    study.button,
  );
  const suggestions = h('div.suggestions');
  const drawSuggestions = () => {
    // A shipped preset in the bundled instruct model's style, where that model's answers are measured.
    const same = kept.aligned === 'wren/instruct' && session.draft?.name !== SAME_STYLE && server.presets.find(({ name }) => name === SAME_STYLE);
    fill(
      suggestions,
      same && h('button.suggestion', { type: 'button', 'data-preset': SAME_STYLE, onclick: () => choose(SAME_STYLE) }, t('shift.same_style', { title: titleOf(same) })),
      (session.draft?.questions ?? []).slice(0, 4).map((one) =>
        h(
          'button.suggestion',
          {
            type: 'button',
            onclick: () => {
              question.value = kept.question = one;
              form.requestSubmit();
            },
          },
          one,
        ),
      ),
    );
  };
  on('opened draft ready models', drawSuggestions);
  section.append(h('div.shift-page', {}, h('p.shift-lead', {}, t('shift.lead')), form, suggestions, state, problem, study.element, view));
  drawModels();
  drawSuggestions();
  return {
    show: () => {
      visible = true;
      drawModels();
      soon();
    },
    hide: () => (visible = false),
  };
}

export function nameOf(context) {
  return context === 'bare' ? t('shift.bare') : t('shift.behind', { name: titleOf(session.draft ?? {}) || context });
}

/** Why more tokens are shifted behind a preset than after the bare question, for each context where they are. */
export function higherNotes(contexts) {
  const bare = contexts.find(({ name }) => name === 'bare');
  const higher = contexts.filter(({ ratios }) => bare && ratios.shifted > bare.ratios.shifted);
  return higher.map(({ name, ratios }) =>
    h('p.muted.shift-note.shift-higher', {}, t('shift.higher', { name: nameOf(name), behind: percent(ratios.shifted), bare: percent(bare.ratios.shifted) })),
  );
}

/** A context's shares of the three classes, and its means. */
export function ratiosOf({ ratios, mean_kl, mean_logprob }) {
  const parts = KINDS.map((kind) => ({ kind, name: t(`shift.${kind}`), share: ratios[kind] }));
  const means = [
    mean_logprob !== null && t('shift.mean_logprob', { value: mean_logprob.toFixed(3) }),
    mean_kl !== null && t('shift.mean_kl', { value: mean_kl.toFixed(3) }),
  ];
  return [
    shareBar(parts),
    h(
      'p.shift-ratios',
      {},
      parts.map(({ kind, name, share }) => h(`span.ratio.${kind}`, { 'data-ratio': kind }, h('span.swatch'), `${name} `, h('b', {}, percent(share)))),
      h('span.muted', {}, means.filter(Boolean).join(' · ')),
    ),
  ];
}

export function card(title, hint, names, chart) {
  return h('section.shift-card', {}, h('h3', {}, t(title)), h('p.muted', {}, t(hint)), chart, chartLegend(names));
}

/** The most shifted tokens of each context beside each other. */
export function mostTable(contexts, names) {
  const rows = Math.max(...contexts.map(({ most }) => most.length), 0);
  if (!rows) return h('p.muted', {}, t('shift.most.none'));
  return h(
    'div.table-scroll',
    {},
    h(
      'table.shift-table',
      {},
      h('thead', {}, h('tr', {}, names.flatMap((name) => [h('th', {}, name), h('th', { title: t('shift.times.hint') }, t('shift.times'))]))),
      h(
        'tbody',
        {},
        Array.from({ length: rows }, (_, i) =>
          h(
            'tr',
            {},
            contexts.flatMap(({ most }) =>
              most[i] ? [h('td', {}, h('code', {}, quoted(most[i][0]))), h('td', {}, t('shift.of', { n: count(most[i][1]), all: count(most[i][2]) }))] : [h('td'), h('td')],
            ),
          ),
        ),
      ),
    ),
  );
}

