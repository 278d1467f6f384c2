// One turn on one side: the question, the answer exactly as written or as Markdown, and its figures.

import { complain } from './dialogs.js';
import { fill, h, icon, iconButton } from './dom.js';
import { answerBar, swapToken } from './answer_bar.js';
import { saidBy } from './answers.js';
import { lensView } from './lens.js';
import { lensMode } from './lens_mode.js';
import { rendered } from './markdown.js';
import { current } from './run.js';
import { session } from './store.js';
import { count, has, seconds, t } from './text.js';
import { inspectable } from './token_card.js';
import { hasTokens, meansOf } from './tokens.js';

const NODE_CHARS = 400;

/** `question` is the element that shows the turn's query; `again` makes a button that has the side answer anew. */
export function replyView(turn, reply, { question, again, side }) {
  let last = null; // the text node that grows
  const body = h('div.answer');
  const thinking = thinkingView(reply);
  const state = h('p.state');
  const trouble = h('div.trouble', { role: 'alert', hidden: true });
  const figures = h('p.figures');
  const element = h(
    'article.turn',
    {},
    question,
    reply ? [thinking.element, body] : h('p.state.not-asked', {}, t('reply.none'), again()),
    state,
    trouble,
    figures,
  );
  const lens = lensView(body, reply);
  let shown = ''; // 'raw', 'markdown' or 'lens'
  let settled = Promise.resolve();

  inspectable(body, () => {
    if (shown !== 'lens') return null;
    return { reply, onSwap: current ? null : (at, other) => swapToken(turn, side, reply, at, other) };
  });

  function looksAtTokens() {
    return lensMode() !== 'off' && hasTokens(reply);
  }

  function drawLens() {
    lens.draw();
    shown = 'lens';
    Object.assign(body, { tabIndex: 0, role: 'group', ariaLabel: t('lens.tokens') });
  }

  function leaveLens() {
    if (shown !== 'lens') return;
    for (const name of ['tabindex', 'role', 'aria-label']) body.removeAttribute(name);
    shown = '';
  }

  function drawRaw() {
    leaveLens();
    last = document.createTextNode(saidBy(reply));
    fill(body, last);
    body.className = 'answer raw';
    shown = 'raw';
  }

  function drawMarkdown() {
    if (shown === 'markdown') return;
    leaveLens();
    if (!shown) drawRaw(); // until it is there
    shown = 'markdown';
    settled = rendered(saidBy(reply)).then(
      (fragment) => {
        if (shown !== 'markdown') return;
        body.replaceChildren(fragment);
        body.className = 'answer markdown';
      },
      () => shown === 'markdown' && drawRaw(),
    );
  }

  /** Draw everything; `live` is the run's view of this side, or null once it is over. */
  function draw(live) {
    if (!reply) return;
    const open = live && live.state !== 'ended';
    element.classList.toggle('open', Boolean(open));
    // a failed answer may end anywhere in its Markdown, so it is shown as it was written
    const said = saidBy(reply);
    const asWritten = open || session.view.raw || reply.error || !said.trim();
    if (looksAtTokens()) drawLens();
    else if (asWritten && (shown !== 'raw' || !open)) drawRaw();
    else if (!asWritten) drawMarkdown();
    thinking.draw(open, shown === 'lens');
    const nothing = !open && !said && !reply.error;
    const why = reply.thinking_open ? 'reply.thinking_open' : 'reply.empty';
    fill(state, open ? stateText(live) : nothing ? t(why) : '');
    state.hidden = open ? live.state === 'writing' : !nothing;
    trouble.hidden = !reply.error;
    if (reply.error) fill(trouble, icon('warning'), h('span', {}, reply.error));
    figures.hidden = Boolean(open);
    if (!open) fill(figures, figuresOf(reply), again(), answerBar(turn, side, reply));
  }

  return {
    turn,
    reply,
    element,
    draw,
    // Short nodes, because a node that grows is laid out anew as a whole.
    add: (text) => {
      if (looksAtTokens()) {
        state.hidden = true;
        return shown === 'lens' ? lens.more() : drawLens();
      }
      const taken = thinking.draw(true, false);
      if (shown !== 'raw' || taken.less) return drawRaw();
      if (!state.hidden) state.hidden = true;
      const fresh = text.slice(Math.max(0, taken.chars - (reply.text.length - text.length)));
      if (last.length < NODE_CHARS) last.appendData(fresh);
      else body.append((last = document.createTextNode(fresh)));
    },
    get settled() {
      return settled;
    },
  };
}

