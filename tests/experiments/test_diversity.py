"""Diversity of answers against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from playground.experiments.diversity import (
    agreement,
    bleu,
    distance,
    distinct_n,
    diversity,
    self_bleu,
    words,
)


def test_words_are_lower_case_and_signs_stand_alone() -> None:
    assert words("It's a Cat, 你好!") == ["it's", "a", "cat", ",", "你", "好", "!"]


def test_distinct_n() -> None:
    answers = [["a", "b", "a"], ["a", "b"]]
    assert distinct_n(answers, 1) == 2 / 5
    assert distinct_n(answers, 2) == 2 / 3  # ab, ba, ab
    assert distinct_n(answers, 3) == 1.0
    assert distinct_n(answers, 4) is None


def test_bleu_by_hand() -> None:
    # Unigrams 3 of 4; bigrams (2 + 1) of (3 + 1); trigrams (1 + 1) of (2 + 1); 4-grams (0 + 1) of (1 + 1).
    candidate, reference = words("the cat sat down"), words("the cat sat")
    by_hand = (3 / 4 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert bleu(candidate, [reference]) == pytest.approx(by_hand)
    # A shorter candidate pays: all its words hit, one of four is missing.
    short = math.exp(1 - 4 / 3) * (1 * 1 * 1 * 1) ** 0.25
    assert bleu(reference, [candidate]) == pytest.approx(short)
    assert bleu(["x"], [candidate]) == 0.0
    assert bleu(candidate, [candidate]) == pytest.approx(1.0)


def test_clipped_counts() -> None:
    # "the" counts once although it is said three times.
    assert bleu(["the", "the", "the"], [["the", "cat", "sat"]]) == pytest.approx(
        (1 / 3 * 1 / 3 * 1 / 2 * 1 / 1) ** 0.25
    )


def test_self_bleu_needs_two() -> None:
    assert self_bleu([["a"]]) is None
    assert self_bleu([["a", "b"], ["a", "b"]]) == pytest.approx(1.0)
    assert self_bleu([["a"], ["b"]]) == 0.0


def test_distance_and_agreement() -> None:
    assert distance(["a", "b"], ["b", "c"]) == pytest.approx(2 / 3)
    assert distance([], []) == 0.0
    assert agreement(["a b", "a b", "c"]) == pytest.approx([0.5, 0.5, 0.0])
    figures = diversity(["a b", "a b", "c"])
    assert figures.distance == pytest.approx((0 + 1 + 1) / 3)
    assert figures.distinct[0] == 3 / 5


def test_same_and_empty_answers() -> None:
    same = diversity(["Hello there.", "Hello there."])
    assert same.distance == 0.0
    assert same.self_bleu == pytest.approx(1.0)
    nothing = diversity(["", ""])
    assert nothing.distinct == (None, None, None)
    assert nothing.self_bleu is None
    assert diversity([]).distance is None
