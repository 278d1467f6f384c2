// How the next token is drawn: numbers of the draft, in a fold. What is out of range never gets into it.

import { fill, h } from './dom.js';
import { server, session, touch } from './store.js';
import { t } from './text.js';

const FIELDS = [
  { name: 'temperature', min: 0, max: 10, step: 0.1 },
  { name: 'max_tokens', min: 1, max: 1000000, step: 1, whole: true },
  { name: 'top_p', min: 0.01, max: 1, step: 0.05 },
  { name: 'top_k', min: 0, max: 1000000, step: 1, whole: true },
  { name: 'min_p', min: 0, max: 1, step: 0.01 },
  { name: 'seed', min: 0, max: 4294967295, step: 1, whole: true, empty: null },
  { name: 'repetition_penalty', min: 0.01, max: 10, step: 0.05 },
  { name: 'frequency_penalty', min: -2, max: 2, step: 0.1 },
  { name: 'presence_penalty', min: -2, max: 2, step: 0.1 },
];

export function sampling() {
  const brief = h('span.muted');
  const inputs = FIELDS.map(numberField);
  const penalizePrompt = h('input', { type: 'checkbox', id: 'sampling-penalize_prompt' });
  penalizePrompt.addEventListener('change', () => {
    session.draft.sampling.penalize_prompt = penalizePrompt.checked;
    touch('draft');
  });
  const limits = h('p.muted', { hidden: true }); // of a Space
  const element = h(
    'details.sampling',
    {},
    h('summary', {}, h('h3', {}, t('sampling.title')), brief),
    h(
      'div.sampling-fields',
      {},
      inputs.map(({ element: field }) => field),
    ),
    h(
      'label.check',
      { for: penalizePrompt.id, title: t('sampling.penalize_prompt.hint') },
      penalizePrompt,
      t('sampling.penalize_prompt'),
    ),
    limits,
  );
  element.addEventListener('toggle', () => {
    if (session.view.sampling === element.open) return;
    session.view.sampling = element.open;
    touch('view');
  });

  function numberField({ name, min, max, step, whole, empty }) {
    const input = h('input', {
      type: 'number',
      id: `sampling-${name}`,
      min,
      max,
      step: 'any',
      inputMode: 'decimal',
    });
    if (empty === null) input.placeholder = t('sampling.random');
    const nudge = (event) => {
      if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
      event.preventDefault();
      const next = Number(input.value || 0) + (event.key === 'ArrowUp' ? step : -step);
      input.value = String(Math.min(max, Math.max(min, Number(next.toFixed(4)))));
      take();
    };
    const take = () => {
      const value = input.value === '' && !input.validity.badInput ? empty : Number(input.value);
      const right =
        value === null ||
        (value !== undefined &&
          !input.validity.badInput &&
          value >= min &&
          value <= max &&
          (!whole || Number.isInteger(value)));
      input.setAttribute('aria-invalid', String(!right));
      if (!right) return;
      session.draft.sampling[name] = value;
      drawBrief();
      touch('draft');
    };
    const draw = () => {
      input.value = session.draft.sampling[name] ?? '';
      input.setAttribute('aria-invalid', 'false');
    };
    input.addEventListener('input', take);
    input.addEventListener('keydown', nudge);
    input.addEventListener('blur', draw);
    const label = h('label', { for: input.id, title: t(`sampling.${name}.hint`) }, t(`sampling.${name}`));
    return { element: h('div.field', {}, label, input), draw };
  }

  function drawBrief() {
    const { temperature, max_tokens: wanted } = session.draft.sampling;
    const most = Math.min(wanted, server.space?.tokens ?? wanted);
    fill(
      brief,
      temperature === 0
        ? t('sampling.brief_greedy', { n: most })
        : t('sampling.brief', { temperature, n: most }),
    );
  }

  return {
    element,
    draw: () => {
      inputs.forEach((field) => field.draw());
      penalizePrompt.checked = session.draft.sampling.penalize_prompt;
      element.open = session.view.sampling;
      limits.hidden = !server.space;
      if (server.space) fill(limits, t('space.limits', server.space));
      drawBrief();
    },
  };
}
