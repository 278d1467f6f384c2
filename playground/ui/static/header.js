// The header: which preset is open, what can be done with it, and how the models do.

import { factsOf } from './capabilities.js';
import { complain } from './dialogs.js';
import { fill, h, icon, iconButton } from './dom.js';
import * as library from './library.js';
import { islandMounted } from './page.js';
import { navigation, openPage } from './pages.js';
import { server, session, isDirty, on, openNotebook, touch } from './store.js';
import { t } from './text.js';
import { nextTheme } from './themes.js';
import { call } from './wire.js';

const THEME_ICONS = { auto: 'auto', light: 'sun', dark: 'moon' };

export function mount(element) {
  const chooser = h('select.preset-chooser', { id: 'preset', 'aria-label': t('header.preset') });
  chooser.addEventListener('change', async () => {
    if (!(await library.choose(chooser.value))) drawChooser();
  });
  const mark = h(
    'button.unsaved',
    { type: 'button', title: t('header.unsaved'), onclick: compare },
    t('header.unsaved_mark'),
  );
  const file = h('input', { type: 'file', hidden: true, tabIndex: -1 });
  file.addEventListener('change', async () => {
    if (file.files[0]) await library.openFile(file.files[0]);
    file.value = '';
  });
  const save = button('save', library.save);
  const past = button('history', () =>
    lazily(import('./presets/lineage.js'), ({ openLineage }) => openLineage(session.saved.name)),
  );
  const remove = button('delete', library.remove);
  const actions = h(
    'div.actions',
    { id: 'preset-actions' },
    button('open', () => file.click()),
    button('import', () => lazily(import('./presets/import.js'), ({ openImport }) => openImport())),
    button('save_as', library.saveAs),
    button('share', () => lazily(import('./presets/share.js'), ({ openShare }) => openShare(session.draft))),
    button('compare', compare),
    past,
    remove,
  );
  const more = h(
    'button.small.more',
    {
      type: 'button',
      'aria-label': t('header.more'),
      'aria-expanded': 'false',
      'aria-controls': 'preset-actions',
      onclick: () => openMenu(!actions.classList.contains('open')),
    },
    '⋯',
  );
  const openMenu = (open) => {
    actions.classList.toggle('open', open);
    more.setAttribute('aria-expanded', String(open));
  };
  const menu = h('div.menu', {}, more, actions);
  actions.addEventListener('click', () => openMenu(false));
  document.addEventListener('click', (event) => menu.contains(event.target) || openMenu(false));
  menu.addEventListener('keydown', (event) => event.key === 'Escape' && (openMenu(false), more.focus()));
  const chips = h('div.chips', { role: 'group', 'aria-label': t('header.models') });
  const theme = iconButton('auto', '', () => {
    nextTheme();
    drawTheme();
    touch('view');
  });
  const sidebar = iconButton('panel', t('header.sidebar'), () => {
    session.view.sidebar = !session.view.sidebar;
    touch('view');
  });

  function drawChooser() {
    const { name } = session.saved ?? {};
    const groups = [
      ['header.shipped', server.presets.filter(({ shipped }) => shipped)],
      ['header.own', server.presets.filter(({ shipped }) => !shipped)],
    ];
    fill(
      chooser,
      !name && h('option', { value: '', selected: true }, library.titleOf(session.draft ?? {}) || '–'),
      groups
        .filter(([, entries]) => entries.length)
        .map(([label, entries]) =>
          h(
            'optgroup',
            { label: t(label) },
            entries.map((entry) => option(entry, entry.name === name)),
          ),
        ),
    );
  }

  function option(entry, selected) {
    const title = library.titleOf(entry);
    const label = entry.error ? t('header.broken_preset', { name: title }) : title;
    return h('option', { value: entry.name, selected, title: entry.error ?? entry.description }, label);
  }

  function drawMark() {
    const dirty = isDirty();
    mark.hidden = !dirty;
    save.disabled = !dirty;
    past.disabled = !session.saved?.name;
    remove.disabled = !session.saved?.name || session.saved.shipped;
    remove.title = session.saved?.shipped ? t('preset.shipped_cannot_go') : '';
  }

  function drawTheme() {
    const label = t(`header.theme.${session.view.theme}`);
    fill(theme, icon(THEME_ICONS[session.view.theme]));
    theme.title = label;
    theme.setAttribute('aria-label', label);
  }

  function drawChips() {
    const used = new Set(session.sides.map(({ model }) => model));
    if (session.view.page === 'notebook') used.add(openNotebook()?.model);
    fill(chips, server.models.filter(({ id }) => used.has(id)).map(chip));
  }

  function drawView() {
    const open = session.view.sidebar;
    document.body.classList.toggle('sidebar-open', open);
    sidebar.setAttribute('aria-pressed', String(open));
    drawTheme();
  }

  on('ready presets opened', drawChooser);
  on('ready draft opened presets', drawMark);
  on('ready models sides page notebook', drawChips);
  on('ready view', drawView);
  element.append(
    h(
      'header.header',
      {},
      sidebar,
      h(
        'span.brand',
        {},
        h('img', { src: new URL('./icon.svg', import.meta.url), alt: '', width: 20 }),
        h('h1', {}, t('app.title')),
      ),
      navigation(),
      h('div.preset', {}, chooser, mark),
      save,
      menu,
      file,
      h('span.grow'),
      chips,
      theme,
    ),
  );
  islandMounted('header');
}

const compare = () => lazily(import('./studio/diff.js'), ({ openDiff }) => openDiff());

/** Do something with a module that is fetched when it is first wanted. */
async function lazily(module, work) {
  try {
    await work(await module);
  } catch (error) {
    complain(error);
  }
}

function button(key, onclick) {
  return h('button.small', { type: 'button', onclick, 'data-action': key }, t(`preset.${key}`));
}

function chip(model) {
  const status = t(`model.${model.status}`);
  const can = ['unloaded', 'failed', 'died', 'missing'].includes(model.status);
  const lines = factsOf(model);
  const missing = model.status === 'missing';
  if (can) lines.push(t(missing ? 'model.get_hint' : 'model.load_hint'));
  return h(
    `button.chip.${model.status}`,
    {
      type: 'button',
      title: lines.join('\n'),
      'aria-label': `${model.title}: ${status}`,
      onclick: () => {
        if (missing) openPage('models');
        else if (can) call('load_model', { name: model.id }).then(() => {});
      },
    },
    h('span.dot'),
    h('span.chip-name', {}, model.title),
    model.status === 'ready' ? null : h('span.chip-status', {}, status),
  );
}
