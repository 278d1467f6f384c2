"""The search finds what helps, beside random search of the same cost, and never looks at the test set."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hosts import PlainHost, questions

from playground.engines.base import Cancel, Engine, Scores
from playground.engines.fake import FakeEngine
from playground.errors import ContextLengthError
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.run import Run
from playground.experiments.run_files import Plan
from playground.experiments.search import SearchOptions, search, search_options, split_for_search
from playground.experiments.search_report import search_and_report
from playground.presets.preset import Preset, PresetExample
from playground.types import Example, Piece

PRESET = Preset(name="p", examples=(PresetExample(query="x", answer="y"),))
# Three of seven help, each with another third of the questions.
POOL = tuple(Example(f"example {i}", f"help{i % 3}" if i in (2, 4, 6) else "useless") for i in range(7))
OPTIONS = SearchOptions(
    "exact_match", POOL, tuple(f"q{i}" for i in range(6)), tuple(f"q{i}" for i in range(6, 12))
)


class World:
    """Answers question i rightly where an example helps with i modulo three; remembers the order."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self) -> Engine:
        def play(prompt: str, sample: int) -> tuple[str, ...]:
            number = int(re.findall(r"question (\d+) turn", prompt)[-1])
            self.asked.append(number)
            return (f"answer {number} 0" if f"help{number % 3}" in prompt else "no idea",)

        return FakeEngine(play)


def plan(options: SearchOptions = OPTIONS, seed: int = 1) -> Plan:
    spec = AssistantSpec("m:p", "m", PRESET)
    return Plan("search", (spec,), questions(12), ("exact_match",), seed=seed, options=asdict(options))


def test_greedy_finds_all_that_help_and_random_search_costs_as_much(tmp_path: Path) -> None:
    world = World()
    with Run.create(tmp_path / "r", plan(), PlainHost(m=world)) as run:
        preset, results = search_and_report(run)
    page = (tmp_path / "r" / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "example 2" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert set(results.greedy.examples) == {2, 4, 6}
    assert [len(candidates) for candidates in results.rounds] == [7, 6, 5]
    assert results.start.value == 0.0
    assert results.greedy.value == 1.0
    assert results.cost["greedy"] == (7 + 6 + 5) * 6
    assert results.cost["random"] == results.cost["greedy"]
    assert len(results.random_tried) == 18
    assert all(len(c.examples) == 3 for c in results.random_tried)
    tested = {row.name: row for row in results.tested}
    assert tested["greedy"].value is not None
    assert tested["greedy"].value.mean == 1.0
    assert tested["greedy"].against_start is not None
    assert tested["greedy"].against_start.wins == 6
    assert preset.derived_from is not None
    assert preset.derived_from.hash == PRESET.content_hash()
    assert {r.measure: r.value for r in preset.results}["exact_match, test, greedy"] == 1.0
    assert Preset.from_yaml((tmp_path / "r" / "found.yaml").read_text()) == preset
    first_test = next(i for i, number in enumerate(world.asked) if number >= 6)
    assert min(world.asked[first_test:]) >= 6, "the test set is asked when nothing more is searched"
    assert json.loads((tmp_path / "r" / "results.json").read_text())["stopped"] == results.stopped


def test_a_resumed_search_asks_only_what_is_missing_and_finds_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with Run.create(folder, plan(), PlainHost(m=World())) as run:
        _, whole = search(run)
    path = folder / "answers.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 3]) + b'{"assistant": "m')
    world = World()
    with Run.resume(folder, PlainHost(m=world)) as run:
        _, again = search(run)
    assert again == whole
    assert len(world.asked) == len(lines) - len(lines) // 3


def test_halving_costs_less_and_only_fully_tried_candidates_win(tmp_path: Path) -> None:
    options = replace(OPTIONS, halving=3, most=2)
    with Run.create(tmp_path / "r", plan(options), PlainHost(m=World())) as run:
        _, results = search(run)
    assert results.cost["greedy"] < (7 + 6) * 6
    assert results.greedy.n == 6
    assert len(results.greedy.examples) == 2
    assert set(results.greedy.examples) < {2, 4, 6}
    assert {c.n for c in results.rounds[0]} == {3, 6}


def test_it_stops_early_and_within_its_budget(tmp_path: Path) -> None:
    useless = tuple(Example(f"u{i}", "useless") for i in range(4))
    options = replace(OPTIONS, pool=(*useless, POOL[2]))
    with Run.create(tmp_path / "a", plan(options), PlainHost(m=World())) as run:
        _, results = search(run)
    assert results.greedy.examples == (4,)
    assert "gained no more" in results.stopped
    with Run.create(tmp_path / "b", plan(replace(OPTIONS, budget=50)), PlainHost(m=World())) as run:
        _, results = search(run)
    assert len(results.rounds) == 1
    assert "budget of 50" in results.stopped
    with (
        Run.create(tmp_path / "c", plan(replace(OPTIONS, budget=10)), PlainHost(m=World())) as run,
        pytest.raises(ExperimentError, match="budget"),
    ):
        search(run)


def test_transfer_is_told_apart_by_model(tmp_path: Path) -> None:
    other = World()
    options = replace(OPTIONS, most=1, transfer="second")
    with Run.create(tmp_path / "r", plan(options), PlainHost(m=World(), second=other)) as run:
        _, results = search(run)
    assert [(row.model, row.name) for row in results.tested] == [
        (model, way) for model in ("m", "second") for way in ("start", "greedy", "random")
    ]
    assert len(other.asked) == 3 * 6
    assert min(other.asked) >= 6


def test_the_likelihood_of_references_needs_no_answers(tmp_path: Path) -> None:
    world = World()
    options = replace(OPTIONS, metric="reference_logprob", most=1, pool=POOL[:3])
    with Run.create(tmp_path / "r", plan(options), PlainHost(m=world)) as run:
        _, results = search(run)
    assert world.asked == []
    # The fake finds every token as likely as any other.
    assert {round(c.value, 6) for c in results.rounds[0]} == {round(results.start.value, 6)}


class TooLong(FakeEngine):
    """Has no room for one example's likelihood of one question."""

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
        text = "".join(piece.text for piece in context)
        if "example 1" in text and "question 3 turn" in text:
            raise ContextLengthError("There is no room for it.")
        return super().score(context, target, top=top, full=full, exact=exact, cancel=cancel)


def test_an_example_without_all_its_likelihoods_wins_nothing_by_that(tmp_path: Path) -> None:
    options = replace(OPTIONS, metric="reference_logprob", most=1, pool=POOL[:3])
    with Run.create(tmp_path / "r", plan(options), PlainHost(m=TooLong)) as run:
        _, results = search(run)
    assert [c.examples for c in results.rounds[0]] == [(0,), (2,)]


def test_a_split_for_a_search_shares_nothing() -> None:
    parts = split_for_search(questions(30), pool=10, validation=8, test=12, seed=2)
    ids = [q.id for part in parts for q in part.questions]
    assert len(set(ids)) == 30
    with pytest.raises(ExperimentError, match="no search"):
        search_options({"metric": 3})
