// Examples out of a data file: searched, filtered and sorted in Python, shown a page at a time.

import { decoderOf } from '../decoding.js';
import { ask, complain } from '../dialogs.js';
import { debounce, fill, h, iconButton } from '../dom.js';
import { count, t } from '../text.js';
import { call } from '../wire.js';

const PART_BYTES = 2_000_000;
const PAGE = 50;
const PAUSE_MS = 150;
const SORTS = ['file', 'shortest', 'longest', 'query'];

/** Let the person choose among a file's rows; `onDone(examples)` gets them. */
export async function openFile(file, onDone) {
  const id = `f${crypto.getRandomValues(new Uint32Array(2)).join('')}`;
  const view = rowsView(id);
  const progress = h('progress', { max: 1, value: 0, 'aria-label': t('pick.reading') });
  const stage = h('div.wide.pick', {}, h('p', {}, t('pick.reading')), progress);
  const facts = h('p.pick-facts', { role: 'status' });
  let open = true;
  const done = ask({
    title: file.name,
    body: [stage],
    ok: t('pick.ok', { n: 0 }),
    submit: async () => {
      if (!view.chosen.size) throw new Error(t('pick.none'));
      return call('data_take', { file: id, rows: [...view.chosen].sort((a, b) => a - b) });
    },
  });
  const confirm = stage.closest('dialog').querySelector('button[type=submit]');
  confirm.disabled = true;
  view.onChosen = () => {
    confirm.disabled = view.chosen.size === 0;
    fill(confirm, t('pick.ok', { n: view.chosen.size }));
  };
  const sent = send(file, id, (part) => (progress.value = part), () => open).then(
    async (held) => {
      if (!open) return;
      const show = async (found) => {
        view.chosen.clear();
        view.onChosen();
        fill(facts, factsOf(found));
        const columns = columnsOf(found, async (query, answer) => {
          try {
            await show(await call('data_columns', { file: id, query, answer }));
            stage.querySelector('#pick-column-query').focus();
          } catch (error) {
            complain(error);
          }
        });
        fill(stage, facts, notesOf(found), columns, problemsOf(found), view.element);
        await view.start(found);
      };
      await show(held);
    },
    (error) => {
      if (open) stage.closest('dialog').close();
      complain(error);
    },
  );
  const examples = await done;
  open = false;
  if (examples) onDone(examples);
  await sent;
  call('data_close', { file: id }).catch(() => {}); // the server forgets it by itself later
}

/** Send a file in parts that are whole characters; what it holds. */
async function send(file, id, progressed, wanted) {
  const decoder = decoderOf(await file.slice(0, 2).arrayBuffer());
  for (let at = 0; ; at += PART_BYTES) {
    const bytes = await file.slice(at, at + PART_BYTES).arrayBuffer();
    const last = at + PART_BYTES >= file.size;
    let text;
    try {
      text = decoder.decode(bytes, { stream: !last });
    } catch {
      throw new Error(t('pick.not_text', { name: file.name }));
    }
    if (!wanted()) return null;
    const held = await call('data_part', { file: id, name: file.name, text, last });
    progressed(Math.min(1, (at + PART_BYTES) / file.size));
    if (last) return held;
  }
}

function factsOf({ format, rows, answered }) {
  return [t(`pick.format.${format}`), t('pick.rows', { n: rows }), t('pick.answered', { n: answered })].join(' · ');
}

/** How the file was read: encoding, separator, columns. */
function notesOf({ notes }) {
  if (!notes.length) return null;
  return h(
    'ul.pick-notes.muted',
    {},
    notes.map((note) => h('li', {}, note)),
  );
}

/** Of a table, which columns are query and answer; `onChange(query, answer)` reads it again with others. */
function columnsOf({ available, columns }, onChange) {
  if (available.length < 2) return null;
  const select = (role, none) => {
    const options = [...(none ? [['', t('pick.column.none')]] : []), ...available.map((name) => [name, name])];
    return h(
      'select',
      { id: `pick-column-${role}`, onchange: () => onChange(query.value, answer.value) },
      options.map(([value, text]) => h('option', { value, selected: value === columns[role] }, text)),
    );
  };
  const query = select('query', false);
  const answer = select('answer', true);
  return h(
    'div.pick-filters',
    {},
    h('label.pick-limit', { for: query.id }, t('pick.column.query'), query),
    h('label.pick-limit', { for: answer.id }, t('pick.column.answer'), answer),
  );
}

function problemsOf({ n_problems: bad, problems }) {
  if (!bad) return null;
  return h(
    'details.pick-problems',
    {},
    h('summary', {}, t('pick.problems', { n: bad })),
    h(
      'ul',
      {},
      problems.map(([place, message]) => h('li', {}, t('pick.problem', { place, message }))),
      bad > problems.length && h('li', {}, t('paste.more', { n: bad - problems.length })),
    ),
  );
}

