// The exact prompt of one side, byte for byte, each stretch coloured by where it came from.

import { fill, h } from './dom.js';
import { server, session } from './store.js';
import { has, t } from './text.js';

const NEAR_END_PX = 40;

export function promptView(side) {
  const facts = h('p.prompt-facts');
  const trouble = h('p.problem', { role: 'alert', hidden: true });
  const text = h('pre.prompt-text', { tabIndex: 0, 'aria-label': t('prompt.label', { side }) });
  const scroll = h('div.pane-scroll', {}, text);
  const element = h('div.prompt', { hidden: true }, trouble, facts, scroll);
  let drawn = '';

  function draw() {
    if (session.view.tab !== 'prompt') return;
    const view = server.views?.[side];
    const key = JSON.stringify(view);
    if (key === drawn) return;
    drawn = key;
    trouble.hidden = !view?.error;
    fill(trouble, view?.error ?? '');
    if (!view?.pieces) {
      fill(facts, view?.waiting ? t('prompt.waiting') : '');
      fill(text);
      return;
    }
    const follows = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX;
    fill(facts, factsOf(view));
    fill(text, view.pieces.map(piece));
    if (follows) scroll.scrollTop = scroll.scrollHeight;
  }

  return { element, draw };
}

function factsOf(view) {
  const parts = [];
  if (view.counts) parts.push(t('prompt.tokens', { n: view.counts.total, n_ctx: view.counts.n_ctx }));
  if (view.dropped_turns) parts.push(t('reply.dropped', { n: view.dropped_turns }));
  const stops = view.stop.map(([stop, place]) =>
    h('code', { title: t(`prompt.stop.${place}`) }, stop.replaceAll('\n', '\\n')),
  );
  return [
    ...parts.map((part) => h('span', {}, part)),
    h('span', {}, t(stops.length ? 'prompt.stops' : 'prompt.no_stops'), stops),
  ];
}

function piece([text, part, field, index]) {
  const number = part === 'example' || part === 'history' ? t('prompt.number', { n: index + 1 }) : '';
  const inside = has(`field.${field}`) ? ` · ${t(`field.${field}`)}` : '';
  const parity = part === 'example' && index % 2 ? ' odd' : '';
  return h(
    'span',
    { class: `of-${part} in-${field}${parity}`, title: `${t(`origin.${part}`)}${number}${inside}` },
    text,
  );
}
