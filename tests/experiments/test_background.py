"""Runs in the background: started, watched, cancelled, resumed and read by name, over the real workbench."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.datasets import DataFileError
from playground.engines.base import Engine
from playground.engines.fake import FakeEngine
from playground.errors import ModelLoadError
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.judge import RuleJudge, judge_scores
from playground.experiments.run_files import Plan
from playground.experiments.verdicts import Verdict
from playground.models.catalog import ModelEntry
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.services.experiments import Experiments
from playground.settings import Settings


class Gate:
    """An engine whose second answer waits until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self, entry: ModelEntry) -> Engine:
        def words(number: int) -> Iterator[str]:
            yield f"answer {number}"
            if number == 2 and not self.open.is_set():
                self.reached.set()
                self.open.wait(30)

        def play(prompt: str, sample: int) -> Iterator[str]:
            return words(int(prompt.rsplit("number ", 1)[1].split()[0]))

        return FakeEngine(play)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def experiments(tmp_path: Path, gate: Gate) -> Iterator[Experiments]:
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path / "home")})
    with Workbench(settings, opener=gate) as workbench:
        made = Experiments(workbench)
        yield made
        gate.open.set()
        made.close()


def plan(experiments: Experiments, tmp_path: Path) -> Plan:
    path = tmp_path / "q.txt"
    path.write_text("number 1 is\nnumber 2 is\nnumber 3 is\n")
    return Plan(
        "evaluate",
        (AssistantSpec("base", "wren/base", Preset(name="p")),),
        experiments.questions(str(path)),
        ("tokens",),
    )


def test_a_run_is_watched_cancelled_resumed_and_read(
    experiments: Experiments, gate: Gate, tmp_path: Path
) -> None:
    run_id = experiments.start(plan(experiments, tmp_path), name="my first run")
    assert gate.reached.wait(30)
    shown = experiments.snapshot(run_id)
    assert shown is not None
    assert (shown.state, shown.total) == ("running", 3)
    with pytest.raises(ExperimentError, match="Another program"):
        experiments.resume(run_id)
    with pytest.raises(ExperimentError, match="no results yet"):
        experiments.results(run_id)
    experiments.cancel(run_id)
    gate.open.set()
    assert experiments.wait(run_id, 30)
    shown = experiments.snapshot(run_id)
    assert shown is not None
    assert shown.state == "cancelled"
    (entry,) = experiments.entries()
    assert (entry.id, entry.n, entry.assistants, entry.results) == (run_id, 3, ("base",), False)
    experiments.resume(run_id)
    assert experiments.wait(run_id, 30)
    shown = experiments.snapshot(run_id)
    assert shown is not None
    assert (shown.state, shown.error) == ("finished", "")
    counts = experiments.results(run_id)["counts"]
    assert isinstance(counts, dict)
    assert counts["answers"] == 3
    assert experiments.entries()[0].results


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    def opener(entry: ModelEntry) -> Engine:
        raise ModelLoadError("The file is broken; get it again.")

    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path / "home")})
    with Workbench(settings, opener=opener) as workbench:
        experiments = Experiments(workbench)
        run_id = experiments.start(plan(experiments, tmp_path))
        assert experiments.wait(run_id, 30)
        shown = experiments.snapshot(run_id)
        assert shown is not None
        assert (shown.state, shown.error) == ("failed", "The file is broken; get it again.")
        assert experiments.snapshot("another") is None


def test_a_stored_run_can_be_judged_in_the_background(
    experiments: Experiments, gate: Gate, tmp_path: Path
) -> None:
    gate.open.set()
    run_id = experiments.start(plan(experiments, tmp_path))
    assert experiments.wait(run_id, 30)
    said: list[Verdict] = []
    experiments.resume(run_id, work=lambda run: said.extend(judge_scores(run, RuleJudge("first"))))
    assert experiments.wait(run_id, 30)
    shown = experiments.snapshot(run_id)
    assert shown is not None
    assert (shown.state, shown.done, [v.score for v in said]) == ("finished", 3, [5.0] * 3)


def test_question_sets_by_name(experiments: Experiments, tmp_path: Path) -> None:
    assert {q.category for q in experiments.questions("wren:seen+told").questions} == {"seen", "told"}
    path = tmp_path / "a:b.txt"
    path.write_text("one\n")
    assert len(experiments.questions(str(path)).questions) == 1
    with pytest.raises(DataFileError, match="no category 'nothing'"):
        experiments.questions("wren:nothing")
    with pytest.raises(DataFileError, match="cannot be read"):
        experiments.questions("nowhere")
    with pytest.raises(ExperimentError, match="no run's name"):
        experiments.results("../other")
    facts = experiments.host.model_facts("wren/base")
    assert facts["engine"] == "llama.cpp"
    assert len(str(facts["fingerprint"])) == 32