/** Search, filters and the list of rows. */
function rowsView(file) {
  const chosen = new Set(); // row ids, over all pages
  const search = h('input', { type: 'search', id: 'pick-search', placeholder: t('pick.search') });
  search.setAttribute('aria-label', t('pick.search'));
  const limits = Object.fromEntries(
    ['max_query', 'min_answer', 'max_answer'].map((name) => [
      name,
      h('input', { type: 'number', min: 0, step: 1, id: `pick-${name}`, inputMode: 'numeric' }),
    ]),
  );
  const answered = h('input', { type: 'checkbox', id: 'pick-answered' });
  const sort = h(
    'select',
    { id: 'pick-sort' },
    SORTS.map((name) => h('option', { value: name }, t(`pick.sort.${name}`))),
  );
  const all = h('input', { type: 'checkbox', id: 'pick-all' });
  const list = h('ul.pick-rows', { 'aria-label': t('pick.list'), tabIndex: 0 });
  const place = h('span.pick-place', { role: 'status' });
  const before = iconButton('back', t('pick.before'), () => turn(-PAGE));
  const after = iconButton('chevron', t('pick.after'), () => turn(PAGE));
  let start = 0;
  let total = 0;
  let shown = [];
  let asked = 0;

  const element = h(
    'div.pick-view',
    {},
    h(
      'div.pick-filters',
      {},
      search,
      Object.entries(limits).map(([name, input]) =>
        h('label.pick-limit', { for: input.id }, t(`pick.${name}`), input),
      ),
      h('label.pick-limit', { for: sort.id }, t('pick.sort'), sort),
      h('label.check', { for: answered.id }, answered, t('pick.only_answered')),
    ),
    list,
    h(
      'div.pick-foot',
      {},
      h('label.check', { for: all.id }, all, t('pick.all')),
      h('span.grow'),
      place,
      before,
      after,
    ),
  );
  const view = { element, chosen, onChosen: () => {}, start: begin };

  async function begin(held) {
    answered.checked = held.answered > 0;
    start = 0;
    await draw();
    search.focus();
  }

  const number = (input) => (input.value === '' || !input.validity.valid ? null : Math.floor(Number(input.value)));

  async function draw() {
    const mine = (asked += 1);
    const wanted = Object.fromEntries(Object.entries(limits).map(([name, input]) => [name, number(input)]));
    let answer;
    try {
      answer = await call('data_rows', {
        file,
        search: search.value,
        answered: answered.checked,
        sort: sort.value,
        start,
        count: PAGE,
        ...wanted,
      });
    } catch (error) {
      return complain(error);
    }
    if (mine !== asked) return; // something else was asked for meanwhile
    ({ total, rows: shown } = answer);
    fill(list, shown.map(row), !shown.length && h('li.none', {}, t('pick.nothing')));
    list.scrollTop = 0;
    fill(place, t('pick.place', { from: total ? start + 1 : 0, to: start + shown.length, n: total }));
    before.disabled = start === 0;
    after.disabled = start + PAGE >= total;
    drawAll();
  }

  function row({ row: id, place: at, query, answer, characters: [long, longer] }) {
    const box = h('input', { type: 'checkbox', checked: chosen.has(id) });
    box.addEventListener('change', () => {
      if (box.checked) chosen.add(id);
      else chosen.delete(id);
      drawAll();
      view.onChosen();
    });
    return h(
      'li',
      {},
      h(
        'label',
        {},
        box,
        h('span.pick-at', {}, typeof at === 'number' ? count(at) : at),
        h('span.pick-texts', {}, h('span.asked', {}, query), h('span.answered', {}, answer || t('paste.no_answer'))),
        h('span.tokens', { title: t('pick.characters') }, `${count(long)} + ${count(longer)}`),
      ),
    );
  }

  function drawAll() {
    all.checked = shown.length > 0 && shown.every(({ row: id }) => chosen.has(id));
    all.disabled = !shown.length;
  }

  function turn(by) {
    start = Math.max(0, start + by);
    draw();
  }

  all.addEventListener('change', () => {
    for (const { row: id } of shown) all.checked ? chosen.add(id) : chosen.delete(id);
    for (const box of list.querySelectorAll('input')) box.checked = all.checked;
    view.onChosen();
  });
  const again = debounce(() => {
    start = 0;
    draw();
  }, PAUSE_MS);
  for (const input of [search, ...Object.values(limits), answered, sort]) {
    input.addEventListener('input', again);
    input.addEventListener('keydown', (event) => event.key === 'Enter' && event.preventDefault());
  }
  return view;
}
