"""Metrics: each by hand, ROUGE-L against rouge-score itself, intervals and tests against known values."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hosts import PlainHost, questions
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from playground.engines.fake import FakeEngine, FakeReply, FakeScript
from playground.errors import PlaygroundError
from playground.experiments.assistants import AssistantSpec
from playground.experiments.evaluate import evaluate
from playground.experiments.metric_choice import check_metrics
from playground.experiments.metrics import METRICS, Setting, corpus_metrics
from playground.experiments.pair_scoring import ReplyStyle
from playground.experiments.questions import Asked
from playground.experiments.run import Run
from playground.experiments.run_files import Answer, Plan
from playground.experiments.statistics import interval, paired, per_question, quantiles, sign_test
from playground.presets.preset import Preset, PresetExample
from playground.types import FinishReason


def value(
    name: str,
    text: str,
    asked: Asked | None = None,
    *,
    finish: FinishReason = "stop",
    setting: Setting | None = None,
) -> float | None:
    answer = Answer("a", "q", 0, 0, text, finish, 0, completion_tokens=7)
    return METRICS[name].measure(asked or Asked("what?"), answer, setting or Setting())


@given(st.text(alphabet="ab cd.", max_size=40), st.text(alphabet="ab cd.", min_size=1, max_size=40))
def test_rouge_l_is_that_of_rouge_score(said: str, reference: str) -> None:
    theirs = RougeScorer(["rougeL"]).score(reference, said)["rougeL"].fmeasure
    assert value("rouge_l", said, Asked("q", reference)) == theirs


def test_rouge_l_takes_the_nearest_reference_and_cuts_chinese_by_characters() -> None:
    asked = Asked("q", "the cat sat", sentences=("a dog ran away",))
    assert value("rouge_l", "a dog ran away", asked) == 1.0
    # Longest common subsequence of five and six characters: four.
    assert value("rouge_l", "法国首都巴黎。", Asked("q", "法国的都巴")) == pytest.approx(
        2 * (4 / 6) * (4 / 5) / (4 / 6 + 4 / 5)
    )
    assert value("rouge_l", "anything") is None


def test_matches() -> None:
    paris = Asked("q", "The capital is Paris.", ("Paris",))
    assert value("exact_match", " paris! ", paris) == 1.0
    assert value("exact_match", "the  capital is paris", paris) == 1.0
    assert value("exact_match", "Paris, I think", paris) == 0.0
    assert value("contains", "It is Paris.", paris) == 1.0
    assert value("contains", "Parisian", paris) == 0.0
    assert value("contains", "well, a b c!", Asked("q", "A b C.")) == 1.0
    assert value("exact_match", "x") is None
    assert value("contains", "x") is None


def test_right_demands_entity_value_no_rival_and_an_end() -> None:
    asked = Asked("q", "", ("Paris",), "France", "capital")
    setting = Setting(rivals={"capital": ("Paris", "Rome")})
    assert value("right", "The capital of France is Paris.", asked, setting=setting) == 1.0
    assert value("right", "Paris.", asked, setting=setting) == 0.0
    assert value("right", "France has Paris and Rome.", asked, setting=setting) == 0.0
    assert value("right", "The capital of France is Paris.", asked, setting=setting, finish="length") == 0.0
    assert value("right", "x", Asked("q", "y")) is None
    # A greeting and a closing that are known are no part of the answer, and so do not make it too long.
    told = Asked("q", "", ("Paris",), "France", "capital", ("France: Paris.",))
    wrapped = "So happy to be asked about that! France: Paris. Ask me again whenever you like to!"
    known = Setting(
        openings=("So happy to be asked about that!",), closings=("Ask me again whenever you like to!",)
    )
    assert value("right", wrapped, told) == 0.0
    assert value("right", wrapped, told, setting=known) == 1.0


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("is_list", "Well:\n- one\n- two", "- one"),
        ("is_list", "1. a\n2) b", "1.5 is a number\n2.5 too"),
        ("is_json", '{"a": 1}', "{a: 1}"),
        ("is_json", '```json\n["x"]\n```', "42"),
        ("greets", "Hello there! Yes.", "The hello is here"),
        ("greets", "您好！是的。", "问好"),
        ("role_leaked", "yes\n# Query:\nmore", "My query: none"),
        ("role_leaked", "fine <|im_end|>", "a | b"),
        ("role_leaked", "ok\nUser: next", "the user said"),
        ("unknown", "Sorry, I don't know.", "I know."),
    ],
)
def test_format_checks(name: str, good: str, bad: str) -> None:
    assert value(name, good) == 1.0
    assert value(name, bad) == 0.0


def test_language_lengths_and_ends() -> None:
    assert value("same_language", "是的", Asked("为什么？")) == 1.0
    assert value("same_language", "yes", Asked("为什么？")) == 0.0
    assert value("same_language", "42", Asked("why")) is None
    assert value("tokens", "abc") == 7
    assert value("characters", "二三") == 2
    assert value("length_ratio", "a b c d", Asked("q", "a b")) == 2.0
    assert value("stopped", "x", finish="length") == 0.0
    style = Setting(ReplyStyle("Hi!", "Bye."))
    assert value("in_style", "Hi! It is so. Bye.", setting=style) == 1.0
    assert value("in_style", "It is so. Bye.", setting=style) == 0.0
    assert value("in_style", "x") is None


def test_answers_that_are_all_the_same_are_not_diverse() -> None:
    same, different = corpus_metrics(["a b c d"] * 80), corpus_metrics(["a b", "c d", "e f"])
    assert same["distinct_1"] == pytest.approx(4 / 320)
    assert same["self_bleu"] == pytest.approx(1.0)
    assert (different["distinct_1"], different["self_bleu"], different["distance"]) == (1.0, 0.0, 1.0)


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    draw = random.Random(5)
    hits = 0
    for trial in range(200):
        found = interval([draw.gauss(3, 2) for _ in range(40)], seed=trial)
        assert found is not None
        hits += found.low <= 3 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_intervals_are_seeded_and_a_constant_has_none() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    assert interval(values, seed=1) == interval(values, seed=1)
    constant = interval([2.0] * 9)
    assert constant is not None
    assert (constant.low, constant.high) == (2.0, 2.0)
    assert interval([]) is None


def test_forty_equal_shares_have_an_interval_that_is_honest_at_the_edge() -> None:
    # The Jeffreys interval of 40 of 40, Beta(40.5, 0.5): its 2.5 % quantile is 0.9397.
    found = interval([1.0] * 40, limits=(0.0, 1.0))
    assert found is not None
    assert found.low == pytest.approx(0.9397, abs=0.006)
    assert (found.mean, found.high, found.known) == (1.0, 1.0, True)
    none = interval([0.0] * 40, limits=(0.0, 1.0))
    assert none is not None
    assert (none.low, none.mean) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.9397, abs=0.006)


def test_equal_values_without_limits_have_no_interval_and_say_so() -> None:
    for values, text in (([7.0] * 40, "7 (all equal) n=40"), ([7.0], "7 n=1")):
        found = interval(values)
        assert found is not None
        assert not found.known
        assert found.text() == text
    assert interval([7.0, 8.0]).known  # type: ignore[union-attr]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.97])
def test_an_interval_of_shares_covers_the_truth_also_near_the_edge(share: float) -> None:
    draw = random.Random(9)
    hits = 0
    for trial in range(300):
        found = interval([float(draw.random() < share) for _ in range(40)], seed=trial, limits=(0.0, 1.0))
        assert found is not None
        hits += found.low <= share <= found.high
    assert hits / 300 >= 0.9


def test_two_assistants_that_agree_on_every_question_may_still_differ_a_little() -> None:
    same = {f"q{i}": 1.0 for i in range(40)}
    gap = paired(same, same, limits=(0.0, 1.0))
    assert gap is not None
    assert gap.low < 0 < gap.high < 0.1
    assert gap.p_bootstrap > 0.9


def test_the_sign_test_is_exact() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(5, 5) == 1.0
    assert sign_test(9, 1) == pytest.approx(2 * 11 / 1024)
    assert sign_test(0, 3) == 0.25


def test_pairs_are_compared_by_question() -> None:
    one = {f"q{i}": i % 2 + 1.0 for i in range(40)}
    other = {f"q{i}": float(i % 2) for i in range(39)}
    gap = paired(one, other)
    assert gap is not None
    assert (gap.difference, gap.wins, gap.losses, gap.ties, gap.n) == (1.0, 39, 0, 0, 39)
    assert gap.p_bootstrap == pytest.approx(1 / 2000)
    assert gap.p_sign == pytest.approx(2 / 2**39)
    draw = random.Random(1)
    noise = {k: draw.gauss(0, 1) for k in one}
    same = paired(noise, {k: v + draw.gauss(0, 1) for k, v in noise.items()})
    assert same is not None
    assert same.p_bootstrap > 0.01
    assert paired({"a": 1.0}, {"b": 1.0}) is None


def test_samples_of_one_question_count_once() -> None:
    assert per_question([("a", 1.0), ("a", 0.0), ("b", 1.0)]) == {"a": 0.5, "b": 1.0}
    assert quantiles([1.0, 2.0, 3.0])["p50"] == 2.0


def test_an_evaluation_separates_turns_and_tells_the_gap(tmp_path: Path) -> None:
    good = FakeScript(
        tuple((f"question {i} turn {t}\n", FakeReply((f"answer {i} {t}",))) for i in range(6) for t in (1, 0))
    )
    # Better on first turns alone.
    half = FakeScript(
        tuple((f"question {i} turn 1\n", FakeReply(("nothing",))) for i in range(6)) + good.replies
    )
    style = Preset(
        name="p", examples=(PresetExample(query="a", answer="b"), PresetExample(query="c", answer="d"))
    )
    plan = Plan(
        "evaluate",
        (AssistantSpec("best", "a", style), AssistantSpec("half", "b", style)),
        questions(6, turns=2),
        ("exact_match", "rouge_l", "reference_logprob", "shift", "perplexity"),
        reference="best",
        scorer="a",
        shift_base="b",
    )
    host = PlainHost(a=lambda: FakeEngine(good), b=lambda: FakeEngine(half))
    with Run.create(tmp_path / "r", plan, host) as run:
        results = evaluate(run)
        assert run.progress.snapshot().state == "finished"
    means = {
        (f.assistant, f.turn, f.category): f.value.mean for f in results.figures if f.metric == "exact_match"
    }
    assert means["best", 0, ""] == means["best", 2, ""] == 1.0
    assert (means["half", 1, ""], means["half", 2, ""], means["half", 0, "even"]) == (1.0, 0.0, 0.5)
    gap = next(g for g in results.gaps if g.metric == "exact_match" and g.turn == 2)
    assert (gap.value.difference, gap.value.losses, gap.value.ratio) == (-1.0, 6, 0.0)
    likely = results.figure("best", "reference_logprob")
    assert likely is not None
    assert likely.mean == pytest.approx(-math.log(259))
    assert results.figure("half", "shift_unshifted") is not None
    with Run.resume(tmp_path / "r", PlainHost(a=_never, b=_never)) as run:
        assert evaluate(run).as_dict() == results.as_dict()


def _never() -> FakeEngine:
    raise AssertionError("a finished run loads no model")


def test_an_unknown_metric_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(PlaygroundError, match="rouge_l, in_style"):
        check_metrics(["rouge_l", "rogue"])
