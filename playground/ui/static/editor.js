// The preset editor: system text, examples, sampling. The lists are owned here; typing is never redrawn.

import { notice } from './dialogs.js';
import { autosize, fill, h, icon } from './dom.js';
import { exampleCard } from './example.js';
import { titleOf } from './library.js';
import { islandMounted } from './page.js';
import { sampling } from './sampling.js';
import { server, session, on, touch } from './store.js';
import { count, t } from './text.js';

export function mount(element) {
  const title = h('h2');
  const description = h('p.description');
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const template = h('select', { id: 'template' });
  const system = textBlock('system');
  const prefix = textBlock('prefix');
  const list = h('ol.examples', { 'aria-label': t('editor.examples') });
  const summary = h('span.muted');
  const add = h(
    'button.small.add',
    { type: 'button', onclick: () => insert({ query: '', answer: '', enabled: true, note: '' }) },
    icon('plus'),
    t('editor.add'),
  );
  const examples = h(
    'section',
    {},
    h('div.section-head', {}, h('h3', {}, t('editor.examples')), summary),
    list,
    add,
  );
  const meter = h('div.meter-bar', {}, h('span'));
  const total = h('p.total');
  const decoding = sampling();
  let cards = new Map(); // example -> card

  template.addEventListener('change', () => {
    session.draft.template = template.value;
    touch('draft');
  });

  /** Bring the list's elements into the draft's order without touching those that stay. */
  function arrange() {
    const wanted = session.draft.examples;
    for (const [example, card] of cards) {
      if (wanted.includes(example)) continue;
      card.element.remove();
      cards.delete(example);
    }
    wanted.forEach((example, index) => {
      let card = cards.get(example);
      if (!card) cards.set(example, (card = exampleCard(example, actions)));
      if (list.children[index] !== card.element)
        list.insertBefore(card.element, list.children[index] ?? null);
      card.place(index, wanted.length);
    });
    cards.forEach((card) => card.resize());
    drawCounts();
  }

  const actions = {
    edited: () => touch('draft'),
    toggled: () => {
      drawCounts();
      touch('draft');
    },
    move: (example, by) => {
      const { examples: all } = session.draft;
      const from = all.indexOf(example);
      const to = from + by;
      if (to < 0 || to >= all.length) return;
      all.splice(to, 0, ...all.splice(from, 1));
      arrange();
      touch('draft');
    },
    duplicate: (example) => insert({ ...example }, session.draft.examples.indexOf(example) + 1),
    remove: (example) => {
      const at = session.draft.examples.indexOf(example);
      session.draft.examples.splice(at, 1);
      arrange();
      (list.children[Math.min(at, list.children.length - 1)]?.querySelector('textarea') ?? add).focus();
      touch('draft');
      notice(t('editor.deleted', { n: at + 1 }), {
        action: t('dialog.undo'),
        onAction: () => insert(example, at),
      });
    },
  };

  function insert(example, at = session.draft.examples.length) {
    session.draft.examples.splice(at, 0, example);
    arrange();
    const card = cards.get(example);
    card.element.scrollIntoView({ block: 'nearest' });
    card.focus();
    touch('draft');
  }

  function drawAll() {
    const { draft } = session;
    if (!draft) return;
    fill(title, titleOf(draft));
    fill(description, draft.description);
    description.hidden = !draft.description;
    const own = typeof draft.template === 'object';
    fill(
      template,
      server.templates.map((name) => h('option', { value: name, selected: name === draft.template }, name)),
      own &&
        h(
          'option',
          { selected: true, disabled: true },
          t('editor.own_template', { name: draft.template.name }),
        ),
    );
    system.set(draft.system);
    prefix.set(draft.prefix ?? '');
    const verbatim = draft.prefix !== null;
    prefix.element.hidden = !verbatim;
    system.element.hidden = verbatim;
    examples.hidden = verbatim;
    cards = new Map();
    list.replaceChildren();
    arrange();
    decoding.draw();
  }

  function drawCounts() {
    const { counts } = server;
    const all = session.draft?.examples ?? [];
    system.tokens(counts?.system);
    prefix.tokens(counts?.system);
    all.forEach((example, i) => cards.get(example)?.tokens(counts?.examples[i]));
    fill(
      summary,
      t('editor.examples_on', { on: all.filter(({ enabled }) => enabled).length, n: all.length }),
    );
    const sum = counts && counts.system + counts.examples.reduce((a, b) => a + b, 0);
    fill(total, counts ? t('editor.total', { tokens: sum, n_ctx: counts.n_ctx }) : t('editor.total_waiting'));
    meter.firstChild.style.width = counts ? `${Math.min(100, (100 * sum) / counts.n_ctx)}%` : '0';
    meter.classList.toggle('full', Boolean(counts) && sum > 0.9 * counts.n_ctx);
  }

  function drawProblem() {
    problem.hidden = !server.draftProblem;
    fill(problem, server.draftProblem ?? '');
  }

  on('opened', drawAll);
  on('preview', () => {
    drawCounts();
    drawProblem();
  });
  on('draft', () => fill(title, titleOf(session.draft)));
  element.append(
    h(
      'div.editor',
      {},
      h(
        'div.editor-scroll',
        {},
        title,
        description,
        problem,
        h('div.template-row', {}, h('label', { for: 'template' }, t('editor.template')), template),
        system.element,
        prefix.element,
        examples,
        decoding.element,
      ),
      h('div.editor-foot', {}, meter, total),
    ),
  );
  islandMounted('editor');
}

/** A labelled text area for one text of the draft, with its token count. */
function textBlock(field) {
  const tokens = h('span.tokens');
  const area = h('textarea', {
    id: `draft-${field}`,
    rows: 2,
    spellcheck: false,
    placeholder: t(`editor.${field}_hint`),
  });
  area.addEventListener('input', () => {
    autosize(area);
    session.draft[field] = area.value;
    touch('draft');
  });
  return {
    element: h(
      'section',
      {},
      h('div.section-head', {}, h('label', { for: area.id }, t(`editor.${field}`)), tokens),
      area,
    ),
    set: (text) => {
      area.value = text;
      autosize(area);
    },
    tokens: (n) => fill(tokens, n === undefined ? '' : t('unit.tokens', { n })),
  };
}
