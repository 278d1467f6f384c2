// A preset to look at before it is used: its prompt, and what it is made of in words.

import { h } from '../dom.js';
import { piece } from '../prompt.js';
import { count, t } from '../text.js';

/** The prompt of its first question, coloured by origin, or what is wrong with its template. */
export function promptOf({ prompt, problem }) {
  if (!prompt) return h('p.problem', { role: 'alert' }, problem);
  return h('pre.prompt-text', { tabIndex: 0, role: 'group', 'aria-label': t('gallery.prompt') }, prompt.pieces.map(piece));
}

/** Template, examples and decoding in a line. */
export function factsOf(draft) {
  const { template, examples, sampling, prefix, language } = draft;
  const on = examples.filter(({ enabled }) => enabled).length;
  const parts = [
    prefix !== null ? t('gallery.verbatim') : null,
    t('gallery.template', { name: typeof template === 'string' ? template : template.name }),
    on === examples.length ? t('gallery.examples', { n: on }) : t('gallery.examples_on', { n: on, of: examples.length }),
    sampling.temperature ? t('gallery.temperature', { value: String(sampling.temperature) }) : t('gallery.greedy'),
    language && languageName(language),
  ];
  return parts.filter(Boolean).join(' · ');
}

/** What a language is called, the code where nobody knows. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames(['en'], { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** Who made it, from what, for which models, and what was measured with it. */
export function originsOf({ author, license, derived_from: parent, models, results, notes }) {
  const rows = [
    ['author', author],
    ['license', license],
    ['parent', parent && t('gallery.made_from', { name: parent.name, hash: parent.hash.slice(0, 8) })],
    ['models', models.join(', ')],
    ['results', results.map((one) => resultOf(one)).join('; ')],
    ['notes', notes],
  ].filter(([, text]) => text);
  if (!rows.length) return null;
  return h('dl.preset-origins', {}, rows.map(([key, text]) => h('div', {}, h('dt', {}, t(`gallery.${key}`)), h('dd', {}, text))));
}

function resultOf({ measure, value, model, n }) {
  const of = [n !== null && t('gallery.cases', { n }), model].filter(Boolean).join(', ');
  return `${measure} ${count(value)}${of ? ` (${of})` : ''}`;
}

/** The first examples as query and answer. */
export function examplesOf(examples, most) {
  return h(
    'ol.paste-preview',
    { 'aria-label': t('editor.examples'), tabIndex: 0 },
    examples
      .slice(0, most)
      .map(({ query, answer }) =>
        h('li', {}, h('p.asked', {}, query), h('p.answered', {}, answer || h('em', {}, t('paste.no_answer')))),
      ),
    examples.length > most && h('li.more', {}, t('paste.more', { n: examples.length - most })),
  );
}
