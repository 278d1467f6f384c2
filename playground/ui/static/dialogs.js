// Notices that pass by, and questions that must be answered first.

import { h, fill, iconButton } from './dom.js';
import { t } from './text.js';

const NOTICE_MS = 9000;
const MOST_NOTICES = 3;
let stack = null;

/** A notice at the edge of the page; with `action` a button that takes something back. */
export function notice(text, { action, onAction, kind = 'info', stays = false } = {}) {
  stack ??= h('div.notices', { role: 'status', 'aria-live': 'polite' });
  const shown = document.getElementById(document.body.dataset.page === 'chat' ? 'panes' : 'pages');
  if (stack.parentElement !== shown) shown.append(stack);
  const close = () => box.remove();
  const box = h(
    `div.notice.${kind}`,
    {},
    h('span', {}, text),
    action && h('button.link', { type: 'button', onclick: () => (close(), onAction()) }, action),
    iconButton('close', t('dialog.close'), close),
  );
  stack.append(box);
  if (stack.children.length > MOST_NOTICES) stack.firstChild.remove();
  if (!stays) setTimeout(close, NOTICE_MS);
  return close;
}

/** A sentence about something that went wrong. */
export function complain(error) {
  console.warn(error.message);
  notice(error.message, { kind: 'error' });
}

/**
 * Ask in a dialog; resolves to what `read` gives on OK, and to null on cancel or Esc.
 * `submit` may refuse by throwing: its message is shown and the dialog stays.
 */
export function ask({ title, body = [], ok, danger = false, submit = async () => true }) {
  return new Promise((resolve) => {
    const problem = h('p.dialog-problem', { role: 'alert', hidden: true });
    const confirm = h(`button.filled${danger ? '.danger' : ''}`, { type: 'submit' }, ok);
    const cancel = h('button.small', { type: 'button', onclick: () => dialog.close() }, t('dialog.cancel'));
    let answer = null;
    const form = h(
      'form',
      {
        method: 'dialog',
        onsubmit: async (event) => {
          event.preventDefault();
          confirm.disabled = true;
          try {
            answer = await submit();
            dialog.close();
          } catch (error) {
            problem.hidden = false;
            fill(problem, error.message);
          }
          confirm.disabled = false;
        },
      },
      h('h2', {}, title),
      body,
      problem,
      h('div.dialog-buttons', {}, cancel, confirm),
    );
    const dialog = h('dialog.dialog', { 'aria-label': title }, form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
