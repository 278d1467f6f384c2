// An experiment's charts as SVG: bars and lines with their intervals. Colours come from the style sheet.

const NS = 'http://www.w3.org/2000/svg';
const COLOURS = 7;
const ROW = 24;
const WIDE = { width: 560, names: 210, letters: 34 };
const NARROW = { width: 340, names: 126, letters: 20 }; // as on a phone, where a wide one would be too small to read

function room() {
  return matchMedia('(max-width: 700px)').matches ? NARROW : WIDE;
}

function node(name, attributes = {}, ...children) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, typeof value === 'number' ? value.toFixed(1) : value);
  element.append(...children);
  return element;
}

function frame(title, width, height) {
  return node('svg', { viewBox: `0 0 ${width} ${height}`, class: 'chart exp-chart', role: 'img', 'aria-label': title }, node('title', {}, title));
}

/** A figure in three digits. */
export function figure(value) {
  return String(Number(value.toPrecision(3)));
}

/** A chart as the server describes it; the names of its colours stand below, in `legendOf`. */
export function drawChart(chart) {
  return chart.kind === 'bars' ? bars(chart) : lines(chart);
}

/** What each colour of a chart stands for; empty where there is one alone. */
export function legendOf(chart) {
  const names = chart.kind === 'bars' ? chart.groups : chart.series.map(([name]) => name);
  return chart.kind === 'bars' && names.length < 2 ? [] : names;
}

function bars({ title, bars: rows, share }) {
  const { width, names, letters } = room();
  const height = rows.length * ROW + 26;
  const svg = frame(title, width, height);
  const ticks = scale(Math.min(0, ...rows.map(({ low }) => low)), share ? 1 : Math.max(0, ...rows.map(({ high }) => high)));
  const [least, most] = [ticks[0], ticks.at(-1)];
  const right = width - 46;
  const x = (value) => names + ((right - names) * (value - least)) / (most - least);
  for (const tick of ticks)
    svg.append(
      node('line', { class: 'grid', x1: x(tick), x2: x(tick), y1: 2, y2: height - 20 }),
      node('text', { class: 'axis', x: x(tick), y: height - 6, 'text-anchor': 'middle' }, figure(tick)),
    );
  rows.forEach(({ label, mean, low, high, group }, i) => {
    const top = 3 + i * ROW;
    const [from, to] = [x(0), x(mean)].sort((a, b) => a - b);
    svg.append(
      node('text', { class: 'axis name', x: names - 7, y: top + 15, 'text-anchor': 'end' }, node('title', {}, label), short(label, letters)),
      node(
        'rect',
        { class: `exp-bar c${group % COLOURS}`, x: from, y: top + 4, width: Math.max(1, to - from), height: ROW - 9, rx: 2 },
        node('title', {}, `${label}: ${figure(mean)} [${figure(low)}, ${figure(high)}]`),
      ),
      node('line', { class: 'whisker', x1: x(low), x2: x(high), y1: top + 11.5, y2: top + 11.5 }),
      node('text', { class: 'axis value', x: Math.max(x(high), x(mean), x(0)) + 5, y: top + 15 }, figure(mean)),
    );
  });
  return svg;
}

function lines({ title, series, share, x_title: below }) {
  const { width } = room();
  const [left, top, bottom, right] = [44, 10, 190, width - 16];
  const svg = frame(title, width, bottom + 40);
  const points = series.flatMap(([, line]) => line);
  const places = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const ticks = scale(share ? 0 : Math.min(...points.map(({ low }) => low)), share ? 1 : Math.max(...points.map(({ high }) => high)));
  const [least, most] = [ticks[0], ticks.at(-1)];
  const [first, last] = [places[0] ?? 0, places.at(-1) ?? 0];
  const x = (value) => left + (right - left) * (last > first ? (value - first) / (last - first) : 0.5);
  const y = (value) => bottom - ((bottom - top) * (value - least)) / (most - least);
  for (const tick of ticks)
    svg.append(
      node('line', { class: 'grid', x1: left, x2: right, y1: y(tick), y2: y(tick) }),
      node('text', { class: 'axis', x: left - 6, y: y(tick) + 4, 'text-anchor': 'end' }, figure(tick)),
    );
  const step = Math.ceil(places.length / (width / 45));
  for (const place of places.filter((_, i) => i % step === 0))
    svg.append(node('text', { class: 'axis', x: x(place), y: bottom + 16, 'text-anchor': 'middle' }, figure(place)));
  svg.append(node('text', { class: 'axis', x: (left + right) / 2, y: bottom + 33, 'text-anchor': 'middle' }, below));
  series.forEach(([name, line], n) => {
    const colour = `c${n % COLOURS}`;
    svg.append(node('polyline', { class: `exp-line ${colour}`, fill: 'none', points: line.map((p) => `${x(p.x).toFixed(1)},${y(p.mean).toFixed(1)}`).join(' ') }));
    for (const { x: at, mean, low, high } of line)
      svg.append(
        node('line', { class: `exp-line thin ${colour}`, x1: x(at), x2: x(at), y1: y(low), y2: y(high) }),
        node('circle', { class: `exp-bar ${colour}`, cx: x(at), cy: y(mean), r: 3 }, node('title', {}, `${name}, ${figure(at)}: ${figure(mean)} [${figure(low)}, ${figure(high)}]`)),
      );
  });
  return svg;
}

/** About five round numbers that enclose a range. */
function scale(low, high) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const span = high - low || Math.abs(high) || 1;
  const rough = 10 ** Math.floor(Math.log10(span / 4));
  const step = rough * [1, 2, 5, 10].find((factor) => span / (rough * factor) <= 5);
  const from = Math.floor(low / step + 1e-9);
  const to = Math.max(Math.ceil(high / step - 1e-9), from + 1);
  return Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
}

function short(text, most) {
  const letters = [...text];
  return letters.length <= most ? text : `…${letters.slice(1 - most).join('')}`;
}
