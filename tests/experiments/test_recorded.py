"""The recorded experiments: every command is one that there is, and what they find lands in the page."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import pytest
from hosts import PlainHost, questions

from playground.cli import main
from playground.engines.fake import FakeEngine
from playground.experiments.assistants import AssistantSpec
from playground.experiments.evaluate import evaluate
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


def test_figures_land_between_their_marks(
    record: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "experiments.md"
    page.write_text(
        "before\n<!-- begin gap -->\nold\n<!-- end gap -->\nbetween\n"
        "<!-- begin search -->\n<!-- end search -->\nafter\n"
    )
    monkeypatch.setattr(record, "PAGE", page)
    monkeypatch.setattr(record, "CHARTS", tmp_path)
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
    for name, charts in (("gap", ("exact_match",)), ("search", ())):
        made = record.Recorded(name, "evaluate --limit 2", charts)
        record.record(made, made.command, tmp_path / name, 1.0)
    text = page.read_text()
    assert "old" not in text
    assert "| m:p | 0.5 [0, 1] | 2 |" in text
    assert "- m:p less other, exact_match: +0.000" in text
    assert "| greedy | m | 1.000 [1.000, 1.000] n=1 |" in text
    assert text.startswith("before\n")
    assert "\nbetween\n" in text
    assert text.endswith("after\n")
    for name in ("gap-exact_match.svg", "search-test.svg", "search-validation.svg"):
        assert (tmp_path / name).read_text().startswith("<svg")
        assert f"experiments/{name}" in text
