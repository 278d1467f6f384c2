// The slider "first k of K": zero-, one- and few-shot in one move.

import { fill, h } from './dom.js';
import { beginGesture, endGesture, endStep } from './history.js';
import { session } from './store.js';
import { t } from './text.js';

/** `onChange()` hears that the examples were switched. */
export function firstK(onChange) {
  const slider = h('input', { type: 'range', min: 0, step: 1, id: 'first-k', 'aria-label': t('shots.label') });
  const said = h('output', { for: slider.id });
  const element = h('div.first-k', {}, h('label', { for: slider.id }, t('shots.name')), slider, said);

  slider.addEventListener('input', () => {
    const k = Number(slider.value);
    beginGesture('first-k');
    session.draft.examples.forEach((example, i) => (example.enabled = i < k));
    onChange();
    draw();
  });
  const released = () => {
    endGesture();
    endStep();
  };
  for (const name of ['change', 'blur', 'pointercancel']) slider.addEventListener(name, released);

  function draw() {
    const { examples } = session.draft;
    const on = examples.filter(({ enabled }) => enabled).length;
    const first = examples.slice(0, on).every(({ enabled }) => enabled);
    element.hidden = examples.length === 0;
    slider.max = examples.length;
    slider.value = on;
    const text = t(first ? `shots.${Math.min(on, 2)}` : 'shots.picked', { n: on, of: examples.length });
    fill(said, text);
    slider.title = t('shots.hint');
    slider.setAttribute('aria-valuetext', text);
  }

  return { element, draw };
}
