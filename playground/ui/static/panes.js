// The sides beside each other, and the switches over them: chat or prompt, Markdown or raw text.

import { h } from './dom.js';
import { islandMounted } from './page.js';
import { pane } from './pane.js';
import './preview.js';
import { onEvent } from './run.js';
import { session, on, touch } from './store.js';
import { t } from './text.js';

const ORIGINS = ['system', 'example', 'history', 'turn'];

export function mount(element) {
  const tabs = ['chat', 'prompt'].map((name) =>
    h(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `tab-${name}`,
        'aria-controls': 'sides',
        onclick: () => show({ tab: name }),
      },
      t(`panes.${name}`),
    ),
  );
  const looks = [false, true].map((raw) =>
    h(
      'button',
      { type: 'button', 'data-raw': String(raw), onclick: () => show({ raw }) },
      t(raw ? 'panes.raw' : 'panes.markdown'),
    ),
  );
  const look = h('div.segments.look', { role: 'group', 'aria-label': t('panes.look') }, looks);
  const legend = h(
    'div.legend',
    { 'aria-hidden': 'true' },
    ORIGINS.map((part) => h(`span.of-${part}`, {}, t(`origin.${part}`))),
  );
  const jumps = h('div.segments.jumps', { role: 'group', 'aria-label': t('panes.sides') });
  const sides = h('div.sides', { id: 'sides', role: 'tabpanel' });
  let panes = [];

  function show(view) {
    Object.assign(session.view, view);
    touch('view');
  }

  function drawPanes() {
    panes = session.sides.map((side, index) => pane(side, index));
    sides.replaceChildren(...panes.map((one) => one.element));
    sides.style.setProperty('--sides', String(panes.length));
    jumps.replaceChildren(
      ...panes.map((one, i) =>
        h(
          'button',
          {
            type: 'button',
            'aria-label': t('pane.side', { side: session.sides[i].id }),
            onclick: () =>
              one.element.scrollIntoView({ inline: 'start', block: 'nearest', behavior: 'smooth' }),
          },
          session.sides[i].id,
        ),
      ),
    );
    drawView();
    markJump();
  }

  function drawView() {
    const { tab, raw } = session.view;
    tabs.forEach((button) => button.setAttribute('aria-selected', String(button.id === `tab-${tab}`)));
    looks.forEach((button) =>
      button.setAttribute('aria-pressed', String(button.dataset.raw === String(raw))),
    );
    look.hidden = tab !== 'chat';
    legend.hidden = tab !== 'prompt';
    sides.setAttribute('aria-labelledby', `tab-${tab}`);
    panes.forEach((one) => one.drawView());
  }

  function markJump() {
    const at = Math.round(sides.scrollLeft / Math.max(1, sides.clientWidth));
    [...jumps.children].forEach((button, i) => button.setAttribute('aria-pressed', String(i === at)));
  }

  sides.addEventListener('scroll', markJump, { passive: true });
  on('ready', drawPanes);
  on('view', drawView);
  on('conversation', () => panes.forEach((one) => one.drawChat()));
  on('presets opened models sides', () => panes.forEach((one) => one.drawHead()));
  on('preview', () => panes.forEach((one) => one.drawPrompt()));
  onEvent((side, what, live, text) => panes.find((one) => one.id === side)?.hear(what, live, text));
  element.append(
    h('div.toolbar', {}, h('div.tabs', { role: 'tablist' }, tabs), legend, h('span.grow'), jumps, look),
    sides,
  );
  islandMounted('panes');
}
