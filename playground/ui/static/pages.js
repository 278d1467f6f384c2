// The pages beside each other: which one is shown, its place in the address, and its module once it is wanted.
//
// The chat is drawn by the islands panes and composer. Every other page is a folder below, fetched when it
// is first opened: its module's `mount(element)` draws into a section of its own, and what it returns may
// have `show()` and `hide()`.

import { complain } from './dialogs.js';
import { h } from './dom.js';
import { islandMounted } from './page.js';
import { offersPage } from './space.js';
import { session, on, touch } from './store.js';
import { t } from './text.js';

/** By the name that stands in the address (`#/notebook`); `sidebar` says whether the preset is of use there. */
export const PAGES = {
  chat: { sidebar: true },
  notebook: { sidebar: false, load: () => import('./notebook/page.js') },
  shift: { sidebar: true, load: () => import('./shift/page.js') },
  experiments: { sidebar: true, load: () => import('./experiments/page.js') },
  models: { sidebar: false, load: () => import('./models/page.js') },
  presets: { sidebar: false, load: () => import('./presets/page.js') },
};

const shown = new Map(); // name -> promise of what its module's mount returned
let at = null;
let place;

/** The links to all pages. */
export function navigation() {
  const links = Object.keys(PAGES).map((name) =>
    h('a', { href: address(name), 'data-page': name, onclick: (event) => follow(event, name) }, t(`page.${name}`)),
  );
  const select = h(
    'select',
    { 'aria-label': t('page.all'), onchange: () => openPage(select.value) }, // where the links find no room
    Object.keys(PAGES).map((name) => h('option', { value: name }, t(`page.${name}`))),
  );
  on('ready page', () => {
    select.value = session.view.page;
    for (const one of [...links, ...select.options]) one.hidden = !isOffered(one.dataset.page ?? one.value);
    links.forEach((link) => {
      if (link.dataset.page === session.view.page) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    });
  });
  return h('nav.pages-nav', { 'aria-label': t('page.all') }, links, select);
}

/** Open a page, as a link to it would. */
export function openPage(name) {
  location.hash = address(name);
}

export function mount(element) {
  place = element;
  addEventListener('hashchange', () => named() && show(named()));
  on('ready', () => {
    const wanted = named() ?? (isOffered(session.view.page) ? session.view.page : 'chat');
    if (wanted !== 'chat' && !named()) history.replaceState(history.state, '', address(wanted));
    show(wanted);
  });
  islandMounted('pages');
}

function isOffered(name) {
  return name in PAGES && offersPage(name);
}

function address(name) {
  return `#/${name}`;
}

function follow(event, name) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault(); // the address is relative to the page, whatever its base
  openPage(name);
}

/** The page that the address names, null where it names none. An empty fragment is where one began. */
function named() {
  if (location.hash.startsWith('#preset=')) return 'chat'; // a link that holds a preset, see arrivals.js
  const name = location.hash.replace(/^#\/?/, '');
  if (location.hash.startsWith('#/') && isOffered(name)) return name;
  return !location.hash && at ? 'chat' : null;
}

async function show(name) {
  const before = at;
  at = session.view.page = name;
  document.body.dataset.page = name;
  document.body.classList.toggle('no-sidebar', !PAGES[name].sidebar);
  document.title = name === 'chat' ? t('app.title') : t('page.title', { page: t(`page.${name}`) });
  if (before && before !== name) (await shown.get(before))?.hide?.();
  for (const section of place.querySelectorAll('section.page')) section.hidden = section.dataset.page !== name;
  touch('page', 'view');
  if (!PAGES[name].load) return;
  try {
    if (!shown.has(name)) shown.set(name, open(name));
    const page = await shown.get(name);
    if (at === name) page?.show?.();
  } catch (error) {
    shown.delete(name);
    complain(error);
  }
}

async function open(name) {
  const module = await PAGES[name].load();
  const section = h('section.page', { 'data-page': name, 'aria-label': t(`page.${name}`), hidden: at !== name });
  place.append(section);
  return module.mount(section) ?? null;
}
