// One generation of a notebook: asked for, heard of piece by piece, and ended, whatever happens.

import { t } from '../text.js';
import { call, leave, start } from '../wire.js';

const LINE = 'notebook_wire';
const LAST_LINES_MS = 500;

/** The generation under way: {id, stopping}, or null. */
export let writing = null;

/** Continue `text`; `heard` is told `began(tokens)`, `wrote(text, tokens)` and once `ended(reply)`. */
export function write({ text, model, sampling, special }, heard) {
  const id = `n${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  const mine = (writing = { id, stopping: false, tokens: 0, text: '' });

  function wrote(more, tokens) {
    mine.tokens = tokens;
    mine.text += more;
    heard.wrote(more, tokens);
  }

  function ended(reply) {
    if (writing !== mine) return;
    writing = null;
    leave(LINE);
    removeEventListener('playground-notebook-run-over', over);
    heard.ended(reply);
  }

  function over() {
    const error = t('server.unexpected');
    setTimeout(() => ended({ finish_reason: 'error', error }), LAST_LINES_MS); // its last lines may still come
  }

  addEventListener('playground-notebook-run-over', over);
  start(
    { kind: 'continue', run: id, model, text, sampling, special },
    (line) => {
      if (line.at === 'start') heard.began(line.prompt_tokens);
      else if (line.at === 'text') wrote(line.text, mine.tokens + line.tokens);
      else if (line.at === 'all') wrote(line.text.slice(mine.text.length), line.tokens);
      else if (line.at === 'end') {
        const rest = line.reply.text.slice(mine.text.length);
        if (rest) wrote(rest, mine.tokens);
        ended(line.reply);
      } else if (line.at === 'cut') ended({ finish_reason: line.finish_reason, error: line.error });
    },
    LINE,
  );
}

/** Stop; what was written stands. */
export function stop() {
  if (!writing || writing.stopping) return;
  writing.stopping = true;
  call('stop', { name: writing.id }).catch(() => {});
}
