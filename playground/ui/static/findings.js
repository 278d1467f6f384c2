// What is likely wrong with the preset: a short list over the prompts, and its count on their tab.
//
// Asked for after the preview, never before it: typing waits for neither.

import { notice } from './dialogs.js';
import { debounce, fill, h } from './dom.js';
import * as edits from './history.js';
import { modelOf } from './capabilities.js';
import { server, session, on, touch } from './store.js';
import { t } from './text.js';
import { Refusal, call } from './wire.js';

const PAUSE_MS = 250;
const FIELD_OF = { query: 'textarea.query', answer: 'textarea.answer' };
let asked = '';
let under_way = false;

/** The base model that the draft is for: its tokenizer and its engine are asked too. */
function modelOfDraft() {
  const bases = session.sides.filter(({ model }) => modelOf(model)?.kind === 'base');
  return (bases.find(({ preset }) => preset === '@draft') ?? bases[0])?.model ?? null;
}

async function ask() {
  if (!session.draft || under_way) return;
  const body = { draft: session.draft, model: modelOfDraft() };
  const key = JSON.stringify(body) + modelOf(body.model)?.status;
  if (key === asked) return;
  under_way = true;
  try {
    server.findings = await call('lint', body);
    asked = key;
  } catch (error) {
    if (!(error instanceof Refusal)) return; // the server is gone; the page says so elsewhere
    server.findings = []; // a draft that cannot be read is told of in the editor
    asked = key;
  } finally {
    under_way = false;
  }
  touch('findings');
  soon(); // for what changed meanwhile
}

const soon = debounce(ask, PAUSE_MS);
on('preview', soon);

/** How many errors and warnings there are, for the prompt's tab; the worst of them gives it its colour. */
export function findingsBadge() {
  const badge = h('span.findings-badge', { hidden: true });
  on('findings', () => {
    const found = (server.findings ?? []).filter(({ severity }) => severity !== 'info');
    badge.hidden = !found.length;
    badge.className = `findings-badge ${found[0]?.severity ?? ''}`;
    badge.title = t('lint.count', { n: found.length });
    fill(badge, String(found.length), h('span.heard', {}, ` ${t('lint.count', { n: found.length })}`));
  });
  return badge;
}

/** The list; shown beside the prompts only. */
export function findingsList() {
  const list = h('ul.findings', { 'aria-label': t('lint.label') });
  const draw = () => {
    const found = server.findings ?? [];
    list.hidden = session.view.tab !== 'prompt' || !found.length;
    if (!list.hidden) fill(list, found.map(row));
  };
  on('findings view', draw);
  list.hidden = true;
  return list;
}

function row(finding) {
  const { severity, place, message, fixable } = finding;
  return h(
    `li.finding.${severity}`,
    {},
    h('span.severity', {}, t(`lint.${severity}`)),
    h('button.link', { type: 'button', title: t('lint.jump'), onclick: () => jump(place) }, placeName(place)),
    h('span.reason', {}, message),
    fixable && h('button.small.fix', { type: 'button', onclick: () => mend(finding) }, t('lint.fix')),
  );
}

function placeName(place) {
  const [part, index, field] = place.split('.');
  if (part === 'sampling') return index ? t(`sampling.${index}`) : t('sampling.title');
  if (part !== 'examples') return t(`lint.place.${part}`);
  if (index === undefined) return t('editor.examples');
  const name = t('example.name', { n: Number(index) + 1 });
  return field ? t(`example.${field}`, { name }) : name;
}

/** Bring the field that a finding is about into sight, and the focus to it. */
function jump(place) {
  const [part, index, field] = place.split('.');
  if (!session.view.sidebar) {
    session.view.sidebar = true;
    touch('view');
  }
  let target;
  if (part === 'examples') {
    const card = document.querySelectorAll('#editor .examples > li')[Number(index ?? 0)];
    const text = card?.querySelector(FIELD_OF[field] ?? 'textarea.query');
    if (text && !text.checkVisibility()) card.querySelector('[aria-expanded=false]')?.click();
    target = text;
  } else if (part === 'sampling') {
    document.querySelector('details.sampling').open = true;
    target = document.getElementById(`sampling-${index ?? 'temperature'}`);
  } else {
    target = document.getElementById(part === 'template' ? 'template' : `draft-${part}`);
  }
  target?.scrollIntoView({ block: 'center' });
  target?.focus({ preventScroll: true });
}

async function mend({ rule, place }) {
  try {
    const draft = await call('fix', { draft: session.draft, model: modelOfDraft(), rule, place });
    edits.applyDraft(draft);
    notice(t('lint.fixed', { place: placeName(place) }), {
      action: t('dialog.undo'),
      onAction: edits.undo,
    });
  } catch (error) {
    notice(error.message, { kind: 'error' });
  }
}
