// What each kind of experiment can be told besides: the knob of an ablation, a search's sizes, candidates.

import { complain } from '../dialogs.js';
import { fill, h } from '../dom.js';
import { server } from '../store.js';
import { t } from '../text.js';
import { setMined } from './asked.js';
import { labelled } from './form.js';

/** The fields of the form's kind. */
export function optionsOf(fields, offers) {
  return [{ evaluate, ablate, search, candidates }[fields.form.kind](fields, offers)].flat(Infinity);
}

function evaluate(fields, offers) {
  const { form } = fields;
  const ways = h('div.exp-checks', { role: 'group', 'aria-label': t('experiments.retrieve') }, fields.toggles('retrieve', offers.retrieved_by.map((way) => [way, t(`experiments.retrieve.${way}`)])));
  const inside = h('div.exp-fields', {});
  const draw = () => fill(inside, form.retrieve.length > 0 && [...fields.sets('pool', 'pool_categories'), labelled('experiments.k', fields.number('k', { min: 1, max: 50 }))]);
  ways.addEventListener('change', draw);
  draw();
  return h('details.exp-fold', { open: form.retrieve.length > 0 }, h('summary', {}, t('experiments.retrieve')), h('p.muted', {}, t('experiments.retrieve.hint')), ways, inside);
}

function ablate(fields, offers) {
  const { axis } = fields.form;
  return [
    labelled('experiments.axis', fields.select('axis', offers.axes.map((one) => [one, t(`experiments.axis.${one}`)]), { redraw: true })),
    axis === 'k' && [
      labelled('experiments.counts', fields.text('counts', { inputMode: 'numeric' })),
      labelled('experiments.order', fields.select('order', offers.orders.map((one) => [one, t(`experiments.order.${one}`)]))),
      labelled('experiments.seeds', fields.number('seeds', { min: 1, max: 20 })),
    ],
    (axis === 'k' || axis === 'corrupt') && fields.sets('pool', 'pool_categories'),
    axis === 'order' && labelled('experiments.orders', fields.number('orders', { min: 2, max: 50 })),
    axis === 'template' && h('div.exp-checks', { role: 'group', 'aria-label': t('experiments.templates') }, fields.toggles('templates', server.templates.map((name) => [name, name]))),
    axis === 'decoding' && [labelled('experiments.temperatures', fields.text('temperatures')), labelled('experiments.penalties', fields.text('penalties'))],
  ];
}

function search(fields, offers) {
  const models = server.models.filter(({ kind, status }) => kind === 'base' && status !== 'missing').map(({ id, title }) => [id, title]);
  return [
    metric(fields, offers),
    labelled('experiments.pool_size', fields.number('pool_size', { min: 1 })),
    splits(fields),
    labelled('experiments.most', fields.number('most', { min: 1, max: 50 })),
    labelled('experiments.halving', fields.number('halving', { min: 0 })),
    labelled('experiments.budget', fields.number('budget', { min: 0 })),
    labelled('experiments.transfer', fields.select('transfer', [['', t('experiments.nowhere')], ...models])),
    labelled('experiments.found_name', fields.text('found_name', { placeholder: 'found', maxLength: 80 })),
    h('label.exp-check', {}, fields.check('keep'), t('experiments.keep')),
  ];
}

function candidates(fields, offers) {
  const models = server.models.filter(({ status }) => status !== 'missing').map(({ id, title }) => [id, title]);
  const file = h('input', { type: 'file', accept: 'text/plain,.txt,.md', hidden: true, tabIndex: -1 });
  const said = h('span.muted', {});
  file.addEventListener('change', async () => {
    const [one] = file.files;
    file.value = '';
    if (!one) return;
    try {
      setMined(await one.text());
      fill(said, one.name);
      fields.changed();
    } catch (error) {
      complain(error);
    }
  });
  return [
    h('label.exp-field.wide', { for: 'exp-texts' }, h('span', {}, t('experiments.texts')), fields.area('texts', { placeholder: t('experiments.texts_hint', { query: '{query}' }) })),
    h('div.exp-row', {}, h('button.small', { type: 'button', onclick: () => file.click() }, t('experiments.mine')), said, file),
    labelled('experiments.mined', fields.number('mined', { min: 1 })),
    labelled('experiments.paraphrases', fields.number('paraphrases', { min: 0, max: 50 })),
    labelled('experiments.writer', fields.select('writer', [['', t('experiments.same_model')], ...models])),
    metric(fields, offers),
    labelled('experiments.likeliest', fields.number('likeliest', { min: 0 })),
    splits(fields),
    labelled('experiments.found_name', fields.text('found_name', { placeholder: 'found', maxLength: 80 })),
  ];
}

function metric(fields, offers) {
  return labelled('experiments.metric', fields.select('metric', offers.metrics.filter(([, , better]) => better !== null).map(([name, title]) => [name, title])));
}

function splits(fields) {
  return [labelled('experiments.validation', fields.number('validation', { min: 1 })), labelled('experiments.test', fields.number('test', { min: 1 }))];
}
