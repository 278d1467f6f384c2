// What the prompt takes of the context: a bar with a segment for each part, and the sentence below it.

import { fill, h } from './dom.js';
import { server, session } from './store.js';
import { t } from './text.js';

const PARTS = ['system', 'examples', 'history', 'turn', 'answer', 'free'];

export function contextBar() {
  const segments = Object.fromEntries(PARTS.map((part) => [part, h(`span.context-${part}`)]));
  const bar = h('div.context-bar', { role: 'img' }, Object.values(segments));
  const total = h('span.total-text');
  const problem = h('p.context-problem', { role: 'status' });
  const table = h('dl.context-table');
  const element = h(
    'details.context',
    {},
    h('summary', { title: t('context.open') }, bar, h('p.total', {}, total)),
    table,
  );

  function draw() {
    const { counts } = server;
    if (!counts || !session.draft) {
      bar.hidden = true;
      fill(total, t('editor.total_waiting'));
      fill(problem);
      fill(table);
      return;
    }
    const sizes = sizesOf(counts, session.draft.sampling.max_tokens);
    const { n_ctx: whole } = counts;
    const shown = PARTS.filter((part) => sizes[part] > 0);
    const sum = Math.max(whole, counts.total);
    bar.hidden = false;
    bar.classList.toggle('over', counts.total > whole);
    for (const part of PARTS) {
      const segment = segments[part];
      segment.hidden = sizes[part] <= 0;
      segment.style.flexGrow = String(sizes[part] / sum);
      segment.title = said(part, sizes[part], whole);
    }
    bar.setAttribute(
      'aria-label',
      t('context.label', { n_ctx: whole, parts: shown.map((part) => said(part, sizes[part], whole)).join('; ') }),
    );
    const before = counts.system + counts.examples.reduce((a, b) => a + b, 0);
    fill(total, t('editor.total', { tokens: before, n_ctx: whole }));
    fill(problem, trouble(counts, sizes));
    problem.hidden = !problem.textContent;
    fill(
      table,
      PARTS.map((part) => [
        h('dt', {}, h(`span.swatch.context-${part}`), t(`context.${part}`)),
        h('dd', {}, t('unit.tokens', { n: sizes[part] }), h('span.muted', {}, percent(sizes[part], whole))),
      ]).flat(),
      counter() && h('dt.counter', {}, counter()),
    );
  }

  return { element: h('div', {}, problem, element), draw };
}

/** Tokens of each part; what is reserved for the answer is what fits of it. */
function sizesOf(counts, most) {
  const room = Math.max(0, counts.n_ctx - counts.total);
  const answer = Math.min(most, room);
  const examples = counts.examples.reduce((a, b) => a + b, 0);
  const { system, history, turn } = counts;
  return { system, examples, history, turn, answer, free: room - answer };
}

function trouble({ total, n_ctx }, { answer }) {
  const most = session.draft.sampling.max_tokens;
  if (total >= n_ctx) return t('context.overflow', { n: total, n_ctx });
  if (answer < most) return t('context.short', { n: answer, most });
  return '';
}

function said(part, n, whole) {
  return `${t(`context.${part}`)}: ${t('unit.tokens', { n })} (${percent(n, whole)})`;
}

function percent(n, whole) {
  return t('context.percent', { n: (100 * n) / whole });
}

/** Whose tokenizer counted: the first side's that shows the draft. */
function counter() {
  const side = session.sides.find(({ id, preset }) => preset === '@draft' && server.views?.[id]?.counts);
  const model = server.models.find(({ id }) => id === side?.model);
  return model && t('context.by', { model: model.title });
}
