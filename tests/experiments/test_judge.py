"""A judge's verdicts are read strictly, in both orders, and one that always says the first wins half."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hosts import PlainHost, questions

from playground.engines.base import Engine
from playground.engines.fake import FakeEngine, FakeReply, FakeScript
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.evaluate import evaluate
from playground.experiments.judge import ModelJudge, RuleJudge, judge_pairs, judge_scores, write_judged
from playground.experiments.judge_prompts import pair_prompt, read_choice, read_score, score_prompt
from playground.experiments.run import Run
from playground.experiments.run_files import Plan
from playground.experiments.verdicts import (
    agreement,
    length_controlled,
    pair_figures,
    read_votes,
    score_figures,
)

GOOD = FakeScript((("", FakeReply(("a good answer",))),))
LONG = FakeScript((("", FakeReply(("a bad answer that goes on and on",))),))


def answered(tmp_path: Path, judge: FakeScript | None = None, n: int = 8, turns: int = 1) -> Run:
    host = PlainHost(a=lambda: FakeEngine(GOOD), b=lambda: FakeEngine(LONG), j=lambda: FakeEngine(judge))
    specs = (AssistantSpec("good", "a"), AssistantSpec("long", "b"))
    run = Run.create(tmp_path / "r", Plan("evaluate", specs, questions(n, turns=turns), ("tokens",)), host)
    evaluate(run)
    return run


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Fine. [[7]]", 7.0),
        ("[[ 8.5 ]]", 8.5),
        ("[[3]] and again [[3]]", 3.0),
        ("[[3]] or [[4]]", None),
        ("[[11]]", None),
        ("[[0]]", None),
        ("Rating: 7", None),
        ("[[A]]", None),
        ("", None),
    ],
)
def test_scores_are_read_and_never_guessed(text: str, score: float | None) -> None:
    assert read_score(text) == score


def test_choices_are_read_and_never_guessed() -> None:
    read = [read_choice(t) for t in ("so [[A]]", "[[B]]", "[[C]]", "[[A]] no, [[B]]", "A", "[[7]]")]
    assert read == ["first", "second", "tie", None, None, None]


def test_a_judge_that_always_prefers_the_first_wins_half_and_is_all_bias(tmp_path: Path) -> None:
    with answered(tmp_path) as run:
        verdicts = judge_pairs(run, RuleJudge("first"), "long")
    assert len(verdicts) == 16
    (figures,) = pair_figures(verdicts, "long")
    assert figures.win_rate is not None
    assert figures.win_rate.mean == 0.5
    assert figures.first_share == 1.0
    assert figures.flipped == 1.0
    assert figures.length_controlled == pytest.approx(0.5)


def test_a_judge_that_prefers_length_is_unmasked_by_it(tmp_path: Path) -> None:
    with answered(tmp_path) as run:
        (figures,) = pair_figures(judge_pairs(run, RuleJudge("longer"), "long"), "long")
    assert figures.win_rate is not None
    assert figures.win_rate.mean == 0.0
    assert figures.flipped == 0.0


def test_at_equal_length_a_liking_for_length_is_gone_and_a_real_one_stays() -> None:
    draw = random.Random(3)
    gaps = [draw.gauss(40, 60) for _ in range(2_000)]
    by_length = [float(draw.random() < 1 / (1 + 2.718 ** (-gap / 30))) for gap in gaps]
    plain = sum(by_length) / len(by_length)
    fair = length_controlled(by_length, gaps)
    assert plain > 0.65
    assert fair == pytest.approx(0.5, abs=0.05)
    real = length_controlled([float(draw.random() < 0.8) for _ in gaps], gaps)
    assert real == pytest.approx(0.8, abs=0.04)
    assert length_controlled([], []) is None
    assert length_controlled([1.0] * 20, [5.0] * 20) is not None


def test_a_models_verdicts_are_kept_with_their_words_and_not_asked_twice(tmp_path: Path) -> None:
    asked: list[str] = []

    def play(prompt: str, sample: int) -> FakeReply:
        asked.append(prompt)
        better = "A" if prompt.index("a good answer") < prompt.index("a bad answer") else "B"
        return FakeReply((f"It is good. [[{better}]]",))

    def engine() -> Engine:
        return FakeEngine(play)

    host = PlainHost(a=lambda: FakeEngine(GOOD), b=lambda: FakeEngine(LONG), j=engine)
    specs = (AssistantSpec("good", "a"), AssistantSpec("long", "b"))
    judge = ModelJudge(AssistantSpec("the judge", "j"))
    with Run.create(tmp_path / "r", Plan("evaluate", specs, questions(4)), host) as run:
        evaluate(run)
        verdicts = judge_pairs(run, judge, "long", ("overall", "clarity"))
        assert len(asked) == len(verdicts) == 16
        assert judge_pairs(run, judge, "long", ("overall", "clarity")) == verdicts
        assert len(asked) == 16
        written = write_judged(run, verdicts, "long")
    assert {v.text[:11] for v in verdicts} == {"It is good."}
    for figures in pair_figures(verdicts, "long"):
        assert figures.win_rate is not None
        assert (figures.win_rate.mean, figures.flipped, figures.first_share) == (1.0, 0.0, 0.5)
    assert isinstance(written["pairs"], list)
    assert len(written["pairs"]) == 2
    assert (tmp_path / "r" / "judged.json").is_file()


def test_what_does_not_parse_is_counted_and_a_judge_that_fails_is_asked_again(tmp_path: Path) -> None:
    script = FakeScript(
        (
            ("question 1 ", FakeReply(("It was rather nice, eight of ten.",))),
            ("question 2 ", FakeReply(("x",), fail_at=0, error="The server did not answer in 60 s.")),
            ("", FakeReply(("[[6]]",))),
        )
    )
    with answered(tmp_path, script, n=4) as run:
        verdicts = judge_scores(run, ModelJudge(AssistantSpec("j", "j")))
        figures = score_figures(verdicts)
        assert [(f.assistant, f.unparsable, f.failed, f.n) for f in figures] == [
            ("good", 1, 1, 4), ("long", 1, 1, 4),
        ]  # fmt: skip
        assert all(f.score is not None and f.score.mean == 6.0 and f.score.n == 2 for f in figures)
        failed = [v for v in verdicts if v.retry]
        assert {(v.question, v.problem) for v in failed} == {("q2", "The server did not answer in 60 s.")}
    mended = PlainHost(j=lambda: FakeEngine(FakeScript((("", FakeReply(("[[9]]",))),))))
    with Run.resume(tmp_path / "r", mended) as run:
        again = judge_scores(run, ModelJudge(AssistantSpec("j", "j")))
    assert sorted(v.score for v in again if v.score) == [6.0] * 4 + [9.0] * 2


def test_turns_are_scored_apart(tmp_path: Path) -> None:
    with answered(tmp_path, turns=2, n=3) as run:
        figures = score_figures(judge_scores(run, RuleJudge("longer")))
    assert {(f.assistant, f.turn) for f in figures} == {(a, t) for a in ("good", "long") for t in (0, 1, 2)}


def test_agreement_counts_pairs_that_people_judged_too(tmp_path: Path) -> None:
    with answered(tmp_path, n=4) as run:
        verdicts = judge_pairs(run, RuleJudge("longer"), "long")
        tied = judge_pairs(run, RuleJudge("first"), "long")
    votes = {("q0", 0, "good", "long"): "other", ("q1", 0, "long", "good"): "one"}
    votes |= {("q2", 0, "good", "long"): "tie"}
    assert agreement(verdicts, votes) == (2 / 3, 3)  # type: ignore[arg-type]
    assert agreement(tied, votes) == (1 / 3, 3)  # type: ignore[arg-type]
    assert agreement([replace(v, choice=None) for v in tied], votes) == (None, 0)  # type: ignore[arg-type]


def test_votes_are_read_and_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text(
        '{"question_id": 81, "model_a": "x", "model_b": "y", "winner": "model_b", "turn": 2}\n\n'
        '{"question_id": "q", "model_a": "x", "model_b": "y", "winner": "tie (inconsistent)"}\n'
    )
    assert read_votes(path) == {("81", 1, "x", "y"): "other", ("q", 0, "x", "y"): "tie"}
    path.write_text('{"question_id": 81}\n')
    with pytest.raises(ExperimentError, match="line 1 is no vote"):
        read_votes(path)
    with pytest.raises(ExperimentError, match="cannot be read"):
        read_votes(tmp_path / "none")


def test_prompts_hold_everything_once_and_unknown_names_are_refused(tmp_path: Path) -> None:
    text = pair_prompt("Q?", "one", "two", "depth", "ref")
    assert [text.count(part) for part in ("Q?", "\none\n", "\ntwo\n", "\nref\n", "[[A]]")] == [1] * 5
    assert "comparison" not in score_prompt("Q?", "one", "depth")
    with pytest.raises(ExperimentError, match="rule:first"):
        RuleJudge("best")
    with answered(tmp_path, n=1) as run:
        with pytest.raises(ExperimentError, match="no aspect 'charm'"):
            judge_scores(run, RuleJudge("first"), ("charm",))
        with pytest.raises(ExperimentError, match="has no answers"):
            judge_pairs(run, RuleJudge("first"), "nobody")
