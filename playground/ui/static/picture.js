// What is on the page as a file to send: a picture (SVG, PNG), or an HTML page that needs nothing but itself.
//
// Pictures are made from what the browser laid out: the boxes with a background or a border, the lines of
// text where they stand, and charts as they are. The page is the same elements with the page's own styles,
// without scripts, buttons, links to anywhere, or anything to be loaded.

import { ask, complain } from './dialogs.js';
import { h } from './dom.js';
import { t } from './text.js';
import { noteOf, noted } from './tokens.js';

const MARGIN_PX = 16;
const NS = 'http://www.w3.org/2000/svg';
const LEFT_OUT = 'button, select, input, textarea, script, [popover], [hidden], .no-picture';

/** Ask for the kind of file and save `element` as it. */
export function offerPictures(element, title) {
  if (!element) return;
  const kinds = ['svg', 'png', 'html'].map((kind) =>
    h(
      'button.small',
      {
        type: 'button',
        'data-kind': kind,
        onclick: () => save(kind, element, title).catch(complain),
      },
      t(`picture.${kind}`),
    ),
  );
  ask({ title: t('picture.title'), body: [h('p.muted', {}, t('picture.hint')), h('div.picture-kinds', {}, kinds)], ok: t('picture.ok') });
}

async function save(kind, element, title) {
  const made = {
    svg: async () => new Blob([svgText(element)], { type: 'image/svg+xml' }),
    png: () => pngOf(element),
    html: async () => new Blob([htmlText(element, title)], { type: 'text/html' }),
  };
  download(await made[kind](), `${fileName(title)}.${kind}`);
}

export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function fileName(title) {
  return title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'picture';
}

function node(name, attributes) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** The element as an SVG document. */
export function svgText(element) {
  const { svg } = drawn(element);
  return new XMLSerializer().serializeToString(svg);
}

function drawn(element) {
  const frame = element.getBoundingClientRect();
  const [width, height] = [frame.width + 2 * MARGIN_PX, element.scrollHeight + 2 * MARGIN_PX].map(Math.ceil);
  const svg = node('svg', { xmlns: NS, width, height, viewBox: `0 0 ${width} ${height}` });
  svg.append(node('rect', { width, height, fill: groundOf(element) }));
  const origin = { x: frame.left - MARGIN_PX, y: frame.top - MARGIN_PX + -element.scrollTop };
  walk(element, svg, origin);
  return { svg, width, height };
}

function groundOf(element) {
  for (let one = element; one; one = one.parentElement) {
    const { backgroundColor } = getComputedStyle(one);
    if (seen(backgroundColor)) return backgroundColor;
  }
  return '#fff';
}

function seen(colour) {
  return colour && colour !== 'transparent' && !/, 0\)$|\/ 0\)$/.test(colour);
}

function walk(element, svg, origin) {
  if (element.matches(LEFT_OUT)) return;
  const style = getComputedStyle(element);
  if (style.display === 'none' || style.visibility === 'hidden') return;
  if (element instanceof SVGSVGElement) {
    svg.append(chart(element, origin));
    return;
  }
  boxes(element, style, svg, origin);
  const sign = element.dataset.sign;
  if (sign) {
    const box = element.getBoundingClientRect();
    write(svg, sign, box, style, origin, getComputedStyle(element, '::before'));
  }
  for (const child of element.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) lines(child, style, svg, origin);
    else if (child.nodeType === Node.ELEMENT_NODE) walk(child, svg, origin);
  }
}

function boxes(element, style, svg, origin) {
  const border = parseFloat(style.borderTopWidth) > 0 && seen(style.borderTopColor) && style.borderTopStyle !== 'none';
  if (!seen(style.backgroundColor) && !border) return;
  for (const box of element.getClientRects()) {
    if (!box.width || !box.height) continue;
    svg.append(
      node('rect', {
        x: (box.left - origin.x).toFixed(1),
        y: (box.top - origin.y).toFixed(1),
        width: box.width.toFixed(1),
        height: box.height.toFixed(1),
        rx: parseFloat(style.borderTopLeftRadius) || 0,
        fill: seen(style.backgroundColor) ? style.backgroundColor : 'none',
        ...(border ? { stroke: style.borderTopColor, 'stroke-width': style.borderTopWidth } : {}),
      }),
    );
  }
}

/** The text of a node, line by line as it was broken. */
function lines(child, style, svg, origin) {
  const text = child.data;
  if (!text.trim()) return;
  const range = document.createRange();
  let from = 0;
  let line = null;
  const flush = (to) => line && write(svg, text.slice(from, to), line, style, origin);
  for (let i = 0; i < text.length; i++) {
    const wide = text.codePointAt(i) > 0xffff ? 2 : 1;
    range.setStart(child, i);
    range.setEnd(child, i + wide);
    const box = range.getClientRects()[0];
    if (box && (!line || Math.abs(box.top - line.top) > line.height / 2)) {
      flush(i);
      [line, from] = [box, i];
    }
    i += wide - 1;
  }
  flush(text.length);
}

