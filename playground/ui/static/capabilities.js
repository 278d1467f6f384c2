// What a model is and what it cannot do, in words.

import { server } from './store.js';
import { seconds, t } from './text.js';

export function modelOf(id) {
  return server.models.find((model) => model.id === id);
}

/** Why a model cannot do something (`score`, `embed` ...), as a sentence; null where it can. */
export function lacking(id, capability) {
  return modelOf(id)?.lacks?.[capability] ?? null;
}

/** Lines that say how a model does, where it runs, and what it lacks. */
export function factsOf(model) {
  const lines = [`${model.title}: ${t(`model.${model.status}`)}`, model.detail];
  if (model.status === 'ready') {
    const millions = model.parameters / 1e6;
    lines.push(t('model.facts', { millions, n_ctx: model.n_ctx, load: seconds(model.load_s) }));
    const where = [model.device, model.dtype].filter(Boolean);
    if (where.length) lines.push(t('model.runs_on', { where: where.join(' · ') }));
    lines.push(...Object.values(model.lacks ?? {}));
    if (model.estimated_counts) lines.push(t('model.estimated'));
  }
  return lines.filter(Boolean);
}
