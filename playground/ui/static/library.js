// The presets at hand: open, save, save as, delete, read from and write to a file.

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

async function mayReplace() {
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
    const draft = await call('open_preset', { name });
    openDraft(draft, { name, shipped: entryOf(name)?.shipped ?? false });
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

export async function openFile(file) {
  try {
    if (file.size > server.maxPresetBytes) {
      const limit = server.maxPresetBytes / 1e6;
      throw new Error(t('preset.file_too_large', { name: file.name, size: file.size / 1e6, limit }));
    }
    const draft = await call('read_yaml', { text: await file.text(), source: file.name });
    if (!(await mayReplace())) return;
    openDraft(draft, { name: null, shipped: false });
    session.saved.json = ''; // not in the library yet
    touch('draft');
    notice(t('preset.opened_file', { name: file.name }));
  } catch (error) {
    complain(error);
  }
}

export async function save() {
  const { name, shipped } = session.saved;
  if (!name || shipped) return saveAs();
  try {
    await keep({ ...session.draft, name }, true);
    notice(t('preset.saved', { name: titleOf(session.draft) }));
  } catch (error) {
    complain(error);
  }
}

async function keep(draft, overwrite) {
  server.presets = await call('save_preset', { draft, overwrite });
  session.draft = draft;
  session.saved = { name: draft.name, shipped: false, json: JSON.stringify(draft) };
  touch('draft', 'presets');
}

export async function saveAs() {
  const shipped = session.saved.shipped;
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
    submit: async () => {
      const draft = { ...session.draft, name: name.value.trim(), title: title.value.trim() };
      await keep(draft, false);
      return true;
    },
  });
  if (saved) notice(t('preset.saved', { name: titleOf(session.draft) }));
}

export async function remove() {
  const { name } = session.saved;
  const sure = await ask({
    title: t('preset.delete.title', { name: titleOf(session.draft) }),
    body: [h('p', {}, t('preset.delete.body'))],
    ok: t('preset.delete.ok'),
    danger: true,
    submit: async () => {
      server.presets = await call('delete_preset', { name });
      return true;
    },
  });
  if (!sure) return;
  // What was deleted stays in the editor, as a draft that is in no library.
  session.saved = { name: null, shipped: false, json: '' };
  for (const side of session.sides) if (side.preset === name) side.preset = '@draft';
  touch('draft', 'presets', 'sides');
}

export async function download() {
  try {
    const text = await call('write_yaml', { draft: session.draft });
    const link = h('a', {
      href: URL.createObjectURL(new Blob([text], { type: 'application/yaml' })),
      download: `${session.draft.name}.yaml`,
    });
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (error) {
    complain(error);
  }
}

/** A file name from a title, in any script. */
function slug(title) {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
}
