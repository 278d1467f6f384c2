// A wide dialog with a head: something to look at and work with, not a question with one answer.

import { h, iconButton } from '../dom.js';
import { t } from '../text.js';

/** Open one; `closed` resolves when it is. `foot` stays in sight while the content is scrolled. */
export function openSheet(title, kind, content, foot = null) {
  const body = h('div.sheet-body', {}, content);
  const dialog = h(
    `dialog.dialog.sheet-dialog.${kind}`,
    { 'aria-label': title },
    h('div.sheet-head', {}, h('h2', {}, title), iconButton('close', t('dialog.close'), () => dialog.close())),
    body,
    foot,
  );
  const closed = new Promise((resolve) =>
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve();
    }),
  );
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, body, closed, close: () => dialog.close() };
}
