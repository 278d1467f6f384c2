"""N assistants answer one conversation at once; their events come as one stream.

Knows no page: whoever reads decides how often to draw. Each side runs in a thread of its own, because each
model does its work in a process of its own; an error of one side is that side's reply and never the others'.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from playground.chat.assistant import Assistant, fit
from playground.engines.base import Cancel, Delta, Engine, Finished, GenerateRequest
from playground.errors import PlaygroundError
from playground.prompts.thinking import ThinkingWatch, with_thinking
from playground.types import Message, Origin, Piece, Prompt, Reply, SamplingParams, Token, Usage


@dataclass(frozen=True, slots=True)
class Begun:
    """What an answer begins with: the tokens kept of an earlier one, and the text that they stand for.

    The text is for engines that take no token ids; there it is cut into tokens anew.
    """

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class SideRun:
    """One side's share of a comparison.

    ``prepare`` gives the assistant and its loaded model. It runs in the side's own thread, because it may
    wait for the model to load, and it may raise a PlaygroundError, which is then this side's answer.
    ``begun`` is what the answer goes on from; it comes back as the first of its text.
    """

    side: str
    prepare: Callable[[], tuple[Assistant, Engine]]
    messages: tuple[Message, ...]
    logprobs: int | None = None
    begun: Begun | None = None


@dataclass(frozen=True, slots=True)
class SideStarted:
    """The prompt that a side sends, and its size in tokens."""

    side: str
    prompt: Prompt
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class SideDelta:
    """New text of a side, with the tokens that begin in what was shown so far.

    ``thinking_chars`` says how much of all of the side's text so far is thinking.
    """

    side: str
    text: str
    tokens: tuple[Token, ...] = ()
    thinking_chars: int = 0


@dataclass(frozen=True, slots=True)
class SideFinished:
    """The one final event of a side. ``first_token_s`` is None where no token came."""

    side: str
    reply: Reply
    seed: int = 0
    first_token_s: float | None = None


SideEvent = SideStarted | SideDelta | SideFinished


def answer(run: SideRun, *, cancel: Cancel | None = None) -> Iterator[SideEvent]:
    """One side's events: started, deltas, and exactly one finished. Closing it cancels the generation."""
    text: list[str] = []
    tokens: list[Token] = []
    prompt = Prompt(())
    try:
        assistant, engine = run.prepare()
        prompt, n_prompt = fit(
            assistant.renderer,
            run.messages,
            count=lambda p: len(engine.tokenize(p.pieces)),
            n_ctx=engine.info.n_ctx,
            max_tokens=assistant.sampling.max_tokens,
        )
        yield SideStarted(run.side, prompt, n_prompt)
        request, said = request_for(engine, prompt, assistant.sampling, run)
        lead = prompt.lead
        watch = ThinkingWatch(prompt)
        if said:
            lead = ""
            text.append(said)
            yield SideDelta(run.side, said, thinking_chars=watch.add(said))
        events = engine.generate([request], cancel=cancel)
        try:
            for event in events:
                if isinstance(event, Finished):
                    reply = Reply("".join(text), tuple(tokens), event.finish_reason, event.usage, event.error)
                    reply = with_thinking(reply, prompt)
                    yield SideFinished(run.side, reply, event.seed, first_token_s(event.usage))
                    return
                shown, lead = without_lead(event, lead)
                text.append(shown)
                tokens.extend(event.tokens)
                yield SideDelta(run.side, shown, event.tokens, watch.add(shown))
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()
        raise PlaygroundError("The model ended without finishing its answer; try again.")
    except PlaygroundError as error:
        reply = Reply("".join(text), tuple(tokens), "error", error=str(error))
        yield SideFinished(run.side, with_thinking(reply, prompt))


