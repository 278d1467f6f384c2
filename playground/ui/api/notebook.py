"""The notebook: continue a text, and count its tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from playground.chat.compare import SideEvent
from playground.engines.base import Cancel
from playground.engines.limits import far_over
from playground.presets.preset import PresetSampling
from playground.services import Workbench
from playground.services.notebook import SIDE, continue_text, text_prompt
from playground.ui.api.binding import Call, Stream
from playground.ui.wire_format import Incoming, StreamIn


class ContinueIn(StreamIn):
    """Ask for ``text`` to be continued."""

    kind: Literal["continue"]
    model: str
    text: str
    sampling: PresetSampling
    special: bool = False

    def side_ids(self) -> tuple[str, ...]:
        """The one side."""
        return (SIDE,)


class TextIn(Incoming):
    """A notebook's text, up to where it would be continued and behind that."""

    model: str
    before: str
    after: str = ""
    special: bool = False


class NotebookCalls:
    """A text and a model."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench

    def calls(self) -> list[Call]:
        """``text_tokens``."""
        return [Call.of("text_tokens", TextIn, self.text_tokens)]

    def streams(self) -> list[Stream]:
        """``continue``."""
        return [Stream.of("continue", ContinueIn, self.continue_text)]

    def continue_text(self, query: ContinueIn, cancel: Cancel) -> Iterator[SideEvent]:
        """Continue a text."""
        return continue_text(
            self._bench,
            query.model,
            query.text,
            query.sampling.params(),
            special=query.special,
            cancel=cancel,
        )

    def text_tokens(self, query: TextIn) -> object:
        """Tokens before the cursor and in all, if the model is there to count; it is not loaded for that."""
        state = next((state for state in self._bench.model_states() if state.id == query.model), None)
        if state is None or state.status != "ready":
            return None
        engine = self._bench.engine(query.model)
        if far_over((query.before, query.after), engine.info.n_ctx):
            return None  # it is refused when it is to be continued; counting would keep others waiting
        before = text_prompt(query.before, special=query.special)
        whole = text_prompt(query.before + query.after, special=query.special)
        n_before = len(engine.tokenize(before.pieces))
        return {
            "before": n_before,
            "total": len(engine.tokenize(whole.pieces)) if query.after else n_before,
            "n_ctx": engine.info.n_ctx,
        }
