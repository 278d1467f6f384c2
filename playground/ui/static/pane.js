// One side: who answers, its part of the conversation, and the exact prompt it would send.

import * as conversations from './conversation.js';
import { factsOf, modelOf } from './capabilities.js';
import { fill, h, icon, iconButton } from './dom.js';
import { entryOf, titleOf } from './library.js';
import { menu, menuItem } from './menu.js';
import { chosenModel, modelOptions } from './model_options.js';
import { optionsRow } from './pane_options.js';
import { promptView } from './prompt.js';
import { questionView } from './question.js';
import { replyView } from './reply.js';
import { answerOnly, current } from './run.js';
import { MOST_SIDES, changeSide, expandedSide, letterOf, sideOf } from './sides.js';
import { server, session } from './store.js';
import { t } from './text.js';

const NEAR_END_PX = 60;
const SPEED_EVERY_MS = 250;

/** The pane of the side `id`; `actions` are what its menu does. */
export function pane(id, actions) {
  const letter = letterOf(id);
  const model = h('select.model', { 'aria-label': t('pane.model', { side: letter }), id: `model-${id}` });
  const preset = h('select.side-preset', {
    'aria-label': t('pane.preset', { side: letter }),
    id: `preset-${id}`,
  });
  const speed = h('span.speed');
  const expand = iconButton('expand', '', actions.expand, '.expand');
  const duplicate = menuItem(t('pane.duplicate'), actions.duplicate, { class: 'duplicate' });
  const remove = menuItem(t('pane.remove'), actions.remove, { class: 'remove' });
  const more = menu(t('pane.more', { side: letter }), [duplicate, remove]);
  const turns = h('div.turns', {
    role: 'log',
    'aria-live': 'off',
    'aria-label': t('pane.answers', { side: letter }),
  });
  const chat = h('div.pane-scroll', { tabIndex: 0, role: 'group', 'aria-label': t('pane.chat', { side: letter }) }, turns);
  const prompt = promptView(id);
  const options = optionsRow(id);
  const element = h(
    'section.pane',
    { 'aria-label': t('pane.side', { side: letter }), 'data-side': id },
    h('div.pane-head', {}, h('span.letter', {}, letter), model, preset, speed, expand, more.button, more.list),
    options.element,
    chat,
    prompt.element,
  );
  let replies = new Map(); // turn id -> view
  let follows = true; // whether the end stays in sight; only the reader's own scrolling changes it
  let scrolling = false; // a scroll to the end is due in the next frame
  let speedAt = 0;

  chat.addEventListener(
    'scroll',
    () => (follows = chat.scrollHeight - chat.scrollTop - chat.clientHeight < NEAR_END_PX),
    { passive: true },
  );

  model.addEventListener('change', () => {
    const chosen = chosenModel(model, sideOf(id).model);
    if (!chosen) return;
    const change = { model: chosen };
    if (modelOf(chosen)?.kind === 'instruct' && sideOf(id).preset === '@draft') change.preset = 'none';
    changeSide(id, change);
  });
  preset.addEventListener('change', () => changeSide(id, { preset: preset.value }));

  function kindOf() {
    return modelOf(sideOf(id).model)?.kind ?? 'base';
  }

  function drawHead() {
    const side = sideOf(id);
    const known = modelOf(side.model);
    fill(model, modelOptions(server.models, side.model));
    const option = (value, label) => h('option', { value, selected: side.preset === value }, label);
    const listed = side.preset === '@draft' || side.preset === 'none' || entryOf(side.preset);
    fill(
      preset,
      option('@draft', t('pane.draft', { name: titleOf(session.draft ?? {}) })),
      option('none', t(kindOf() === 'base' ? 'pane.bare' : 'pane.chat_template')),
      h(
        'optgroup',
        { label: t('pane.as_saved') },
        server.presets.filter(({ error, local }) => !error && !local).map((entry) => option(entry.name, titleOf(entry))),
      ),
      !listed && option(side.preset, t('pane.unknown_preset', { name: side.preset })),
    );
    model.title = known ? factsOf(known).join('\n') : '';
    preset.title = preset.selectedOptions[0]?.textContent ?? '';
    duplicate.disabled = session.sides.length >= MOST_SIDES;
    duplicate.title = duplicate.disabled ? t('panes.full', { n: MOST_SIDES }) : '';
    remove.disabled = session.sides.length === 1;
    remove.title = remove.disabled ? t('pane.last') : '';
    options.draw();
    drawEmpty();
  }

  function drawEmpty() {
    const none = turns.querySelector('.empty');
    if (!none) return;
    const key = `pane.empty.${kindOf()}_${sideOf(id).preset === 'none' ? 'none' : 'preset'}`;
    fill(none, h('p', {}, t(key)));
  }

  /** Bring the shown turns in line with the conversation, keeping those that are already drawn. */
  function drawChat() {
    const path = conversations.path(session.conversation);
    const kept = new Map();
    const elements = path.map((turn) => {
      const reply = turn.replies[id];
      let view = replies.get(turn.id);
      if (!view || view.reply !== reply) view = turnView(turn, reply);
      kept.set(turn.id, view);
      return view.element;
    });
    const grew = current !== null || replies.size === 0;
    replies = kept;
    if (!elements.length) elements.push(h('div.empty'));
    if (elements.length !== turns.children.length || elements.some((one, i) => turns.children[i] !== one)) {
      arrange(elements);
      if (grew) follows = true; // another branch is read from where one stands
      keepUp();
    }
    drawEmpty();
    for (const view of replies.values()) {
      view.question.draw();
      view.draw(current?.turn.id === view.turn.id ? current.sides[id] : null);
    }
  }

  function turnView(turn, reply) {
    const question = questionView(turn, id);
    const label = t(reply ? 'reply.again' : 'reply.ask', { side: letter });
    const ask = () => {
      answerOnly(turn, id);
      focus(); // the button is gone with the branch
    };
    const again = () => Object.assign(iconButton('again', label, ask, '.again'), { disabled: current !== null });
    return Object.assign(replyView(turn, reply, { question: question.element, again, side: id }), { question });
  }

  /** Show exactly these, without taking those out that stay: what one writes in them keeps the focus. */
  function arrange(elements) {
    const stay = new Set(elements);
    for (const one of [...turns.children]) if (!stay.has(one)) one.remove();
    elements.forEach((one, i) => {
      if (turns.children[i] !== one) turns.insertBefore(one, turns.children[i] ?? null);
    });
  }

  /** Keep the end in sight; once a frame, since each look at the page's measures lays it out anew. */
  function keepUp() {
    if (!follows || scrolling) return;
    scrolling = true;
    requestAnimationFrame(() => {
      scrolling = false;
      chat.scrollTop = 1e9;
    });
  }

  function drawView() {
    const { tab } = session.view;
    const expanded = expandedSide();
    element.hidden = expanded !== null && expanded !== id;
    const label = t(expanded === id ? 'pane.shrink' : 'pane.expand');
    fill(expand, icon(expanded === id ? 'shrink' : 'expand'));
    expand.title = label;
    expand.setAttribute('aria-label', label);
    expand.setAttribute('aria-pressed', String(expanded === id));
    chat.hidden = tab !== 'chat';
    prompt.element.hidden = tab !== 'prompt';
    drawChat();
    prompt.draw();
  }

  function hear(what, live, text) {
    const view = replies.get(current.turn.id);
    if (what === 'text') view?.add(text);
    else view?.draw(live);
    drawSpeed(what, live);
    keepUp();
    if (what === 'end') view?.settled.then(keepUp);
  }

  function drawSpeed(what, live) {
    const now = performance.now();
    if (what !== 'text') return fill(speed);
    if (now - speedAt < SPEED_EVERY_MS || now - live.firstAt < SPEED_EVERY_MS) return;
    speedAt = now;
    fill(speed, t('pane.speed', { rate: (1000 * (live.tokens - 1)) / (now - live.firstAt) }));
  }

  function drawPrompt() {
    options.draw();
    prompt.draw();
  }

  drawHead();
  drawChat();
  /** Put the focus on what is read here. */
  function focus() {
    (session.view.tab === 'prompt' ? prompt.element.querySelector('[tabindex]') : chat).focus({ preventScroll: true });
  }

  return { id, element, focus, drawHead, drawChat, drawView, drawPrompt, hear };
}
