// The exact prompt of one side, byte for byte: each stretch coloured by where it came from, or its tokens.

import { branch } from './conversation.js';
import { complain, notice } from './dialogs.js';
import { fill, h } from './dom.js';
import { menu, menuItem } from './menu.js';
import { boxOf, hex, readTokens, tokenAt, tokenBoxes } from './prompt_tokens.js';
import { letterOf, sideAsked } from './sides.js';
import { server, session, on, touch } from './store.js';
import { has, t } from './text.js';
import { call } from './wire.js';

const NEAR_END_PX = 40;

/** The switch over all prompts: their text, or their tokens. */
export function promptSwitch() {
  const looks = [false, true].map((tokens) =>
    h(
      'button',
      {
        type: 'button',
        'data-tokens': String(tokens),
        onclick: () => {
          session.view.tokens = tokens;
          touch('view');
        },
      },
      t(tokens ? 'prompt.as_tokens' : 'prompt.as_text'),
    ),
  );
  const element = h('div.segments.prompt-look', { role: 'group', 'aria-label': t('prompt.look') }, looks);
  on('ready view', () => {
    element.hidden = session.view.tab !== 'prompt';
    looks.forEach((one) => one.setAttribute('aria-pressed', String(one.dataset.tokens === String(session.view.tokens))));
  });
  return element;
}

export function promptView(side) {
  const facts = h('p.prompt-facts');
  const notes = h('ul.prompt-notes', { hidden: true, 'aria-label': t('prompt.notes') });
  const trouble = h('p.problem', { role: 'alert', hidden: true });
  const text = h('pre.prompt-text', { role: 'group', tabIndex: 0, 'aria-label': t('prompt.label', { side: letterOf(side) }) });
  const scroll = h('div.pane-scroll', {}, text);
  const readout = h('p.token-readout', { role: 'status', 'aria-live': 'polite', hidden: true });
  const copy = menu(t('prompt.copy', { side: letterOf(side) }), [
    menuItem(t('prompt.copy_text'), () => put(textOf(view()), 'prompt.copied_text')),
    menuItem(t('prompt.copy_ids'), () => copyAs('ids'), { class: 'needs-model' }),
    menuItem(t('prompt.copy_curl'), () => copyAs('curl'), { class: 'needs-model', title: t('prompt.copy_curl.hint') }),
  ]);
  const head = h('div.prompt-head', {}, facts, copy.button, copy.list);
  const element = h('div.prompt', { hidden: true }, trouble, head, notes, scroll, readout);
  let drawn = '';
  let tokens = null;
  let chunks = [];
  let active = null; // the token that is told of

  const view = () => server.views?.[side];

  function draw() {
    if (session.view.tab !== 'prompt') return;
    const now = view();
    const key = JSON.stringify(now);
    if (key === drawn) return;
    drawn = key;
    tokens = null;
    chunks = [];
    tell(null);
    trouble.hidden = !(now?.error || now?.tokens?.error);
    fill(trouble, now?.error || now?.tokens?.error || '');
    copy.button.hidden = !now?.pieces;
    notes.hidden = !now?.notes?.length;
    fill(notes, (now?.notes ?? []).map((note) => h('li', {}, note)));
    for (const item of copy.list.querySelectorAll('.needs-model')) item.disabled = !now?.counts;
    if (!now?.pieces) {
      fill(facts, now?.waiting ? t('prompt.waiting') : '');
      fill(text);
      return;
    }
    const follows = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX;
    fill(facts, factsOf(now));
    if (now.tokens?.ids) drawTokens(now);
    else fill(text, now.pieces.map(piece));
    text.classList.toggle('as-tokens', tokens !== null);
    readout.hidden = tokens === null;
    if (follows) scroll.scrollTop = scroll.scrollHeight;
  }

  function drawTokens(now) {
    tokens = readTokens(now.tokens);
    chunks = tokenBoxes(tokens, (index) => classesOf(now.pieces[index]));
    fill(text, chunks);
  }

  /** Say what is known of a token. */
  function tell(index) {
    if (active !== null) boxOf(chunks, active)?.classList.remove('active');
    active = index;
    if (index === null) return fill(readout, t('prompt.token_hint'));
    const box = boxOf(chunks, index);
    box.classList.add('active');
    const bytes = tokens.bytesOf(index);
    fill(
      readout,
      h('b', {}, t('prompt.token', { at: index + 1, id: String(tokens.ids[index]) })),
      h('code', {}, JSON.stringify(tokens.textOf(index))),
      h('span', {}, t('prompt.token_bytes', { bytes: hex(bytes) })),
      h('span', {}, originOf(pieceOf(index)) + (tokens.special.has(index) ? ` · ${t('prompt.token_special')}` : '')),
    );
  }

  function pieceOf(index) {
    let left = index;
    for (const [piece, n] of tokens.runs) {
      if (left < n) return view().pieces[piece];
      left -= n;
    }
    return undefined;
  }

  text.addEventListener('pointerover', ({ target }) => {
    const index = tokens && tokenAt(target);
    if (index !== null && index !== active) tell(index);
  });
  text.addEventListener('keydown', (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || !tokens || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    tell(Math.min(tokens.size - 1, Math.max(0, active === null ? 0 : active + by)));
    boxOf(chunks, active).scrollIntoView({ block: 'nearest' });
  });

  async function copyAs(form) {
    const { sides, draft, conversation, composer } = session;
    try {
      const asked = sideAsked(sides.find((one) => one.id === side));
      const body = { side: asked, draft, conversation: branch(conversation), text: composer, form };
      await put(await call('copy_prompt', body), `prompt.copied_${form}`);
    } catch (error) {
      complain(error);
    }
  }

  return { element, draw };
}

async function put(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    notice(t(said));
  } catch (error) {
    complain(error);
  }
}

function textOf(view) {
  return view.pieces.map(([text]) => text).join('');
}

function factsOf(view) {
  const parts = [];
  if (view.counts) parts.push(t('prompt.tokens', { n: view.counts.total, n_ctx: view.counts.n_ctx }));
  if (view.dropped_turns) parts.push(t('reply.dropped', { n: view.dropped_turns }));
  return [
    ...parts.map((part) => h('span', {}, part)),
    h('span', {}, t(view.stop.length ? 'prompt.stops' : 'prompt.no_stops'), stopList(view.stop)),
  ];
}

/** Stop rules as code, with the place where each counts. */
export function stopList(stops) {
  return stops.map(([stop, place]) =>
    h('code', { title: t(`prompt.stop.${place}`) }, stop.replaceAll('\n', '\\n')),
  );
}

function classesOf(piece) {
  if (!piece) return 'of-front';
  const [, part, field, index] = piece;
  return `of-${part} in-${field}${part === 'example' && index % 2 ? ' odd' : ''}`;
}

function originOf(piece) {
  if (!piece) return t('origin.front');
  const [, part, field, index] = piece;
  const number = part === 'example' || part === 'history' ? t('prompt.number', { n: index + 1 }) : '';
  const inside = has(`field.${field}`) ? ` · ${t(`field.${field}`)}` : '';
  return `${t(`origin.${part}`)}${number}${inside}`;
}

/** A stretch of a prompt, coloured by where it came from. */
export function piece(one) {
  return h('span', { class: classesOf(one), title: originOf(one) }, one[0]);
}
