// The runs, newest first: those at work with their progress, those that were interrupted with "go on".

import { fill, h } from '../dom.js';
import { duration, t } from '../text.js';
import { titleOf } from './page.js';

const when = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

export function listView(open, act) {
  const body = h('ul.exp-runs', { 'aria-label': t('experiments.runs') });
  const said = h('p.muted', {}, t('experiments.no_runs'));
  const element = h('section.exp-card', {}, h('h3', {}, t('experiments.runs')), said, body);
  const rows = new Map(); // by id: the row, what tells how it does, and the state it was drawn for

  function draw(entries) {
    said.hidden = entries.length > 0;
    fill(said, t('experiments.no_runs'));
    const gone = new Set(rows.keys());
    entries.forEach((entry, i) => {
      gone.delete(entry.id);
      const row = rows.get(entry.id) ?? { element: h('li.exp-run'), now: h('div.exp-now'), state: null };
      if (row.state !== entry.state) {
        // Only then: what a person is about to press must not be replaced under the finger.
        const focused = row.element.contains(document.activeElement) ? document.activeElement.dataset.action : null;
        fill(row.element, opener(entry), row.now, actionOf(entry, act));
        if (focused) row.element.querySelector(`[data-action=${focused}]`)?.focus();
        row.state = entry.state;
      }
      fill(row.now, stateOf(entry), progressOf(entry));
      row.element.dataset.state = entry.state;
      row.element.dataset.run = entry.id;
      rows.set(entry.id, row);
      if (body.children[i] !== row.element) body.insertBefore(row.element, body.children[i] ?? null);
    });
    for (const id of gone) {
      rows.get(id).element.remove();
      rows.delete(id);
    }
  }

  function opener(entry) {
    const { id, assistants, created } = entry;
    const more = assistants.length > 3 ? t('experiments.more', { n: assistants.length - 3 }) : '';
    return h(
      'button.exp-open',
      { type: 'button', 'data-action': 'open', onclick: () => open(id) },
      h('b', {}, titleOf(entry)),
      h('span.muted', {}, [...assistants.slice(0, 3), more].filter(Boolean).join(' · ')),
      h('span.muted', {}, `${when.format(new Date(created))} · ${id}`),
    );
  }

  return {
    element,
    draw,
    problem: (text) => {
      said.hidden = false;
      fill(said, text);
    },
  };
}

/** How a run is, in words. */
export function stateOf(entry) {
  const { state, answered, planned, progress, error } = entry;
  if (progress) {
    const left = progress.eta_s === null ? '' : t('experiments.left', { left: duration(progress.eta_s) });
    const failed = progress.failed ? t('experiments.failed_n', { n: progress.failed }) : '';
    const now = t('experiments.progress', { phase: progress.phase, done: progress.done, total: progress.total });
    return h('span', { role: 'status' }, [now, failed, left].filter(Boolean).join(' · '));
  }
  const unfinished = state !== 'finished' && state !== 'running';
  const held = planned ? t('experiments.answered_of', { n: Math.min(answered, planned), all: planned }) : t('experiments.answered', { n: answered });
  return h('span', { class: `exp-state ${state}` }, [t(`experiments.state.${state}`), unfinished && held, error].filter(Boolean).join(' · '));
}

/** A bar for a run that is at work. */
export function progressOf({ progress }) {
  if (!progress) return null;
  return h('progress', { max: Math.max(1, progress.total), value: progress.done, 'aria-label': t('experiments.progress_label') });
}

/** The button that a run's state asks for: cancel, or go on. */
export function actionOf({ id, state }, act) {
  if (state === 'running')
    return h('button.small', { type: 'button', 'data-action': 'cancel', onclick: () => act('experiment_cancel', { run: id }) }, t('experiments.cancel'));
  if (state === 'finished' || state === 'elsewhere') return null;
  return h('button.small', { type: 'button', 'data-action': 'resume', onclick: () => act('experiment_resume', { run: id }) }, t('experiments.resume'));
}
