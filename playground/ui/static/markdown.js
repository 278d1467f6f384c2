// Markdown of finished answers. Python renders it without raw HTML or images; what comes back is checked
// again here, element by element, before it is put into the page.

import { call } from './wire.js';

const ALLOWED = new Set(
  'A BLOCKQUOTE BR CODE DEL EM H1 H2 H3 H4 H5 H6 HR LI OL P PRE S STRONG TABLE TBODY TD TH THEAD TR UL'.split(
    ' ',
  ),
);
const ATTRIBUTES = new Set(['href', 'target', 'rel', 'start', 'class', 'style']);
const LINK = /^(https?:|mailto:)/i;

const known = new Map(); // text -> HTML
let waiting = new Map(); // text -> [resolve, reject][]

/** The text as a fragment ready to be inserted; texts asked for at once travel together. */
export async function rendered(text) {
  return safe(known.get(text) ?? (await request(text)));
}

function request(text) {
  return new Promise((resolve, reject) => {
    if (!waiting.size) queueMicrotask(flush);
    if (!waiting.has(text)) waiting.set(text, []);
    waiting.get(text).push([resolve, reject]);
  });
}

async function flush() {
  const asked = waiting;
  waiting = new Map();
  const texts = [...asked.keys()];
  try {
    const html = await call('markdown', { texts });
    texts.forEach((text, i) => {
      known.set(text, html[i]);
      for (const [resolve] of asked.get(text)) resolve(html[i]);
    });
  } catch (error) {
    for (const ends of asked.values()) for (const [, reject] of ends) reject(error);
  }
}

function safe(html) {
  const fragment = new DOMParser().parseFromString(html, 'text/html').body;
  for (const element of fragment.querySelectorAll('*')) {
    if (!ALLOWED.has(element.tagName)) {
      element.replaceWith(element.textContent);
      continue;
    }
    for (const { name, value } of [...element.attributes]) {
      const right =
        ATTRIBUTES.has(name) &&
        (name !== 'href' || LINK.test(value)) &&
        (name !== 'style' || /^text-align:(left|right|center)$/.test(value));
      if (!right) element.removeAttribute(name);
    }
  }
  const out = document.createDocumentFragment();
  out.append(...fragment.childNodes);
  return out;
}
