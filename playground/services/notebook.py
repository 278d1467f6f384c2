"""A text without any template that a model continues: the same path as a side, with the bare renderer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from playground.chat.assistant import Assistant, bare_renderer
from playground.chat.compare import SideEvent, SideRun, compare
from playground.engines.base import Cancel, Engine
from playground.engines.limits import context_refusal, far_over_refusal
from playground.errors import ContextLengthError
from playground.prompts.render import Renderer
from playground.services.workbench import Workbench
from playground.types import Message, Origin, Piece, Prompt, SamplingParams

SIDE = "N"


@dataclass(frozen=True, slots=True)
class SpecialTextRenderer:
    """The words themselves, in which special tokens written out are special tokens. It is asked for."""

    def render(self, messages: Sequence[Message]) -> Prompt:
        """The messages' texts joined, as one piece."""
        text = "".join(message.content for message in messages)
        pieces = (Piece(text, Origin("turn", "query"), parse_special=True),) if text else ()
        return Prompt(pieces)


def text_renderer(*, special: bool) -> Renderer:
    """How a notebook's text becomes a prompt: as it is, special tokens as plain text unless ``special``."""
    return SpecialTextRenderer() if special else bare_renderer()


def text_prompt(text: str, *, special: bool) -> Prompt:
    """The prompt of a notebook's text."""
    return text_renderer(special=special).render([Message("user", text)])


def continue_text(
    bench: Workbench,
    model: str,
    text: str,
    sampling: SamplingParams,
    *,
    special: bool = False,
    cancel: Cancel | None = None,
) -> Iterator[SideEvent]:
    """Events of one side, ``SIDE``, that continues ``text`` exactly as it is.

    Nothing ends it but the end of text, the length limit and ``cancel``: without a template there is no stop.
    """

    def prepared() -> tuple[Assistant, Engine]:
        engine = bench.engine(model)
        refusal = far_over_refusal([text], engine.info.n_ctx, "The text before the cursor")
        if refusal is not None:
            raise ContextLengthError(refusal)
        tokens = len(engine.tokenize(text_prompt(text, special=special).pieces))
        if tokens and context_refusal(tokens, engine.info.n_ctx) is not None:
            raise ContextLengthError(
                f"The text before the cursor has {tokens:,} tokens and the context holds "
                f"{engine.info.n_ctx:,}; shorten it, or start further down in another notebook."
            )
        entry = bench.catalog.get(model)
        return Assistant(entry.title, entry.id, text_renderer(special=special), sampling), engine

    return compare([SideRun(SIDE, prepared, (Message("user", text),))], cancel=cancel)
