// Several answers to one question, side by side: how they differ, which is likeliest, and one of them kept.

import { addAnswer, saidBy } from './answers.js';
import { complain } from './dialogs.js';
import { fill, h } from './dom.js';
import { heatOf, openTurn } from './lens.js';
import { takeRows } from './lens_mode.js';
import { inspectable } from './token_card.js';
import { offerPictures } from './picture.js';
import { newId, path } from './conversation.js';
import { sideAsked } from './sides.js';
import { server, session, touch } from './store.js';
import { count, t } from './text.js';
import { hasTokens, meansOf, noted, painter } from './tokens.js';
import { call, leave, start } from './wire.js';

const ORDERS = ['drawn', 'likelihood', 'length', 'agreement', 'judge'];
const LINE = 'page_wire';

export function openSamples(turn, sideId) {
  const groups = session.sides.map((side) => ({ side, samples: [], figures: null, failed: '' }));
  const number = h('input', { type: 'number', min: 2, max: 32, value: 8, id: 'samples-n' });
  const preset = session.draft?.sampling?.temperature ?? 0;
  const heat = h('input', { type: 'number', min: 0.1, max: 10, step: 0.1, value: preset > 0 ? preset : 0.8, id: 'samples-temperature' });
  const chosen = groups.map(({ side }) =>
    h('input', { type: 'checkbox', checked: side.id === sideId, 'aria-label': t('pane.side', { side: side.id }), 'data-side': side.id }),
  );
  const order = h('select', { 'aria-label': t('samples.order') }, ORDERS.map((one) => h('option', { value: one }, t(`samples.order.${one}`))));
  const judges = server.models.filter(({ kind, status }) => kind !== 'base' && status === 'ready');
  const judge = h('select', { 'aria-label': t('samples.judge') }, judges.map(({ id, title }) => h('option', { value: id }, title)));
  const judgeRow = h('label', { hidden: true }, t('samples.judge'), judge);
  order.querySelector('[value=judge]').disabled = !judges.length;
  const draw = h('button.filled', { type: 'submit' }, t('samples.draw'));
  const stop = h('button.small', { type: 'button', hidden: true, onclick: () => running && call('stop', { name: running }).catch(complain) }, t('composer.stop'));
  const table = h('div.samples-figures');
  const cards = h('div.samples-cards');
  const problem = h('p.dialog-problem', { role: 'alert', hidden: true });
  let running = null;
  let judging = false;
  let closed = false;

  async function drawAll() {
    const wanted = groups.filter((_, i) => chosen[i].checked);
    if (!wanted.length || running) return;
    problem.hidden = true;
    draw.disabled = true;
    stop.hidden = false;
    for (const group of wanted) Object.assign(group, { samples: [], figures: null, failed: '' });
    for (const group of wanted) {
      await drawOne(group);
      if (closed) return;
      const texts = group.samples.map(saidBy).filter(Boolean);
      try {
        group.figures = texts.length > 1 ? await call('diversity', { texts }) : null;
        group.samples.filter(saidBy).forEach((sample, i) => (sample.agreement = group.figures?.agreement[i]));
      } catch (error) {
        complain(error);
      }
      show();
    }
    draw.disabled = false;
    stop.hidden = true;
    if (order.value === 'judge') await judgeAll();
  }

  /** Have the samples that this judge has not seen judged, in one batch. */
  async function judgeAll() {
    const model = judge.value;
    const sideOf = new Map(groups.flatMap(({ side, samples }) => samples.map((one) => [one, side.id])));
    const open = [...sideOf.keys()].filter((one) => one.ended && one.text && one.judge !== model);
    if (!open.length || judging || running) return;
    judging = true;
    problem.hidden = true;
    judgeRow.classList.add('busy');
    try {
      const sides = open.map((one) => sideOf.get(one));
      const earlier = Object.fromEntries([...new Set(sides)].map((id) => [id, answeredBefore(turn, id)]));
      const texts = open.map(saidBy);
      const verdicts = await call('judge_answers', { model, question: turn.query, texts, sides, earlier });
      open.forEach((sample, i) => Object.assign(sample, { judge: model, verdict: verdicts[i] }));
    } catch (error) {
      fill(problem, error.message);
      problem.hidden = false;
    } finally {
      judging = false;
      judgeRow.classList.remove('busy');
    }
    show();
  }

  function drawOne(group) {
    const n = Number(number.value);
    group.samples = Array.from({ length: n }, (_, i) => ({ at: i, text: '', rows: [], ended: false }));
    running = newId();
    const request = {
      kind: 'samples',
      run: running,
      side: sideAsked(group.side),
      draft: session.draft,
      conversation: openTurn(turn),
      n,
      temperature: Number(heat.value),
    };
    return new Promise((resolve) => {
      const over = () => {
        removeEventListener('playground-page-run-over', late);
        running = null;
        leave(LINE);
        resolve();
      };
      const late = () => setTimeout(() => running === request.run && over(), 500);
      addEventListener('playground-page-run-over', late);
      start(
        request,
        (line) => {
          const sample = group.samples[Number(line.side?.slice(1))];
          if (!sample) return;
          if (line.at === 'text' || line.at === 'all') {
            sample.text += line.at === 'all' ? line.text.slice(sample.text.length) : line.text;
            sample.thinking_chars = line.thinking_chars;
            takeRows(sample, line.rows, line.at === 'all');
          } else if (line.at === 'end' || line.at === 'cut') {
            Object.assign(sample, line.reply ?? { finish_reason: line.finish_reason, error: line.error }, { ended: true });
            if (sample.error && !sample.text) group.failed = sample.error;
          }
          show();
          if (group.samples.every(({ ended }) => ended)) over();
        },
        LINE,
      );
    });
  }

  let due = false;
  function show() {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      fill(table, figuresTable(groups.filter(({ samples }) => samples.length)));
      const failed = groups.find((group) => group.failed);
      problem.hidden = !failed;
      if (failed) fill(problem, failed.failed);
      fill(cards, groups.flatMap((group) => sorted(group.samples, order.value).filter(({ text }) => text).map((sample) => card(group, sample))));
    });
  }

  function card(group, sample) {
    const means = meansOf(sample.rows);
    const body = h('div.answer.lens', { tabIndex: 0, role: 'group', 'aria-label': t('lens.tokens') });
    body.append(...(hasTokens(sample) ? painter((row) => `lens-token ${heatOf(row, 'probability')}`).add(sample.rows) : [saidBy(sample)]));
    noted.set(body, sample);
    inspectable(body, () => ({ reply: sample }));
    const facts = [
      means && t('lens.mean_logprob', { value: means.logprob.toFixed(2) }),
      means && t('unit.tokens', { n: means.n }),
      sample.agreement !== undefined && t('samples.agreement', { value: sample.agreement.toFixed(2) }),
      sample.seed !== undefined && t('samples.seed', { seed: sample.seed }),
    ];
    const { verdict } = sample;
    const score = verdict && h('span.sample-score', { title: verdict.error ?? verdict.said }, verdict.score === null ? t('samples.no_verdict') : t('samples.score', { score: verdict.score }));
    const keep = h('button.small', { type: 'button', disabled: !sample.ended, onclick: () => keepOne(group, sample) }, t('samples.keep'));
    return h(
      'section.sample',
      { 'aria-label': t('samples.number', { n: sample.at + 1 }) },
      h('div.sample-head', {}, h('span.letter', {}, group.side.id), h('span.muted', {}, facts.filter(Boolean).join(' · ')), score, h('span.grow'), keep),
      body,
    );
  }

  function keepOne(group, { text, rows, finish_reason, usage, seed, first_token_s, error, thinking_chars, thinking_tokens, thinking_open }) {
    const { id, model } = group.side;
    const thinking = { thinking_chars, thinking_tokens, thinking_open };
    addAnswer(turn, id, { text, rows, finish_reason, error, usage, seed, first_token_s, model, ...thinking });
    touch('conversation');
    dialog.close();
  }

  const form = h(
    'form.samples',
    {
      method: 'dialog',
      onsubmit: (event) => {
        event.preventDefault();
        drawAll().catch(complain);
      },
    },
    h('h2', {}, t('samples.title')),
    h('p.muted', {}, turn.query),
    h(
      'div.samples-form',
      {},
      h('label', {}, t('samples.n'), number),
      h('label', {}, t('samples.temperature'), heat),
      h('span.samples-sides', { role: 'group', 'aria-label': t('panes.sides') }, groups.map(({ side }, i) => h('label', {}, chosen[i], side.id))),
      h('label', {}, t('samples.order'), order),
      judgeRow,
      h('span.grow'),
      stop,
      draw,
    ),
    problem,
    table,
    cards,
    h(
      'div.dialog-buttons',
      {},
      h('button.small', { type: 'button', onclick: () => offerPictures(form, t('samples.title')) }, t('answer.picture')),
      h('span.grow'),
      h('button.small', { type: 'button', onclick: () => dialog.close() }, t('samples.close')),
    ),
  );
  const dialog = h('dialog.dialog.wide', { 'aria-label': t('samples.title') }, form);
  order.addEventListener('change', () => {
    judgeRow.hidden = order.value !== 'judge';
    show();
    if (order.value === 'judge') judgeAll();
  });
  judge.addEventListener('change', judgeAll);
  dialog.addEventListener('close', () => {
    closed = true;
    if (running) call('stop', { name: running }).catch(() => {});
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

function sorted(samples, order) {
  const key = {
    drawn: ({ at }) => at,
    likelihood: ({ rows }) => -(meansOf(rows)?.logprob ?? -Infinity),
    length: ({ rows, text }) => rows.length || text.length,
    agreement: ({ agreement }) => -(agreement ?? 0),
    judge: ({ verdict }) => -(verdict?.score ?? 0),
  }[order];
  return [...samples].sort((one, other) => key(one) - key(other) || one.at - other.at);
}

function figuresTable(groups) {
  if (!groups.length) return [];
  const cell = (value, digits = 2) => h('td', {}, value === null || value === undefined ? '–' : value.toFixed(digits));
  const columns = ['distinct1', 'distinct2', 'distinct3', 'self_bleu', 'distance', 'entropy', 'logprob', 'length'];
  return h(
    'table.samples-table',
    {},
    h('thead', {}, h('tr', {}, h('th', {}, t('samples.side')), columns.map((one) => h('th', { title: t(`samples.${one}.hint`) }, t(`samples.${one}`))))),
    h(
      'tbody',
      {},
      groups.map(({ side, samples, figures }) => {
        const rows = samples.flatMap((sample) => sample.rows);
        const means = meansOf(rows);
        const written = samples.filter(({ text }) => text).length;
        return h(
          'tr',
          { 'data-side': side.id },
          h('th', {}, side.id),
          [0, 1, 2].map((i) => cell(figures?.distinct[i])),
          cell(figures?.self_bleu),
          cell(figures?.distance),
          cell(means?.entropy),
          cell(means?.logprob),
          h('td', {}, written ? count(rows.length / written) : '–'),
        );
      }),
    ),
  );
}

/** What was asked before a turn, and what one side answered: `[[query, answer], ...]`. */
function answeredBefore(turn, side) {
  return path(session.conversation, turn.parent).map(({ query, replies }) => [query, replies[side]?.text ?? '']);
}
