// Adding a model: a path, a repository with its files, or what other programs left on this computer.

import { ask, notice } from '../dialogs.js';
import { fill, h } from '../dom.js';
import { bytes, t } from '../text.js';
import { call } from '../wire.js';

/** Let the person add a model; resolves to its name, or to null. */
export function openAdd() {
  const source = h('input', { type: 'text', id: 'add-source', autocomplete: 'off', spellcheck: false, placeholder: t('add.source.hint') });
  const look = h('button.small', { type: 'button', id: 'add-look', onclick: () => lookAt(source.value.trim()) }, t('add.look'));
  const found = h('div.add-found', {}, h('p.muted', {}, t('add.searching')));
  const problem = h('p.dialog-problem', { role: 'alert', hidden: true });
  const result = h('div.add-result', { hidden: true });
  const stage = h(
    'div.wide.add',
    {},
    h('label', { for: source.id }, t('add.source')),
    h('div.add-source', {}, source, look),
    problem,
    result,
    h('h3', {}, t('add.found')),
    found,
  );
  let form = null; // what is to be added, once it was looked at
  let looking = 0;
  let direct = null; // added by one click on what was found
  const done = ask({ title: t('add.title'), body: [stage], ok: t('add.ok'), submit });
  const dialog = stage.closest('dialog');
  const confirm = dialog.querySelector('button[type=submit]');
  confirm.disabled = true;
  source.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    lookAt(source.value.trim());
  });
  source.addEventListener('input', () => offer(null));
  source.focus();
  call('shelf_found', { name: '' }).then(drawFound, (error) => fill(found, h('p.muted', {}, error.message)));
  return done.then((added) => added ?? direct);

  async function submit() {
    if (!form) throw new Error(t('add.first'));
    return add(form.chosen());
  }

  async function add(body) {
    const { id, downloading } = await call('shelf_add', body);
    notice(t(downloading ? 'add.downloading' : 'add.added', { id }));
    return id;
  }

  function complain(text) {
    problem.hidden = !text;
    fill(problem, text ?? '');
  }

  function offer(next) {
    form = next;
    looking += 1;
    complain('');
    confirm.disabled = !next;
    result.hidden = !next;
    if (next) {
      fill(result, next.element);
      fill(confirm, next.ok);
    }
  }

  async function lookAt(path, name = '') {
    offer(null);
    if (!path) return source.focus();
    const mine = looking;
    look.disabled = true;
    fill(look, t('add.looking'));
    try {
      const answer = await call('shelf_look', { source: path, name });
      if (mine === looking) offer(answer.repository ? repositoryForm(answer.repository) : modelForm(path, answer));
    } catch (error) {
      if (mine === looking) complain(error.message);
    } finally {
      look.disabled = false;
      fill(look, t('add.look'));
    }
  }

  function drawFound(models) {
    if (!models.length) return fill(found, h('p.muted', {}, t('add.found.none')));
    fill(
      found,
      h(
        'ul.add-list',
        {},
        models.map((one) =>
          h(
            'li',
            { title: one.path },
            h('span.add-name', {}, one.name),
            h('span.muted', {}, `${one.owner} · ${bytes(one.size_bytes)}`),
            one.listed
              ? h('span.muted', {}, t('add.listed', { id: one.listed }))
              : h('button.small', { type: 'button', 'aria-label': t('add.use.label', { name: one.name }), onclick: (event) => use(one, event.currentTarget) }, t('add.use')),
          ),
        ),
      ),
    );
  }

  /** One click: add it as what it says that it is. What stands in the way is said, with the form to change it. */
  async function use({ path, name }, button) {
    button.disabled = true;
    source.value = path;
    await lookAt(path, name);
    button.disabled = false;
    if (!form) return;
    try {
      direct = await add(form.chosen());
      dialog.close();
    } catch (error) {
      complain(error.message);
    }
  }
}

/** What a file or folder says of itself, and as what it is added. */
function modelForm(source, { model, pair, partners }) {
  const choice = kindAndPair(model.kind, pair, partners);
  const facts = [model.architecture, model.parameters > 0 && t('models.weights', { n: model.parameters }), model.context > 0 && t('models.context', { n: model.context }), bytes(model.size_bytes)];
  return {
    ok: t('add.ok'),
    element: h(
      'div',
      {},
      h('p.add-reads', {}, t('models.reads', { kind: t(`models.${model.kind}`), reason: model.reason }), ` (${t(`models.${model.certainty}`)})`),
      model.note && h('p.add-note', {}, model.note),
      h('p.muted', {}, facts.filter(Boolean).join(' · ')),
      choice.element,
    ),
    chosen: () => ({ source, ...choice.chosen() }),
  };
}

/** The files of a repository, one to be chosen. */
function repositoryForm({ name, gated, license, files }) {
  const stage = h('div');
  let choice = null;
  let file = null;
  const choose = (one) => {
    file = one;
    choice = kindAndPair(one.kind, one.pair, []);
    fill(stage, h('p.add-reads', {}, t('add.name_says', { kind: t(`models.${one.kind}`), reason: one.reason })), choice.element);
  };
  const rows = files.map((one, i) => {
    const radio = h('input', { type: 'radio', name: 'add-file', checked: i === 0, onchange: () => choose(one) });
    return h('li', {}, h('label', {}, radio, h('span.add-name', {}, one.file || t('add.safetensors')), h('span.muted', {}, bytes(one.size_bytes))));
  });
  if (files.length) choose(files[0]);
  return {
    ok: t('add.download'),
    element: h(
      'div',
      {},
      h('p.muted', {}, [t('add.license', { license: license || t('add.not_stated') }), gated && t('add.gated')].filter(Boolean).join(' · ')),
      files.length ? h('ul.add-list.add-files', {}, rows) : h('p.dialog-problem', {}, t('add.no_model', { name })),
      stage,
    ),
    chosen: () => {
      if (!file) throw new Error(t('add.no_model', { name }));
      return { source: name, file: file.file, ...choice.chosen() };
    },
  };
}

function kindAndPair(kind, pair, partners) {
  const name = h('input', { type: 'text', id: 'add-pair', value: pair, maxLength: 61, spellcheck: false, autocomplete: 'off' });
  const radios = ['base', 'instruct'].map((one) => h('input', { type: 'radio', name: 'add-kind', value: one, checked: one === kind }));
  const join = partners.slice(0, 3).map((one) =>
    h(
      'p.add-partner',
      {},
      t('add.partner', { model: one.model, why: one.why }),
      ' ',
      one.warning && h('span.warned', {}, one.warning),
      ' ',
      h('button.link', { type: 'button', onclick: () => (name.value = one.pair) }, t('add.join', { pair: one.pair })),
    ),
  );
  return {
    element: h(
      'div.add-choice',
      {},
      h('fieldset.add-kind', {}, h('legend', {}, t('add.as')), radios.map((radio) => h('label.check', {}, radio, t(`models.${radio.value}`)))),
      h('label', { for: name.id }, t('add.pair')),
      name,
      join,
    ),
    chosen: () => ({ kind: radios.find(({ checked }) => checked).value, pair: name.value.trim() }),
  };
}
