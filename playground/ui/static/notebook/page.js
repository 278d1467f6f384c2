// The notebook: text without any template, written by a person and a model in turn.

import { modelOf } from '../capabilities.js';
import { ask, complain, notice } from '../dialogs.js';
import { debounce, fill, h, iconButton } from '../dom.js';
import { register } from '../keys.js';
import { menu, menuItem } from '../menu.js';
import { chosenModel, modelOptions } from '../model_options.js';
import { server, session, on, openNotebook, save, touch } from '../store.js';
import { has, t } from '../text.js';
import { call } from '../wire.js';
import { sheet } from './sheet.js';
import { stop, write, writing } from './writing.js';

const COUNT_AFTER_MS = 300;
const SAMPLING = { temperature: 0.7, max_tokens: 100, top_p: 1, seed: null };
const FIELDS = [
  { name: 'temperature', min: 0, max: 10 },
  { name: 'max_tokens', min: 1, max: 1000000, whole: true },
  { name: 'top_p', min: 0.01, max: 1 },
  { name: 'seed', min: 0, max: 4294967295, whole: true, empty: null },
];

export function mount(section) {
  const which = h('select', { id: 'notebook', 'aria-label': t('notebook.which') });
  const another = iconButton('plus', t('notebook.new'), () => add());
  const remove = menuItem(t('notebook.delete'), drop);
  const more = menu(t('notebook.more'), [
    menuItem(t('notebook.rename'), rename),
    menuItem(t('notebook.duplicate'), duplicate),
    remove,
  ]);
  const model = h('select', { id: 'notebook-model', 'aria-label': t('notebook.model') });
  const special = h('input', { type: 'checkbox', id: 'notebook-special' });
  const fields = FIELDS.map(numberField);
  const page = sheet({ changed: onChange, looked: onLook });
  const go = h('button.filled', { type: 'button', id: 'notebook-go', onclick: carryOn }, t('notebook.continue'));
  const halt = h('button.small.stop', { type: 'button', id: 'notebook-stop', hidden: true, onclick: stop }, t('notebook.stop'));
  const undo = iconButton('undo', t('notebook.undo'), page.undo);
  const redo = iconButton('redo', t('notebook.redo'), page.redo);
  const counted = h('span', { id: 'notebook-count' });
  const behind = h('span', { id: 'notebook-behind' });
  const figures = h('span', { id: 'notebook-figures', role: 'status', 'aria-live': 'polite' });
  const problem = h('p.problem', { role: 'alert', hidden: true });
  let asked = 0;

  const book = () => openNotebook();

  function add(given = {}) {
    const { all } = session.notebooks;
    const base = server.models.filter(({ kind }) => kind === 'base');
    const used = base.find(({ id }) => session.sides.some((side) => side.model === id));
    all.push({
      id: newId(),
      name: freshName(),
      text: '',
      marks: [],
      model: book()?.model ?? (used ?? base[0] ?? server.models[0])?.id ?? '',
      sampling: { ...(book()?.sampling ?? SAMPLING) },
      special: false,
      ...given,
    });
    choose(all.at(-1).id);
  }

  function freshName() {
    const taken = new Set(session.notebooks.all.map(({ name }) => name));
    for (let n = 1; ; n += 1) if (!taken.has(t('notebook.first', { n }))) return t('notebook.first', { n });
  }

  function choose(id) {
    session.notebooks.open = id;
    fill(problem);
    problem.hidden = true;
    fill(figures);
    draw();
    page.area.focus({ preventScroll: true });
    touch('notebook');
  }

  function duplicate() {
    const { text, marks, name } = book();
    add({ text, marks: structuredClone(marks), name: t('notebook.copy_of', { name }), special: book().special });
  }

  function drop() {
    const { all } = session.notebooks;
    const gone = book();
    const at = all.indexOf(gone);
    all.splice(at, 1);
    if (all.length) choose(all[Math.min(at, all.length - 1)].id);
    else add({ model: gone.model, sampling: gone.sampling });
    notice(t('notebook.deleted', { name: gone.name }), {
      action: t('dialog.undo'),
      onAction: () => {
        all.splice(at, 0, gone);
        if (!writing) choose(gone.id);
        else draw();
      },
    });
  }

  async function rename() {
    const name = h('input', { type: 'text', id: 'notebook-name', value: book().name, maxLength: 80 });
    const renamed = await ask({
      title: t('notebook.rename.title'),
      body: [h('label', { for: name.id }, t('notebook.name')), name],
      ok: t('dialog.ok'),
      submit: async () => {
        if (!name.value.trim()) throw new Error(t('notebook.name_missing'));
        return true;
      },
    });
    if (!renamed) return;
    book().name = name.value.trim();
    draw();
    save();
  }

  function numberField({ name, min, max, whole, empty }) {
    const input = h('input', { type: 'number', id: `notebook-${name}`, min, max, step: 'any' });
    if (empty === null) input.placeholder = t('sampling.random');
    input.addEventListener('input', () => {
      const value = input.value === '' && !input.validity.badInput ? empty : Number(input.value);
      const right =
        value === null ||
        (value !== undefined && value >= min && value <= max && (!whole || Number.isInteger(value)));
      input.setAttribute('aria-invalid', String(!right));
      if (right) book().sampling[name] = value;
      save();
    });
    const show = () => {
      input.value = book().sampling[name] ?? '';
      input.setAttribute('aria-invalid', 'false');
    };
    input.addEventListener('blur', show);
    const label = h('label', { for: input.id, title: t(`sampling.${name}.hint`) }, t(`sampling.${name}`));
    return { element: h('div.field', {}, label, input), draw: show };
  }

  /** Draw what stands around the text; the text itself only where it is another notebook's. */
  function draw() {
    const { all, open } = session.notebooks;
    fill(which, all.map(({ id, name }) => h('option', { value: id, selected: id === open }, name)));
    drawModels();
    special.checked = book().special;
    fields.forEach((field) => field.draw());
    page.show(book());
    drawButtons();
    onLook();
  }

  function drawModels() {
    if (!book()) return;
    fill(model, modelOptions(server.models, book().model));
  }

  function drawButtons() {
    const busy = writing !== null;
    go.hidden = busy;
    halt.hidden = !busy;
    halt.disabled = busy && writing.stopping;
    for (const one of [which, another, more.button, model]) one.disabled = busy;
    undo.disabled = !page.canUndo();
    redo.disabled = !page.canRedo();
  }

  function onChange() {
    save();
    drawButtons();
    onLook();
  }

  function onLook() {
    const after = book().text.length - page.cursor();
    fill(behind, after > 0 && writing === null ? t('notebook.after', { n: after }) : '');
    countSoon();
  }

  const countSoon = debounce(async () => {
    if (session.view.page !== 'notebook' || writing) return;
    const mine = (asked += 1);
    const { text, model: name, special: parsed } = book();
    const at = page.cursor();
    try {
      const n = await call('text_tokens', { model: name, before: text.slice(0, at), after: text.slice(at), special: parsed });
      if (mine !== asked) return;
      fill(counted, n ? t(n.total === n.before ? 'notebook.counted' : 'notebook.counted_all', n) : t('notebook.uncounted'));
    } catch {
      if (mine === asked) fill(counted); // the page says elsewhere what is wrong with the model or the server
    }
  }, COUNT_AFTER_MS);

  function carryOn() {
    if (writing) return;
    const { text, model: name, sampling, special: parsed } = book();
    const known = modelOf(name);
    problem.hidden = Boolean(known);
    fill(problem, known ? '' : t('notebook.no_model'));
    if (!known) return;
    let at = 0;
    let shownAt = 0;
    fill(figures, t('notebook.waiting', { model: known.title }));
    page.begin();
    write(
      { text: text.slice(0, page.cursor()), model: name, sampling, special: parsed },
      {
        began: (n) => fill(figures, t('notebook.reading', { n })),
        wrote: (more, tokens) => {
          page.insert(more);
          at = performance.now();
          if (at - shownAt < 200) return;
          shownAt = at;
          fill(figures, t('notebook.writing', { n: tokens }));
        },
        ended: (reply) => {
          page.end();
          tell(reply);
          drawButtons();
          onLook();
          save();
        },
      },
    );
    drawButtons();
    page.area.focus({ preventScroll: true });
  }

  function tell({ finish_reason: reason, error, usage, text }) {
    problem.hidden = !error;
    fill(problem, error ?? '');
    const n = usage?.completion_tokens ?? 0;
    const rate = usage?.decode_s && n > 1 ? (n - 1) / usage.decode_s : 0;
    const wrote = text || n > 1 ? t(rate ? 'notebook.done' : 'notebook.writing', { n, rate }) : t('notebook.nothing');
    const key = `reply.${reason}`;
    if (error) return fill(figures);
    fill(figures, wrote, has(key) ? h('span', { title: t(`${key}.hint`) }, ` · ${t(key)}`) : '');
  }

  which.addEventListener('change', () => choose(which.value));
  model.addEventListener('change', () => {
    const chosen = chosenModel(model, book().model);
    if (!chosen) return;
    book().model = chosen;
    load();
    countSoon();
    touch('notebook');
  });
  special.addEventListener('change', () => {
    book().special = special.checked;
    save();
    countSoon();
  });

  function load() {
    if (modelOf(book().model)?.status === 'unloaded') call('load_model', { name: book().model }).catch(complain);
  }

  const here = { page: 'notebook', group: 'notebook' };
  const within = '.sheet';
  register(
    { ...here, keys: ['Ctrl+Enter'], label: 'keys.notebook_continue', run: carryOn },
    { ...here, keys: ['Escape'], label: 'keys.notebook_stop', when: () => writing !== null, inFields: true, run: stop },
    { ...here, keys: ['Ctrl+Z'], within, label: 'keys.notebook_undo', run: () => (page.undo(), true) },
    { ...here, keys: ['Ctrl+Shift+Z', 'Ctrl+Y'], within, label: 'keys.notebook_redo', run: () => (page.redo(), true) },
  );
  on('models', () => {
    drawModels();
    if (session.view.page === 'notebook') countSoon();
  });
  section.append(
    h(
      'div.notebook-bar',
      {},
      which,
      another,
      more.button,
      more.list,
      h('span.grow'),
      model,
    ),
    problem,
    page.element,
    h('p.notebook-state', {}, counted, behind, h('span.grow'), figures),
    h(
      'div.notebook-foot',
      {},
      go,
      halt,
      undo,
      redo,
      h('div.notebook-sampling', {}, fields.map(({ element }) => element)),
      h('label.check', { for: special.id, title: t('notebook.special.hint') }, special, t('notebook.special')),
    ),
  );
  if (!book()) add();
  else draw();
  return {
    show: () => {
      load();
      onLook();
      touch('notebook');
      page.area.focus({ preventScroll: true });
    },
  };
}

function newId() {
  return `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
}
