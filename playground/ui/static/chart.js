// Charts drawn from data as SVG; colours come from the style sheet, so that both themes look alike.

import { h } from './dom.js';

const NS = 'http://www.w3.org/2000/svg';
const WIDTH = 420;
const HEIGHT = 150;
const LEFT = 38;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 24;
const INNER = WIDTH - LEFT - RIGHT;
const TALL = HEIGHT - TOP - BOTTOM;

function node(name, attributes, ...children) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function frame(label, width = WIDTH, height = HEIGHT) {
  return node(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, class: 'chart', role: 'img', 'aria-label': label },
    node('title', {}, label),
  );
}

/**
 * Lines over equal steps: `series` is [{name, values}], a null value is a gap, the first has class `line0`.
 * `most` is the top of the scale, `say` writes its figures, `ends` are the words under both ends.
 */
export function lineChart(label, series, { most, say, ends }) {
  const svg = frame(label);
  const steps = Math.max(...series.map(({ values }) => values.length), 1);
  const x = (i) => LEFT + (steps === 1 ? INNER / 2 : (i * INNER) / (steps - 1));
  const y = (value) => TOP + TALL * (1 - Math.min(1, value / most));
  for (const share of [0, 0.5, 1]) {
    const at = y(share * most);
    svg.append(
      node('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }),
      node('text', { class: 'axis', x: LEFT - 6, y: at + 4, 'text-anchor': 'end' }, say(share * most)),
    );
  }
  svg.append(
    node('text', { class: 'axis', x: LEFT, y: HEIGHT - 7 }, ends[0]),
    node('text', { class: 'axis', x: WIDTH - RIGHT, y: HEIGHT - 7, 'text-anchor': 'end' }, ends[1]),
  );
  series.forEach(({ name, values }, n) => {
    const known = values.map((value, i) => [i, value]).filter(([, value]) => value !== null && value !== undefined);
    const points = known.map(([i, value]) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
    const line = node('polyline', { class: `line${n}`, points: points.join(' '), fill: 'none' });
    svg.append(line);
    if (known.length <= 40) {
      for (const [i, value] of known)
        svg.append(
          node(
            'circle',
            { class: `dot${n}`, cx: x(i).toFixed(1), cy: y(value).toFixed(1), r: 2.6 },
            node('title', {}, `${name}: ${say(value)}`),
          ),
        );
    }
  });
  return svg;
}

const ROW = 24;
const NAMES = 140;

/** Bars to both sides of zero, one a row: [{name, value}]; `say` writes a value. */
export function differenceChart(label, rows, say) {
  const height = rows.length * ROW + 6;
  const svg = frame(label, WIDTH, height);
  const most = Math.max(...rows.map(({ value }) => Math.abs(value)), 1e-9);
  const room = (WIDTH - NAMES - 120) / 2;
  const zero = NAMES + 60 + room;
  svg.append(node('line', { class: 'grid', x1: zero, x2: zero, y1: 2, y2: height - 2 }));
  rows.forEach(({ name, value }, i) => {
    const length = (Math.abs(value) / most) * room;
    const top = 3 + i * ROW;
    const right = value >= 0;
    svg.append(
      node('text', { class: 'axis name', x: NAMES - 6, y: top + 15, 'text-anchor': 'end' }, name),
      node('rect', {
        class: right ? 'bar-more' : 'bar-less',
        x: right ? zero : zero - length,
        y: top + 4,
        width: Math.max(0.5, length).toFixed(1),
        height: ROW - 9,
        rx: 2,
      }),
      node(
        'text',
        { class: 'axis', x: right ? zero + length + 5 : zero - length - 5, y: top + 15, 'text-anchor': right ? 'start' : 'end' },
        say(value),
      ),
    );
  });
  return svg;
}

/** Shares of a whole in one row: [{name, share, kind}]. */
export function shareBar(parts) {
  return h(
    'div.share-bar',
    { role: 'img', 'aria-label': parts.map(({ name, share }) => `${name} ${percent(share)}`).join(', ') },
    parts.map(({ name, share, kind }) => {
      const part = h(`span.share.${kind}`, { title: `${name}: ${percent(share)}` });
      part.style.width = `${share * 100}%`;
      return part;
    }),
  );
}

export function percent(share) {
  return `${(share * 100).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
}

/** The names of a chart's lines beside their colours. */
export function chartLegend(names) {
  return h('p.chart-legend', {}, names.map((name, n) => h('span', {}, h(`span.swatch.swatch${n}`), name)));
}
