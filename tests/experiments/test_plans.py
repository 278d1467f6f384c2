"""Plans from what a person asks for: estimates hold, sets are kept, views are read from the folder alone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground.datasets import DataFileError
from playground.engines.base import Engine
from playground.engines.fake import FakeEngine
from playground.errors import PlaygroundError
from playground.experiments.assistants import ExperimentError
from playground.experiments.candidates import CandidateOptions
from playground.experiments.run_files import Plan
from playground.experiments.search import SearchOptions
from playground.models.catalog import ModelEntry
from playground.services import Workbench
from playground.services.experiment_estimate import estimate
from playground.services.experiment_plans import (
    Ablation,
    Asking,
    Splits,
    ablation,
    evaluation,
    example_search,
    spec_for,
    wording_search,
)
from playground.services.experiment_view import (
    ExperimentViews,
    file_names,
    file_text,
    found_preset,
    seen_answers,
)
from playground.services.experiments import Experiments
from playground.settings import Settings


class Counted:
    """Opens fakes that answer alike and count what they are asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, entry: ModelEntry) -> Engine:
        def play(prompt: str, sample: int) -> tuple[str, ...]:
            self.asked += 1
            return ("Paris." if self.asked % 3 else "No idea.",)

        return FakeEngine(play)


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def experiments(tmp_path: Path, counted: Counted) -> Iterator[Experiments]:
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path / "home")})
    with Workbench(settings, opener=counted) as workbench:
        yield Experiments(workbench)


def asking(experiments: Experiments, n: int, *models: str, name: str = "wren:seen") -> Asking:
    specs = tuple(spec_for(experiments.workbench, model) for model in models or ("wren/base",))
    return Asking(specs, experiments.questions(name).take(n, seed=1))


def finished(experiments: Experiments, plan: Plan) -> str:
    run_id = experiments.start(plan)
    assert experiments.wait(run_id, 60)
    shown = experiments.snapshot(run_id)
    assert shown is not None
    assert (shown.state, shown.error) == ("finished", "")
    return run_id


def test_an_evaluation_asks_as_much_as_was_estimated(experiments: Experiments, counted: Counted) -> None:
    plan = evaluation(
        experiments.workbench, asking(experiments, 6), pool=experiments.questions("wren:told"), by=("bm25",)
    )
    assert [spec.name for spec in plan.assistants] == ["wren/base:friendly", "wren/base:friendly + BM25 3"]
    finished(experiments, plan)
    assert counted.asked == estimate(plan).answers == 12


def test_a_search_asks_at_most_what_was_estimated(experiments: Experiments, counted: Counted) -> None:
    options = SearchOptions("contains", (), (), (), most=2, halving=2)
    plan = example_search(asking(experiments, 20), options, Splits(5, 6, 4))
    run_id = finished(experiments, plan)
    assert estimate(plan).most
    assert 0 < counted.asked <= estimate(plan).answers
    view = ExperimentViews().view(experiments.entry(run_id).folder)
    assert view is not None
    assert [section.name for section in view.sections[:2]] == ["tested", "round"]
    assert len(view.charts) == 2
    assert found_preset(experiments.entry(run_id).folder).derived_from is not None
    with pytest.raises(ExperimentError, match="one assistant, not 2"):
        example_search(asking(experiments, 20, "wren/base", "wren/base"), options, Splits(5, 6, 4))


def test_candidates_ask_at_most_what_was_estimated(experiments: Experiments, counted: Counted) -> None:
    options = CandidateOptions(("Tell me: {query}", "Be brief."), (), (), (), metric="contains", keep=1)
    plan = wording_search(asking(experiments, 12), options, Splits(0, 4, 4), text="You are a kind guide.\n")
    assert plan.options["mined"] == ("You are a kind guide.",)
    run_id = finished(experiments, plan)
    assert 0 < counted.asked <= estimate(plan).answers
    view = ExperimentViews().view(experiments.entry(run_id).folder)
    assert view is not None
    assert [section.name for section in view.sections] == ["tested", "ranking"]
    assert len(view.sections[1].rows) == 1 + 4
    with pytest.raises(ExperimentError, match="no candidate to try"):
        wording_search(asking(experiments, 12), CandidateOptions((), (), (), ()), Splits(0, 4, 4))


