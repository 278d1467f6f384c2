// The session: what this tab shows, kept over a reload. The only state that modules share.
//
// sessionStorage holds this tab's own; localStorage the latest of any tab, from which a new tab starts.

import { throttle } from './dom.js';

const KEY = 'icl-playground/session';
const VERSION = 1;
const SAVE_AFTER_MS = 500;

export const session = {
  version: VERSION,
  draft: null, // the preset being edited, as its YAML file would say it
  saved: null, // {name, shipped, digest, json}: what the library holds for it
  sides: [], // [{id, model, preset}]
  conversation: null, // see conversation.js
  composer: '',
  notebooks: { open: null, all: [] }, // [{id, name, text, marks: [[start, end]], model, sampling, special}]
  templateEdit: null, // fields of a template while one of them is wrong
  edits: {}, // unsent edits of questions: SIDE/TURN -> text
  view: { page: 'chat', tab: 'chat', raw: false, tokens: false, sidebar: null, sampling: false, theme: 'auto', expanded: null },
};

/** What the server said last; not kept. */
export const server = { presets: [], folder: '', saving: 0, saves: 0, models: [], templates: [], counts: null, version: '', space: null };

const listeners = new Map();

/** Call `listener` whenever one of the topics is touched. */
export function on(topics, listener) {
  for (const topic of topics.split(' ')) {
    if (!listeners.has(topic)) listeners.set(topic, new Set());
    listeners.get(topic).add(listener);
  }
}

/** Say that something changed; the session is written soon after. */
export function touch(...topics) {
  const called = new Set();
  for (const topic of topics) {
    for (const listener of listeners.get(topic) ?? []) called.add(listener);
  }
  for (const listener of called) listener();
  save();
}

/** The notebook that is shown, if there is one. */
export function openNotebook() {
  return session.notebooks.all.find(({ id }) => id === session.notebooks.open);
}

export function isDirty() {
  return session.saved !== null && JSON.stringify(session.draft) !== session.saved.json;
}

/** Make `draft` the preset that is edited; `saved` says what the library holds of it. */
export function openDraft(draft, { name, shipped, digest }) {
  session.draft = draft;
  session.saved = { name, shipped, digest, json: JSON.stringify(draft) };
  touch('draft', 'opened');
}

export function restore() {
  for (const storage of [() => sessionStorage, () => localStorage]) {
    try {
      const kept = JSON.parse(storage().getItem(KEY));
      if (kept?.version !== VERSION) continue;
      const view = { ...session.view, ...kept.view };
      Object.assign(session, kept, { view });
      return true;
    } catch {
      // storage is switched off, or what it held is no session: start afresh
    }
  }
  return false;
}

let full = false;

function write() {
  const text = JSON.stringify(session);
  let kept = 0;
  for (const storage of [() => sessionStorage, () => localStorage]) {
    try {
      storage().setItem(KEY, text);
      kept += 1;
    } catch {
      // over the quota or switched off
    }
  }
  if (kept === 0 && !full) {
    full = true;
    for (const listener of listeners.get('unkept') ?? []) listener();
  }
}

export const save = throttle(() => session.draft && write(), SAVE_AFTER_MS);
addEventListener('pagehide', () => session.draft && write());
