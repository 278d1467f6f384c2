"""What a side's model thinks of an answer, and several answers at once: for whoever looks at tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from playground.chat.assistant import Assistant, fit
from playground.chat.compare import SideEvent, SideRun
from playground.chat.conversation import Conversation
from playground.chat.samples import draw_samples
from playground.engines.base import Cancel, Engine, Scores
from playground.engines.limits import far_over_refusal
from playground.errors import ContextLengthError, ConversationError
from playground.presets.preset import Preset
from playground.services.workbench import SideSpec, Workbench
from playground.types import Origin, Piece

TOP = 5


def score_answer(
    bench: Workbench,
    side: str,
    spec: SideSpec,
    draft: Preset | None,
    conversation: Conversation,
    text: str,
    *,
    top: int = TOP,
    cancel: Cancel | None = None,
) -> Scores:
    """A text as the answer to the conversation's open turn, whoever wrote it: one forward over all of it.

    Raises:
        ConversationError: The text is empty.
        ContextLengthError: Prompt and text do not fit.
        UnsupportedError: The engine cannot score.
    """
    if not text:
        raise ConversationError("There is no text to score; write some.")
    assistant = bench.assistant(spec, draft)
    engine = bench.engine(spec.model)
    refusal = far_over_refusal([text], engine.info.n_ctx, "The text to score")
    if refusal is not None:
        raise ContextLengthError(refusal)
    prompt, _ = fit(
        assistant.renderer,
        conversation.messages(side),
        count=lambda p: len(engine.tokenize(p.pieces)),
        n_ctx=engine.info.n_ctx,
        max_tokens=assistant.sampling.max_tokens,
    )
    context = prompt.pieces
    if prompt.lead:  # what the model would have written before the answer is no part of it
        context = (*context, Piece(prompt.lead, Origin("turn", "template")))
    return engine.score(context, [Piece(text, Origin("turn", "answer"))], top=top, cancel=cancel)


def sample_answers(
    bench: Workbench,
    side: str,
    spec: SideSpec,
    draft: Preset | None,
    conversation: Conversation,
    names: Sequence[str],
    *,
    temperature: float | None = None,
    logprobs: int | None = None,
    cancel: Cancel | None = None,
) -> Iterator[SideEvent]:
    """As many answers to the open turn as there are names; see ``chat.samples``.

    ``temperature`` stands in place of the preset's, because greedy samples are all the same.
    """

    def prepare() -> tuple[Assistant, Engine]:
        assistant = bench.assistant(spec, draft)
        if temperature is not None:
            assistant = replace(assistant, sampling=replace(assistant.sampling, temperature=temperature))
        return assistant, bench.engine(spec.model)

    run = SideRun(side, prepare, conversation.messages(side), logprobs)
    return draw_samples(run, names, cancel=cancel)