def test_a_run_is_looked_at_from_its_folder_alone(experiments: Experiments) -> None:
    asked = replace(asking(experiments, 5), metrics=("characters", "tokens"))
    plan = ablation(asked, Ablation("k", (0, 1), seeds=1), experiments.questions("wren:told"))
    folder = experiments.entry(finished(experiments, plan)).folder
    views = ExperimentViews()
    view = views.view(folder)
    assert view is not None
    assert views.view(folder) is view, "remembered"
    assert view.sections[0].rows[0][0] == "assistant"
    assert len(view.sections[0].rows) == 1 + 2
    total, names, page = seen_answers(folder, (), start=1, count=2)
    assert (total, len(page)) == (5, 2)
    assert names == tuple(spec.name for spec in plan.assistants)
    assert [len(seen.answers) for seen in page] == [2, 2]
    metrics = page[0].answers[0].metrics
    assert metrics["tokens"] == page[0].answers[0].answer.completion_tokens
    differing, _, _ = seen_answers(folder, (), differ=True)
    assert 0 < differing < 5
    files = file_names(folder)
    assert {"report.html", "figures.csv", "answers.csv", "manifest.json"} <= set(files)
    (alpaca,) = [name for name in files if name.startswith("alpaca_eval") and "k0" in name]
    assert len(json.loads(file_text(folder, alpaca))) == 5
    assert len(list(csv.reader(io.StringIO(file_text(folder, "answers.csv"))))) == 1 + 10
    with pytest.raises(ExperimentError, match="no file"):
        file_text(folder, "../manifest.json")
    assert len(found_preset(folder, names[1]).examples) == 1


def test_the_list_says_how_each_run_is(experiments: Experiments) -> None:
    run_id = finished(experiments, evaluation(experiments.workbench, asking(experiments, 3)))
    (entry,) = experiments.entries()
    assert (entry.state, entry.answered, entry.planned, entry.results) == ("finished", 3, 3, True)
    (entry.folder / "results.json").unlink()
    with Workbench(
        Settings.load({"PLAYGROUND_HOME": str(entry.folder.parents[1])}), opener=Counted()
    ) as other:
        later = Experiments(other)
        assert [one.state for one in later.entries()] == ["interrupted"]
        later.resume(run_id)
        assert later.wait(run_id, 60)
        assert [(one.state, one.answered) for one in later.entries()] == [("finished", 3)]
    experiments.remove(run_id)
    assert experiments.entries() == []
    with pytest.raises(ExperimentError, match="no run"):
        experiments.entry(run_id)


def test_own_question_sets_are_kept_by_name(experiments: Experiments) -> None:
    sets = experiments.sets
    assert [one.name for one in sets.offered()] == ["wren"]
    kept = sets.keep("my questions.jsonl", '{"question": "a", "category": "x"}\nbroken\n')
    assert (kept.title, kept.categories, kept.problems) == ("my-questions.jsonl", {"": 1, "x": 1}, 1)
    assert sets.keep("my questions.jsonl", '{"question": "a", "category": "x"}\nbroken\n') == kept
    other = sets.keep("../my questions.jsonl", '{"question": "b"}\n')
    assert other.title == "my-questions-2.jsonl"
    assert Path(other.name).parent == sets.folder
    assert [one.title for one in sets.offered()] == ["wren", "my-questions-2.jsonl", "my-questions.jsonl"]
    assert len(experiments.questions(kept.name).questions) == 1
    with pytest.raises(DataFileError):
        sets.keep("empty.txt", "\n")


def test_what_cannot_be_asked_is_refused_with_a_reason(experiments: Experiments) -> None:
    with pytest.raises(PlaygroundError, match="no metric 'nothing'"):
        evaluation(experiments.workbench, Asking((), experiments.questions("wren"), ("nothing",)))
    with pytest.raises(ExperimentError, match="no ablation"):
        ablation(asking(experiments, 3), Ablation("size"))  # type: ignore[arg-type]
    with pytest.raises(ExperimentError, match="Nothing is retrieved by 'luck'"):
        evaluation(
            experiments.workbench, asking(experiments, 3), pool=experiments.questions("wren"), by=("luck",)
        )
    with pytest.raises(ExperimentError, match="no draft"):
        spec_for(experiments.workbench, "wren/base", "@draft")
    draft = experiments.workbench.presets.load("friendly")
    assert spec_for(experiments.workbench, "wren/base", "@draft", draft=draft).name == "wren/base:friendly"
    edited = draft.model_copy(update={"system": "Other."})
    assert (
        spec_for(experiments.workbench, "wren/base", "@draft", draft=edited).name
        == "wren/base:friendly (edited)"
    )
