// The folders of presets, which others change too: a git checkout, a synced drive, an editor beside the page.

import { complain, notice } from './dialogs.js';
import { entryOf, heard, setFree, titleOf } from './library.js';
import { server, session, on } from './store.js';
import { t } from './text.js';
import { Refusal, Unreachable, call } from './wire.js';

const EVERY_MS = 2500;
let told = null; // the change of the open preset that was spoken of
let close = () => {}; // takes the notice of it away

async function look() {
  const { saves } = server;
  try {
    if (!document.hidden && !server.saving) {
      const now = await call('preset_folder', { token: server.folder });
      if (now && !server.saving && saves === server.saves) {
        heard(now);
        judge();
      }
    }
  } catch (error) {
    if (!(error instanceof Unreachable || error instanceof Refusal)) throw error; // the page's own poll says so
  }
  setTimeout(look, EVERY_MS);
}

/** Say it where somebody else changed or removed the file of the preset that is open. */
function judge() {
  const { name, digest } = session.saved ?? {};
  if (!name || !digest) return;
  const now = entryOf(name)?.digest ?? 'gone';
  if (now === told) return;
  close();
  told = now;
  if (now === digest) return;
  const title = titleOf(session.draft);
  if (now === 'gone') {
    setFree();
    close = notice(t('preset.removed', { name: title }), { stays: true });
  } else {
    const options = { action: t('preset.look'), onAction: compare, stays: true };
    close = notice(t('preset.changed', { name: title }), options);
  }
}

async function compare() {
  told = null; // what is not settled is said again after the next change
  try {
    const { openConflict } = await import('./presets/conflict.js');
    await openConflict();
  } catch (error) {
    complain(error);
  }
}

on('ready', () =>
  setTimeout(() => {
    judge(); // a change from before a reload, once the preset is open
    look();
  }),
);
on('presets', () => {
  if (entryOf(session.saved?.name)?.digest === session.saved?.digest) close();
});
on('opened', () => {
  close();
  told = null;
});
