"""The recorded experiments: every command is one that there is, and what they find lands in the page."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
from hosts import PlainHost, questions

from playground.cli import main
from playground.engines.fake import FakeEngine
from playground.experiments.assistants import AssistantSpec
from playground.experiments.candidates import CandidateOptions
from playground.experiments.candidates_report import rank_and_report
from playground.experiments.evaluate import evaluate
from playground.experiments.questions import Asked, Question, QuestionSet
from playground.experiments.run import Run
from playground.experiments.run_files import Plan
from playground.experiments.search import SearchOptions
from playground.experiments.search_report import search_and_report
from playground.presets.preset import Preset, PresetExample
from playground.types import Example


@pytest.fixture(scope="module")
def record() -> ModuleType:
    path = Path(__file__).parents[2] / "docs" / "experiments" / "record.py"
    spec = importlib.util.spec_from_file_location("record", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["record"] = module
    spec.loader.exec_module(module)
    return module


def test_every_recorded_command_is_one_that_there_is(
    record: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    page = record.PAGE.read_text(encoding="utf-8")
    for experiment in record.ALL:
        assert f"<!-- begin {experiment.name} -->" in page
        with pytest.raises(SystemExit) as ended:
            main([*experiment.command.split(), "--resume", "nowhere"])
        # Wrong usage would be 2.
        assert ended.value.code == 1
        assert "holds no run" in capsys.readouterr().err


def test_figures_land_between_their_marks(record: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "experiments.md"
    page.write_text(
        "before\n<!-- begin gap -->\nold\n<!-- end gap -->\nbetween\n"
        "<!-- begin search -->\n<!-- end search -->\n"
        "<!-- begin candidates -->\n<!-- end candidates -->\nafter\n"
    )
    preset = Preset(name="p", examples=(PresetExample(query="x", answer="y"),))
    spec = AssistantSpec("m:p", "m", preset)
    host = PlainHost(m=lambda: FakeEngine(["answer 1 0"]))
    plan = Plan("evaluate", (spec, spec.named("other")), questions(2), ("exact_match",), reference="other")
    with Run.create(tmp_path / "gap", plan, host) as run:
        evaluate(run)
    options = SearchOptions("exact_match", (Example("a", "b"),), ("q0",), ("q1",), most=1)
    plan = Plan("search", (spec,), questions(2), ("exact_match",), options=asdict(options))
    with Run.create(tmp_path / "search", plan, host) as run:
        search_and_report(run)
    tried = CandidateOptions(("Be | brief.",), (), ("q0",), ("q1",))
    plan = Plan("candidates", (spec,), questions(2), ("reference_logprob",), options=asdict(tried))
    with Run.create(tmp_path / "candidates", plan, host) as run:
        rank_and_report(run)
    for name, charts in (("gap", ("exact_match",)), ("search", ()), ("candidates", ())):
        made = record.Recorded(name, "evaluate --limit 2 --transfer /some/where/second.gguf", charts)
        record.record(made, made.command, tmp_path / name, 1.0, page, tmp_path)
    text = page.read_text()
    assert "old" not in text
    assert re.search(r"\| m:p \| 0\.5 \[0\.\d+, 0\.\d+\] \| 2 \|", text)
    assert "- m:p less other, exact_match: +0.000" in text
    assert re.search(r"\| greedy \| m \| 1\.000 \[0\.\d+, 1\.000\] n=1 \|", text)
    assert "| Be \\| brief. | given |" in text
    assert "/some/where" not in text, "no path of this machine"
    assert "--transfer SECOND.gguf" in text
    assert text.startswith("before\n")
    assert "\nbetween\n" in text
    assert text.endswith("after\n")
    for name in ("gap-exact_match.svg", "search-test.svg", "search-validation.svg", "candidates-ranking.svg"):
        assert (tmp_path / name).read_text().startswith("<svg")
        assert f"experiments/{name}" in text


def test_a_run_begins_again_where_its_command_changed_and_goes_on_where_it_did_not(
    record: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def carry_out(arguments: list[str], **_: object) -> None:
        asked.append(arguments[3:])
        folder = tmp_path / "k"
        folder.mkdir(exist_ok=True)
        (folder / "manifest.json").write_text("{}")
        if len(asked) != 1:
            (folder / "results.json").write_text("{}")

    monkeypatch.setattr(record.subprocess, "run", carry_out)
    folder = tmp_path / "k"
    for command in ("ablate k", "ablate k", "ablate k", "ablate order"):
        record.run(command, folder)
    assert asked == [
        ["ablate", "k", "--out", str(folder)],
        ["ablate", "--resume", str(folder)],
        ["ablate", "order", "--out", str(folder)],
    ]
    assert record.quick("ablate k --limit 80 --pool wren:told") == "ablate k --limit 8 --pool wren:told"


@pytest.mark.parametrize(
    ("low", "high", "direction", "told"),
    [
        (0.1, 0.3, "more", "agrees"),
        (-0.3, -0.1, "more", "does not agree"),
        (-0.1, 0.3, "more", "not told apart"),
        (-0.3, -0.1, "less", "agrees"),
        (0.01, 0.2, "less", "does not agree"),
        (-0.05, 0.08, "hardly", "agrees"),
        (0.02, 0.2, "hardly", "not told apart"),
        (0.2, 0.4, "hardly", "does not agree"),
    ],
)
def test_a_verdict_follows_from_its_interval(
    record: ModuleType, low: float, high: float, direction: str, told: str
) -> None:
    assert sys.modules["findings"].verdict(low, high, direction) == told


def test_findings_are_computed_from_the_runs(record: ModuleType, tmp_path: Path) -> None:
    spec = AssistantSpec("m", "m", Preset(name="p"))
    variants = [
        replace(spec, preset=Preset(name="p", system=word)).named(word, axis="template", value=word)
        for word in ("good", "bad")
    ]
    asked = QuestionSet(
        "made", tuple(Question(f"q{i}", (Asked(f"question {i}", "yes", ("yes",)),)) for i in range(12))
    )

    def play(prompt: str, sample: int) -> tuple[str, ...]:
        return ("It is yes." if "good" in prompt else "It is no.",)

    plan = Plan("ablate", tuple(variants), asked, ("right",), reference="good")
    with Run.create(tmp_path / "template", plan, PlainHost(m=lambda: FakeEngine(play))) as run:
        evaluate(run)
    rows = sys.modules["findings"].findings(tmp_path)
    (told,) = [row for row in rows if "template" in row]
    assert "from 0.000 ('bad') to 1.000 ('good') over 2 variants" in told
    assert told.endswith("| does not agree |")
    assert any(row.startswith("| order |") and "not run yet" in row for row in rows)
