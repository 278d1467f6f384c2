// Menus behind a button: what is used rarely, or finds no room.

import { fill, h, iconButton } from './dom.js';

const GAP_PX = 4;

/**
 * A button and the menu that it opens. `items` are buttons; one that was clicked closes the menu.
 * With `inlineFrom` (px) the items stand beside each other wherever the window is at least that wide, and the
 * button is gone.
 */
export function menu(label, items, { inlineFrom = Infinity } = {}) {
  const list = h('div.menu-list', { role: 'group', 'aria-label': label }, items);
  const button = iconButton('more', label, () => list.togglePopover(), '.menu-button');
  button.setAttribute('aria-expanded', 'false');

  list.addEventListener('toggle', ({ newState }) => {
    const open = newState === 'open';
    button.setAttribute('aria-expanded', String(open));
    if (!open) return;
    place();
    enabled()[0]?.focus();
  });
  list.addEventListener('click', (event) => {
    if (event.target.closest('button') && list.matches(':popover-open')) list.hidePopover();
  });
  list.addEventListener('keydown', (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !list.matches(':popover-open')) return;
    event.preventDefault();
    const all = enabled();
    all.at((all.indexOf(document.activeElement) + by) % all.length).focus();
  });

  function enabled() {
    return [...list.querySelectorAll('button:not(:disabled)')].filter((one) => one.checkVisibility());
  }

  function place() {
    const from = button.getBoundingClientRect();
    const { width, height } = list.getBoundingClientRect();
    const left = Math.min(Math.max(GAP_PX, from.right - width), innerWidth - width - GAP_PX);
    const below = from.bottom + GAP_PX;
    const top = below + height > innerHeight ? Math.max(GAP_PX, from.top - height - GAP_PX) : below;
    Object.assign(list.style, { left: `${left}px`, top: `${top}px` });
  }

  function arrange(inline) {
    button.hidden = inline;
    if (inline) list.removeAttribute('popover');
    else list.popover = 'auto';
    list.classList.toggle('inline', inline);
  }

  if (Number.isFinite(inlineFrom)) {
    const wide = matchMedia(`(min-width: ${inlineFrom}px)`);
    wide.addEventListener('change', () => arrange(wide.matches));
    arrange(wide.matches);
  } else arrange(false);
  return { button, list, fill: (all) => fill(list, all) };
}

/** A button for a menu. */
export function menuItem(label, onclick, extra = {}) {
  return h('button.small', { type: 'button', onclick, ...extra }, label);
}
