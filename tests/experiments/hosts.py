"""A host of experiments without a catalog: engines by name, prompted with the built-in templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from playground.chat.assistant import Assistant, bare_renderer, preset_renderer
from playground.engines.base import Engine
from playground.errors import ModelNotFoundError
from playground.experiments.assistants import Tag
from playground.experiments.questions import Asked, Question, QuestionSet
from playground.presets.preset import Preset
from playground.types import SamplingParams


class PlainHost:
    """Gives the engines it was given; ``fingerprint`` stands for the weights."""

    def __init__(self, *, fingerprint: str = "one", **engines: Callable[[], Engine]) -> None:
        self._make = engines
        self._engines: dict[str, Engine] = {}
        self.fingerprint = fingerprint

    def engine(self, model: str) -> Engine:
        if model not in self._make:
            raise ModelNotFoundError(f"There is no model '{model}'.")
        if model not in self._engines:
            self._engines[model] = self._make[model]()
        return self._engines[model]

    def assistant(self, model: str, preset: Preset | None) -> Assistant:
        renderer = preset_renderer(preset) if preset else bare_renderer()
        return Assistant(model, model, renderer, SamplingParams())

    def model_facts(self, model: str) -> Mapping[str, Tag]:
        return {"fingerprint": self.fingerprint}


def questions(n: int, *, turns: int = 1) -> QuestionSet:
    """``n`` questions with references."""
    return QuestionSet(
        "made",
        tuple(
            Question(
                f"q{i}",
                tuple(Asked(f"question {i} turn {t}", f"answer {i} {t}") for t in range(turns)),
                "even" if i % 2 == 0 else "odd",
                place=i + 1,
            )
            for i in range(n)
        ),
    )
