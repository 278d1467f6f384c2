// The preset editor: system text, examples, sampling. The lists are owned here; typing is never redrawn.

import { contextBar } from './context_bar.js';
import { autosize, fill, h, iconButton } from './dom.js';
import { setText } from './example.js';
import { exampleList } from './examples.js';
import * as edits from './history.js';
import { isField, register } from './keys.js';
import { titleOf } from './library.js';
import { islandMounted } from './page.js';
import { sampling } from './sampling.js';
import { templateEditor } from './template.js';
import { server, session, on, touch } from './store.js';
import { has, t } from './text.js';

export function mount(element) {
  const title = h('h2');
  const undo = iconButton('undo', t('editor.undo'), () => back(edits.undo(), 'editor.undone'));
  const redo = iconButton('redo', t('editor.redo'), () => back(edits.redo(), 'editor.redone'));
  const heard = h('span.heard', { role: 'status', 'aria-live': 'polite' }); // for screen readers
  const description = h('p.description');
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const template = h('select', { id: 'template' });
  const patterns = templateEditor();
  const system = textBlock('system');
  const prefix = textBlock('prefix');
  const examples = exampleList();
  const decoding = sampling();
  const context = contextBar();
  let opened = false; // a preset; the first one may be what a reload left, with its folds

  template.addEventListener('change', () => {
    session.draft.template = template.value;
    touch('draft');
  });

  /** Say what an undo or redo changed, and bring it into view without taking the focus from anywhere. */
  function back(changes, key) {
    if (!changes) return false;
    const [first] = changes;
    const known = first && (has(`editor.part.${first.part}`) ? first.part : 'other');
    const part = known && t(`editor.part.${known}`, { n: (first.index ?? 0) + 1 });
    fill(heard, part ? t(key, { part }) : '');
    const place =
      first?.part === 'example' ? examples.elementOf(first.ref) : document.getElementById(`draft-${first?.part}`);
    place?.scrollIntoView({ block: 'nearest' });
    return true;
  }

  function drawAll() {
    if (!session.draft) return;
    drawFields();
    examples.drawAll();
    if (!opened && session.view.folded?.length) examples.restoreFolds();
    else session.view.folded = [];
    opened = true;
    decoding.draw();
    context.draw();
  }

  function drawFields() {
    const { draft } = session;
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
    examples.element.hidden = verbatim;
  }

  function drawHistory() {
    const focused = document.activeElement;
    undo.disabled = !edits.canUndo();
    redo.disabled = !edits.canRedo();
    if (focused === undo && undo.disabled) redo.focus();
    if (focused === redo && redo.disabled) undo.focus();
  }

  function drawCounts() {
    system.tokens(server.counts?.system);
    prefix.tokens(server.counts?.system);
    context.draw();
  }

  function drawProblem() {
    problem.hidden = !server.draftProblem;
    fill(problem, server.draftProblem ?? '');
  }

  on('opened', drawAll);
  on('restored', () => {
    drawFields();
    examples.sync();
    decoding.draw();
    context.draw();
  });
  on('history opened', drawHistory);
  on('preview', () => {
    drawCounts();
    drawProblem();
  });
  on('draft', () => {
    fill(title, titleOf(session.draft));
    context.draw();
  });

  // Inside the editor undo is the preset's: the browser's own knows one field and no moves, and forgets what
  // it knew once a field's text is set from elsewhere.
  const within = '#editor';
  register(
    { keys: ['Ctrl+Z'], group: 'preset', within, label: 'keys.undo_edit', run: () => (back(edits.undo(), 'editor.undone'), true) },
    {
      keys: ['Ctrl+Shift+Z', 'Ctrl+Y'],
      group: 'preset',
      within,
      label: 'keys.redo_edit',
      run: () => (back(edits.redo(), 'editor.redone'), true),
    },
  );
  element.addEventListener('beforeinput', (event) => {
    const step = { historyUndo: edits.undo, historyRedo: edits.redo }[event.inputType];
    if (!step) return; // what comes from here came from a menu of the browser
    event.preventDefault();
    back(step(), event.inputType === 'historyUndo' ? 'editor.undone' : 'editor.redone');
  });
  element.addEventListener('focusout', (event) => isField(event.target) && edits.endStep());
  element.append(
    h(
      'div.editor',
      {},
      h(
        'div.editor-scroll',
        {},
        h('div.editor-head', {}, title, undo, redo),
        description,
        problem,
        h('div.template-row', {}, h('label', { for: 'template' }, t('editor.template')), template, patterns.button),
        patterns.panel,
        system.element,
        prefix.element,
        examples.element,
        decoding.element,
      ),
      h('div.editor-foot', {}, context.element, heard),
    ),
  );
  drawHistory();
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
    set: (text) => setText(area, text),
    tokens: (n) => fill(tokens, n === undefined ? '' : t('unit.tokens', { n })),
  };
}
