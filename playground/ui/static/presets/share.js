// A preset on its way out: a link that holds all of it, its file, other programs' formats, and the Hub.

import { fill, h } from '../dom.js';
import { titleOf } from '../library.js';
import { session, save } from '../store.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { copyButton, download } from './copy.js';
import { openImport } from './import.js';
import { openSheet } from './sheet.js';

const GROUPS = {
  own: ['yaml'],
  programs: ['python', 'curl', 'ollama'],
  prompts: ['text', 'urial', 'basechat', 'transcript'],
  tools: ['mikupad', 'sillytavern', 'webui-template', 'webui-sampler'],
  rows: ['messages', 'sharegpt', 'alpaca'],
};

/** Open the dialog for a preset: what the page edits, or one of the library. */
export async function openShare(draft) {
  const { formats, token } = await call('sharing', {});
  const sheet = openSheet(t('share.title', { name: titleOf(draft) }), 'share', [
    await linkPart(draft),
    exportPart(draft, formats),
    hubPart(draft, token, () => sheet.close()),
  ]);
}

async function linkPart(draft) {
  const { fragment, too_long: tooLong } = await call('link_preset', { draft });
  if (tooLong) {
    const file = h('button.small', { type: 'button', onclick: () => saveFile(draft) }, t('share.file'));
    return part('share.link', h('p', { role: 'status' }, tooLong), h('div.share-row', {}, file));
  }
  const link = `${location.origin}${location.pathname}${fragment}`;
  const area = h('input', { type: 'text', id: 'share-link', readOnly: true, value: link, 'aria-label': t('share.link') });
  area.addEventListener('focus', () => area.select());
  return part('share.link', h('div.share-row', {}, area, copyButton(area)), h('p.muted', {}, t('share.link.hint', { n: link.length })));
}

async function saveFile(draft) {
  const { text, suffix } = await call('export_preset', { draft, to: 'yaml' });
  download(text, `${draft.name}${suffix}`);
}

function exportPart(draft, formats) {
  const known = Object.values(GROUPS).flat();
  const groups = { ...GROUPS, rows: [...GROUPS.rows, ...formats.filter((name) => !known.includes(name))] };
  const choice = h(
    'select',
    { id: 'share-format', 'aria-label': t('share.format') },
    Object.entries(groups).map(([group, names]) =>
      h('optgroup', { label: t(`share.group.${group}`) }, names.map((name) => h('option', { value: name }, t(`share.format.${name}`)))),
    ),
  );
  const area = h('textarea', { id: 'share-text', readOnly: true, rows: 9, spellcheck: false, 'aria-label': t('share.text') });
  const lost = h('ul.found-notes', { id: 'share-lost', 'aria-label': t('share.lost') });
  const copy = copyButton(area);
  const keep = h('button.small', { type: 'button', onclick: () => download(area.value, area.dataset.file) }, t('share.download'));
  let asked = 0;

  async function draw() {
    const mine = (asked += 1);
    let exported = { text: '', suffix: '', lost: [] };
    let problem = null;
    try {
      exported = await call('export_preset', { draft, to: choice.value });
    } catch (error) {
      problem = error.message;
    }
    if (mine !== asked) return;
    area.value = exported.text;
    area.dataset.file = `${draft.name}${exported.suffix}`;
    area.scrollTop = 0;
    copy.disabled = keep.disabled = problem !== null;
    const said = problem ? [problem] : exported.lost.length ? exported.lost : [t('share.nothing_lost')];
    fill(lost, said.map((sentence) => h('li', {}, sentence)));
  }

  choice.addEventListener('change', draw);
  draw();
  return part('share.formats', h('div.share-row', {}, choice, copy, keep), area, lost);
}

function hubPart(draft, token, close) {
  const repository = h('input', {
    type: 'text',
    id: 'share-hub',
    value: session.hub ?? '',
    placeholder: t('share.repository'),
    'aria-label': t('share.repository.label'),
    spellcheck: false,
    required: true,
  });
  const go = h('button.small', { type: 'submit', disabled: !token }, t('share.push'));
  const open = h('input', { type: 'checkbox', id: 'share-public' });
  const over = h('input', { type: 'checkbox', id: 'share-over' });
  const overRow = h('label.check', { for: over.id, hidden: true }, over, t('share.overwrite'));
  const state = h('p.share-state', { role: 'status' });
  const pull = () => {
    session.hub = repository.value.trim();
    close();
    openImport({ hub: true });
  };

  async function push() {
    session.hub = repository.value.trim();
    save();
    go.disabled = true;
    fill(state, t('share.pushing'));
    try {
      const body = { draft, repository: session.hub, public: open.checked, overwrite: over.checked };
      const done = await call('push_preset', body);
      overRow.hidden = !done.there;
      over.checked = false;
      if (done.there) fill(state, done.there);
      else if (!done.commit) fill(state, t('share.same', { path: done.path }));
      else fill(state, t(done.created ? 'share.pushed_new' : 'share.pushed', { path: done.path, name: session.hub }));
    } catch (error) {
      fill(state, error.message);
    } finally {
      go.disabled = false;
    }
  }

  const element = part(
    'share.hub',
    !token && h('p', {}, t('share.no_token')),
    h(
      'form.share-row',
      { onsubmit: (event) => (event.preventDefault(), push()) },
      repository,
      go,
      h('button.small', { type: 'button', onclick: pull }, t('share.pull')),
    ),
    token && h('label.check', { for: open.id }, open, t('share.public')),
    overRow,
    state,
  );
  element.dataset.needs = 'push_preset';
  return element;
}

function part(title, ...content) {
  return h('section.share-part', { 'data-part': title }, h('h3', {}, t(title)), content);
}
