// The sides beside each other, and the switches over them: chat or prompt, Markdown or raw text.

import { notice } from './dialogs.js';
import { fill, h, icon } from './dom.js';
import { findingsBadge, findingsList } from './findings.js';
import { keysOf, register } from './keys.js';
import { menu } from './menu.js';
import { lensControl } from './lens.js';
import { islandMounted } from './page.js';
import { pane } from './pane.js';
import './preview.js';
import { promptSwitch } from './prompt.js';
import { current, onEvent } from './run.js';
import { MOST_SIDES, addSide, duplicateSide, expandSide, expandedSide, letterOf, removeSide } from './sides.js';
import { undo } from './steps.js';
import { session, on, touch } from './store.js';
import { t } from './text.js';

const ORIGINS = ['system', 'example', 'history', 'turn'];
const PHONE_PX = 700; // as in panes.css

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
  tabs[1].append(findingsBadge());
  const looks = [false, true].map((raw) =>
    h(
      'button',
      { type: 'button', 'data-raw': String(raw), onclick: () => show({ raw }) },
      t(raw ? 'panes.raw' : 'panes.markdown'),
    ),
  );
  const look = h('div.segments.look', { role: 'group', 'aria-label': t('panes.look') }, looks);
  const add = h('button.small.add-side', { type: 'button', onclick: addOne }, icon('plus'), t('panes.add'));
  const more = menu(t('panes.more'), [look, add], { inlineFrom: PHONE_PX + 1 });
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

  function addOne() {
    const side = addSide();
    if (side) reveal(side.id, true);
  }

  /** Bring a side into sight, and to its model or to what is read there the focus. */
  function reveal(id, toModel = false) {
    if (expandedSide() && expandedSide() !== id) expandSide(id);
    const one = panes.find((shown) => shown.id === id);
    one.element.scrollIntoView({ inline: 'nearest', block: 'nearest', behavior: 'smooth' });
    if (toModel) one.element.querySelector('.model').focus({ preventScroll: true });
    else one.focus();
  }

  function toggleExpanded(id) {
    expandSide(expandedSide() === id ? null : id);
    const one = panes.find((shown) => shown.id === id);
    one.element.scrollIntoView({ inline: 'nearest', block: 'nearest' });
  }

  function actionsOf(id) {
    return {
      expand: () => toggleExpanded(id),
      duplicate: () => {
        const side = duplicateSide(id);
        if (side) reveal(side.id, true);
      },
      remove: () => {
        const at = panes.findIndex((one) => one.id === id);
        if (!removeSide(id)) return;
        panes[Math.min(at, panes.length - 1)].focus();
        notice(t('panes.removed', { side: letterOf(id) }), { action: t('dialog.undo'), onAction: undo });
      },
    };
  }

  /** Bring the panes in line with the sides, keeping those that stay as they are. */
  function drawPanes() {
    const known = new Map(panes.map((one) => [one.id, one]));
    if (!session.sides.some(({ id }) => id === session.view.expanded)) session.view.expanded = null;
    panes = session.sides.map(({ id }) => known.get(id) ?? pane(id, actionsOf(id)));
    for (const one of known.values()) if (!panes.includes(one)) one.element.remove();
    panes.forEach(({ element: one }, i) => {
      if (sides.children[i] !== one) sides.insertBefore(one, sides.children[i] ?? null);
    });
    add.disabled = panes.length >= MOST_SIDES;
    add.title = add.disabled ? t('panes.full', { n: MOST_SIDES }) : t('panes.add.hint');
    fill(
      jumps,
      panes.map(({ id }) =>
        h(
          'button',
          { type: 'button', 'aria-label': t('pane.side', { side: letterOf(id) }), onclick: () => reveal(id) },
          letterOf(id),
        ),
      ),
    );
    drawHeads();
    drawView();
  }

  function drawHeads() {
    panes.forEach((one) => one.drawHead());
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
    drawJumps();
  }

  /** Letters to jump by, where not all sides are in sight; those in sight are pressed. */
  function drawJumps() {
    const { left, right } = sides.getBoundingClientRect();
    const seen = panes.map(({ element: one }) => {
      const box = one.getBoundingClientRect();
      const middle = (box.left + box.right) / 2;
      return !one.hidden && middle > left && middle < right;
    });
    jumps.hidden = panes.length < 2 || seen.every(Boolean);
    [...jumps.children].forEach((button, i) => button.setAttribute('aria-pressed', String(seen[i])));
  }

  function focused() {
    return document.activeElement?.closest('.pane')?.dataset.side;
  }

  function step(by) {
    const at = focused() ?? expandedSide();
    const from = panes.findIndex(({ id }) => id === at);
    const to = from < 0 ? (by > 0 ? 0 : panes.length - 1) : (from + by + panes.length) % panes.length;
    reveal(panes[to].id);
  }

  const chat = { page: 'chat', group: 'sides' };
  register(
    { ...chat, keys: [']', 'Alt+]'], label: 'keys.next_side', run: () => step(1) },
    { ...chat, keys: ['[', 'Alt+['], label: 'keys.previous_side', run: () => step(-1) },
    {
      ...chat,
      keys: ['F'],
      label: 'keys.expand',
      run: () => toggleExpanded(focused() ?? expandedSide() ?? panes[0].id),
    },
    {
      ...chat,
      keys: ['Escape'],
      label: 'keys.shrink',
      when: () => expandedSide() !== null && current === null,
      run: () => toggleExpanded(expandedSide()),
    },
    {
      ...chat,
      keys: ['P', 'Alt+P'],
      label: 'keys.prompt',
      run: () => show({ tab: session.view.tab === 'chat' ? 'prompt' : 'chat' }),
    },
    { ...chat, keys: ['M'], label: 'keys.raw', run: () => show({ raw: !session.view.raw }) },
  );
  tabs[1].title = keysOf('keys.prompt');

  sides.addEventListener('scroll', drawJumps, { passive: true });
  new ResizeObserver(drawJumps).observe(sides);
  on('ready sides', drawPanes);
  on('view', drawView);
  on('conversation', () => panes.forEach((one) => one.drawChat()));
  on('presets opened models', drawHeads);
  on('preview', () => panes.forEach((one) => one.drawPrompt()));
  onEvent((side, what, live, text) => panes.find((one) => one.id === side)?.hear(what, live, text));
  element.append(
    h(
      'div.toolbar',
      {},
      h('div.tabs', { role: 'tablist' }, tabs),
      promptSwitch(),
      legend,
      lensControl(),
      h('span.grow'),
      jumps,
      more.list,
      more.button,
    ),
    findingsList(),
    sides,
  );
  islandMounted('panes');
}
