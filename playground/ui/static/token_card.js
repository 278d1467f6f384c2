// What a token is: shown beside it while it is pointed at or stepped to, and kept open by a click or Enter.

import { fill, h } from './dom.js';
import { besideOf } from './lens.js';
import { count, t } from './text.js';
import { ENTROPY, ID, LOGPROB, RANK, TEXT, alternatives, isDescribed, quoted, shownToken } from './tokens.js';

const SHOW_MS = 60;
const HIDE_MS = 220;
const GAP_PX = 6;

let card = null;
let timer = null;
let held = null; // the token element that the card belongs to
let pinned = false;
let stepping = null; // the token that the keys chose last, until it is shown in the next frame

function element() {
  if (!card) {
    card = h('div.token-card', { popover: 'manual', role: 'dialog', 'aria-label': t('lens.card') });
    card.addEventListener('pointerenter', () => clearTimeout(timer));
    card.addEventListener('pointerleave', () => pinned || later(HIDE_MS, hide));
    card.addEventListener('keydown', (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === 'Escape') {
        event.stopPropagation();
        const back = held?.closest('.answer');
        hide();
        back?.focus();
      } else if (by) {
        event.preventDefault();
        const all = [...card.querySelectorAll('button:not(:disabled)')];
        all.at((all.indexOf(document.activeElement) + by) % all.length)?.focus();
      }
    });
    document.body.append(card);
    document.addEventListener('pointerdown', ({ target }) => {
      if (pinned && !card.contains(target) && !held?.contains(target)) hide();
    });
    addEventListener('scroll', () => hide(), { capture: true, passive: true });
  }
  return card;
}

function later(ms, work) {
  clearTimeout(timer);
  timer = setTimeout(work, ms);
}

export function hide() {
  clearTimeout(timer);
  held?.classList.remove('at');
  held = null;
  pinned = false;
  if (card?.matches(':popover-open')) card.hidePopover();
}

function show(token, { reply, onSwap, facts }, pin) {
  const row = reply.rows?.[Number(token.dataset.i)];
  if (!Array.isArray(row)) return;
  if (held !== token) held?.classList.remove('at');
  held = token;
  stepping = null;
  pinned = pin;
  token.classList.add('at');
  fill(element(), contentOf(row, Number(token.dataset.i), reply, onSwap, facts));
  if (!card.matches(':popover-open')) card.showPopover();
  const from = token.getClientRects()[0] ?? token.getBoundingClientRect();
  const { width, height } = card.getBoundingClientRect();
  const below = from.bottom + GAP_PX;
  const top = below + height > innerHeight ? Math.max(GAP_PX, from.top - height - GAP_PX) : below;
  const left = Math.min(Math.max(GAP_PX, from.left), innerWidth - width - GAP_PX);
  Object.assign(card.style, { left: `${left}px`, top: `${top}px` });
}

function contentOf(row, at, reply, onSwap, more = () => []) {
  const pair = (name, value) => [h('dt', {}, t(name)), h('dd', {}, value)];
  const beside = besideOf(reply)?.values?.[at];
  const facts = isDescribed(row)
    ? [
        pair('lens.logprob', signed(row[LOGPROB], 3)),
        pair('lens.rank.label', count(row[RANK])),
        pair('lens.entropy.label', t('lens.nats', { n: row[ENTROPY].toFixed(2) })),
        beside != null && pair('lens.difference.label', t('lens.nats', { n: signed(beside) })),
      ]
    : [];
  for (const [name, value] of more(at)) if (value != null) facts.push(pair(name, value));
  const others = alternatives(row);
  const own = { id: row[ID], text: row[TEXT], logprob: row[LOGPROB] };
  const listed = others.some(({ id }) => id === own.id) || own.logprob === null ? others : [...others, own];
  return [
    h('div.token-head', {}, h('code.token-text', {}, shownToken(row[TEXT])), h('span.muted', {}, `#${row[ID]}`)),
    h('dl', {}, facts.flat(2)),
    listed.length
      ? h('div.token-rows', { role: 'group', 'aria-label': t('lens.alternatives') }, listed.map((one, i) => alternative(one, i, row, onSwap && ((swapped) => onSwap(at, swapped)))))
      : h('p.muted', {}, t('lens.nothing')),
    !others.length && reply.trimmed === 'alternatives' && h('p.muted', {}, t('lens.trimmed')),
    others.length > 0 && onSwap && h('p.muted.hint', {}, t('lens.swap.hint')),
  ];
}

function alternative(one, i, row, onSwap) {
  const probability = Math.exp(one.logprob);
  const own = one.id === row[ID];
  const percent = percentOf(probability);
  const bar = h('span.token-bar', {}, h('span', {}));
  bar.firstChild.style.width = `${Math.max(1, probability * 100)}%`;
  return h(
    'button.token-row',
    {
      type: 'button',
      class: own ? 'own' : '',
      disabled: own || !onSwap,
      'data-id': String(one.id),
      'aria-label': t(own ? 'lens.own' : 'lens.swap', { token: quoted(one.text), p: percent }),
      onclick: () => {
        hide();
        onSwap({ ...one, rank: i + 1 });
      },
    },
    h('code', {}, shownToken(one.text)),
    bar,
    h('span.token-percent', {}, percent),
  );
}

export function percentOf(probability) {
  const percent = probability * 100;
  if (percent < 0.01) return '< 0.01 %';
  return `${percent >= 10 ? percent.toFixed(0) : percent >= 0.1 ? percent.toFixed(1) : percent.toFixed(2)} %`;
}

function signed(value, digits = 2) {
  const shown = Math.abs(value).toFixed(digits);
  return Number(shown) === 0 ? shown : `${value > 0 ? '+' : '−'}${shown}`;
}

/**
 * Let the tokens in `body` be looked at. `of()` gives {reply, onSwap, facts}, or null while there are none to look
 * at; without `onSwap` alternatives cannot be put in place; `facts(i)` are more of what is known of token i.
 */
export function inspectable(body, of) {
  const tokenAt = (target) => target.closest?.('.lens-token');

  body.addEventListener('pointerover', ({ target, pointerType }) => {
    const token = tokenAt(target);
    if (!token || pointerType === 'touch' || pinned || !of()) return;
    later(SHOW_MS, () => token.isConnected && show(token, of(), false));
  });
  body.addEventListener('pointerleave', () => pinned || later(HIDE_MS, hide));
  body.addEventListener('click', ({ target }) => {
    const token = tokenAt(target);
    if (!token || !of() || getSelection()?.toString()) return;
    if (pinned && held === token) hide();
    else show(token, of(), true);
  });
  body.addEventListener('keydown', (event) => {
    if (!of() || event.target !== body) return;
    const all = body.children;
    const from = stepping ?? held;
    const at = from && body.contains(from) ? [...all].indexOf(from) : -1;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined && all.length) {
      event.preventDefault();
      const token = all[Math.min(Math.max(0, to), all.length - 1)];
      token.scrollIntoView({ block: 'nearest' });
      stepping = token;
      requestAnimationFrame(() => stepping === token && token.isConnected && show(token, of(), false));
    } else if (event.key === 'Enter' && at >= 0) {
      event.preventDefault();
      show(from, of(), true);
      card.querySelector('button:not(:disabled)')?.focus();
    } else if (event.key === 'Escape' && held) {
      event.stopPropagation();
      hide();
    }
  });
  body.addEventListener('blur', () => pinned || later(HIDE_MS, hide));
}
