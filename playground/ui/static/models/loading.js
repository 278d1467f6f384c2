// How a model is loaded, kept by model, and what memory that takes: asked before anything is loaded.

import { debounce, fill, h } from '../dom.js';
import { bytes, t } from '../text.js';
import { call } from '../wire.js';

const PAUSE_MS = 400;
const PARTS = ['weights', 'kv', 'compute', 'other'];
const NUMBERS = [
  { name: 'n_ctx', min: 16, max: 10000000 }, // where there is no slider
  { name: 'n_threads', min: 1, max: 1024 },
  { name: 'n_batch', min: 32, max: 16384 },
  { name: 'n_gpu_layers', min: 0, max: 4096 },
];
const PRECISIONS = ['f16', 'q8_0', 'q4_0'];

export function loadingView(act) {
  const slider = h('input', { type: 'range', min: 0, step: 1 });
  const context = h('output.context');
  const total = h('span.memory-total', { role: 'status' });
  const bar = h('div.memory-bar', { role: 'img' });
  const legend = h('p.muted.memory-legend');
  const advice = h('p.muted.memory-advice', { hidden: true });
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const fields = NUMBERS.map(numberField);
  const precisions = ['k_type', 'v_type'].map(precisionField);
  const defaults = h('button.small', { type: 'button', onclick: reset }, t('models.settings.defaults'));
  const reload = h('button.small', { type: 'button', hidden: true, 'data-action': 'reload', onclick: again }, t('models.settings.reload'));
  const said = h('span.muted', { role: 'status' });
  const contextLabel = h('label.memory-context', {}, h('span', {}, t('models.settings.n_ctx')), slider, context);
  const element = h(
    'section.model-loading',
    { hidden: true },
    h('h4', {}, t('models.settings')),
    contextLabel,
    h('div.memory', {}, total, bar, legend),
    advice,
    h('div.load-fields', {}, fields.map((one) => one.element), precisions.map((one) => one.element)),
    problem,
    h('div.load-foot', {}, defaults, reload, said),
  );
  const ofLlama = [...fields.slice(2), ...precisions];
  let model = null;
  let settings = null;
  let plan = null;
  let asked = 0;
  let saved = Promise.resolve();
  let loadedWith = null; // settings at the time of the load that is there, as far as this page knows

  async function begin(now) {
    model = now;
    const mine = (asked += 1);
    element.hidden = !now.present || now.engine === 'server';
    if (element.hidden) return;
    const llama = now.engine === 'llama.cpp';
    fields[0].element.hidden = llama;
    for (const one of ofLlama) one.element.hidden = !llama;
    try {
      const answer = await call('shelf_details', { name: now.id });
      if (mine !== asked) return;
      settings = answer.settings;
      loadedWith = JSON.stringify(settings);
      show();
      await estimate();
    } catch (error) {
      if (mine === asked) complain(error.message);
    }
  }

  function draw(now) {
    if (model && model.status !== 'ready' && now.status === 'ready') loadedWith = JSON.stringify(settings);
    model = now;
    drawState();
  }

  function drawState() {
    const differs = settings !== null && model.status === 'ready' && JSON.stringify(settings) !== loadedWith;
    reload.hidden = !differs;
    fill(said, differs ? t('models.settings.next') : '');
  }

  function complain(text) {
    problem.hidden = !text;
    fill(problem, text ?? '');
  }

  /** Ask what every context would take; the slider then shows figures without asking again. */
  async function estimate() {
    const mine = (asked += 1);
    fill(total, t('models.memory.asking'));
    element.setAttribute('aria-busy', 'true');
    try {
      const answer = await call('shelf_memory', { name: model.id, settings });
      if (mine !== asked) return;
      complain('');
      plan = answer;
      drawPlan();
    } catch (error) {
      if (mine !== asked) return;
      plan = null;
      fill(total);
      fill(bar);
      fill(legend);
      complain(error.message);
    } finally {
      if (mine === asked) element.setAttribute('aria-busy', 'false');
    }
  }

  function drawPlan() {
    slider.disabled = plan === null;
    contextLabel.hidden = plan === null;
    if (!plan) {
      fill(total, t('models.memory.unknown', { size: bytes(model.size_bytes) }));
      return;
    }
    slider.max = plan.estimates.length - 1;
    const wanted = settings.n_ctx ?? defaultContext();
    slider.value = Math.max(plan.estimates.findIndex(({ n_ctx: n }) => n >= wanted), 0);
    drawFigures();
  }

  /** What is loaded where nobody chose: the trained context, at most 4,096. */
  function defaultContext() {
    const trained = plan.estimates.at(-1).n_ctx;
    return Math.min(trained, 4096);
  }

  function drawFigures() {
    const at = Number(slider.value);
    const one = plan.estimates[at];
    fill(context, t('models.settings.tokens', { n: one.n_ctx }));
    slider.setAttribute('aria-valuetext', context.textContent);
    const free = plan.free_bytes;
    const here = one.total - one.gpu;
    const figures = { total: bytes(one.total), free: free === null ? '' : bytes(free), gpu: bytes(one.gpu) };
    const key = free === null ? 'models.memory.total' : one.gpu ? 'models.memory.total_gpu' : 'models.memory.total_free';
    fill(total, t(key, figures));
    total.classList.toggle('over', free !== null && here > free);
    const scale = Math.max(one.total, 1);
    bar.setAttribute('aria-label', PARTS.map((part) => `${t(`models.memory.${part}`)} ${bytes(one[part])}`).join(', '));
    fill(
      bar,
      PARTS.map((part) => {
        const piece = h(`span.of-${part}`, { title: `${t(`models.memory.${part}`)}: ${bytes(one[part])}` });
        piece.style.width = `${(one[part] / scale) * 100}%`;
        return piece;
      }),
    );
    fill(legend, PARTS.map((part) => h('span', {}, h(`span.swatch.of-${part}`), `${t(`models.memory.${part}`)} ${bytes(one[part])}`)));
    legend.title = t('models.memory.kv_hint', { n: one.kv_tokens });
    drawAdvice(at, here, free);
  }

  function drawAdvice(at, here, free) {
    const lines = [];
    if (free !== null && here > free) lines.push(t('models.memory.over'));
    if (plan.gpu_layers.length) {
      const layers = plan.gpu_layers[at];
      const names = plan.gpus.map(({ name }) => name).join(', ');
      lines.push(t('models.memory.layers', { n: layers, all: plan.n_layers + 1, gpu: names }));
      if (settings.n_gpu_layers !== layers) lines.push(h('button.link', { type: 'button', onclick: () => change({ n_gpu_layers: layers }, true) }, t('models.memory.use_layers', { n: layers })));
    }
    advice.hidden = !lines.length;
    fill(advice, lines.flatMap((line) => [line, ' ']));
  }

  function show() {
    fields.forEach((one) => one.draw());
    precisions.forEach((one) => one.draw());
    drawState();
  }

  /** Keep a change; one that moves the figures asks for them anew. */
  async function change(some, figures) {
    const next = Object.fromEntries(Object.entries({ ...settings, ...some }).filter(([, value]) => value !== null));
    const mine = model.id;
    settings = next;
    show();
    saved = saved.catch(() => {}).then(() => call('shelf_settings', { name: mine, settings: next })); // in their order
    try {
      await saved;
      if (mine === model.id) complain('');
    } catch (error) {
      complain(error.message);
      return;
    }
    if (figures) soon();
  }

  const soon = debounce(estimate, PAUSE_MS);

  function reset() {
    const none = Object.fromEntries(Object.keys(settings).map((name) => [name, null]));
    change(none, true);
  }

  async function again() {
    loadedWith = JSON.stringify(settings);
    await act('unload_model', { name: model.id });
    await act('load_model', { name: model.id });
  }

  const keepContext = debounce(() => change({ n_ctx: plan.estimates[Number(slider.value)].n_ctx }, false), PAUSE_MS);
  slider.addEventListener('input', () => {
    drawFigures();
    keepContext();
  });

  function numberField({ name, min, max }) {
    const input = h('input', { type: 'number', min, max, step: 1, placeholder: t('models.settings.auto') });
    input.dataset.setting = name;
    input.addEventListener('change', () => {
      const value = input.value === '' && !input.validity.badInput ? null : Number(input.value);
      const right = value === null || (Number.isInteger(value) && value >= min && value <= max);
      input.setAttribute('aria-invalid', String(!right));
      if (right) change({ [name]: value }, true);
      else complain(t('models.settings.range', { name: t(`models.settings.${name}`), min, max }));
    });
    const label = h('label', { title: t(`models.settings.${name}.hint`) }, h('span', {}, t(`models.settings.${name}`)), input);
    return {
      element: label,
      draw: () => {
        if (document.activeElement === input) return; // what is being typed stays
        input.value = settings[name] ?? '';
        input.setAttribute('aria-invalid', 'false');
      },
    };
  }

  function precisionField(name) {
    const select = h('select', {}, PRECISIONS.map((one) => h('option', { value: one }, one)));
    select.dataset.setting = name;
    select.addEventListener('change', () => change({ [name]: select.value === 'f16' ? null : select.value }, true));
    const label = h('label', { title: t('models.settings.kv.hint') }, h('span', {}, t(`models.settings.${name}`)), select);
    return { element: label, draw: () => (select.value = settings[name] ?? 'f16') };
  }

  return { element, draw, begin };
}
