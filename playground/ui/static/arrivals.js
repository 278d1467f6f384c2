// What comes from outside: a file that is dropped anywhere, and a link that holds a preset.

import { complain } from './dialogs.js';
import { h } from './dom.js';
import { openUnsaved } from './library.js';
import { on } from './store.js';
import { t } from './text.js';
import { call } from './wire.js';

const LINK = '#preset=';
let over = 0; // elements that the pointer entered with a file and did not leave
let veil = null;

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');

function cover(shown) {
  veil ??= h('div.drop-veil', { hidden: true, 'aria-hidden': 'true' }, h('p', {}, t('import.drop')));
  if (!veil.isConnected) document.body.append(veil);
  veil.hidden = !shown;
}

/** Files go to the dialog for them; another dialog that is open keeps what it asks. */
function taken() {
  return !document.querySelector('dialog[open]:not(.import)');
}

addEventListener('dragenter', (event) => {
  if (!carriesFiles(event)) return;
  over += 1;
  cover(taken());
});
addEventListener('dragleave', (event) => {
  if (!carriesFiles(event)) return;
  over = Math.max(0, over - 1);
  if (!over) cover(false);
});
addEventListener('dragover', (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault(); // else the browser would leave the page for the file
  event.dataTransfer.dropEffect = taken() ? 'copy' : 'none';
});
addEventListener('drop', async (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  over = 0;
  cover(false);
  if (!taken()) return;
  const files = [...event.dataTransfer.files]; // gone once this returns
  try {
    const { openImport } = await import('./presets/import.js');
    openImport({ files });
  } catch (error) {
    complain(error);
  }
});

/** Open the preset of the link by which the page was opened, or that was put into its address. */
async function arrive() {
  const link = location.hash;
  if (!link.startsWith(LINK)) return;
  try {
    const [found] = await call('import_presets', { text: link });
    await openUnsaved(found.draft, t('preset.opened_link'));
  } catch (error) {
    complain(error);
  }
  // the answer is given: a reload asks no more
  if (location.hash === link) history.replaceState(history.state, '', `${location.pathname}${location.search}#/chat`);
}

on('ready', arrive);
addEventListener('hashchange', arrive);
