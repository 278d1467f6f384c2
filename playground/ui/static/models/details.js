// What is folded out under a model: what it is and why, what it pairs with, how it is loaded and what that takes.

import { fill, h } from '../dom.js';
import { session, touch } from '../store.js';
import { notice } from '../dialogs.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { loadingView } from './loading.js';
import { readingOf } from './reading.js';

/** Fills `place`; `draw(model)` brings it in line with what the server said of the model. */
export function detailsView(act, place) {
  const facts = h('dl.model-sheet');
  const partners = h('dd');
  const loading = loadingView(act);
  let drawn = '';
  place.append(facts, loading.element);

  function draw(model) {
    loading.draw(model);
    const key = JSON.stringify([model.id, model.present, model.path, model.size_bytes]);
    if (key === drawn) return;
    drawn = key;
    const rows = [
      ['models.path', h('code.model-path', {}, model.path)],
      model.repository && ['models.repository', h('code', {}, model.repository)],
      model.sampling && ['models.sampling', published(model.sampling)],
    ];
    show(rows);
    readingOf(model, (answer) => {
      if (key !== drawn) return;
      const { reading, error } = answer;
      if (error) return show([...rows, ['models.reading', error]]);
      if (!reading) return;
      show([...reads(reading), ...rows, ['models.partners', partners]]);
      lookForPartners(model, key);
    });
    loading.begin(model);
  }

  function show(rows) {
    fill(
      facts,
      rows.filter(Boolean).map(([label, value]) => [h('dt', {}, t(label)), value === partners ? value : h('dd', {}, value)]).flat(),
    );
  }

  async function lookForPartners(model, key) {
    fill(partners, '…');
    let found;
    try {
      found = await call('shelf_partners', { name: model.id });
    } catch (error) {
      if (key === drawn) fill(partners, error.message);
      return;
    }
    if (key !== drawn) return;
    fill(
      partners,
      found.length
        ? found.slice(0, 4).map((one) => h('p', {}, h('b', {}, one.model), `: ${one.why}. `, one.warning && h('span.warned', {}, one.warning)))
        : t('models.partners.none'),
    );
  }

  return { draw };
}

function reads({ kind, certainty, reason, architecture, parameters, context, chat_template: template }) {
  const shape = [
    architecture,
    parameters > 0 && t('models.weights', { n: parameters }),
    context > 0 && t('models.context', { n: context }),
    t(template ? 'models.template' : 'models.no_template'),
  ];
  return [
    ['models.reading', [t('models.reads', { kind: t(`models.${kind}`), reason }), h('span.muted', {}, ` (${t(`models.${certainty}`)})`)]],
    ['models.shape', shape.filter(Boolean).join(' · ')],
  ];
}

/** How published work decoded the model, and a button that takes it over into the preset. */
function published({ source, temperature, top_p: topP, repetition_penalty: penalty }) {
  const values = { temperature, top_p: topP, repetition_penalty: penalty };
  const take = () => {
    Object.assign(session.draft.sampling, values);
    touch('draft', 'restored');
    notice(t('models.sampling.taken'));
  };
  const words = Object.entries(values).map(([name, value]) => `${t(`sampling.${name}`)} ${value}`);
  return [h('span', {}, `${words.join(', ')} (${source}) `), h('button.link', { type: 'button', onclick: take }, t('models.sampling.take'))];
}
