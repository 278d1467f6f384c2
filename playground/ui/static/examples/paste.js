// Text that is pasted becomes examples: what was recognised, what comes of it, and where it goes.

import { ask } from '../dialogs.js';
import { debounce, fill, h } from '../dom.js';
import { session } from '../store.js';
import { t } from '../text.js';
import { call } from '../wire.js';

const PAUSE_MS = 200;
const SHOWN = 40; // examples in the preview

async function read(text) {
  return call('read_examples', { text, draft: session.draft });
}

/** How many examples a text holds that is more than one query; 0 where it is not, or cannot be read. */
export async function countExamples(text) {
  try {
    const [first] = await read(text);
    if (!first || !['template', 'data', 'turns'].includes(first.kind)) return 0;
    const { examples } = first;
    return examples.length > 1 || examples[0]?.answer ? examples.length : 0;
  } catch {
    return 0; // it was pasted as it is, and nobody asked for more
  }
}

/** Ask what to make of `text`; `onDone({system, examples, replace})` gets it, `system` null where it stays. */
export async function openDialog(text, onDone) {
  const box = h('textarea', { id: 'paste-text', rows: 7, spellcheck: false, value: text });
  const kinds = h('select', { id: 'paste-kind', onchange: draw });
  const kindRow = h('div.paste-kind', {}, h('label', { for: 'paste-kind' }, t('paste.read_as')), kinds);
  const found = h('p.paste-found', { role: 'status' });
  const preview = h('ol.paste-preview', { 'aria-label': t('paste.preview') });
  const system = h('input', { type: 'checkbox', id: 'paste-system', checked: !session.draft.system });
  const systemRow = h('label.check', { for: 'paste-system' }, system, t('paste.system'));
  const modes = ['append', 'replace'].map((name) =>
    h('input', { type: 'radio', name: 'paste-mode', id: `paste-${name}`, value: name, checked: name === 'append' }),
  );
  const mode = h(
    'fieldset.paste-mode',
    {},
    h('legend.heard', {}, t('paste.where')),
    modes.map((input) => h('label.check', { for: input.id }, input, t(`paste.${input.value}`))),
  );
  let ways = [];
  let asked = 0;

  const chosen = () => ways[Number(kinds.value)] ?? null;

  async function recognise() {
    const mine = (asked += 1);
    let problem = '';
    let answer = [];
    try {
      answer = await read(box.value);
    } catch (error) {
      problem = error.message;
    }
    if (mine !== asked) return; // something else was typed meanwhile
    const before = chosen()?.kind;
    ways = answer;
    fill(
      kinds,
      ways.map(({ kind, detail }, i) => h('option', { value: i }, t(`paste.kind.${kind}`, { name: detail }))),
    );
    kinds.value = String(Math.max(0, ways.findIndex(({ kind }) => kind === before)));
    kindRow.hidden = ways.length < 2;
    draw(problem);
  }

  function draw(problem = '') {
    const way = chosen();
    const examples = way?.examples ?? [];
    systemRow.hidden = !way?.system;
    systemRow.title = way?.system ?? '';
    fill(found, typeof problem === 'string' && problem ? problem : factsOf(way));
    fill(
      preview,
      examples
        .slice(0, SHOWN)
        .map(({ query, answer }) =>
          h('li', {}, h('p.asked', {}, query), h('p.answered', {}, answer || h('em', {}, t('paste.no_answer')))),
        ),
      examples.length > SHOWN && h('li.more', {}, t('paste.more', { n: examples.length - SHOWN })),
    );
    preview.hidden = !examples.length;
  }

  box.addEventListener('input', debounce(recognise, PAUSE_MS));
  draw();
  if (text) recognise();
  const done = ask({
    title: t('paste.title'),
    body: [
      h('div.wide', {}, h('label', { for: box.id }, t('paste.text')), box, kindRow, found, preview, systemRow, mode),
    ],
    ok: t('paste.ok'),
    submit: async () => {
      await recognise();
      const way = chosen();
      if (!way?.examples.length) throw new Error(t('paste.empty'));
      return {
        system: way.system && system.checked ? way.system : null,
        examples: way.examples,
        replace: modes[1].checked,
      };
    },
  });
  box.focus();
  const answer = await done;
  if (answer) onDone(answer);
}

function factsOf(way) {
  if (!way) return t('paste.nothing');
  const { kind, detail, examples, n_problems: bad, problems } = way;
  const parts = [t(`paste.kind.${kind}`, { name: detail }), t('paste.examples', { n: examples.length })];
  const open = examples.filter(({ answer }) => !answer.trim()).length;
  if (open) parts.push(t('paste.unanswered', { n: open }));
  if (bad) parts.push(t('paste.problems', { n: bad, place: problems[0][0], message: problems[0][1] }));
  return parts.join(' · ');
}
