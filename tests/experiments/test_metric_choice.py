"""Which metrics are taken, in which direction, under which models; a missing package costs no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hosts import PlainHost, questions

from playground import extras
from playground.engines.base import Cancel, Engine, Scores
from playground.engines.fake import FakeEngine
from playground.errors import PlaygroundError
from playground.experiments import metric_choice
from playground.experiments.assistants import AssistantSpec, ExperimentError, model_label
from playground.experiments.candidates import CandidateOptions, rank_candidates
from playground.experiments.evaluate import evaluate, stored
from playground.experiments.metric_choice import check_goal, check_metrics, default_metrics, direction
from playground.experiments.metrics import METRICS
from playground.experiments.model_metrics import MODEL_METRICS
from playground.experiments.questions import Asked
from playground.experiments.run import Run
from playground.experiments.run_files import Plan, read_plan
from playground.experiments.search import SearchOptions, search
from playground.experiments.search_report import search_and_report, validation_chart
from playground.models.catalog import ModelEntry
from playground.presets.preset import Preset, PresetExample
from playground.services import Workbench
from playground.services.experiment_plans import (
    Asking,
    Splits,
    evaluation,
    example_search,
    spec_for,
    wording_search,
)
from playground.services.experiments import Experiments
from playground.services.metric_models import shift_models, with_metric_models
from playground.settings import Settings
from playground.types import Example, Piece

PRESET = Preset(name="p", system="Talk.", examples=(PresetExample(query="x", answer="y"),))


@pytest.fixture
def without_rouge(monkeypatch: pytest.MonkeyPatch) -> None:
    found = extras.is_usable
    monkeypatch.setattr(
        metric_choice, "is_usable", lambda name: not name.startswith("rouge_score") and found(name)
    )


def test_a_default_metric_whose_package_is_missing_is_left_out_with_a_note(without_rouge: None) -> None:
    metrics, notes = default_metrics([Asked("q", "a reference", ("value",))])
    assert metrics == ("right", "length_ratio", "in_style", "tokens", "stopped", "role_leaked")
    (note,) = notes
    assert note.startswith("rouge_l is left out.")
    assert "install" in note


def test_with_its_package_the_metric_is_a_default() -> None:
    assert default_metrics([Asked("q", "a reference")]) == (
        ("rouge_l", "length_ratio", "in_style", "tokens", "stopped", "role_leaked"),
        (),
    )


def test_a_missing_package_is_told_before_the_first_answer(without_rouge: None) -> None:
    with pytest.raises(PlaygroundError, match=r"rouge-score, which cannot be imported; install it with"):
        check_metrics(["tokens", "rouge_l"])


def test_a_run_that_holds_a_metric_of_a_missing_package_shows_the_others(
    tmp_path: Path, without_rouge: None
) -> None:
    plan = Plan("evaluate", (AssistantSpec("m", "m"),), questions(3), ("rouge_l", "tokens"))
    with Run.create(tmp_path / "r", plan, PlainHost(m=lambda: FakeEngine())) as run:
        results = evaluate(run)
    assert {figure.metric for figure in results.figures} == {"tokens"}
    assert results.notes[0].startswith("rouge_l is left out.")
    assert stored(tmp_path / "r")[1].notes == results.notes
    assert "rouge_l is left out" in (tmp_path / "r" / "report.html").read_text()
    assert (tmp_path / "r" / "figures.csv").is_file()


def test_retrieval_without_its_package_is_refused_before_the_first_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Workbench
) -> None:
    from playground.experiments import retrieve

    monkeypatch.setattr(retrieve, "is_usable", lambda name: name != "bm25s")
    experiments = Experiments(bench)
    asked = Asking((spec_for(bench, "wren/base"),), experiments.questions("wren:seen").take(2, seed=1))
    with pytest.raises(PlaygroundError, match="bm25s, which cannot be imported"):
        evaluation(bench, asked, pool=experiments.questions("wren:told"))


# Directions


def test_every_metric_says_which_way_is_better_or_that_neither_is() -> None:
    ways = {name: metric.better for name, metric in METRICS.items()}
    ways |= {name: better for name, (_, _, better) in MODEL_METRICS.items()}
    assert [name for name, better in ways.items() if better == "lower"] == ["role_leaked", "perplexity"]
    for name, better in ways.items():
        if better is None:
            with pytest.raises(PlaygroundError, match="neither a high nor a low value of it is better"):
                check_goal(name)
        else:
            check_goal(name)
            assert direction(name) == {"higher": 1, "lower": -1}[better]


class Perplexed(FakeEngine):
    """Finds an answer the likelier the higher the number in it; answers with the number in its prompt."""

    def __init__(self, numbers: Mapping[str, str]) -> None:
        def play(prompt: str, sample: int) -> tuple[str, ...]:
            return (next((number for word, number in numbers.items() if word in prompt), "5"),)

        super().__init__(play)

    def score(
        self,
        context: Sequence[Piece],
        target: Sequence[Piece],
        *,
        top: int = 0,
        full: bool = False,
        exact: bool = False,
        cancel: Cancel | None = None,
    ) -> Scores:
        found = super().score(context, target, top=top, full=full, exact=exact, cancel=cancel)
        number = float("".join(c for c in target[0].text if c.isdigit()) or 5)
        return replace(found, tokens=tuple(replace(t, logprob=-10 + number) for t in found.tokens))


def host(numbers: Mapping[str, str]) -> PlainHost:
    def make() -> Engine:
        return Perplexed(numbers)

    return PlainHost(m=make, judge=make)


def ids(start: int, end: int) -> tuple[str, ...]:
    return tuple(f"q{i}" for i in range(start, end))


def test_a_search_by_perplexity_finds_the_lowest(tmp_path: Path) -> None:
    pool = tuple(Example(f"example {word}", word) for word in ("alpha", "beta", "gamma"))
    options = SearchOptions("perplexity", pool, ids(0, 4), ids(4, 8), most=1)
    spec = AssistantSpec("m:p", "m", PRESET)
    plan = Plan("search", (spec,), questions(8), ("perplexity",), scorer="judge", options=asdict(options))
    with Run.create(tmp_path / "r", plan, host({"alpha": "3", "beta": "9", "gamma": "6"})) as run:
        _, results = search_and_report(run)
    assert results.greedy.examples == (1,)
    assert [c.examples for c in results.rounds[0]] == [(1,), (2,), (0,)]
    assert results.random.value == min(c.value for c in results.random_tried)
    line = dict(validation_chart(results).series)["random, best so far"]
    assert [point.mean for point in line] == sorted((point.mean for point in line), reverse=True)


def test_halving_keeps_the_lower_half_where_lower_is_better(tmp_path: Path) -> None:
    words = ("alpha", "beta", "gamma", "delta")
    pool = tuple(Example(f"example {word}", word) for word in words)
    options = SearchOptions("perplexity", pool, ids(0, 4), ids(4, 8), most=1, halving=2)
    spec = AssistantSpec("m:p", "m", PRESET)
    plan = Plan("search", (spec,), questions(8), ("perplexity",), scorer="judge", options=asdict(options))
    numbers = {"alpha": "3", "beta": "9", "gamma": "6", "delta": "1"}
    with Run.create(tmp_path / "r", plan, host(numbers)) as run:
        _, results = search(run)
    assert results.greedy.examples == (1,)
    assert {c.examples for c in results.rounds[0] if c.n == 4} == {(1,), (2,)}


def test_a_ranking_by_perplexity_takes_the_lowest_and_keeps_a_start_that_is_lower(tmp_path: Path) -> None:
    texts = ("Say alpha.", "Say beta.", "Say gamma.")
    options = CandidateOptions(texts, (), ids(0, 4), ids(4, 8), metric="perplexity", keep=0)
    spec = AssistantSpec("m:p", "m", PRESET)
    metrics = ("reference_logprob", "perplexity")
    plan = Plan("candidates", (spec,), questions(8), metrics, scorer="judge", options=asdict(options))
    with Run.create(tmp_path / "a", plan, host({"alpha": "3", "beta": "9", "gamma": "6"})) as run:
        _, results = rank_candidates(run)
    assert results.chosen == "Say beta."
    values = [row.value.mean for row in results.ranked if row.value]
    assert values == sorted(values)
    with Run.create(tmp_path / "b", plan, host({"alpha": "3", "beta": "4", "gamma": "1"})) as run:
        preset, results = rank_candidates(run)
    assert results.chosen == "", "the start's 5 is better than every candidate"
    assert preset.system == "Talk."


class Failing(FakeEngine):
    """Answers rightly behind every example, but fails a question behind the example ``flaky``."""

    def __init__(self) -> None:
        from playground.engines.fake import FakeReply

        def play(prompt: str, sample: int) -> FakeReply:
            number = prompt.rsplit("question ", 1)[-1].split(" ")[0]
            if "flaky" in prompt and number in ("0", "5"):
                return FakeReply(("x",), fail_at=0, error="The server did not answer.")
            if "never" in prompt or ("half" in prompt and number in ("1", "3")):
                return FakeReply(("no",))
            return FakeReply((f"answer {number} 0",))

        super().__init__(play)


def test_a_question_that_could_not_be_measured_does_not_count_as_zero(tmp_path: Path) -> None:
    pool = (Example("a", "flaky"),)
    options = SearchOptions("exact_match", pool, ids(0, 4), ids(4, 8), most=1)
    spec = AssistantSpec("m:p", "m", PRESET)
    plan = Plan("search", (spec,), questions(8), ("exact_match",), options=asdict(options))
    with Run.create(tmp_path / "r", plan, PlainHost(m=Failing)) as run:
        _, results = search(run)
    (candidate,) = results.rounds[0]
    assert (candidate.value, candidate.n, candidate.measured) == (1.0, 4, 3)


def test_lacking_a_question_makes_no_candidate_better(tmp_path: Path) -> None:
    pool = (Example("a", "flaky"), Example("b", "half"), Example("c", "never"))
    options = SearchOptions("exact_match", pool, ids(0, 4), ids(4, 8), most=1)
    spec = AssistantSpec("m:p", "m", PRESET)
    plan = Plan("search", (spec,), questions(8), ("exact_match",), options=asdict(options))
    with Run.create(tmp_path / "r", plan, PlainHost(m=Failing)) as run:
        _, results = search(run)
    assert [(c.examples, c.value) for c in results.rounds[0]] == [((1,), 0.5), ((2,), 0.0)]


# Models of metrics


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path / "home")})

    def opener(entry: ModelEntry) -> Engine:
        return FakeEngine()

    with Workbench(settings, opener=opener) as workbench:
        yield workbench


def listed_pair(bench: Workbench, name: str, *kinds: str) -> None:
    """A pair of a person's own, whose files are there."""
    folder = bench.settings.models_dir
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"pair: {name}"]
    for kind in kinds:
        file = folder / f"{name}-{kind}.gguf"
        file.write_bytes(b"GGUF")
        lines.append(f"{kind}: {{gguf: {file}}}")
    (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")


def planned(bench: Workbench, *models: str, metrics: tuple[str, ...], **more: str) -> Plan:
    specs = tuple(spec_for(bench, model, "none") for model in models)
    asked = Asking(specs, questions(3), metrics, **more)  # type: ignore[arg-type]
    return with_metric_models(evaluation(bench, asked), bench.catalog)


def test_perplexity_and_shift_are_taken_under_the_assistants_own_pair(bench: Workbench) -> None:
    listed_pair(bench, "far", "base", "instruct")
    plan = planned(bench, "far/base", "wren/base", metrics=("perplexity", "shift"))
    assert plan.scorers == {"far/base": "far/instruct", "wren/base": "wren/instruct"}
    assert plan.shift_bases == {"far/base": "far/base", "wren/base": "wren/base"}
    plan = planned(bench, "far/instruct", metrics=("perplexity", "shift"))
    assert (plan.scorers, plan.shift_bases) == (
        {"far/instruct": "far/instruct"},
        {"far/instruct": "far/base"},
    )


def test_a_pair_without_the_other_half_is_refused_and_another_model_can_be_named(bench: Workbench) -> None:
    listed_pair(bench, "alone", "base")
    listed_pair(bench, "lone", "instruct")
    with pytest.raises(ExperimentError, match=r"none for alone/base\. Name one with --scorer"):
        planned(bench, "alone/base", metrics=("perplexity",))
    with pytest.raises(ExperimentError, match=r"none for lone/instruct\. Name one with --shift-base"):
        planned(bench, "lone/instruct", metrics=("shift",))
    plan = planned(bench, "alone/base", metrics=("perplexity",), scorer="lone/instruct")
    assert plan.scorers == {"alone/base": "lone/instruct"}
    with pytest.raises(ExperimentError, match="alone/base is a base model"):
        planned(bench, "wren/base", metrics=("perplexity",), scorer="alone/base")


def test_a_token_shift_takes_the_other_half_of_the_model_that_is_named(bench: Workbench) -> None:
    listed_pair(bench, "far", "base", "instruct")
    listed_pair(bench, "alone", "base")
    assert shift_models(bench.catalog, "far/base", "") == ("far/base", "far/instruct")
    assert shift_models(bench.catalog, "", "far/instruct") == ("far/base", "far/instruct")
    assert shift_models(bench.catalog, "alone/base", "far/instruct") == ("alone/base", "far/instruct")
    with pytest.raises(ExperimentError, match="alone/base has no instruct model beside it"):
        shift_models(bench.catalog, "alone/base", "")


def test_a_file_named_like_a_pair_is_not_of_that_pair(bench: Workbench, tmp_path: Path) -> None:
    path = tmp_path / "wren.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ExperimentError, match="--scorer"):
        planned(bench, str(path), metrics=("perplexity",))


def test_a_plan_that_names_no_model_is_refused_before_the_first_answer(tmp_path: Path) -> None:
    plan = Plan("evaluate", (AssistantSpec("m", "m"),), questions(2), ("tokens", "perplexity"))
    with pytest.raises(ExperimentError, match=r"m has none here\. Name one with --scorer"):
        Run.create(tmp_path / "r", plan, host({}))
    assert not (tmp_path / "r" / "manifest.json").exists()


def test_the_models_stand_in_the_manifest_and_come_back(tmp_path: Path) -> None:
    plan = Plan(
        "evaluate", (AssistantSpec("m", "m"),), questions(2), ("perplexity",), scorers={"m": "judge"},
        notes=("a note",), command="playground evaluate",
    )  # fmt: skip
    with Run.create(tmp_path / "r", plan, host({})) as run:
        evaluate(run)
    read = read_plan(tmp_path / "r")
    assert (read.scorers, read.notes, read.command) == ({"m": "judge"}, ("a note",), "playground evaluate")
    assert "judge" in json.loads((tmp_path / "r" / "manifest.json").read_text())["models"]


def test_a_run_of_an_earlier_version_keeps_the_models_that_it_was_started_with(tmp_path: Path) -> None:
    plan = Plan("evaluate", (AssistantSpec("m", "m"),), questions(2), ("perplexity",), scorer="judge")
    with Run.create(tmp_path / "r", plan, host({})):
        pass
    path = tmp_path / "r" / "manifest.json"
    manifest = json.loads(path.read_text())
    for key in ("scorers", "shift_bases", "notes", "command"):
        del manifest[key]
    manifest["shift_base"] = "wren/base"
    path.write_text(json.dumps(manifest))
    read = read_plan(tmp_path / "r")
    assert read.scorer == "judge"
    assert read.notes == ("perplexity is taken under judge.",)


def test_a_metric_without_direction_is_refused_when_the_search_is_planned(bench: Workbench) -> None:
    asked = Asking((spec_for(bench, "wren/base"),), questions(30))
    with pytest.raises(PlaygroundError, match="'tokens' cannot be optimised"):
        example_search(asked, SearchOptions("tokens", (), (), ()), Splits(5, 5, 5))
    with pytest.raises(PlaygroundError, match="'shift' cannot be optimised"):
        wording_search(asked, CandidateOptions(("Hi.",), (), (), (), metric="shift"), Splits(0, 5, 5))


def test_files_that_are_passed_on_hold_no_folder_of_this_computer() -> None:
    assert model_label("wren/base") == "wren/base"
    assert model_label("/home/ann/models/Some-Model.Q4.gguf") == "Some-Model.Q4"
    assert model_label(r"C:\models\x.GGUF") == "x"
    assert model_label("~/folder/base/") == "base"
    assert model_label("./a/b/instruct") == "instruct"


def test_a_metric_that_says_nothing_of_the_questions_is_refused_before_one_is_asked(bench: Workbench) -> None:
    asked = Asking((spec_for(bench, "wren/base"),), questions(30))
    with pytest.raises(PlaygroundError, match="right compares an answer with what the question set says"):
        example_search(asked, SearchOptions("right", (), (), ()), Splits(5, 5, 5))
    assert example_search(asked, SearchOptions("rouge_l", (), (), ()), Splits(5, 5, 5)).kind == "search"
    bare = replace(
        asked.questions,
        questions=tuple(replace(q, turns=(Asked(q.turns[0].query),)) for q in asked.questions.questions),
    )
    asked = replace(asked, questions=bare)
    with pytest.raises(PlaygroundError, match="reference_logprob compares an answer"):
        wording_search(asked, CandidateOptions(("Hi.",), (), (), ()), Splits(0, 5, 5))
