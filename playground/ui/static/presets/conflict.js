// Somebody else changed the preset that is open: both versions beside each other, and what to do about it.

import { notice } from '../dialogs.js';
import { h } from '../dom.js';
import { applyDraft } from '../history.js';
import { saveAs, saveOver, titleOf } from '../library.js';
import { session, isDirty, touch } from '../store.js';
import { differences, partName } from '../studio/diff.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { openSheet } from './sheet.js';

/** Ask what is to become of the two versions; resolves once the person has said so or closed the dialog. */
export async function openConflict() {
  const { name, json } = session.saved;
  const found = await call('conflict', { name, base: JSON.parse(json), mine: session.draft });
  const mine = isDirty();
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const button = (key, work, best = false) =>
    h(best ? 'button.filled' : 'button.small', { type: 'button', 'data-choice': key, onclick: () => settle(work) }, t(`conflict.${key}`));
  const { theirs, merged, clashing } = found;
  const sheet = openSheet(
    t('conflict.title', { name: titleOf(session.draft) }),
    'conflict',
    [
      h('p', {}, found.problem ? t('conflict.broken', { problem: found.problem }) : sentence(mine, merged, clashing)),
      !found.problem &&
        h(
          'div.conflict-both',
          { tabIndex: 0, role: 'region', 'aria-label': t('conflict.both') },
          h('div.conflict-sides', { 'aria-hidden': 'true' }, h('span', {}, t('conflict.theirs')), h('span', {}, t('conflict.mine'))),
          differences(found.difference),
        ),
      problem,
    ],
    h(
      'div.dialog-buttons',
      {},
      button('keep', () => saveOver(found.digest)),
      theirs && button('take', takeTheirs, !mine),
      button('save_as', saveAs, mine && !merged),
      merged && button('merge', merge, true),
    ),
  );

  async function settle(work) {
    problem.hidden = true;
    try {
      sheet.dialog.inert = true; // what is asked next stands over it
      const done = await work(); // false or null where the person thought again
      if (done || done === undefined) sheet.close();
    } catch (error) {
      problem.hidden = false;
      problem.textContent = error.message;
    } finally {
      sheet.dialog.inert = false;
    }
  }

  /** Put a draft in place of mine, as a step that can be undone; `held` is what the file holds. */
  function put(draft, held) {
    applyDraft(draft);
    session.draft.title = draft.title;
    session.saved = { name, shipped: false, digest: found.digest, json: held ?? JSON.stringify(session.draft) };
    touch('draft', 'presets');
  }

  function takeTheirs() {
    put(theirs, null);
    notice(t('conflict.taken'));
  }

  function merge() {
    put(merged, JSON.stringify(theirs));
    notice(t('conflict.merged'));
  }

  await sheet.closed;
}

function sentence(mine, merged, clashing) {
  if (!mine) return t('conflict.only_theirs');
  if (clashing.length) return t('conflict.clash', { parts: clashing.map(partName).join(', ') });
  return t(merged ? 'conflict.apart' : 'conflict.same');
}
