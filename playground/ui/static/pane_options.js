// What a side's chat template can be told, such as whether to think: found in the template, kept with the side.

import { notice } from './dialogs.js';
import { fill, h } from './dom.js';
import { changeSide, sideOf } from './sides.js';
import { server, session, touch } from './store.js';
import { t } from './text.js';

/** The row of controls of the side `id`; hidden where its template reads no option. */
export function optionsRow(id) {
  const element = h('div.side-options', { role: 'group', 'aria-label': t('pane.options'), hidden: true });
  let drawn = '';

  function set(name, value) {
    const options = { ...sideOf(id).options };
    if (value === '') delete options[name];
    else options[name] = value;
    changeSide(id, { options });
  }

  /** What holds where the side says nothing: the preset's value, or the template's own. */
  function usual(option) {
    const side = sideOf(id);
    const kept = side.preset === '@draft' ? session.draft?.template_options?.[option.name] : undefined;
    const value = kept ?? option.default;
    return value === null || value === undefined ? t('pane.option_usual') : t('pane.option_usual_is', { value: String(value) });
  }

  function control(option) {
    const { name, kind, choices } = option;
    const value = sideOf(id).options?.[name];
    const key = `option-${id}-${name}`;
    const values = kind === 'flag' ? ['true', 'false'] : choices;
    let input;
    if (values.length) {
      const all = value === undefined || values.includes(String(value)) ? values : [...values, String(value)];
      input = h(
        'select',
        { id: key },
        h('option', { value: '' }, usual(option)),
        all.map((one) => h('option', { value: one, selected: one === String(value) }, one)),
      );
    } else {
      input = h('input', { id: key, type: kind === 'number' ? 'number' : 'text', value: value ?? '', placeholder: usual(option) });
    }
    input.addEventListener('change', () => {
      if (input.value === '') set(name, '');
      else if (kind === 'flag') set(name, input.value === 'true');
      else set(name, kind === 'number' ? Number(input.value) : input.value);
    });
    return h('label.side-option', { for: key }, h('span', {}, name), input);
  }

  function keep() {
    const { options } = sideOf(id);
    session.draft.template_options = { ...session.draft.template_options, ...options };
    touch('draft');
    notice(t('pane.options_kept'));
  }

  function draw() {
    const options = server.views?.[id]?.options;
    if (!options) {
      if (!server.views?.[id]?.error) element.hidden = true;
      return;
    }
    const side = sideOf(id);
    const key = JSON.stringify([options, side, session.draft?.template_options]);
    if (key === drawn) return;
    drawn = key;
    element.hidden = !options.length;
    const has = Object.keys(side.options ?? {}).length > 0;
    fill(
      element,
      options.map(control),
      has && h('button.small.keep-options', { type: 'button', title: t('pane.keep_options.hint'), onclick: keep }, t('pane.keep_options')),
    );
  }

  return { element, draw };
}
