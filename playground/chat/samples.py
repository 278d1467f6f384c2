"""Several answers of one side to one question: one request, so that the prompt is computed once.

Each sample is told as if it were a side of its own, so that whoever shows sides can show samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from playground.chat.assistant import fit
from playground.chat.compare import (
    SideDelta,
    SideEvent,
    SideFinished,
    SideRun,
    SideStarted,
    first_token_s,
    request_for,
    without_lead,
)
from playground.engines.base import Cancel, Finished
from playground.errors import PlaygroundError
from playground.prompts.thinking import ThinkingWatch, with_thinking
from playground.types import Prompt, Reply, Token


def draw_samples(run: SideRun, names: Sequence[str], *, cancel: Cancel | None = None) -> Iterator[SideEvent]:
    """As many answers as there are names, drawn together; each ends with exactly one ``SideFinished``.

    Sample i is seeded with the request's seed + i. Closing the iterator cancels what still runs.
    """
    texts: list[list[str]] = [[] for _ in names]
    tokens: list[list[Token]] = [[] for _ in names]
    open_samples = set(range(len(names)))
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
        for name in names:
            yield SideStarted(name, prompt, n_prompt)
        request, said = request_for(engine, prompt, assistant.sampling, run, n=len(names))
        leads = ["" if said else prompt.lead] * len(names)
        watches = [ThinkingWatch(prompt) for _ in names]
        for i, name in enumerate(names):
            if said:
                texts[i].append(said)
                yield SideDelta(name, said, thinking_chars=watches[i].add(said))
        events = engine.generate([request], cancel=cancel)
        try:
            for event in events:
                i = event.sample
                if isinstance(event, Finished):
                    open_samples.discard(i)
                    reply = Reply(
                        "".join(texts[i]), tuple(tokens[i]), event.finish_reason, event.usage, event.error
                    )
                    reply = with_thinking(reply, prompt)
                    yield SideFinished(names[i], reply, event.seed, first_token_s(event.usage))
                    continue
                shown, leads[i] = without_lead(event, leads[i])
                texts[i].append(shown)
                tokens[i].extend(event.tokens)
                yield SideDelta(names[i], shown, event.tokens, watches[i].add(shown))
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()
        if open_samples:
            raise PlaygroundError("The model ended without finishing its answers; try again.")
    except PlaygroundError as error:
        for i in sorted(open_samples):
            reply = Reply("".join(texts[i]), tuple(tokens[i]), "error", error=str(error))
            yield SideFinished(names[i], with_thinking(reply, prompt))