/** The thinking of an answer, folded, with what it cost. */
function thinkingView(reply) {
  const summary = h('summary');
  const text = document.createTextNode('');
  const element = h('details.thinking', { hidden: true }, summary, h('pre', {}, text));
  let drawn = 0;

  /** Draw what there is; says how much that is, and whether it has become less. */
  function draw(open, asTokens) {
    const chars = reply?.thinking_chars ?? 0;
    const less = chars < drawn;
    element.hidden = !chars || asTokens;
    if (chars !== drawn) text.data = reply.text.slice(0, chars).trim();
    drawn = chars;
    if (chars && open && chars === reply.text.length) fill(summary, t('reply.thinking_now'));
    else if (chars) fill(summary, reply.thinking_tokens ? t('reply.thought', { n: reply.thinking_tokens }) : t('reply.thinking'));
    return { chars, less };
  }

  return { element, draw };
}

function stateText(live) {
  if (live.state === 'waiting') return t('reply.waiting');
  return t('reply.reading', { n: live.promptTokens });
}

function figuresOf(reply) {
  const { usage } = reply;
  const parts = [];
  const figure = (text, hint) => parts.push(h('span', { title: hint ?? '' }, text));
  if (usage?.completion_tokens) {
    figure(t('unit.tokens', { n: usage.completion_tokens }));
    // The first token's time is part of reading the prompt.
    if (usage.completion_tokens > 1 && usage.decode_s > 0)
      figure(t('reply.rate', { rate: (usage.completion_tokens - 1) / usage.decode_s }), t('reply.rate.hint'));
    if (reply.first_token_s !== null)
      figure(t('reply.first', { time: seconds(reply.first_token_s) }), t('reply.first.hint'));
  }
  const means = lensMode() === 'off' ? null : meansOf(reply.rows);
  if (means) {
    figure(t('lens.mean_logprob', { value: means.logprob.toFixed(2) }), t('lens.mean_logprob.hint'));
    figure(t('lens.perplexity', { value: means.perplexity.toFixed(2) }), t('lens.perplexity.hint'));
    figure(t('lens.mean_entropy', { value: means.entropy.toFixed(2) }), t('lens.mean_entropy.hint'));
    if (reply.scored) figure(t('lens.scored'), t('lens.scored.hint'));
  }
  if (reply.edited) figure(t('answer.edited'));
  const reason = `reply.${reply.finish_reason}`;
  if (has(reason)) figure(t(reason), t(`${reason}.hint`));
  if (usage?.prompt_tokens) {
    const { prompt_tokens: all, cached_tokens: cached } = usage;
    figure(t('reply.cached', { cached: count(cached), all: count(all) }), t('reply.cached.hint'));
  }
  if (reply.dropped_turns) figure(t('reply.dropped', { n: reply.dropped_turns }), t('reply.dropped.hint'));
  if (reply.thinking_open && saidBy(reply) === '') figure(t('reply.unfinished'), t('reply.thinking_open'));
  if (reply.notes?.length) figure(t('reply.adapted'), reply.notes.join('\n'));
  const copy = iconButton('copy', t('reply.copy'), () =>
    navigator.clipboard.writeText(saidBy(reply)).catch(complain),
  );
  return [...parts, saidBy(reply) ? copy : null];
}
