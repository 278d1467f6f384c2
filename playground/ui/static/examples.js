// The list of examples. Its elements are owned here and never redrawn while somebody types.

import { notice } from './dialogs.js';
import { h, icon, iconButton } from './dom.js';
import { exampleCard } from './example.js';
import { firstK } from './first_k.js';
import { register } from './keys.js';
import { server, session, on, touch } from './store.js';
import { t } from './text.js';

const DATA_FILES = '.json,.jsonl,.ndjson,.csv,.txt';

export function exampleList() {
  const list = h('ol.examples', { 'aria-label': t('editor.examples') });
  const foldAll = iconButton('fold', '', () => {
    const wanted = [...cards.values()].some(({ folded }) => !folded);
    cards.forEach((card) => card.fold(wanted));
    foldsChanged();
  });
  const add = h('button.small.add', { type: 'button', onclick: () => insert(blank()) }, icon('plus'), t('editor.add'));
  const paste = h('button.small', { type: 'button', onclick: () => openPaste() }, t('editor.paste'));
  const chooser = h('input', { type: 'file', accept: DATA_FILES, hidden: true, tabIndex: -1 });
  chooser.addEventListener('change', async () => {
    const [chosen] = chooser.files;
    if (chosen) (await import('./examples/file.js')).openFile(chosen, append);
    chooser.value = '';
  });
  const file = h('button.small', { type: 'button', 'data-needs': 'data_part', onclick: () => chooser.click() }, t('editor.from_file'));
  const shots = firstK(() => {
    cards.forEach((card) => card.sync());
    drawCounts();
    touch('draft');
  });
  const element = h(
    'section',
    {},
    h('div.section-head', {}, h('h3', {}, t('editor.examples')), foldAll),
    shots.element,
    list,
    h('div.example-adds', {}, add, paste, file, chooser),
  );
  let cards = new Map(); // example -> card

  const actions = {
    edited: () => touch('draft'),
    toggled: () => {
      drawCounts();
      touch('draft');
    },
    move: (example, by) => moveTo(example, session.draft.examples.indexOf(example) + by),
    drag: (example) => ({
      list,
      scrollerOf: () => list.closest('.editor-scroll'),
      onDrop: (index) => moveTo(example, index),
    }),
    duplicate: (example) => insert({ ...example }, session.draft.examples.indexOf(example) + 1),
    remove,
    fold: (example, wanted) => {
      cards.get(example).fold(wanted);
      foldsChanged();
    },
    pasted: async (example, text) => {
      if (!text.trim().includes('\n')) return;
      const { countExamples } = await import('./examples/paste.js');
      const n = await countExamples(text);
      if (n < 1) return;
      notice(t('paste.offer', { n }), { action: t('paste.split'), onAction: () => openPaste(text, example) });
    },
  };

  async function openPaste(text = '', example = null) {
    const { openDialog } = await import('./examples/paste.js');
    openDialog(text, ({ system, examples, replace }) => {
      if (replace) session.draft.examples = [];
      else if (example && session.draft.examples.includes(example)) {
        session.draft.examples.splice(session.draft.examples.indexOf(example), 1);
      }
      if (system !== null) session.draft.system = system;
      append(examples);
    });
  }

  /** Add finished examples at the end, as one step. */
  function append(examples) {
    session.draft.examples.push(...examples.map((example) => ({ ...blank(), ...example })));
    touch('draft', 'restored');
    list.lastElementChild?.scrollIntoView({ block: 'nearest' });
    if (examples.length) notice(t('editor.added', { n: examples.length }));
  }

  function moveTo(example, to) {
    const { examples: all } = session.draft;
    const from = all.indexOf(example);
    if (from < 0 || to === from || to < 0 || to >= all.length) return;
    all.splice(to, 0, ...all.splice(from, 1));
    arrange();
    touch('draft');
  }

  function remove(example) {
    const at = session.draft.examples.indexOf(example);
    session.draft.examples.splice(at, 1);
    arrange();
    (list.children[Math.min(at, list.children.length - 1)]?.querySelector('textarea, input') ?? add).focus();
    touch('draft');
    notice(t('editor.deleted', { n: at + 1 }), {
      action: t('dialog.undo'),
      onAction: () => insert(example, Math.min(at, session.draft.examples.length)),
    });
  }

  function insert(example, at = session.draft.examples.length) {
    if (session.draft.examples.includes(example)) return; // an undo has brought it back already
    session.draft.examples.splice(at, 0, example);
    arrange();
    const card = cards.get(example);
    card.element.scrollIntoView({ block: 'nearest' });
    card.focus();
    touch('draft');
  }

  /** Bring the list's elements into the draft's order without touching those that stay. */
  function arrange() {
    const wanted = session.draft.examples;
    const there = new Set(wanted);
    for (const [example, card] of cards) {
      if (there.has(example)) continue;
      card.element.remove();
      cards.delete(example);
    }
    const focused = document.activeElement;
    wanted.forEach((example, index) => {
      let card = cards.get(example);
      if (!card) cards.set(example, (card = exampleCard(example, actions)));
      // what was taken from here goes out of the way, so that all the others stay where they are
      if (list.children[index + 1] === card.element) list.append(list.children[index]);
      if (list.children[index] !== card.element) {
        list.insertBefore(card.element, list.children[index] ?? null);
      }
      card.place(index, wanted.length);
    });
    if (list.contains(focused)) focused.focus({ preventScroll: true }); // moving an element drops its focus
    cards.forEach((card) => card.resize());
    drawCounts();
    drawFolds();
  }

  function foldsChanged() {
    session.view.folded = session.draft.examples.flatMap((example, i) => (cards.get(example).folded ? [i] : []));
    drawFolds();
    touch('view');
  }

  function drawFolds() {
    const open = [...cards.values()].some(({ folded }) => !folded);
    const label = t(open ? 'editor.fold_all' : 'editor.unfold_all');
    foldAll.title = label;
    foldAll.setAttribute('aria-label', label);
    foldAll.setAttribute('aria-expanded', String(open));
    foldAll.hidden = cards.size < 2;
  }

  function drawCounts() {
    const all = session.draft?.examples ?? [];
    all.forEach((example, i) => cards.get(example)?.tokens(server.counts?.examples[i]));
    if (session.draft) shots.draw();
  }

  /** The example that has the focus, null where none has. */
  function current() {
    const element = document.activeElement?.closest('.example');
    return session.draft.examples.find((example) => cards.get(example).element === element) ?? null;
  }

  function step(by) {
    const { examples: all } = session.draft;
    if (!all.length || element.hidden || document.body.classList.contains('no-sidebar')) return false;
    if (!session.view.sidebar) {
      session.view.sidebar = true;
      touch('view');
    }
    const at = current() ? all.indexOf(current()) + by : by > 0 ? 0 : all.length - 1;
    const card = cards.get(all[Math.max(0, Math.min(all.length - 1, at))]);
    card.focus();
    card.element.scrollIntoView({ block: 'nearest' });
    return true;
  }

  const here = (work) => () => current() !== null && work(cards.get(current())) !== false;
  register(
    { keys: ['Alt+J'], group: 'preset', label: 'keys.example_next', run: () => step(1) },
    { keys: ['Alt+K'], group: 'preset', label: 'keys.example_previous', run: () => step(-1) },
    { keys: ['Alt+ArrowUp'], group: 'preset', within: '.example', label: 'keys.example_up', run: here((card) => card.move(-1)) },
    { keys: ['Alt+ArrowDown'], group: 'preset', within: '.example', label: 'keys.example_down', run: here((card) => card.move(1)) },
    { keys: ['Alt+X'], group: 'preset', within: '.example', label: 'keys.example_toggle', run: here((card) => card.toggle()) },
    {
      keys: ['Alt+C'],
      group: 'preset',
      within: '.example',
      label: 'keys.example_fold',
      run: here((card) => {
        card.fold(!card.folded);
        foldsChanged();
      }),
    },
  );
  on('preview', drawCounts);
  return {
    element,
    /** Other examples: another preset was opened. */
    drawAll: () => {
      cards = new Map();
      list.replaceChildren();
      arrange();
    },
    /** The same examples, perhaps in another order and with other texts. */
    sync: () => {
      arrange();
      cards.forEach((card) => card.sync());
    },
    /** Fold what was folded before a reload. */
    restoreFolds: () => {
      const folded = new Set(session.view.folded);
      session.draft.examples.forEach((example, i) => cards.get(example).fold(folded.has(i)));
      drawFolds();
    },
    elementOf: (example) => cards.get(example)?.element,
  };
}

function blank() {
  return { query: '', answer: '', enabled: true, note: '' };
}
