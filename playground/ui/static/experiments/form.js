// The form of a new experiment: who is asked what, how it is measured, and how much that will be.

import { debounce, fill, h, iconButton } from '../dom.js';
import { complain } from '../dialogs.js';
import { titleOf as presetTitle } from '../library.js';
import { chosenModel, modelOptions } from '../model_options.js';
import { server, session, on, save } from '../store.js';
import { has, t } from '../text.js';
import { call } from '../wire.js';
import { KINDS, bodyOf, categoriesOf, fresh, nothingToTry } from './asked.js';
import { sendFile } from './file.js';
import { optionsOf } from './options.js';

const PAUSE_MS = 250;
const FROM_START = 'text/plain,.txt,.json,.jsonl,.csv';

export function formView(started) {
  const kept = (session.experiments ??= {});
  const form = (kept.form = { ...fresh(), ...kept.form });
  const kinds = h('div.segments', { role: 'group', 'aria-label': t('experiments.kinds') });
  const about = h('p.muted', {});
  const assistants = h('div.exp-assistants', {});
  const questions = h('div.exp-fields', { role: 'group', 'aria-label': t('experiments.set') });
  const options = h('div.exp-fields', {});
  const metrics = h('details.exp-fold', {});
  const more = h('details.exp-fold', {});
  const estimate = h('p.exp-estimate', { role: 'status' });
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const start = h('button.filled', { type: 'submit', disabled: true }, t('experiments.start'));
  const file = h('input', { type: 'file', accept: FROM_START, hidden: true, tabIndex: -1 });
  let offers = null;
  let asked = 0;

  const element = h(
    'form.exp-card.exp-form',
    {
      onsubmit: (event) => {
        event.preventDefault();
        begin();
      },
    },
    h('div.exp-kinds', {}, h('h3', {}, t('experiments.new')), kinds),
    about,
    part('experiments.assistants', assistants),
    questions,
    options,
    metrics,
    more,
    problem,
    h('div.exp-foot', {}, estimate, h('span.grow'), start),
    file,
  );

  /** Something changed: keep it, and ask how much it is now. */
  const changed = () => {
    save();
    soon();
  };
  const soon = debounce(look, PAUSE_MS);

  /** A field of the form: `change` is called when it was set. */
  const fields = {
    form,
    changed,
    number: (name, limits = {}) =>
      h('input', { type: 'number', id: `exp-${name}`, step: 1, value: form[name], ...limits, oninput: ({ target }) => set(name, target.value === '' ? '' : Number(target.value)) }),
    text: (name, extra = {}) => h('input', { type: 'text', id: `exp-${name}`, value: form[name], ...extra, oninput: ({ target }) => set(name, target.value) }),
    area: (name, extra = {}) => h('textarea', { id: `exp-${name}`, rows: 2, value: form[name], ...extra, oninput: ({ target }) => set(name, target.value) }),
    check: (name) => h('input', { type: 'checkbox', id: `exp-${name}`, checked: form[name], onchange: ({ target }) => set(name, target.checked) }),
    select: (name, values, { redraw = false } = {}) =>
      h(
        'select',
        {
          id: `exp-${name}`,
          onchange: ({ target }) => {
            set(name, target.value);
            if (redraw) draw();
          },
        },
        values.map(([value, label]) => h('option', { value, selected: form[name] === value }, label)),
      ),
    toggles: (name, values) =>
      values.map(([value, label]) =>
        h(
          'label.exp-check',
          {},
          h('input', {
            type: 'checkbox',
            checked: form[name].includes(value),
            onchange: ({ target }) => set(name, target.checked ? [...form[name], value] : form[name].filter((one) => one !== value)),
          }),
          label,
        ),
      ),
    sets: setFields,
  };

  function set(name, value) {
    form[name] = value;
    changed();
  }

  function draw() {
    if (!offers) return;
    fill(
      kinds,
      KINDS.map((kind) =>
        h('button', { type: 'button', 'data-kind': kind, 'aria-pressed': String(form.kind === kind), onclick: () => choose(kind) }, t(`experiments.kind.${kind}`)),
      ),
    );
    fill(about, t(`experiments.about.${form.kind}`));
    drawAssistants();
    const [set_, ...categories] = setFields('set', 'categories');
    const several = form.kind === 'evaluate' || form.kind === 'ablate';
    fill(
      questions,
      set_,
      several && labelled('experiments.limit', fields.number('limit', { min: 1, placeholder: t('experiments.all') })),
      h('button.small', { type: 'button', onclick: () => file.click() }, t('experiments.file')),
      categories,
    );
    fill(options, optionsOf(fields, offers));
    drawMetrics();
    drawMore();
    soon();
  }

  function choose(kind) {
    form.kind = kind;
    draw();
    kinds.querySelector(`[data-kind=${kind}]`).focus();
    changed();
  }

  // Assistants

  function sides() {
    return session.sides.map(({ model, preset, options = {} }) => ({ model, preset, options }));
  }

  /** Who is asked: the chat's sides until somebody chose others; a search takes one base model. */
  function chosen() {
    const all = form.assistants ?? sides();
    if (form.kind === 'evaluate') return all;
    const bases = all.filter(({ model }) => server.models.find(({ id }) => id === model)?.kind !== 'instruct');
    const fitting = (bases.length ? bases : all).filter(({ preset }) => preset !== 'none');
    return (fitting.length ? fitting : bases.length ? bases : all).slice(0, form.kind === 'ablate' ? undefined : 1);
  }

  function drawAssistants() {
    const all = chosen();
    const several = form.kind === 'evaluate' || form.kind === 'ablate';
    const change = (i, part) => {
      form.assistants = all.map((one, n) => (n === i ? { ...one, ...part } : one));
      drawAssistants();
      changed();
    };
    const rows = all.map((one, i) => {
      const model = h('select', { 'aria-label': t('experiments.model', { n: i + 1 }) }, modelOptions(server.models, one.model));
      model.addEventListener('change', () => {
        const name = chosenModel(model, one.model);
        if (name) change(i, { model: name, options: {} });
      });
      const kind = server.models.find(({ id }) => id === one.model)?.kind;
      const preset = h(
        'select',
        { 'aria-label': t('experiments.preset', { n: i + 1 }), onchange: () => change(i, { preset: preset.value }) },
        [
          ['@draft', t('pane.draft', { name: presetTitle(session.draft ?? {}) })],
          ['none', t(kind === 'instruct' ? 'pane.chat_template' : 'pane.bare')],
          ...server.presets.filter(({ error }) => !error).map((entry) => [entry.name, presetTitle(entry)]),
        ].map(([value, label]) => h('option', { value, selected: one.preset === value }, label)),
      );
      const drop = iconButton('close', t('experiments.drop', { n: i + 1 }), () => {
        form.assistants = all.filter((_, n) => n !== i);
        drawAssistants();
        changed();
      });
      const options = Object.entries(one.options ?? {}).map(([name, value]) => `${name}=${value}`);
      const told = options.length > 0 && h('span.muted', { title: t('pane.options') }, options.join(' '));
      return h('div.exp-assistant', {}, model, preset, told, several && all.length > 1 && drop);
    });
    const add = h(
      'button.small',
      {
        type: 'button',
        'data-action': 'add-assistant',
        onclick: () => {
          form.assistants = [...all, { ...(all.at(-1) ?? sides()[0]) }];
          drawAssistants();
          changed();
        },
      },
      t('experiments.add'),
    );
    const again = h(
      'button.small',
      {
        type: 'button',
        onclick: () => {
          form.assistants = null;
          drawAssistants();
          changed();
        },
      },
      t('experiments.from_sides'),
    );
    fill(assistants, rows, h('div.exp-row', {}, several && all.length < 12 && add, form.assistants && again));
  }

  // Question sets

  /** Choosing a set and some of its categories, kept under two names of the form. */
  function setFields(name, categories) {
    const set_ = setOf(name);
    const inside = Object.entries(set_?.categories ?? {}).filter(([one]) => one);
    const taken = categoriesOf(form, categories, set_);
    const select = h(
      'select',
      {
        id: `exp-${name}`,
        'aria-label': t(`experiments.${name}`),
        onchange: () => {
          form[name] = select.value;
          form[categories] = null;
          draw();
          changed();
        },
      },
      offers.sets.map(({ name: one, title, categories: all, error }) => h('option', { value: one, selected: one === set_?.name, disabled: Boolean(error), title: error ?? '' }, t('experiments.set_option', { name: title, n: all[''] ?? 0 }))),
    );
    const boxes = inside.map(([one, n]) =>
      h(
        'label.exp-check',
        {},
        h('input', {
          type: 'checkbox',
          'data-category': one,
          checked: taken.includes(one),
          onchange: ({ target }) => {
            const now = categoriesOf(form, categories, set_);
            form[categories] = target.checked ? [...now, one] : now.filter((other) => other !== one);
            changed();
          },
        }),
        t('experiments.category', { name: one, n }),
      ),
    );
    return [labelled(`experiments.${name}`, select), inside.length > 1 && h('div.exp-checks', { role: 'group', 'aria-label': t('experiments.categories') }, boxes)];
  }

  function setOf(name) {
    const usable = offers.sets.filter(({ error }) => !error);
    return usable.find((one) => one.name === form[name]) ?? usable[0];
  }

  // Metrics and the rest

  function drawMetrics() {
    const several = form.kind === 'evaluate' || form.kind === 'ablate';
    metrics.hidden = !several;
    if (!several) return;
    fill(
      metrics,
      h('summary', {}, t(form.metrics.length ? 'experiments.metrics' : 'experiments.metrics_auto', { n: form.metrics.length })),
      h('div.exp-checks', { role: 'group', 'aria-label': t('experiments.metrics_all') }, fields.toggles('metrics', offers.metrics.map(([name, title, , asks]) => [name, asks ? t('experiments.metric_model', { title }) : title]))),
    );
    metrics.querySelector('.exp-checks').addEventListener('change', () => fill(metrics.firstChild, t(form.metrics.length ? 'experiments.metrics' : 'experiments.metrics_auto', { n: form.metrics.length })));
  }

  function drawMore() {
    const several = form.kind === 'evaluate' || form.kind === 'ablate';
    fill(
      more,
      h('summary', {}, t('experiments.rest')),
      h(
        'div.exp-fields',
        {},
        labelled('experiments.max_tokens', fields.number('max_tokens', { min: 1, placeholder: t('experiments.presets_own') })),
        labelled('experiments.seed', fields.number('seed', { min: 0 })),
        several && labelled('experiments.samples', fields.number('samples', { min: 1, max: 64 })),
        labelled('experiments.scorer', measuringModel('scorer', 'instruct')),
        labelled('experiments.shift_base', measuringModel('shift_base', 'base')),
        h('label.exp-check', { title: t('experiments.exact.hint') }, fields.check('exact'), t('experiments.exact')),
      ),
    );
  }

  /** The model under which a metric is taken: that of each assistant's pair, unless one is chosen. */
  function measuringModel(name, kind) {
    const there = server.models.filter((one) => one.kind === kind && one.status !== 'missing');
    return fields.select(name, [['', t('experiments.own_pair')], ...there.map(({ id, title }) => [id, title])]);
  }

  // How much it is, and the start

  function body() {
    return bodyOf({ ...form, assistants: chosen() }, { set: setOf('set'), pool: setOf('pool') }, session.draft);
  }

  async function look() {
    if (!offers || !session.draft) return;
    const mine = ++asked;
    if (nothingToTry(form)) {
      problem.hidden = true;
      start.disabled = true;
      fill(estimate, t('experiments.nothing_to_try'));
      return;
    }
    try {
      const found = await call('experiment_estimate', body());
      if (mine !== asked) return;
      problem.hidden = true;
      start.disabled = false;
      fill(estimate, estimateOf(found));
    } catch (error) {
      if (mine !== asked) return;
      problem.hidden = false;
      start.disabled = true;
      fill(problem, error.message);
      fill(estimate);
    }
  }

  async function begin() {
    start.disabled = true;
    try {
      started(await call('experiment_start', body()));
    } catch (error) {
      problem.hidden = false;
      fill(problem, error.message);
    }
    start.disabled = false;
  }

  file.addEventListener('change', async () => {
    const [one] = file.files;
    file.value = '';
    if (!one) return;
    try {
      const added = await sendFile(one);
      offers = await call('experiment_offers', {});
      form.set = added.name;
      form.categories = null;
      draw();
      changed();
    } catch (error) {
      complain(error);
    }
  });

  on('draft opened', soon);
  on('models presets sides', () => offers && drawAssistants());

  return {
    element,
    show: async () => {
      try {
        offers = await call('experiment_offers', {});
        draw();
      } catch (error) {
        complain(error);
      }
    },
  };
}

function part(label, content) {
  return h('div.exp-part', { role: 'group', 'aria-label': t(label) }, h('h4', {}, t(label)), content);
}

export function labelled(label, control) {
  return h('label.exp-field', { for: control.id, title: has(`${label}.hint`) ? t(`${label}.hint`) : '' }, h('span', {}, t(label)), control);
}

function estimateOf({ assistants, questions, answers, scores, most, metrics, problems, notes }) {
  const parts = [
    t(most ? 'experiments.estimate_most' : 'experiments.estimate', { n: answers, assistants, questions }),
    scores > 0 && t('experiments.estimate_scores', { n: scores }),
    metrics.length > 0 && t('experiments.estimate_metrics', { names: metrics.map(([, title]) => title).join(', ') }),
    problems > 0 && t('experiments.estimate_problems', { n: problems }),
    ...notes,
  ];
  return parts.filter(Boolean).join(' · ');
}