function write(svg, text, box, style, origin, font = style) {
  const size = parseFloat(font.fontSize);
  const one = node('text', {
    x: (box.left - origin.x).toFixed(1),
    y: (box.top - origin.y + (box.height + size * 0.7) / 2).toFixed(1),
    'font-family': font.fontFamily.replaceAll('"', "'"),
    'font-size': size,
    'font-weight': font.fontWeight,
    fill: font.color,
    'xml:space': 'preserve',
  });
  one.textContent = text.replace(/[\n\t]/g, ' ').replace(/[\u0000-\u0008\u000b-\u001f]/g, '');
  svg.append(one);
}

// A chart is drawn with classes, whose look is written out.
const PAINT = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-family', 'font-size', 'font-weight', 'text-anchor'];

function chart(element, origin) {
  const box = element.getBoundingClientRect();
  const copy = element.cloneNode(true);
  const [from, to] = [element.querySelectorAll('*'), copy.querySelectorAll('*')];
  from.forEach((one, i) => {
    const style = getComputedStyle(one);
    for (const name of PAINT) to[i].setAttribute(name, style.getPropertyValue(name).replaceAll('"', "'"));
    to[i].removeAttribute('class');
    to[i].removeAttribute('tabindex');
  });
  const place = { x: box.left - origin.x, y: box.top - origin.y, width: box.width, height: box.height };
  for (const [key, value] of Object.entries(place)) copy.setAttribute(key, value.toFixed(1));
  copy.removeAttribute('class');
  copy.removeAttribute('style');
  return copy;
}

async function pngOf(element) {
  const { svg, width, height } = drawn(element);
  const scale = Math.min(2, 8192 / Math.max(width, height));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
  await image.decode();
  const canvas = h('canvas', { width: Math.ceil(width * scale), height: Math.ceil(height * scale) });
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  context.drawImage(image, 0, 0);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(t('picture.too_large')))), 'image/png'),
  );
}

/** The element as a page of its own. */
export function htmlText(element, title) {
  const copy = element.cloneNode(true);
  const notes = [...element.querySelectorAll('.lens-token')].map((one) => {
    const rows = noted.get(one.parentElement)?.rows;
    return rows ? noteOf(rows[Number(one.dataset.i)]) : '';
  });
  copy.querySelectorAll('.lens-token').forEach((one, i) => notes[i] && one.setAttribute('title', notes[i]));
  for (const one of copy.querySelectorAll(LEFT_OUT)) one.remove();
  for (const one of [copy, ...copy.querySelectorAll('*')]) {
    for (const { name } of [...one.attributes]) {
      if (/^(on|href$|src$|srcset$|style$|id$|tabindex$|action$)/.test(name) && !inChart(one, name)) one.removeAttribute(name);
    }
  }
  const page = document.implementation.createHTMLDocument(title);
  const charset = page.createElement('meta');
  charset.setAttribute('charset', 'utf-8');
  const policy = page.createElement('meta');
  policy.httpEquiv = 'Content-Security-Policy';
  policy.content = "default-src 'none'; style-src 'unsafe-inline'";
  const style = page.createElement('style');
  style.textContent = styles();
  page.head.prepend(charset, policy);
  page.head.append(style);
  page.body.className = document.body.classList.contains('dark') ? 'dark picture' : 'picture';
  const main = page.createElement('main');
  main.className = 'island';
  const heading = page.createElement('h1');
  heading.textContent = title;
  main.append(heading, page.importNode(copy, true));
  page.body.append(main);
  return `<!doctype html>\n${page.documentElement.outerHTML}`;
}

function inChart(element, name) {
  return element instanceof SVGElement && name === 'style';
}

/** The page's own rules and the values of its variables; nothing of them is fetched. */
function styles() {
  const rules = [];
  const names = new Set();
  for (const sheet of document.styleSheets) {
    if (!sheet.href?.includes('/page/css/')) continue;
    for (const rule of sheet.cssRules) {
      if (/url\(|@import|@font-face/.test(rule.cssText)) continue;
      rules.push(rule.cssText);
      for (const [, name] of rule.cssText.matchAll(/var\((--[\w-]+)/g)) names.add(name);
    }
  }
  const computed = getComputedStyle(document.body);
  const values = [...names]
    .map((name) => [name, computed.getPropertyValue(name).trim()])
    .filter(([, value]) => value && !value.includes('url('))
    .map(([name, value]) => `${name}: ${value};`);
  return [
    ...rules,
    `:root, body { ${values.join(' ')} }`,
    'html, body.picture { height: auto; overflow: visible; }',
    'body.picture { max-width: 1000px; margin: 24px auto; padding: 0 16px; font-family: system-ui, sans-serif; color: var(--pg-text); background: var(--pg-page); }',
    'body.picture h1 { margin: 0 0 16px; font-size: 18px; font-weight: 700; }',
  ].join('\n');
}
