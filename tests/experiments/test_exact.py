"""In exact mode a run's answers are those of one question at a time; on the bundled base model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import PlainHost

from playground.engines.base import Engine
from playground.engines.load import EngineSpec, open_engine
from playground.experiments.assistants import AssistantSpec
from playground.experiments.questions import QuestionSet, pair_questions
from playground.experiments.run import Run
from playground.experiments.run_files import Plan
from playground.presets.library import PresetLibrary
from playground.settings import Settings
from playground.types import SamplingParams


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    path = Settings.load().shipped_models / "wren" / "wren-base-f16.gguf"
    opened = open_engine(EngineSpec(path=str(path), n_ctx=512, n_threads=1), in_process=True)
    yield opened
    opened.close()


def test_answers_together_are_those_of_one_at_a_time(engine: Engine, tmp_path: Path) -> None:
    settings = Settings.load()
    preset = PresetLibrary(settings.shipped_presets, settings.presets_dir).load("terse")
    asked = pair_questions(settings.shipped_models / "wren" / "check.jsonl").only(["two_turns"]).take(3)
    sampling = SamplingParams(temperature=0.9, max_tokens=8)
    spec = AssistantSpec("base", "base", preset, sampling)

    def answers(name: str, questions: QuestionSet) -> list[tuple[str, int, str]]:
        plan = Plan("evaluate", (spec,), questions, exact=True, seed=4)
        with Run.create(tmp_path / name, plan, PlainHost(base=lambda: engine)) as run:
            run.ask(run.plan.assistants, run.plan.questions.questions)
            return [(a.question, a.turn, a.text) for a in run.answers() if a.error is None]

    together = answers("together", asked)
    alone = [
        answer
        for i, question in enumerate(asked.questions)
        for answer in answers(str(i), QuestionSet("one", (question,), rivals=asked.rivals))
    ]
    assert len(together) == 6
    assert together == alone
