// The lines to Python: small calls, and streams of what is being written.

import { answered } from './space.js';
import { t } from './text.js';

const MAX_REQUEST_BYTES = 32_000_000; // as in guard.py, which refuses more without a word that reached the page

let hooks = null; // of the line that also carries the calls
let mounted;
const ready = new Promise((resolve) => (mounted = resolve));
const lines = new Map(); // by name: its hooks, what of its text was read, and who reads it

/** `wire` carries the calls and the chat's runs; the others one run each at a time, beside it. */
export function mount(element, given) {
  const line = { hooks: given, part: 0, seen: 0, reader: null };
  lines.set(given.name, line);
  given.watch('value', () => read(line));
  if (given.name !== 'wire') return;
  hooks = given;
  mounted();
}

/** What a call answered; a sentence fit for a person is thrown as a `Refusal`. */
export class Refusal extends Error {}

export function call(name, body) {
  return answered(name, body, ask);
}

async function ask(name, body) {
  await ready;
  const text = JSON.stringify(body);
  if (text.length > MAX_REQUEST_BYTES / 4 && requestBytes(text) > MAX_REQUEST_BYTES) {
    throw new Refusal(t('server.too_large', { limit: MAX_REQUEST_BYTES / 1e6 }));
  }
  let answer;
  try {
    answer = JSON.parse(await hooks.server[name](text));
  } catch (error) {
    throw new Unreachable(String(error));
  }
  if ('error' in answer) throw new Refusal(answer.error);
  return answer.value;
}

/** What a text takes as the argument of a request, with some room for the rest of it. */
function requestBytes(text) {
  return new Blob([JSON.stringify(text)]).size + 1000;
}

/** The server did not answer at all. */
export class Unreachable extends Error {}

/** Start a run; `onLine` gets each line as it comes. One run at a time on each line. */
export function start(request, onLine, name = 'wire') {
  const line = lines.get(name);
  line.part = line.seen = 0;
  line.reader = { run: request.run, onLine };
  line.hooks.trigger('click', { request: JSON.stringify(request) });
}

/** Read no more of the run under way. */
export function leave(name = 'wire') {
  lines.get(name).reader = null;
}

// The value grows line by line, so a redraw that was skipped loses nothing; now and then it starts afresh,
// as another part, with all that was written so far.
function read(line) {
  const text = line.hooks.props.value;
  if (!line.reader || !text) return;
  const opening = JSON.parse(text.slice(0, text.indexOf('\n')));
  if (opening.run !== line.reader.run) return; // the end of an earlier run
  if (opening.part !== line.part) {
    line.part = opening.part;
    line.seen = 0;
  }
  const end = text.lastIndexOf('\n') + 1;
  if (end <= line.seen) return;
  const said = text.slice(line.seen, end).split('\n');
  line.seen = end;
  for (const one of said) if (one) line.reader?.onLine(JSON.parse(one));
}
