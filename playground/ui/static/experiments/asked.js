// What the form holds, and what is asked of the server for it.

import { t } from '../text.js';

export const KINDS = ['evaluate', 'ablate', 'search', 'candidates'];

const LIKELIHOOD = 'reference_logprob'; // which candidates are always ranked by

// Categories of a bundled pair's set that an experiment of each kind is best asked with.
const ASKED_FIRST = {
  categories: { evaluate: ['seen', 'told'], ablate: ['told'], search: ['seen', 'told'], candidates: ['seen', 'told'] },
  pool_categories: { evaluate: ['seen'], ablate: ['seen'], search: [], candidates: [] },
};

/** A form that nobody touched; `null` stands for what suits the rest. */
export function fresh() {
  return {
    kind: 'evaluate',
    assistants: null,
    set: '',
    categories: null,
    limit: 40,
    metrics: [],
    seed: 0,
    samples: 1,
    max_tokens: '',
    exact: false,
    scorer: '',
    shift_base: '',
    retrieve: [],
    k: 3,
    pool: '',
    pool_categories: null,
    axis: 'k',
    counts: '0, 1, 2, 3, 5',
    order: 'random',
    seeds: 3,
    orders: 6,
    templates: ['basechat', 'plain', 'urial_backticks'],
    temperatures: '0, 0.5, 1',
    penalties: '1, 1.15',
    metric: 'right',
    pool_size: 24,
    validation: 32,
    test: 64,
    most: 3,
    keep: false,
    budget: 0,
    halving: 8,
    transfer: '',
    texts: '',
    mined: 16,
    paraphrases: 0,
    writer: '',
    likeliest: 8,
    found_name: '',
  };
}

/** Which categories of a set are taken: the chosen ones, or those that suit the kind of experiment. */
export function categoriesOf(form, name, set) {
  const all = Object.keys(set?.categories ?? {}).filter(Boolean);
  const kept = form[name]?.filter((one) => all.includes(one));
  if (kept) return kept;
  const suited = ASKED_FIRST[name][form.kind];
  return suited.length && suited.every((one) => all.includes(one)) ? suited : all;
}

let mined = ''; // a text to mine, which may be long and is not kept

export function setMined(text) {
  mined = text;
}

/** Whether wordings are to be ranked and nobody said which. */
export function nothingToTry({ kind, texts, paraphrases }) {
  return kind === 'candidates' && !texts.trim() && !mined && !paraphrases;
}

/** The request for a form; throws a sentence where a field holds what cannot be asked. */
export function bodyOf(form, sets, draft) {
  const { kind } = form;
  const several = kind === 'evaluate' || kind === 'ablate';
  const pooled = (kind === 'evaluate' && form.retrieve.length > 0) || kind === 'ablate';
  const whole = (name, least) => {
    const value = form[name];
    if (!Number.isInteger(value) || value < least) throw new Error(t('experiments.whole', { label: t(`experiments.${name}`), least }));
    return value;
  };
  const orNone = (name) => (form[name] === '' ? null : whole(name, 1));
  const numbers = (text) => {
    const found = text.split(/[\s,;]+/).filter(Boolean).map(Number);
    if (!found.length || found.some((one) => !(one >= 0))) throw new Error(t('experiments.numbers', { text }));
    return found;
  };
  const part = (set, name) => {
    const taken = categoriesOf(form, name, set);
    const all = Object.keys(set?.categories ?? {}).filter(Boolean).length;
    if (all && !taken.length) throw new Error(t('experiments.no_category'));
    return { name: set?.name ?? '', categories: taken.length === all ? [] : taken };
  };
  const own = {
    evaluate: () => ({ retrieve: form.retrieve, ...(pooled ? { k: whole('k', 1) } : {}) }),
    ablate: () => ({
      ablate: {
        axis: form.axis,
        counts: numbers(form.counts).map(Math.round),
        order: form.order,
        seeds: whole('seeds', 1),
        orders: whole('orders', 2),
        templates: form.templates.length ? form.templates : ['basechat'],
        temperatures: numbers(form.temperatures),
        penalties: numbers(form.penalties),
      },
    }),
    search: () => ({
      ...splits(),
      search: {
        metric: form.metric,
        pool: whole('pool_size', 1),
        most: whole('most', 1),
        keep: form.keep,
        budget: whole('budget', 0),
        halving: whole('halving', 0),
        transfer: form.transfer,
      },
    }),
    candidates: () => ({
      ...splits(),
      wording: {
        metric: form.metric === LIKELIHOOD ? '' : form.metric,
        texts: form.texts.split('\n').map((line) => line.trim()).filter(Boolean),
        mine: mined,
        mined: whole('mined', 1),
        paraphrases: whole('paraphrases', 0),
        writer: form.writer,
        keep: whole('likeliest', 0),
      },
    }),
  };
  const splits = () => ({ validation: whole('validation', 1), test: whole('test', 1), name: form.found_name });
  return {
    kind,
    assistants: form.assistants,
    draft,
    questions: { ...part(sets.set, 'categories'), limit: several ? orNone('limit') : null },
    metrics: several ? form.metrics : [],
    seed: whole('seed', 0),
    samples: several ? whole('samples', 1) : 1,
    exact: form.exact,
    scorer: form.scorer,
    shift_base: form.shift_base,
    max_tokens: orNone('max_tokens'),
    pool: pooled ? part(sets.pool, 'pool_categories') : null,
    ...own[kind](),
  };
}
