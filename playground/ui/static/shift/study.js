// Shift over a file of questions: one after another, with figures that grow, and everything as CSV.

import { complain } from '../dialogs.js';
import { fill, h } from '../dom.js';
import { lineChart, percent } from '../chart.js';
import { newId } from '../conversation.js';
import { decoderOf } from '../decoding.js';
import { download, offerPictures } from '../picture.js';
import { seconds, t } from '../text.js';
import { call } from '../wire.js';
import { card, higherNotes, mostTable, nameOf, ratiosOf } from './page.js';

const DRAW_EVERY = 5;

/** `asked()` gives what a question is asked with. */
export function studyView(asked) {
  const file = h('input', { type: 'file', accept: '.txt,.json,.jsonl,.csv', hidden: true, tabIndex: -1 });
  const button = h('span', { 'data-needs': 'shift_questions' }, h('button.small', { type: 'button', onclick: () => file.click() }, t('study.open')), file);
  const bar = h('progress', { max: 1, value: 0, 'aria-label': t('study.progress') });
  const said = h('span.muted', { role: 'status' });
  const stop = h('button.small', { type: 'button', onclick: () => (stopped = true) }, t('composer.stop'));
  const csv = h('button.small', { type: 'button', hidden: true, onclick: () => saveCsv().catch(complain) }, t('study.csv'));
  const picture = h('button.small', { type: 'button', hidden: true, onclick: () => offerPictures(figures, t('study.picture')) }, t('shift.save'));
  const problems = h('p.muted');
  const figures = h('div.study-figures');
  const element = h('section.shift-study', { hidden: true }, h('div.study-head', {}, bar, said, h('span.grow'), stop, csv, picture), problems, figures);
  let study = '';
  let stopped = false;

  file.addEventListener('change', async () => {
    const [one] = file.files;
    file.value = '';
    if (one) await run(one).catch(complain);
  });

  async function textOf(one) {
    const bytes = await one.arrayBuffer();
    try {
      return decoderOf(bytes.slice(0, 2)).decode(bytes);
    } catch {
      throw new Error(t('pick.not_text', { name: one.name }));
    }
  }

  async function run(one) {
    const { questions, problems: rows } = await call('shift_questions', { text: await textOf(one), source: one.name });
    if (!questions.length) throw new Error(t('study.empty', { name: one.name }));
    study = newId();
    stopped = false;
    element.hidden = stop.hidden = false;
    csv.hidden = picture.hidden = true;
    fill(figures);
    fill(problems, rows.slice(0, 3).join(' '));
    const { question, ...rest } = asked();
    const began = performance.now();
    const failed = [];
    bar.max = questions.length;
    for (const [i, text] of questions.entries()) {
      if (stopped) break;
      try {
        await call('shift', { ...rest, question: text, study });
      } catch (error) {
        failed.push(`${i + 1}: ${error.message}`);
        if (failed.length === 3 && failed.length === i + 1) break; // nothing works
      }
      bar.value = i + 1;
      const left = ((performance.now() - began) / 1000 / (i + 1)) * (questions.length - i - 1);
      fill(said, t('study.said', { n: i + 1, all: questions.length, left: seconds(left) }));
      if (failed.length <= i && (i % DRAW_EVERY === DRAW_EVERY - 1 || i === questions.length - 1)) await draw();
    }
    stop.hidden = true;
    if (failed.length) fill(problems, t('study.failed', { n: failed.length }), ' ', failed.slice(0, 3).join(' '));
    if (bar.value > failed.length) await draw();
    fill(said, t(stopped ? 'study.stopped' : 'study.done', { n: bar.value - failed.length }));
  }

  async function draw() {
    const { contexts } = await call('shift_summary', { study });
    const names = contexts.map(({ name }) => nameOf(name));
    csv.hidden = picture.hidden = false;
    fill(
      figures,
      higherNotes(contexts),
      h('div.shift-contexts', {}, contexts.map((context, i) => h('section.shift-card', { 'data-context': context.name }, h('h3', {}, names[i]), ratiosOf(context)))),
      h(
        'div.shift-charts',
        {},
        card('shift.curve', 'shift.curve.hint', names, lineChart(t('shift.curve'), contexts.map(({ curve }, i) => ({ name: names[i], values: curve })), { most: 1, say: percent, ends: [t('shift.curve.start'), t('shift.curve.end')] })),
        h('section.shift-card.shift-most', {}, h('h3', {}, t('shift.most')), mostTable(contexts, names)),
      ),
    );
  }

  async function saveCsv() {
    download(new Blob([await call('shift_csv', { study })], { type: 'text/csv' }), 'token-shift.csv');
  }

  return { button, element };
}
