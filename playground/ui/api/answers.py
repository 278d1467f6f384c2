"""Answers: the run of a chat, stopping what writes, and the look of what was written."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from playground.chat.compare import Begun, SideEvent
from playground.chat.conversation import Conversation
from playground.engines.base import Cancel
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.ui.api.binding import Call, Stream
from playground.ui.markdown import MarkdownRenderer
from playground.ui.streaming import Runs
from playground.ui.wire_format import NameIn, RunIn, TextsIn

MAX_MARKDOWN = 200_000
"""Of one call; it takes the parser some seconds."""


class AnswerCalls:
    """Runs of conversations."""

    def __init__(self, workbench: Workbench, runs: Runs) -> None:
        self._bench = workbench
        self._runs = runs
        self._markdown = MarkdownRenderer()

    def calls(self) -> list[Call]:
        """``markdown`` and ``stop``."""
        return [
            Call.of("markdown", TextsIn, self.markdown),
            Call.of("stop", NameIn, self.stop),
        ]

    def streams(self) -> list[Stream]:
        """``run``."""
        return [Stream.of("run", RunIn, self.run)]

    def run(self, query: RunIn, cancel: Cancel) -> Iterator[SideEvent]:
        """Answer the conversation's open turn on every side."""
        return self._bench.run(
            [(side.id, side.spec()) for side in query.sides],
            Preset.checked(query.draft),
            Conversation.from_json(query.conversation),
            cancel=cancel,
            logprobs=query.logprobs,
            sampling=query.sampling.params() if query.sampling else None,
            begun={side: Begun(begun.ids, begun.text) for side, begun in query.begun.items()},
        )

    def markdown(self, query: TextsIn) -> object:
        """Each text as safe HTML; beyond ``MAX_MARKDOWN`` characters in all, as it is."""
        rendered, left = [], MAX_MARKDOWN
        for text in query.texts:
            left -= len(text)
            rendered.append(self._markdown.html(text) if left >= 0 else f"<pre>{escape(text)}</pre>")
        return rendered

    def stop(self, query: NameIn) -> object:
        """Stop a run."""
        self._runs.stop(query.name)
        return None
