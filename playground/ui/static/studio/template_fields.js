// The patterns of the preset's template, as they are typed: white space visible, stops and trouble beside them.
//
// What is wrong stays here, at its field, and is kept over a reload; the preset has the last that was right.

import { debounce, fill, h } from '../dom.js';
import { stopList } from '../prompt.js';
import { session, on, save, touch } from '../store.js';
import { t } from '../text.js';
import { call } from '../wire.js';

const CHECK_AFTER_MS = 120;
const PATTERNS = ['system', 'turn', 'separator', 'lead'];

/** Draw the fields into `panel`; resolves to `{draw}`. */
export async function templateFields(panel) {
  const builtIn = new Map((await call('templates', {})).map((one) => [one.name, one]));
  const name = h('input', { type: 'text', id: 'template-name', maxLength: 80, autocomplete: 'off' });
  const areas = Object.fromEntries(PATTERNS.map((field) => [field, visibleArea(field)]));
  const strip = h('input', { type: 'checkbox', id: 'template-strip_newlines' });
  const problems = Object.fromEntries(
    ['name', ...PATTERNS].map((field) => [field, h('p.field-problem', { id: `template-${field}-problem`, role: 'alert' })]),
  );
  const hint = h('p.muted');
  const stops = h('p.template-stops');
  const warnings = h('p.template-warnings', { role: 'status' });
  const sample = h('pre.template-sample', { tabIndex: 0, 'aria-label': t('template.sample') });
  const shown = h('details', {}, h('summary', {}, t('template.sample')), sample);
  let asked = 0;

  const chosen = () => {
    const { template } = session.draft;
    return typeof template === 'string' ? builtIn.get(template) : template;
  };

  function read() {
    const fields = { name: name.value };
    for (const field of PATTERNS) fields[field] = areas[field].value();
    return { ...fields, strip_newlines: strip.checked };
  }

  function write(fields) {
    name.value = fields.name;
    for (const field of PATTERNS) areas[field].set(fields[field] ?? '');
    strip.checked = fields.strip_newlines ?? false;
  }

  function typed() {
    const fields = read();
    // a copy of a built-in one must not go by its name
    if (builtIn.has(fields.name) && !same(fields, builtIn.get(fields.name))) {
      fields.name = name.value = t('template.copy_of', { name: fields.name });
    }
    session.templateEdit = fields;
    save();
    soon();
  }

  async function check() {
    const mine = (asked += 1);
    const fields = session.templateEdit ?? read();
    let found;
    try {
      found = await call('check_template', fields);
    } catch {
      return; // what was typed stays; the page says elsewhere that the server is gone
    }
    if (mine !== asked) return;
    for (const [field, place] of Object.entries(problems)) {
      fill(place, found.problems[field] ?? '');
      const input = field === 'name' ? name : areas[field].area;
      input.setAttribute('aria-invalid', String(field in found.problems));
    }
    fill(stops, h('span.muted', {}, t(found.stop.length ? 'prompt.stops' : 'prompt.no_stops')), stopList(found.stop));
    stops.hidden = warnings.hidden = shown.hidden = Object.keys(found.problems).length > 0;
    fill(warnings, found.warnings.join(' ') || t('template.reads_back'));
    warnings.classList.toggle('warning', found.warnings.length > 0);
    fill(sample, found.sample);
    if (!session.templateEdit || Object.keys(found.problems).length) return;
    session.templateEdit = null;
    take(fields);
  }

  /** Put a template that is right into the preset. */
  function take(fields) {
    const before = chosen();
    if (before && same(fields, before)) return;
    const kept = builtIn.get(fields.name);
    session.draft.template = kept && same(fields, kept) ? fields.name : fields;
    drawHint();
    touch('draft', ...(before?.name === fields.name ? [] : ['restored']));
  }

  function draw() {
    if (panel.contains(document.activeElement) && same(read(), session.templateEdit ?? chosen() ?? {})) return;
    const fields = session.templateEdit ?? chosen();
    if (!fields) return;
    write(fields);
    drawHint();
    check();
  }

  function drawHint() {
    const own = typeof session.draft.template !== 'string';
    fill(hint, t(own ? 'template.own' : 'template.built_in'));
  }

  const soon = debounce(check, CHECK_AFTER_MS);
  on('opened', () => {
    session.templateEdit = null;
    draw();
  });
  on('restored draft', () => session.templateEdit || panel.hidden || draw());
  for (const input of [name, strip, ...PATTERNS.map((field) => areas[field].area)]) {
    input.addEventListener('input', typed);
    input.addEventListener('blur', () => session.templateEdit && check());
  }
  const row = (field, element) => [
    h('label', { for: `template-${field}`, title: t(`template.${field}.hint`) }, t(`template.${field}`)),
    h('div', {}, element, problems[field]),
  ];
  panel.append(
    hint,
    h(
      'div.template-fields',
      {},
      row('name', name),
      PATTERNS.flatMap((field) => row(field, areas[field].element)),
    ),
    h('label.check', { for: strip.id }, strip, t('template.strip_newlines')),
    stops,
    warnings,
    shown,
  );
  for (const [field, place] of Object.entries(problems)) {
    (field === 'name' ? name : areas[field].area).setAttribute('aria-describedby', place.id);
  }
  return { draw };
}

function same(one, other) {
  return ['name', ...PATTERNS, 'strip_newlines'].every((field) => one[field] === other[field]);
}

/** A text area over a layer that marks white space; both break lines at the same characters. */
function visibleArea(field) {
  const area = h('textarea', { id: `template-${field}`, rows: 1, spellcheck: false });
  const layer = h('div.white-space', { 'aria-hidden': 'true' });
  const mark = () => fill(layer, (area.value.match(/[ \t\n]|[^ \t\n]+/g) ?? []).flatMap(glyph));
  area.addEventListener('input', mark);
  return {
    area,
    element: h('div.visible-area', {}, layer, area),
    value: () => area.value,
    set: (text) => {
      if (area.value !== text) area.value = text;
      mark();
    },
  };
}

function glyph(one) {
  if (one === ' ') return h('i', {}, '·');
  if (one === '\n') return [h('i.end', {}, '⏎'), '\n'];
  if (one === '\t') return [h('i.end', {}, '⇥'), '\t'];
  return one;
}
