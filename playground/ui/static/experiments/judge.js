// Asking who shall judge a run's answers.

import { ask } from '../dialogs.js';
import { h } from '../dom.js';
import { server } from '../store.js';
import { t } from '../text.js';

const RULES = ['rule:first', 'rule:longer'];

export async function askJudge({ id, assistants }, act) {
  const here = server.models.filter(({ kind, status }) => kind === 'instruct' && status !== 'missing');
  const judge = h(
    'select',
    { id: 'judge-model' },
    here.map(({ id: model, title }) => h('option', { value: model }, title)),
    RULES.map((rule) => h('option', { value: rule }, t(`experiments.${rule.replace(':', '.')}`))),
  );
  const against = h(
    'select',
    { id: 'judge-reference' },
    h('option', { value: '' }, t('experiments.judge.scores')),
    assistants.length > 1 && assistants.map((name) => h('option', { value: name }, t('experiments.judge.pairs', { name }))),
  );
  const field = (label, control) => [h('label', { for: control.id }, t(label)), control];
  const body = await ask({
    title: t('experiments.judge.title'),
    body: [h('p', {}, t('experiments.judge.body')), ...field('experiments.judge.who', judge), ...field('experiments.judge.how', against)],
    ok: t('experiments.judge.ok'),
    submit: async () => ({ run: id, judge: judge.value, reference: against.value }),
  });
  if (body) await act('experiment_judge', body);
}
