// The presets at hand: open, save, save as, delete, and open what comes from elsewhere.

import { ask, complain, notice } from './dialogs.js';
import { h } from './dom.js';
import { server, session, isDirty, openDraft, touch } from './store.js';
import { t } from './text.js';
import { call } from './wire.js';

/** What a preset is called by people. */
export function titleOf({ title, name }) {
  return title || name;
}

export function entryOf(name) {
  return server.presets.find((entry) => entry.name === name);
}

/** Take in what the server says of the library. */
export function heard({ presets, folder }) {
  Object.assign(server, { presets, folder });
  touch('presets');
}

/** Whether the draft may give way to another preset; unsaved work is asked about. */
export async function mayReplace() {
  if (!isDirty()) return true;
  return ask({
    title: t('preset.discard.title', { name: titleOf(session.draft) }),
    body: [h('p', {}, t('preset.discard.body'))],
    ok: t('preset.discard.ok'),
    danger: true,
  });
}

/** Open a preset of the library in place of the draft; false where the person kept the draft. */
export async function choose(name) {
  if (!(await mayReplace())) return false;
  try {
    const { draft, digest } = await call('open_preset', { name });
    openDraft(draft, { name, shipped: entryOf(name)?.shipped ?? false, digest });
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/** Open a preset that is in no library; false where the person kept the draft. */
export async function openUnsaved(draft, said) {
  if (!(await mayReplace())) return false;
  openDraft(draft, { name: null, shipped: false });
  session.saved.json = ''; // not in the library yet
  touch('draft');
  notice(said);
  return true;
}

/** Open a file: a preset at once, anything else once the person has seen what comes of it. */
export async function openFile(file) {
  try {
    const { openFound, readFile } = await import('./presets/import.js');
    const found = await readFile(file);
    if (found.length === 1 && found[0].format === 'preset') {
      await openUnsaved(found[0].draft, t('preset.opened_file', { name: file.name }));
    } else openFound(found, file.name);
  } catch (error) {
    complain(error);
  }
}

export async function save() {
  const { name, shipped, digest } = session.saved;
  if (!name || shipped) return saveAs();
  try {
    if (await keep({ name }, { overwrite: true, expected: digest || null })) said();
  } catch (error) {
    complain(error);
  }
}

/** Save over a file that somebody else changed to what `digest` stands for; false where it was not. */
export async function saveOver(digest) {
  const kept = await keep({ name: session.saved.name }, { overwrite: true, expected: digest });
  if (kept) said();
  return kept;
}

const said = () => notice(t('preset.saved', { name: titleOf(session.draft) }));

/** Change the library; what is heard of its folder meanwhile is no news. */
async function changing(work) {
  server.saving += 1;
  try {
    return await work();
  } finally {
    server.saving -= 1;
    server.saves += 1;
  }
}

/** Keep the draft in the library, with `change` in it; false where the person decided otherwise. */
function keep(change, options) {
  const { saved } = session;
  const sent = { ...session.draft, ...change };
  return changing(async () => {
    const answer = await call('save_preset', { draft: sent, ...options });
    if (answer.comments) {
      return (await mayDrop(sent.name, answer.comments)) && keep(change, { ...options, drop_comments: true });
    }
    if (answer.conflict) {
      const { openConflict } = await import('./presets/conflict.js');
      await openConflict();
      return false;
    }
    const { derived_from, results } = answer.draft;
    const kept = { ...change, derived_from, results };
    if (session.saved === saved) {
      Object.assign(session.draft, kept);
      session.saved = {
        name: sent.name,
        shipped: false,
        digest: answer.digest,
        json: JSON.stringify(Object.assign(sent, kept)), // not what was typed meanwhile
      };
    }
    heard(answer);
    touch('draft');
    return true;
  });
}

/** Ask whether comments of the file may be deleted, whose parts are removed. */
function mayDrop(name, comments) {
  return ask({
    title: t('preset.comments.title', { n: comments.length }),
    body: [
      h('p', {}, t('preset.comments.body', { name })),
      h(
        'ul.comments',
        {},
        comments.map(([line, text]) => h('li', {}, t('preset.comment', { line }), ' ', h('code', {}, text))),
      ),
    ],
    ok: t('preset.comments.ok'),
    danger: true,
  });
}

export async function saveAs() {
  const { shipped, name: from, json } = session.saved;
  const suggestion = shipped ? t('preset.copy_of', { name: titleOf(session.draft) }) : titleOf(session.draft);
  const title = h('input', {
    type: 'text',
    value: suggestion,
    maxLength: 80,
    required: true,
    id: 'save-title',
  });
  const name = h('input', {
    type: 'text',
    value: slug(suggestion),
    maxLength: 80,
    required: true,
    id: 'save-name',
  });
  let named = false;
  name.addEventListener('input', () => (named = true));
  title.addEventListener('input', () => named || (name.value = slug(title.value)));
  const saved = await ask({
    title: t('preset.save_as'),
    body: [
      shipped && h('p', {}, t('preset.shipped_stays')),
      h('label', { for: 'save-title' }, t('preset.title')),
      title,
      h('label', { for: 'save-name' }, t('preset.file_name')),
      name,
    ].filter(Boolean),
    ok: t('preset.save'),
    submit: () =>
      keep(
        { name: name.value.trim(), title: title.value.trim() },
        { parent: from ? JSON.parse(json) : null },
      ),
  });
  if (saved) said();
  return saved;
}

export async function remove() {
  const { name } = session.saved;
  const sure = await ask({
    title: t('preset.delete.title', { name: titleOf(session.draft) }),
    body: [h('p', {}, t('preset.delete.body'))],
    ok: t('preset.delete.ok'),
    danger: true,
    submit: () => changing(async () => (heard(await call('delete_preset', { name })), true)),
  });
  if (sure) setFree();
}

/** What is in the editor is in no library any more, and stays there. */
export function setFree() {
  const { name } = session.saved;
  session.saved = { name: null, shipped: false, json: '' };
  for (const side of session.sides) if (side.preset === name) side.preset = '@draft';
  touch('draft', 'presets', 'sides');
}

/** A file name from a title, in any script. */
function slug(title) {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
}
