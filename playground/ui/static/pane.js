// One side: who answers, its part of the conversation, and the exact prompt it would send.

import * as conversations from './conversation.js';
import { fill, h } from './dom.js';
import { entryOf, titleOf } from './library.js';
import { loadChosen } from './page.js';
import { promptView } from './prompt.js';
import { replyView } from './reply.js';
import { current } from './run.js';
import { server, session, touch } from './store.js';
import { t } from './text.js';

const NEAR_END_PX = 60;
const SPEED_EVERY_MS = 250;

export function pane(side, index) {
  const model = h('select.model', {
    'aria-label': t('pane.model', { side: side.id }),
    id: `model-${side.id}`,
  });
  const preset = h('select.side-preset', {
    'aria-label': t('pane.preset', { side: side.id }),
    id: `preset-${side.id}`,
  });
  const speed = h('span.speed');
  const turns = h('div.turns', {
    role: 'log',
    'aria-live': 'off',
    'aria-label': t('pane.answers', { side: side.id }),
  });
  const chat = h('div.pane-scroll', { tabIndex: 0 }, turns);
  const prompt = promptView(side.id);
  const element = h(
    'section.pane',
    { 'aria-label': t('pane.side', { side: side.id }), 'data-side': side.id },
    h('div.pane-head', {}, h('span.letter', {}, side.id), model, preset, speed),
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
    side.model = model.value;
    const kind = server.models.find(({ id }) => id === side.model)?.kind;
    if (kind === 'instruct' && side.preset === '@draft') side.preset = 'none';
    touch('sides');
    loadChosen();
    drawEmpty();
  });
  preset.addEventListener('change', () => {
    side.preset = preset.value;
    touch('sides');
    drawEmpty();
  });

  function kindOf() {
    return server.models.find(({ id }) => id === side.model)?.kind ?? 'base';
  }

  function drawHead() {
    const known = server.models.some(({ id }) => id === side.model);
    fill(
      model,
      server.models.map(({ id, title }) => h('option', { value: id, selected: id === side.model }, title)),
      !known &&
        h('option', { value: side.model, selected: true }, t('pane.unknown_model', { name: side.model })),
    );
    const option = (value, label) => h('option', { value, selected: side.preset === value }, label);
    const listed = side.preset === '@draft' || side.preset === 'none' || entryOf(side.preset);
    fill(
      preset,
      option('@draft', t('pane.draft', { name: titleOf(session.draft ?? {}) })),
      option('none', t(kindOf() === 'base' ? 'pane.bare' : 'pane.chat_template')),
      h(
        'optgroup',
        { label: t('pane.as_saved') },
        server.presets.filter(({ error }) => !error).map((entry) => option(entry.name, titleOf(entry))),
      ),
      !listed && option(side.preset, t('pane.unknown_preset', { name: side.preset })),
    );
    drawEmpty();
  }

  function drawEmpty() {
    const none = turns.querySelector('.empty');
    if (!none) return;
    const key = `pane.empty.${kindOf()}_${side.preset === 'none' ? 'none' : 'preset'}`;
    fill(none, h('p', {}, t(key)));
  }

  /** Bring the shown turns in line with the conversation, keeping those that are already drawn. */
  function drawChat() {
    const path = conversations.path(session.conversation);
    const kept = new Map();
    const elements = path.map((turn) => {
      const reply = turn.replies[side.id];
      let view = replies.get(turn.id);
      if (!view || view.reply !== reply) view = replyView(turn, reply);
      kept.set(turn.id, view);
      return view.element;
    });
    replies = kept;
    if (!elements.length) elements.push(h('div.empty'));
    if (elements.length !== turns.children.length || elements.some((one, i) => turns.children[i] !== one)) {
      turns.replaceChildren(...elements);
      follows = true;
      keepUp();
    }
    drawEmpty();
    for (const view of replies.values())
      view.draw(current?.turn.id === view.turn.id ? current.sides[side.id] : null);
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
    fill(speed, t('pane.speed', { rate: (1000 * live.tokens) / (now - live.firstAt) }));
  }

  drawHead();
  drawChat();
  return { id: side.id, index, element, drawHead, drawChat, drawView, drawPrompt: prompt.draw, hear };
}
