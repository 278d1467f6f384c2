// One turn on one side: the question, the answer exactly as written or as Markdown, and its figures.

import { complain } from './dialogs.js';
import { fill, h, icon, iconButton } from './dom.js';
import { answerBar, swapToken } from './answer_bar.js';
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
  const state = h('p.state');
  const trouble = h('div.trouble', { role: 'alert', hidden: true });
  const figures = h('p.figures');
  const element = h(
    'article.turn',
    {},
    question,
    reply ? body : h('p.state.not-asked', {}, t('reply.none'), again()),
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
    last = document.createTextNode(reply.text);
    fill(body, last);
    body.className = 'answer raw';
    shown = 'raw';
  }

  function drawMarkdown() {
    if (shown === 'markdown') return;
    leaveLens();
    if (!shown) drawRaw(); // until it is there
    shown = 'markdown';
    settled = rendered(reply.text).then(
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
    const asWritten = open || session.view.raw || reply.error || !reply.text.trim();
    if (looksAtTokens()) drawLens();
    else if (asWritten && (shown !== 'raw' || !open)) drawRaw();
    else if (!asWritten) drawMarkdown();
    const nothing = !open && !reply.text && !reply.error;
    fill(state, open ? stateText(live) : nothing ? t('reply.empty') : '');
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
      if (shown !== 'raw') return drawRaw();
      if (!state.hidden) state.hidden = true;
      if (last.length < NODE_CHARS) last.appendData(text);
      else body.append((last = document.createTextNode(text)));
    },
    get settled() {
      return settled;
    },
  };
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
  const copy = iconButton('copy', t('reply.copy'), () =>
    navigator.clipboard.writeText(reply.text).catch(complain),
  );
  return [...parts, reply.text ? copy : null];
}
