// Where the message is written: it goes to every side at once.

import * as conversations from './conversation.js';
import { notice } from './dialogs.js';
import { autosize, fill, h } from './dom.js';
import { islandMounted } from './page.js';
import { current, onEvent, retry, send, stop } from './run.js';
import { session, on, touch } from './store.js';
import { t } from './text.js';

const MAX_SUGGESTIONS = 6;

export function mount(element) {
  const suggestions = h('div.suggestions', { role: 'group', 'aria-label': t('composer.suggestions') });
  const box = h('textarea', {
    id: 'message',
    rows: 1,
    value: session.composer,
    placeholder: t('composer.placeholder'),
    'aria-label': t('composer.message'),
  });
  const sendButton = h(
    'button.filled',
    { type: 'button', id: 'send', disabled: true, onclick: submit },
    t('composer.send'),
  );
  const stopButton = h(
    'button.small.stop',
    { type: 'button', id: 'stop', hidden: true, onclick: stop },
    t('composer.stop'),
  );
  const retryButton = h('button.small', { type: 'button', id: 'retry', onclick: retry }, t('composer.retry'));
  const newButton = h('button.small', { type: 'button', id: 'new', onclick: startNew }, t('composer.new'));
  const hint = h('span.muted.keys', {}, t('composer.keys'));
  const said = h('span.said', { role: 'status', 'aria-live': 'polite' });
  const heard = h('span.heard', { role: 'status', 'aria-live': 'polite' }); // for screen readers

  function submit() {
    const query = box.value;
    if (current || sendButton.disabled) return;
    if (!query.trim()) {
      fill(said, t('composer.empty'));
      box.focus();
      return;
    }
    box.value = '';
    session.composer = '';
    autosize(box);
    fill(said, '');
    send(query);
    box.focus();
  }

  function startNew() {
    const before = session.conversation;
    session.conversation = conversations.empty();
    touch('conversation');
    box.focus();
    notice(t('composer.cleared'), {
      action: t('dialog.undo'),
      onAction: () => {
        if (current) return;
        session.conversation = before;
        touch('conversation');
      },
    });
  }

  function drawButtons() {
    const running = current !== null;
    const any = session.conversation?.head != null;
    stopButton.hidden = !running;
    stopButton.disabled = running && current.stopping;
    sendButton.hidden = running;
    retryButton.disabled = running || !any;
    newButton.disabled = running || !any;
  }

  function drawSuggestions() {
    const questions = session.conversation?.head == null ? (session.draft?.questions ?? []) : [];
    suggestions.hidden = !questions.length;
    fill(
      suggestions,
      questions.slice(0, MAX_SUGGESTIONS).map((question) =>
        h(
          'button.suggestion',
          {
            type: 'button',
            onclick: () => {
              box.focus();
              send(question);
            },
          },
          question,
        ),
      ),
    );
  }

  box.addEventListener('input', () => {
    autosize(box);
    session.composer = box.value;
    fill(said, '');
    touch('composer');
  });
  box.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && current && !document.querySelector('dialog[open]')) stop();
  });
  onEvent((side, what) => {
    if (what === 'end') fill(heard, t('composer.answered', { side }));
  });
  on('run conversation ready', drawButtons);
  on('conversation ready opened', drawSuggestions);
  on('ready', () => (sendButton.disabled = false));
  element.append(
    h(
      'div.composer',
      {},
      suggestions,
      h('div.composer-row', {}, box, sendButton, stopButton),
      h('div.composer-foot', {}, newButton, retryButton, said, heard, h('span.grow'), hint),
    ),
  );
  drawButtons();
  autosize(box);
  if (matchMedia('(hover: hover)').matches) box.focus(); // typing may begin before the rest of the page is there
  islandMounted('composer');
}
