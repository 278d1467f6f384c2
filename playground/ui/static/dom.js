// Elements without markup: everything a person or a model wrote goes in as text, never as HTML.

/**
 * h('button.small', {onclick: f, title: 'x'}, 'text', child) -> HTMLElement
 * `class` and dotted tags add classes; `aria-*`, `data-*` and `role` become attributes;
 * `on*` listeners; all else is set as a property.
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key === 'class') element.classList.add(...value.split(' ').filter(Boolean));
    else if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (/^(aria-|data-)/.test(key) || ['role', 'for', 'list', 'form'].includes(key)) {
      element.setAttribute(key, value);
    } else element[key] = value;
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child);
  }
  return element;
}

/** Replace all children. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

const PATHS = {
  up: 'M8 12.5v-9M4 7l4-4 4 4',
  down: 'M8 3.5v9M4 9l4 4 4-4',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  close: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  panel: 'M2 3h12v10H2zM6.5 3v10',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8L13 13M13 3l-1.2 1.2M4.2 11.8L3 13',
  moon: 'M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1z',
  auto: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 5h4.5M8 8h6M8 11h4.5',
  warning: 'M8 2.2L14.6 13.5H1.4zM8 6.5v3.2M8 11.4v.3',
  chevron: 'M5.5 3.5L10 8l-4.5 4.5',
  fold: 'M4.5 3l3.5 3.5L11.5 3M4.5 13l3.5-3.5 3.5 3.5',
  grip: 'M6 3.5v.01M10 3.5v.01M6 8v.01M10 8v.01M6 12.5v.01M10 12.5v.01',
  undo: 'M5.5 3L2.5 6l3 3M2.5 6h7a4 4 0 0 1 0 8H6',
  redo: 'M10.5 3l3 3-3 3M13.5 6h-7a4 4 0 0 0 0 8H10',
  note: 'M3 2.5h10v11H3zM5.5 6h5M5.5 8.5h5M5.5 11h3',
  back: 'M10.5 3.5L6 8l4.5 4.5',
  more: 'M3.2 8h.6M7.7 8h.6M12.2 8h.6',
  pencil: 'M3 13l.6-2.8 7.2-7.2 2.2 2.2-7.2 7.2zM9.4 4.4l2.2 2.2',
  again: 'M13 8a5 5 0 1 1-1.5-3.6L13 6M13 2.5V6H9.5',
  help: 'M5.7 6a2.3 2.3 0 1 1 3.2 2.1c-.7.3-.9.7-.9 1.4M8 12v.2',
  expand: 'M9.5 2.5h4v4M13.5 2.5L9.5 6.5M6.5 13.5h-4v-4M2.5 13.5l4-4',
  shrink: 'M13.5 6.5h-4v-4M9.5 6.5l4-4M2.5 9.5h4v4M6.5 9.5l-4 4',
};

/** A 16 px line icon; decoration only, so the button around it needs a label. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows only an icon; `label` is its name and its tooltip. */
export function iconButton(name, label, onclick, extra = '') {
  return h(
    `button.icon-button${extra}`,
    { type: 'button', title: label, 'aria-label': label, onclick },
    icon(name),
  );
}

/** Grow a text area with its text where the browser cannot do it from CSS. */
export function autosize(area) {
  if (CSS.supports('field-sizing', 'content')) return;
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight + 2}px`;
}

/** Run `work` once, `wait` ms after the last call. */
export function debounce(work, wait) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}

/** Run `work` within `wait` ms of a call, and no more often. */
export function throttle(work, wait) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      work();
    }, wait);
  };
}
