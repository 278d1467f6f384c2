"""What a run hands on: files that other projects read, tables, and a page that loads nothing."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path

import pytest
from hosts import PlainHost, questions

from playground.datasets import parse_data
from playground.engines.fake import FakeEngine, FakeReply, FakeScript
from playground.experiments.ablate import example_counts, leave_one_out
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.charts import Bar, Point, bar_chart, line_chart
from playground.experiments.evaluate import evaluate, rewrite_report, stored
from playground.experiments.exports import EXPORT_FORMATS, export
from playground.experiments.judge import RuleJudge, judge_pairs, write_judged
from playground.experiments.run import Run
from playground.experiments.run_files import Plan
from playground.experiments.search import SearchOptions
from playground.experiments.search_report import search_and_report
from playground.presets.preset import Preset, PresetExample
from playground.types import Example

NASTY = 'an "answer", <script>alert(1)</script>\nwith ```fences``` & 二'
PRESET = Preset(
    name="p", examples=(PresetExample(query="a", answer="b"), PresetExample(query="c", answer="d"))
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    script = FakeScript((("question 2 turn 1", FakeReply(("x",), fail_at=0)), ("", FakeReply((NASTY,)))))
    specs = (AssistantSpec("m/base:p", "a", PRESET), AssistantSpec("<b>two</b>", "a"))
    plan = Plan("evaluate", specs, questions(4, turns=2), ("rouge_l", "tokens"), reference="<b>two</b>")
    with Run.create(tmp_path / "r", plan, PlainHost(a=lambda: FakeEngine(script))) as run:
        evaluate(run)
    return tmp_path / "r"


def test_alpaca_eval_and_just_eval_files_have_the_keys_and_types_that_are_asked_for(folder: Path) -> None:
    plan, _, answers = stored(folder)
    for wanted, keys in (
        ("alpaca_eval", {"instruction", "output", "generator", "dataset", "datasplit"}),
        (
            "just_eval",
            {"id", "instruction", "source_id", "dataset", "output", "generator", "datasplit"},
        ),
    ):
        paths = export(folder / "x", plan, answers, wanted)  # type: ignore[arg-type]
        assert len(paths) == 2
        rows = json.loads(paths[0].read_text())
        assert isinstance(rows, list)
        assert len(rows) == 4
        assert all(row.keys() == keys for row in rows)
        assert all(isinstance(row[key], str) for row in rows for key in keys - {"id"})
        assert [row["output"] for row in rows] == [NASTY] * 4
        read = parse_data(paths[0].read_text())
        assert read.format == wanted
        assert [r.queries[0] for r in read.records] == [q.turns[0].query for q in plan.questions.questions]
    assert [row["id"] for row in rows] == [0, 1, 2, 3]
    assert {row["datasplit"] for row in rows} == {"just_eval"}


def test_mt_bench_answers_hold_whole_conversations(folder: Path) -> None:
    plan, _, answers = stored(folder)
    path = export(folder / "x", plan, answers, "mt_bench", created_s=5.0)[0]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["question_id"] for row in rows] == ["q0", "q1", "q3"], "q2's second turn has no answer"
    for row in rows:
        assert row.keys() == {"question_id", "answer_id", "model_id", "choices", "tstamp"}
        assert row["choices"] == [{"index": 0, "turns": [NASTY, NASTY]}]
    assert len({row["answer_id"] for row in rows}) == 3
    questions_file = parse_data((folder / "questions.jsonl").read_text())
    assert questions_file.format == "mt_bench"
    assert len(questions_file.records) == 4


def test_csv_holds_every_answer_and_every_figure(folder: Path) -> None:
    plan, results, answers = stored(folder)
    (path,) = export(folder / "x", plan, answers, "csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert rows[0]["answer"] == NASTY
    assert sum(bool(row["error"]) for row in rows) == 2
    figures = list(csv.DictReader(io.StringIO((folder / "figures.csv").read_text())))
    assert len(figures) == len(results.figures)
    assert float(figures[0]["mean"]) == results.figures[0].value.mean
    with pytest.raises(ExperimentError, match="alpaca_eval, mt_bench"):
        export(folder, plan, answers, "xml")  # type: ignore[arg-type]


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [
            str(value) for name, value in attrs if name in ("src", "href", "srcset", "data", "action")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text())
    return page


def test_the_page_loads_nothing_and_shows_what_was_written_as_text(folder: Path) -> None:
    page = _page(folder / "report.html")
    assert page.loads == []
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "b"})
    assert "svg" in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert "The fake engine failed" in page.text
    assert "@import" not in page.text
    assert "url(" not in page.text


def test_a_judges_figures_come_into_the_page(folder: Path) -> None:
    with Run.resume(folder, PlainHost()) as run:
        write_judged(run, judge_pairs(run, RuleJudge("first"), "<b>two</b>"), "<b>two</b>")
    assert "rule:first" not in _page(folder / "report.html").text
    rewrite_report(folder)
    assert "rule:first" in _page(folder / "report.html").text


def test_ablations_are_drawn_over_their_knob(tmp_path: Path) -> None:
    pool = tuple(Example(f"pool {i}", "x") for i in range(6))
    spec = AssistantSpec("a:p", "a", PRESET)
    host = PlainHost(a=lambda: FakeEngine(["answer 0 0"]))
    for name, made in (("k", example_counts(spec, pool, (0, 1, 2))), ("loo", leave_one_out(spec))):
        plan = Plan("ablate", tuple(made), questions(3), ("exact_match",))
        with Run.create(tmp_path / name, plan, host) as run:
            evaluate(run)
    assert "polyline" in _page(tmp_path / "k" / "report.html").tags
    assert "polyline" not in _page(tmp_path / "loo" / "report.html").tags
    assert "whole" in _page(tmp_path / "loo" / "report.html").text


def test_charts_are_well_formed_whatever_they_are_given() -> None:
    nasty = 'a "label" & <more> of it, which is much too long to stand beside a bar'
    charts = [
        bar_chart(nasty, [Bar(nasty, 0.5, 0.2, 0.9), Bar("below", -2.0, -3.0, -1.0, 9)]),
        bar_chart("none", []),
        bar_chart("flat", [Bar("zero", 0.0, 0.0, 0.0)], share=True),
        line_chart(nasty, [(nasty, [Point(0, 1, 0, 2), Point(5, 3, 2, 4)]), ("one", [Point(1, 1, 1, 1)])]),
        line_chart("none", []),
    ]
    for chart in charts:
        assert ET.fromstring(chart).tag.endswith("svg")
        assert "nan" not in chart
        assert "inf" not in chart
    wide = bar_chart("w", [Bar("a", 0.25, 0.1, 0.4)], share=True)
    bar = next(e for e in ET.fromstring(wide).iter() if e.get("fill") == "#0072b2")
    assert float(bar.get("width", 0)) == pytest.approx((760 - 320 - 70) / 4, abs=0.1)


def test_files_that_are_passed_on_name_no_folder_of_this_computer(tmp_path: Path) -> None:
    one, other = "/home/ann/secret place/Some-Model.gguf", "/mnt/x/Some-Model.gguf"
    specs = (AssistantSpec(f"{one}:p", one, PRESET), AssistantSpec(f"{other}:p", other, PRESET))
    plan = Plan("evaluate", specs, questions(2), ("tokens",), reference=f"{one}:p")
    host = PlainHost(**{one: lambda: FakeEngine(), other: lambda: FakeEngine()})
    with Run.create(tmp_path / "r", plan, host) as run:
        evaluate(run)
    plan, _, answers = stored(tmp_path / "r")
    written = [p for wanted in EXPORT_FORMATS for p in export(tmp_path / "r" / "x", plan, answers, wanted)]
    written += [tmp_path / "r" / name for name in ("figures.csv", "report.html")]
    for path in written:
        text = path.read_text() + path.name
        assert "secret" not in text, path
        assert "/mnt" not in text, path
        assert "Some-Model" in text, path
    rows = json.loads((tmp_path / "r" / "x" / "alpaca_eval-Some-Model-p.json").read_text())
    assert {row["generator"] for row in rows} == {"Some-Model:p"}
    assert (tmp_path / "r" / "x" / "alpaca_eval-Some-Model-p--2-.json").is_file(), "both are there"


def test_a_preset_that_a_search_found_names_its_model_without_a_folder(tmp_path: Path) -> None:
    model = "/home/ann/Some-Model.gguf"
    pool = (Example("a", "b"), Example("c", "d"))
    options = SearchOptions("exact_match", pool, ("q0", "q1"), ("q2", "q3"), most=1)
    spec = AssistantSpec(f"{model}:p", model, PRESET)
    plan = Plan("search", (spec,), questions(4), ("exact_match",), options=asdict(options))
    with Run.create(tmp_path / "r", plan, PlainHost(**{model: lambda: FakeEngine()})) as run:
        preset, _ = search_and_report(run)
    assert {result.model for result in preset.results} == {"Some-Model"}
    for name in ("found.yaml", "report.html"):
        assert "/home/ann" not in (tmp_path / "r" / name).read_text()
