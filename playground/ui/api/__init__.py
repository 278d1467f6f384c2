"""What the page can ask Python for: one module a topic, joined here.

A topic is a class with ``calls()`` (small functions from one JSON text to another) and, where it writes for
a while, ``streams()``. None holds a session: whatever belongs to a tab comes with each call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from playground.services import Workbench
from playground.ui.api.answers import AnswerCalls
from playground.ui.api.binding import Binding, Call, Stream
from playground.ui.api.examples import ExampleCalls
from playground.ui.api.experiments import ExperimentCalls
from playground.ui.api.models import ModelCalls
from playground.ui.api.notebook import NotebookCalls
from playground.ui.api.preset_imports import PresetImportCalls
from playground.ui.api.preset_sharing import PresetSharingCalls
from playground.ui.api.presets import PresetCalls
from playground.ui.api.prompts import PromptCalls
from playground.ui.api.shift import ShiftCalls
from playground.ui.api.start import StartCalls, default_sides
from playground.ui.api.studio import StudioCalls
from playground.ui.api.tokens import TokenCalls
from playground.ui.gate import Gate, OpenGate
from playground.ui.redaction import Folders
from playground.ui.streaming import Runs
from playground.ui.strings import Strings

__all__ = ["PageApi", "Stream", "default_sides"]


class Topic(Protocol):
    """What a module of this package offers."""

    def calls(self) -> list[Call]:
        """The calls by the names that the JavaScript uses."""
        ...


class WritingTopic(Topic, Protocol):
    """A module that also writes for a while."""

    def streams(self) -> list[Stream]:
        """What can be asked to write."""
        ...


class PageApi:
    """All of the page's calls and streams, each behind the gate."""

    def __init__(
        self,
        workbench: Workbench,
        runs: Runs,
        strings: Strings,
        gate: Gate | None = None,
        *,
        looks_at_paths: bool = True,
    ) -> None:
        gate = gate or OpenGate()
        self._binding = Binding(strings, gate, Folders.of(workbench.settings))
        self._writers: list[WritingTopic] = [
            AnswerCalls(workbench, runs),
            NotebookCalls(workbench),
            TokenCalls(workbench),
        ]
        self._topics: list[Topic] = [
            StartCalls(workbench, gate),
            PromptCalls(workbench, strings),
            PresetCalls(workbench, strings),
            PresetImportCalls(workbench),
            PresetSharingCalls(workbench, strings),
            StudioCalls(workbench, strings),
            ShiftCalls(workbench),
            ModelCalls(workbench, strings, looks_at_paths=looks_at_paths),
            ExampleCalls(),
            ExperimentCalls(workbench),
            *self._writers,
        ]

    def calls(self) -> list[Callable[[str], str]]:
        """The functions by the names that the JavaScript uses."""
        return [self._binding.bound(call) for topic in self._topics for call in topic.calls()]

    def streams(self) -> list[Stream]:
        """What can be asked to write, each by its ``kind``."""
        return [self._binding.bound_stream(one) for topic in self._writers for one in topic.streams()]