def request_for(
    engine: Engine, prompt: Prompt, sampling: SamplingParams, run: SideRun, *, n: int = 1
) -> tuple[GenerateRequest, str]:
    """What a side asks its engine for, and the text that the answer has before the engine says anything."""
    request = GenerateRequest(prompt.pieces, sampling, prompt.stop, n, run.logprobs)
    if run.begun is None:
        return request, ""
    if "resume" in engine.info.capabilities and run.begun.ids:
        return replace(request, begun=run.begun.ids), ""
    kept = Piece(prompt.lead + run.begun.text, Origin("turn", "answer"))
    return replace(request, prompt=(*prompt.pieces, kept)), run.begun.text


def compare(runs: Sequence[SideRun], *, cancel: Cancel | None = None) -> Iterator[SideEvent]:
    """All sides' events merged as they happen; ends when every side has finished.

    Closing the iterator cancels what still runs and does not wait for it.
    """
    stop = cancel or Cancel()
    merged: queue.SimpleQueue[SideEvent | BaseException] = queue.SimpleQueue()

    def work(run: SideRun) -> None:
        try:
            for event in answer(run, cancel=stop):
                merged.put(event)
        except BaseException as error:  # noqa: BLE001  (handed to the reader, who raises it)
            merged.put(error)

    for run in runs:
        context = contextvars.copy_context()
        side = threading.Thread(target=context.run, args=(work, run), name=f"side-{run.side}", daemon=True)
        side.start()
    open_sides = len(runs)
    try:
        while open_sides:
            event = merged.get()
            if isinstance(event, BaseException):
                raise event
            open_sides -= isinstance(event, SideFinished)
            yield event
    finally:
        if open_sides:
            stop.set()


@dataclass(frozen=True, slots=True)
class BatchReply:
    """One finished reply of a batch: ``index`` of its request, and the seed and stop that it ended with."""

    index: int
    reply: Reply
    seed: int
    stop: str | None = None


def batch_replies(
    engine: Engine,
    requests: Sequence[GenerateRequest],
    leads: Sequence[str],
    *,
    cancel: Cancel | None = None,
) -> Iterator[BatchReply]:
    """Replies to many requests of one sample each, as they finish: a fold over the engine's stream.

    Batch work (experiments, checks) goes down the same path as the page: same stops, same lead. ``leads`` are
    the prompts' own. A failed request is a reply with the finish reason ``error``.
    """
    texts: list[list[str]] = [[] for _ in requests]
    tokens: list[list[Token]] = [[] for _ in requests]
    left = list(leads)
    for event in engine.generate(requests, cancel=cancel):
        i = event.request
        if isinstance(event, Finished):
            reply = Reply("".join(texts[i]), tuple(tokens[i]), event.finish_reason, event.usage, event.error)
            texts[i], tokens[i] = [], []
            yield BatchReply(i, reply, event.seed, event.stop)
        else:
            shown, left[i] = without_lead(event, left[i])
            texts[i].append(shown)
            tokens[i].extend(event.tokens)


def complete(
    engine: Engine, prompts: Sequence[Prompt], sampling: SamplingParams, *, cancel: Cancel | None = None
) -> list[Reply]:
    """The finished replies to many prompts at once, in their order."""
    replies: list[Reply] = [Reply("", finish_reason="error", error="The model ended early.") for _ in prompts]
    requests = [GenerateRequest(prompt.pieces, sampling, prompt.stop) for prompt in prompts]
    for done in batch_replies(engine, requests, [prompt.lead for prompt in prompts], cancel=cancel):
        replies[done.index] = with_thinking(done.reply, prompts[done.index])
    return replies


def without_lead(event: Delta, lead: str) -> tuple[str, str]:
    """The delta's text without what is left of the lead, and what is still to be dropped."""
    text = event.text
    while lead and text:
        if text[0] != lead[0]:
            return text, ""
        text, lead = text[1:], lead[1:]
    return text, lead


def first_token_s(usage: Usage) -> float | None:
    """Seconds to the first token, as the engine measured them; None where no token came."""
    return usage.prefill_s if usage.completion_tokens else None
