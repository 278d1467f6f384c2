// Two presets beside each other: what differs by part, and what that does to the rendered prompt.

import { fill, h, iconButton } from '../dom.js';
import { titleOf } from '../library.js';
import { server, session, isDirty } from '../store.js';
import { has, t } from '../text.js';
import { call } from '../wire.js';

const DRAFT = '@draft';

/**
 * Open the dialog: two presets of the library by their names; by default the draft against what is saved of it, or
 * against another preset.
 */
export function openDiff({ before, after } = {}) {
  const { name } = session.saved ?? {};
  const others = server.presets.filter((entry) => !entry.error);
  const other = () => others.find((one) => one.name !== name)?.name ?? DRAFT;
  const old = chooser('old', before ?? (name && isDirty() ? name : other()));
  const now = chooser('new', after ?? DRAFT);
  const swap = h('button.small', { type: 'button', onclick: exchange, 'aria-label': t('diff.swap') }, '⇄');
  const body = h('div.diff-body', { tabIndex: 0, role: 'region', 'aria-label': t('diff.title') });
  const dialog = h(
    'dialog.dialog.diff',
    { 'aria-label': t('diff.title') },
    h('div.diff-head', {}, h('h2', {}, t('diff.title')), iconButton('close', t('dialog.close'), () => dialog.close())),
    h('div.diff-choice', {}, old, swap, now),
    body,
  );
  let asked = 0;

  function chooser(side, chosen) {
    const option = (value, label) => h('option', { value, selected: value === chosen }, label);
    const select = h(
      'select',
      { id: `diff-${side}`, 'aria-label': t(`diff.${side}`) },
      option(DRAFT, t('pane.draft', { name: titleOf(session.draft) })),
      h(
        'optgroup',
        { label: t('pane.as_saved') },
        others.map((entry) => option(entry.name, titleOf(entry))),
      ),
    );
    select.addEventListener('change', draw);
    return select;
  }

  function exchange() {
    [old.value, now.value] = [now.value, old.value];
    draw();
  }

  async function draw() {
    const mine = (asked += 1);
    try {
      const found = await call('diff', { old: ref(old.value), new: ref(now.value) });
      if (mine === asked) fill(body, differences(found));
    } catch (error) {
      if (mine === asked) fill(body, h('p.problem', { role: 'alert' }, error.message));
    }
  }

  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  draw();
}

function ref(value) {
  return value === DRAFT ? { draft: session.draft } : { name: value };
}

/** What differs, part by part, and then in the prompt. */
export function differences({ parts, prompt, same_content: same }) {
  if (!parts.length) return h('p.muted', {}, t('diff.none'));
  return [
    ...parts.map(([part, change, lines]) =>
      h(
        'section.diff-part',
        { 'data-part': part },
        h('h3', {}, partName(part), h('span.muted', {}, t(`diff.${change}`))),
        change === 'moved' ? h('p.muted', {}, lines.join('').trim()) : table(lines),
      ),
    ),
    h(
      'section.diff-part',
      { 'data-part': 'prompt' },
      h('h3', {}, t('diff.prompt')),
      prompt.length ? table(prompt) : h('p.muted', {}, t(same ? 'diff.same_content' : 'diff.same_prompt')),
    ),
  ];
}

/** What a part of a preset is called by people. */
export function partName(part) {
  const [first, second] = part.split('.');
  const whole = { examples: 'editor.examples', sampling: 'sampling.title', template: 'editor.template' };
  if (!second && first in whole) return t(whole[first]);
  if (first === 'examples') return t('example.name', { n: Number(second) + 1 });
  if (first === 'sampling') return has(part) ? t(part) : second;
  if (first === 'template') return has(`template.${second}`) ? `${t('editor.template')}: ${t(`template.${second}`)}` : part;
  if (has(`diff.part.${part}`)) return t(`diff.part.${part}`);
  return has(`lint.place.${part}`) ? t(`lint.place.${part}`) : part;
}

/** Lines of a unified diff as rows: old on the left, new on the right. */
export function table(lines) {
  const rows = [];
  let gone = [];
  let come = [];
  const flush = () => {
    for (let i = 0; i < Math.max(gone.length, come.length); i += 1) rows.push(...pair(gone[i], come[i]));
    gone = [];
    come = [];
  };
  for (const line of lines) {
    if (line.startsWith('-')) gone.push(line.slice(1));
    else if (line.startsWith('+')) come.push(line.slice(1));
    else {
      flush();
      if (line.startsWith('@@')) rows.length && rows.push(h('div.diff-gap', { 'aria-hidden': 'true' }, '⋯'));
      else rows.push(cell(line.slice(1), ''), cell(line.slice(1), ''));
    }
  }
  flush();
  return h('div.diff-table', {}, rows);
}

/** A line that went beside the one that came, with what differs between the two marked. */
function pair(old, now) {
  if (old === undefined) return [h('div.diff-cell.none'), cell(now, 'come')];
  if (now === undefined) return [cell(old, 'gone'), h('div.diff-cell.none')];
  const shared = middle(Array.from(old), Array.from(now));
  if (shared[0] + shared[1] === 0) return [cell(old, 'gone'), cell(now, 'come')];
  const [start, end] = shared;
  return [marked(old, start, end, 'gone', 'del'), marked(now, start, end, 'come', 'ins')];
}

/** How many characters two lines share at their start, and then at their end. */
function middle(old, now) {
  const most = Math.min(old.length, now.length);
  let start = 0;
  while (start < most && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < most - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  return [start, end];
}

function marked(line, start, end, kind, tag) {
  const all = Array.from(line);
  const text = (from, to) => all.slice(from, to).join('');
  const change = text(start, all.length - end);
  return h(
    `div.diff-cell.${kind}`,
    {},
    text(0, start),
    change && h(tag, {}, change),
    text(all.length - end),
  );
}

function cell(line, kind) {
  return h('div.diff-cell', { class: kind }, line);
}
