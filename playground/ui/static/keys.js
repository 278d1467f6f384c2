// What the keyboard does: one table, from which keys are handled and the list under `?` is drawn.

import { h, iconButton } from './dom.js';
import { t } from './text.js';

const FIELDS = 'textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=button])';
const GROUPS = ['conversation', 'sides', 'preset', 'notebook', 'page'];
const IS_MAC = /Mac|iP(hone|ad|od)/.test(navigator.platform);
const NAMES = { ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', Escape: 'Esc' };

const table = [];

/**
 * Let keys do something.
 *
 * {keys: ['Ctrl+Shift+Z'], group, label, run, page, when, within, inFields}
 * `keys`: modifiers in the order Ctrl, Alt, Shift (Ctrl is Cmd on a Mac), then `event.key`, letters in capitals.
 * `label`: what it does, for the list; in a `group` of GROUPS. `run` may return false to leave the key alone.
 * `page`: the only page on which it applies. `when()`: whether it applies now. `within`: a selector that the focused element must be in; goes first.
 * In a field only keys with Ctrl or Alt fire, unless `within` names the field or `inFields` says otherwise.
 * `run: null` lists what the browser does by itself.
 */
export function register(...entries) {
  for (const entry of entries) {
    if (!GROUPS.includes(entry.group)) throw new Error(`no group of keys '${entry.group}'`);
    for (const key of entry.keys) {
      const same = (one) => one.within === entry.within && one.page === entry.page;
      const rival = table.find((one) => one.keys.includes(key) && same(one));
      if (rival && !(rival.when && entry.when)) throw new Error(`'${key}' has two meanings`);
    }
    table.push(entry);
  }
}

/** Whether a person types into the element, so that plain letters are text. */
export function isField(element) {
  return Boolean(element?.closest?.(FIELDS));
}

/** 'E' -> 'E', for a tooltip or a button's hint; empty where the label has no key. */
export function keysOf(label) {
  const entry = table.find((one) => one.label === label);
  return entry ? entry.keys.map(readable).join(` ${t('keys.or')} `) : '';
}

function readable(key) {
  const parts = key.split('+').filter(Boolean);
  if (key.endsWith('+')) parts.push('+');
  const names = parts.map((part) => NAMES[part] ?? (IS_MAC && part === 'Ctrl' ? '⌘' : part));
  return names.join(IS_MAC ? ' ' : '+');
}

function pressed(event) {
  const graph = event.getModifierState('AltGraph'); // such keys write a character, with Ctrl and Alt set
  const [ctrl, alt] = graph ? [false, false] : [event.ctrlKey || event.metaKey, event.altKey];
  let { key } = event;
  const physical = /^(?:Key|Digit)(.)$/.exec(event.code)?.[1];
  // Alt turns letters into others on a Mac, and some scripts have no Latin letters
  if (physical && (alt || (key.length === 1 && !/[ -~]/.test(key)))) key = physical;
  const letter = /^[a-z]$/i.test(key);
  if (letter) key = key.toUpperCase();
  const shift = event.shiftKey && (letter || key.length > 1 || ctrl || alt);
  return [ctrl && 'Ctrl', alt && 'Alt', shift && 'Shift', key].filter(Boolean).join('+');
}

function applies(entry, key, event) {
  if (!entry.run || !entry.keys.includes(key)) return false;
  if (entry.page && entry.page !== document.body.dataset.page) return false;
  const { target } = event;
  if (entry.within) {
    if (!target.closest?.(entry.within)) return false;
  } else {
    if (target.closest?.('[popover]') || document.querySelector('dialog[open]')) return false;
    const carries = /^(Ctrl|Alt)\+/.test(key);
    if (isField(target) && !(entry.inFields ?? carries)) return false;
  }
  return entry.when ? entry.when(event) : true;
}

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  const key = pressed(event);
  const found = table.filter((entry) => applies(entry, key, event));
  const entry = found.find(({ within }) => within) ?? found[0];
  if (entry && entry.run(event) !== false) event.preventDefault();
});

/** The list of all keys, in a dialog. */
export function showKeys() {
  const close = iconButton('close', t('dialog.close'), () => dialog.close());
  const groups = GROUPS.map((group) => [group, table.filter((entry) => entry.group === group && entry.label)]);
  const dialog = h(
    'dialog.dialog.keys-dialog',
    { 'aria-label': t('keys.title') },
    h('div.keys-head', {}, h('h2', {}, t('keys.title')), close),
    h(
      'div.keys-groups',
      {},
      groups
        .filter(([, entries]) => entries.length)
        .map(([group, entries]) => h('section', {}, h('h3', {}, t(`keys.group.${group}`)), list(entries))),
    ),
    h('p', {}, t('keys.note')),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function list(entries) {
  return h(
    'dl',
    {},
    entries.map(({ keys, label }) =>
      h(
        'div',
        {},
        h('dt', {}, t(label)),
        h(
          'dd',
          {},
          keys.map((key, i) => [i ? ` ${t('keys.or')} ` : null, h('kbd', {}, readable(key))]).flat(),
        ),
      ),
    ),
  );
}

register({ keys: ['?'], group: 'page', label: 'keys.list', run: showKeys });
