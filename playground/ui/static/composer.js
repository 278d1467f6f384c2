// Where the message is written: it goes to every side at once.

import * as conversations from './conversation.js';
import { notice } from './dialogs.js';
import { autosize, fill, h, iconButton } from './dom.js';
import { isField, keysOf, register, showKeys } from './keys.js';
import { menu, menuItem } from './menu.js';
import { islandMounted } from './page.js';
import { current, onEvent, retry, send, stop } from './run.js';
import { letterOf } from './sides.js';
import { canRedo, canUndo, lastStep, redo, step, undo } from './steps.js';
import { session, on, touch } from './store.js';
import { t } from './text.js';
import './viewport.js';

const MAX_SUGGESTIONS = 6;
const PHONE_PX = 700; // as in composer.css

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
  const newButton = menuItem(t('composer.new'), startNew, { id: 'new' });
  const retryButton = menuItem(t('composer.retry'), retry, { id: 'retry' });
  const undoButton = menuItem(t('composer.undo'), takeBack, { id: 'undo' });
  const more = menu(t('composer.more'), [newButton, retryButton, undoButton], { inlineFrom: PHONE_PX + 1 });
  const help = iconButton('help', t('keys.list'), showKeys, '.help');
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
    step('step.new');
    session.conversation = conversations.empty();
    touch('conversation');
    box.focus();
    notice(t('composer.cleared'), { action: t('dialog.undo'), onAction: takeBack });
  }

  function takeBack() {
    say(undo(), 'step.undone');
  }

  function say(taken, key) {
    if (!taken) return;
    const { label, values } = taken;
    fill(said, t(key, { what: t(label, values) }));
    if (key !== 'step.undone' || !values.query || box.value) return;
    box.value = session.composer = values.query; // what was asked may be asked otherwise
    autosize(box);
    touch('composer');
  }

  function drawButtons() {
    const running = current !== null;
    const any = session.conversation?.head != null;
    stopButton.hidden = !running;
    stopButton.disabled = running && current.stopping;
    sendButton.hidden = running;
    retryButton.disabled = running || !any;
    newButton.disabled = running || !any;
    undoButton.disabled = !canUndo();
    const last = lastStep();
    undoButton.title = last ? `${t(last.label, last.values)} (${keysOf('keys.undo')})` : keysOf('keys.undo');
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
  const chat = { page: 'chat', group: 'conversation' };
  const typing = (event) => isField(event.target);
  register(
    { ...chat, keys: ['Enter'], within: '#message', label: 'keys.send', run: submit },
    { ...chat, keys: ['Shift+Enter'], label: 'keys.line', run: null },
    { ...chat, keys: ['Ctrl+Enter'], label: 'keys.send_from_anywhere', run: submit },
    { ...chat, keys: ['Escape'], label: 'keys.stop', when: () => current !== null, inFields: true, run: stop },
    { ...chat, keys: ['/', 'Alt+M'], label: 'keys.message', run: () => box.focus() },
    { ...chat, keys: ['R'], label: 'keys.retry', run: retry },
    { ...chat, keys: ['N'], label: 'keys.new', run: () => newButton.disabled || startNew() },
    { ...chat, keys: ['Ctrl+Z'], label: 'keys.undo', when: (event) => !typing(event) && canUndo(), run: takeBack },
    {
      ...chat,
      keys: ['Ctrl+Shift+Z'],
      label: 'keys.redo',
      when: (event) => !typing(event) && canRedo(),
      run: () => say(redo(), 'step.redone'),
    },
  );
  newButton.title = keysOf('keys.new');
  retryButton.title = keysOf('keys.retry');
  onEvent((side, what) => {
    if (what === 'end') fill(heard, t('composer.answered', { side: letterOf(side) }));
  });
  on('run conversation ready steps', drawButtons);
  on('conversation ready opened', drawSuggestions);
  on('ready', () => (sendButton.disabled = false));
  element.append(
    h(
      'div.composer',
      {},
      suggestions,
      h('div.composer-row', {}, more.button, box, sendButton, stopButton),
      h('div.composer-foot', {}, more.list, said, heard, h('span.grow'), hint, help),
    ),
  );
  drawButtons();
  autosize(box);
  if (matchMedia('(hover: hover)').matches) box.focus(); // typing may begin before the rest of the page is there
  islandMounted('composer');
}
