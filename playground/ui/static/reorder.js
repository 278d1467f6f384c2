// Moving an item of a list by a handle, with mouse, pen or finger. The list itself stays as it is until the
// item is dropped: a line shows where it would go.

import { h } from './dom.js';

const EDGE_PX = 48; // within this distance of the edge the list scrolls by itself
const FASTEST_PX = 18; // a frame

/**
 * Let `handle` drag `item` along `list`, which scrolls inside `scrollerOf()`; `onDrop(index)` gets the place
 * that the item is to have once it has left its own.
 */
export function draggable(handle, item, { list, scrollerOf, onDrop }) {
  handle.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    drag(event.pointerId);
  });

  function drag(pointer) {
    const scroller = scrollerOf();
    const line = h('li.drop-line', { 'aria-hidden': 'true' });
    let place = null;
    let y = null;
    let frame = null;
    item.classList.add('dragged');
    document.body.classList.add('dragging');

    function aim() {
      const items = [...list.children].filter((one) => one !== line);
      const from = items.indexOf(item);
      const middles = items.map((one) => {
        const { top, height } = one.getBoundingClientRect();
        return top + height / 2;
      });
      const before = middles.findIndex((middle) => y < middle);
      const gap = before < 0 ? items.length : before;
      place = gap > from ? gap - 1 : gap;
      const { top } = list.getBoundingClientRect();
      const edge =
        gap < items.length
          ? items[gap].getBoundingClientRect().top - 5
          : items.at(-1).getBoundingClientRect().bottom + 3;
      line.style.top = `${edge - top}px`;
      line.hidden = place === from;
      if (!line.isConnected) list.append(line);
    }

    function scroll() {
      const { top, bottom } = scroller.getBoundingClientRect();
      const over = y < top + EDGE_PX ? y - top - EDGE_PX : y > bottom - EDGE_PX ? y - bottom + EDGE_PX : 0;
      if (over) {
        scroller.scrollTop += Math.sign(over) * Math.min(FASTEST_PX, Math.ceil(Math.abs(over) / 3));
        aim();
      }
      frame = requestAnimationFrame(scroll);
    }

    const moved = (event) => {
      if (event.pointerId !== pointer) return;
      y = event.clientY;
      aim();
      frame ??= requestAnimationFrame(scroll);
    };
    const ended = (event) => event.pointerId === pointer && finish(event.type === 'pointerup');
    const pressed = (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      finish(false);
    };
    function finish(drop) {
      cancelAnimationFrame(frame);
      removeEventListener('pointermove', moved);
      removeEventListener('pointerup', ended);
      removeEventListener('pointercancel', ended);
      removeEventListener('keydown', pressed, true);
      line.remove();
      item.classList.remove('dragged');
      document.body.classList.remove('dragging');
      if (drop && place !== null) onDrop(place);
    }
    addEventListener('pointermove', moved);
    addEventListener('pointerup', ended);
    addEventListener('pointercancel', ended);
    addEventListener('keydown', pressed, true);
  }
}
