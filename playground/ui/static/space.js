// On a Space: what is not offered is hidden, and presets that a visitor saves stay in their browser.
//
// The server's space is null on a person's own machine, where all of this lets everything pass.

import { server } from './store.js';
import { t } from './text.js';

const KEY = 'icl-playground/presets';

/** Whether a call or run may be asked for here. */
export function offers(name) {
  return !server.space || server.space.calls.includes(name);
}

/** Whether a page is open here. */
export function offersPage(name) {
  return !server.space || server.space.pages.includes(name);
}

/** Hide whatever says by `data-needs` that it needs a call which is not offered; what comes later, too. */
export function enterSpace() {
  if (!server.space) return;
  const known = [...server.space.calls, ...Object.keys(HERE)].map((name) => `:not([data-needs="${name}"])`);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`[data-needs]${known.join('')} { display: none !important; }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  document.body.dataset.space = 'true';
  server.presets = withOwn(server.presets);
}

/** The answer to a call: by `ask`, or from the browser where the server keeps nothing. */
export async function answered(name, body, ask) {
  if (!server.space) return ask(name, body);
  const own = HERE[name]?.(body, ask);
  if (own !== undefined) return own;
  if (!offers(name)) throw new Error(t('space.not_offered'));
  const answer = await ask(name, TAKES_PRESETS.includes(name) ? whole(body) : body);
  return answer?.presets ? { ...answer, presets: withOwn(answer.presets) } : answer;
}

// Calls that are answered here; undefined leaves them to the server.
const HERE = {
  open_preset({ name }) {
    const kept = read()[name];
    return kept && { draft: kept.draft, digest: kept.digest };
  },
  async save_preset({ draft, overwrite, expected }, ask) {
    await ask('view_preset', { draft }); // which says what is wrong with it
    const { name } = draft;
    if (server.presets.some((entry) => entry.name === name && !entry.local)) throw new Error(t('space.shipped', { name }));
    const kept = read();
    if (kept[name] && !overwrite) throw new Error(t('space.taken', { name }));
    if (expected && kept[name] && kept[name].digest !== expected) throw new Error(t('space.changed', { name }));
    const digest = Math.random().toString(36).slice(2);
    write({ ...kept, [name]: { draft, digest } });
    return { draft, digest, ...library() };
  },
  async delete_preset({ name }) {
    const { [name]: gone, ...rest } = read();
    if (!gone) throw new Error(t('space.gone', { name }));
    write(rest);
    return library();
  },
};
// Calls that take a preset by its name, and know only the server's.
const TAKES_PRESETS = ['diff', 'view_preset'];

function library() {
  return { presets: withOwn(server.presets), folder: server.folder };
}

/** A list of the server's presets with the browser's behind them. */
function withOwn(presets) {
  const shipped = presets.filter(({ local }) => !local);
  const own = Object.entries(read()).map(([name, { draft, digest }]) => ({
    name,
    title: draft.title ?? '',
    description: draft.description ?? '',
    language: draft.language ?? '',
    tags: draft.tags ?? [],
    author: draft.author ?? '',
    parent: draft.derived_from?.name ?? '',
    shipped: false,
    local: true,
    digest,
    error: null,
  }));
  return [...shipped, ...own.filter(({ name }) => !shipped.some((entry) => entry.name === name))];
}

/** A body in which names of the browser's presets are the presets themselves. */
function whole(body) {
  const kept = read();
  const meant = (value) => (value?.name in kept ? { draft: kept[value.name].draft } : value);
  return Object.fromEntries(Object.entries(meant(body)).map(([key, value]) => [key, key === 'draft' ? value : meant(value)]));
}

function read() {
  try {
    return Object.assign(Object.create(null), JSON.parse(localStorage.getItem(KEY)));
  } catch {
    return Object.create(null); // storage is switched off, or held something else
  }
}

function write(kept) {
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    throw new Error(t('space.full'));
  }
}
