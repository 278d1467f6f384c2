// Presets from elsewhere: pasted, dropped, out of files, from an address or the Hub. Nothing is saved unasked.

import { notice } from '../dialogs.js';
import { debounce, fill, h } from '../dom.js';
import { heard, openUnsaved, titleOf } from '../library.js';
import { server, session, save } from '../store.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { foundView } from './found.js';
import { openSheet } from './sheet.js';

const PAUSE_MS = 250;
const MOST_FILES = 50;
const ADDRESS = /^https?:\/\/\S+$/i;
let open = null; // what the dialog does, while there is one

/** The presets in a file; nothing is saved. */
export async function readFile(file) {
  if (file.size > server.maxPresetBytes) {
    const limit = server.maxPresetBytes / 1e6;
    throw new Error(t('preset.file_too_large', { name: file.name, size: file.size / 1e6, limit }));
  }
  return call('import_presets', { data: await base64(file), name: file.name });
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(',')[1] ?? '');
    reader.onerror = () => reject(new Error(t('import.unreadable', { name: file.name })));
    reader.readAsDataURL(file);
  });
}

/** Show what was found in a file. */
export function openFound(found, from) {
  openImport().show(found, [], from);
}

/** Open the dialog, or go on in the one that is open; with files it reads them, with `hub` it asks for a repository. */
export function openImport({ files, hub = false } = {}) {
  open ??= dialog();
  if (files) open.take(files);
  if (hub) open.hub();
  return open;
}

function dialog() {
  const text = h('textarea', { id: 'import-text', rows: 6, spellcheck: false, placeholder: t('import.hint') });
  const file = h('input', { type: 'file', multiple: true, hidden: true, tabIndex: -1 });
  const fetchIt = h('button.small', { type: 'button', hidden: true, onclick: fetchAddress }, t('import.fetch'));
  const repository = h('input', {
    type: 'text',
    id: 'import-hub',
    placeholder: t('share.repository'),
    'aria-label': t('share.repository.label'),
    value: session.hub ?? '',
    spellcheck: false,
  });
  const hubRow = h(
    'form.import-hub',
    { hidden: true, onsubmit: (event) => (event.preventDefault(), pull()) },
    repository,
    h('button.small', { type: 'submit' }, t('import.pull')),
  );
  const from = h('p.muted.import-from', { role: 'status' });
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const view = foundView();
  const keepAll = h('button.small', { type: 'button', 'data-needs': 'save_presets', onclick: keep }, '');
  const take = h('button.filled', { type: 'button', onclick: edit }, t('import.open'));
  const foot = h('div.dialog-buttons', { hidden: true }, view.name, h('span.grow'), keepAll, take);
  const content = [
    h('label', { for: text.id }, t('import.text')),
    text,
    h(
      'div.import-ways',
      {},
      h('button.small', { type: 'button', onclick: () => file.click() }, t('import.choose')),
      h('button.small', { type: 'button', 'data-needs': 'pull_presets', onclick: () => showHub() }, t('import.hub')),
      fetchIt,
      h('span.muted', {}, t('import.dropped')),
    ),
    hubRow,
    file,
    from,
    view.element,
    problem,
  ];
  const sheet = openSheet(t('import.title'), 'import', content, foot);
  let asked = 0;

  function fail(message) {
    problem.hidden = !message;
    fill(problem, message);
  }

  function show(found, bad = [], source = '') {
    fill(from, source);
    view.show(found, bad);
    const n = view.count();
    foot.hidden = !n;
    fill(keepAll, n > 1 ? t('import.save_all', { n }) : t('import.save'));
    if (n) view.element.scrollIntoView({ block: 'nearest' });
  }

  /** Do what finds presets; of several at once the last one counts. */
  async function finding(work, source = '') {
    const mine = (asked += 1);
    fail('');
    fill(from, t('import.reading'));
    try {
      const { found, refused } = await work();
      if (mine === asked) show(found, refused, source);
    } catch (error) {
      if (mine !== asked) return;
      show([]);
      fail(error.message);
    }
  }

  async function readFiles(files) {
    const chosen = [...files].slice(0, MOST_FILES);
    const found = [];
    const refused = [];
    for (const one of chosen) {
      try {
        found.push(...(await readFile(one)));
      } catch (error) {
        if (chosen.length === 1) throw error;
        refused.push([one.name, error.message]);
      }
    }
    if (files.length > MOST_FILES) refused.push(['', t('import.too_many', { n: MOST_FILES })]);
    return { found, refused };
  }

  const fromFiles = (files) => finding(() => readFiles(files), [...files].map(({ name }) => name).join(', '));

  async function recognise() {
    const pasted = text.value;
    const isAddress = ADDRESS.test(pasted.trim()) && !pasted.includes('#preset=');
    fetchIt.hidden = !isAddress;
    if (isAddress || !pasted.trim()) {
      asked += 1;
      fail('');
      return show([]);
    }
    return finding(async () => ({ found: await call('import_presets', { text: pasted }) }));
  }

  function fetchAddress() {
    const address = text.value.trim();
    finding(async () => ({ found: await call('import_presets', { address }) }), address);
  }

  function showHub() {
    hubRow.hidden = false;
    repository.focus();
  }

  function pull() {
    session.hub = repository.value.trim();
    save();
    finding(async () => {
      const answer = await call('pull_presets', { repository: session.hub });
      if (!answer.found.length && !answer.refused.length) throw new Error(t('import.hub_empty', { name: session.hub }));
      return answer;
    }, session.hub);
  }

  async function edit() {
    const draft = view.chosen();
    fail('');
    if (await openUnsaved(draft, t('preset.opened', { name: titleOf(draft) }))) sheet.close();
  }

  async function keep() {
    fail('');
    try {
      const answer = await call('save_presets', { drafts: view.all() });
      heard(answer);
      const { saved, refused } = answer;
      if (saved.length) notice(t('import.saved', { n: saved.length, names: saved.slice(0, 5).join(', ') }));
      if (!refused.length) return sheet.close();
      fail(refused.map(([, sentence]) => sentence).join(' '));
    } catch (error) {
      fail(error.message);
    }
  }

  text.addEventListener('input', debounce(recognise, PAUSE_MS));
  file.addEventListener('change', () => {
    if (file.files.length) fromFiles([...file.files]);
    file.value = '';
  });
  sheet.closed.then(() => (open = null));
  text.focus();
  return { take: fromFiles, hub: showHub, show };
}
