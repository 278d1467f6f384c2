// The line to Python: small calls, and the one stream of answers.

let hooks = null;
let mounted;
const ready = new Promise((resolve) => (mounted = resolve));
let part = 0; // of the stream
let seen = 0; // characters of that part that were read
let reader = null; // who reads the lines of the run under way

export function mount(element, given) {
  hooks = given;
  hooks.watch('value', read);
  mounted();
}

/** What a call answered; a sentence fit for a person is thrown as a `Refusal`. */
export class Refusal extends Error {}

export async function call(name, body) {
  await ready;
  let answer;
  try {
    answer = JSON.parse(await hooks.server[name](JSON.stringify(body)));
  } catch (error) {
    throw new Unreachable(String(error));
  }
  if ('error' in answer) throw new Refusal(answer.error);
  return answer.value;
}

/** The server did not answer at all. */
export class Unreachable extends Error {}

/** Start a run; `onLine` gets each line as it comes. One run at a time. */
export function start(request, onLine) {
  part = seen = 0;
  reader = { run: request.run, onLine };
  hooks.trigger('click', { request: JSON.stringify(request) });
}

/** Read no more of the run under way. */
export function leave() {
  reader = null;
}

// The value grows line by line, so a redraw that was skipped loses nothing; now and then it starts afresh,
// as another part, with all that was written so far.
function read() {
  const text = hooks.props.value;
  if (!reader || !text) return;
  const opening = JSON.parse(text.slice(0, text.indexOf('\n')));
  if (opening.run !== reader.run) return; // the end of an earlier run
  if (opening.part !== part) {
    part = opening.part;
    seen = 0;
  }
  const end = text.lastIndexOf('\n') + 1;
  if (end <= seen) return;
  const lines = text.slice(seen, end).split('\n');
  seen = end;
  for (const line of lines) if (line) reader?.onLine(JSON.parse(line));
}
