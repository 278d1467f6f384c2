"""Wordings are ranked by the likelihood of references and by a metric, and the best meet the test set."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hosts import PlainHost, questions

from playground.chat.assistant import preset_renderer
from playground.engines.base import Cancel, Engine, Scores
from playground.engines.fake import FakeEngine
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.candidates import CandidateOptions, rank_candidates
from playground.experiments.candidates_report import rank_and_report
from playground.experiments.model_metrics import LIKELIHOOD
from playground.experiments.run import Run
from playground.experiments.run_files import Plan
from playground.experiments.wordings import PARAPHRASING, mined, paraphrases, worded
from playground.presets.preset import Preset, PresetExample
from playground.types import Message, Piece

PRESET = Preset(name="p", system="Talk.", examples=(PresetExample(query="x", answer="y"),))
TEXTS = ("Talk plainly.", "Kindly: {query}", "Talk truly.")
OPTIONS = CandidateOptions(
    TEXTS, (), tuple(f"q{i}" for i in range(4)), tuple(f"q{i}" for i in range(4, 8)), metric="exact_match"
)
LOGPROBS = {"truly": -1.0, "Kindly": -2.0, "secretly": -0.5}


class Worded(FakeEngine):
    """Finds references likely behind some words, and answers rightly behind others; paraphrases in turn."""

    def __init__(self, asked: list[str]) -> None:
        written = iter(["Talk secretly.", "talk plainly", "Talk {query}", "Talk loudly.\nAnd more."] * 9)

        def play(prompt: str, sample: int) -> tuple[str, ...]:
            asked.append(prompt)
            if prompt.startswith(PARAPHRASING.system):
                return (next(written),)
            number = re.findall(r"question (\d+) turn", prompt)[-1]
            return (f"answer {number} 0" if "Kindly" in prompt else "no idea",)

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
        text = "".join(piece.text for piece in context)
        logprob = next((value for word, value in LOGPROBS.items() if word in text), -3.0)
        found = super().score(context, target, top=top, full=full, exact=exact, cancel=cancel)
        return replace(found, tokens=tuple(replace(token, logprob=logprob) for token in found.tokens))


def host(asked: list[str]) -> PlainHost:
    def make() -> Engine:
        return Worded(asked)

    return PlainHost(m=make)


def plan(options: CandidateOptions = OPTIONS) -> Plan:
    metrics = tuple(name for name in (LIKELIHOOD, options.metric) if name)
    spec = AssistantSpec("m:p", "m", PRESET)
    return Plan("candidates", (spec,), questions(8), metrics, seed=3, options=asdict(options))


def test_both_rankings_stand_beside_each_other_and_the_best_meets_the_test_set(tmp_path: Path) -> None:
    asked: list[str] = []
    with Run.create(tmp_path / "r", plan(), host(asked)) as run:
        preset, results = rank_and_report(run)
    ranked = {row.text: row for row in results.ranked}
    assert set(ranked) == {*TEXTS, "Talk."}
    assert {text: round(row.likelihood.mean, 6) for text, row in ranked.items() if row.likelihood} == {
        "Talk truly.": -1.0,
        "Kindly: {query}": -2.0,
        "Talk plainly.": -3.0,
        "Talk.": -3.0,
    }
    assert results.ranked[0].text == "Kindly: {query}"
    assert results.chosen == "Kindly: {query}"
    assert results.agreement is not None
    tested = {row.name: row for row in results.tested}
    assert tested["likeliest"].text == "Talk truly."
    assert tested["best"].value is not None
    assert tested["best"].value.mean == 1.0
    assert tested["best"].against_start is not None
    assert tested["best"].against_start.wins == 4
    assert tested["start"].value is not None
    assert tested["start"].value.mean == 0.0
    first_test = next(i for i, prompt in enumerate(asked) if "question 4 turn" in prompt)
    assert not any(re.search(r"question [0-3] turn", prompt) for prompt in asked[first_test:])
    assert Preset.from_yaml((tmp_path / "r" / "found.yaml").read_text()) == preset
    assert preset.derived_from is not None
    assert {r.measure: r.value for r in preset.results}["exact_match, test, best"] == 1.0
    assert "Kindly: x" in preset_renderer(preset).render([Message("user", "hi")]).text, "examples too"
    page = (tmp_path / "r" / "report.html").read_text()
    assert "Kindly: {query}" in page
    assert page.count("<svg") == 1
    stored = json.loads((tmp_path / "r" / "results.json").read_text())
    assert stored["kind"] == "candidates"
    again: list[str] = []
    with Run.resume(tmp_path / "r", host(again)) as run:
        assert rank_candidates(run)[1] == results
    assert again == [], "a finished ranking is read back"


def test_paraphrases_are_written_once_and_only_usable_ones_are_tried(tmp_path: Path) -> None:
    asked: list[str] = []
    options = replace(OPTIONS, texts=("Talk plainly.",), metric="", paraphrases=4)
    with Run.create(tmp_path / "r", plan(options), host(asked)) as run:
        preset, results = rank_candidates(run)
    assert {row.text: row.origin for row in results.ranked} == {
        "Talk.": "the preset's own",
        "Talk plainly.": "given",
        "Talk secretly.": "paraphrased",
        "Talk loudly.": "paraphrased",
    }
    assert results.refused == 2, "one said nothing new, one has a place for the question"
    assert len(asked) == 4, "likelihood alone asks for no answers"
    assert preset.system == "Talk secretly."
    assert [row.name for row in results.tested] == ["start", "likeliest"]


def test_where_nothing_is_better_the_start_stays(tmp_path: Path) -> None:
    options = replace(OPTIONS, texts=("Talk plainly.",))
    with Run.create(tmp_path / "r", plan(options), host([])) as run:
        preset, results = rank_candidates(run)
    assert results.chosen == ""
    assert preset.system == PRESET.system
    assert "none was better" in preset.notes


def test_candidates_are_mined_from_what_stands_around_questions_and_from_what_is_said_to_the_answerer() -> (
    None
):
    text = (
        "Q: question 3 turn 0\nQ: Question 5 turn 0\nquestion 2 turn 0\nYou are a guide. It rains.\n"
        "Somebody said {answer} to question 1 turn 0\n请用中文回答所有的问题吧，谢谢你的帮助。\n"
    )
    assert mined(text, questions(8), 9) == [
        "Q: {query}",
        "You are a guide.",
        "请用中文回答所有的问题吧，谢谢你的帮助。",
    ]
    assert mined(text, questions(8), 1) == ["Q: {query}"]


def test_what_is_no_candidate_is_refused_with_a_reason() -> None:
    with pytest.raises(ExperimentError, match="at most once"):
        worded(PRESET, "{query} and {query}")
    with pytest.raises(ExperimentError, match="is empty"):
        worded(PRESET, "  ")
    with pytest.raises(ExperimentError, match="verbatim prefix"):
        worded(Preset(name="v", prefix="text"), "Be good.")
    assert paraphrases("Say {query}", ["Tell {query}", "Tell it", "", "Tell {query}."], []) == (
        ["Tell {query}"],
        3,
    )
