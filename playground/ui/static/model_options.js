// Choosing among models: those that are here, those that have to be downloaded first, and the way to get them.

import { modelOf } from './capabilities.js';
import { h } from './dom.js';
import { openPage } from './pages.js';
import { offersPage } from './space.js';
import { t } from './text.js';

const TO_MODELS = '@models';

/** Options for a select, `chosen` selected even where there is no such model any more. */
export function modelOptions(models, chosen) {
  const absent = models.filter(({ status }) => status === 'missing');
  const option = ({ id, title }) => h('option', { value: id, selected: id === chosen }, title);
  return [
    ...models.filter((one) => !absent.includes(one)).map(option),
    absent.length > 0 && h('optgroup', { label: t('pane.not_downloaded') }, absent.map(option)),
    chosen && !modelOf(chosen) && h('option', { value: chosen, selected: true }, t('pane.unknown_model', { name: chosen })),
    offersPage('models') && h('option', { value: TO_MODELS }, t('models.open')),
  ];
}

/** What was chosen; null where that is the models page, which opens, and the select shows `before` again. */
export function chosenModel(select, before) {
  if (select.value !== TO_MODELS) return select.value;
  select.value = before;
  openPage('models');
  return null;
}
