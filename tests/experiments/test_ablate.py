"""Variants: each is what its name says, made without touching the preset it came from."""

from __future__ import annotations

import pytest

from playground.experiments.ablate import (
    OUT_OF_DOMAIN,
    apart,
    corruptions,
    decoding_grid,
    example_counts,
    leave_one_out,
    permutations,
    templates,
    without_system,
)
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.pools import in_style_of
from playground.experiments.questions import Asked, Question, QuestionSet
from playground.presets.preset import Preset, PresetExample
from playground.types import Example

PRESET = Preset(
    name="p",
    system="Be kind.",
    examples=(
        PresetExample(query="one", answer="Hello! First. Bye now."),
        PresetExample(query="two", answer="Hello! Second. Bye now."),
        PresetExample(query="off", answer="never", enabled=False),
        PresetExample(query="three", answer="Hello! Third. Bye now."),
    ),
)
SPEC = AssistantSpec("m:p", "m", PRESET)
POOL = tuple(Example(f"pool {i}", f"answer {i}") for i in range(12))


def shown(spec: AssistantSpec) -> list[tuple[str, str]]:
    assert spec.preset is not None
    return [(e.query, e.answer) for e in spec.preset.turn_examples() if e.enabled]


def test_smaller_sets_are_parts_of_larger_ones_and_seeds_differ() -> None:
    variants = example_counts(SPEC, POOL, (0, 2, 5), seeds=(0, 1))
    sets = {(v.tags["value"], v.tags["seed"]): shown(v) for v in variants}
    assert sets.keys() == {(0, 0), (2, 0), (2, 1), (5, 0), (5, 1)}
    for seed in (0, 1):
        assert sets[5, seed][:2] == sets[2, seed]
    assert sets[5, 0] != sets[5, 1]
    given = example_counts(SPEC, POOL, (3,), order="given")
    assert [shown(v) for v in given] == [[(e.query, e.answer) for e in POOL[:3]]]
    with pytest.raises(ExperimentError, match="pool has 12"):
        example_counts(SPEC, POOL, (13,))


def test_diverse_examples_are_far_from_each_other() -> None:
    pool = (Example("a b c", "1"), Example("a b d", "2"), Example("x y z", "3"), Example("x y w", "4"))
    (variant,) = example_counts(SPEC, pool, (2,), order="diverse")
    assert [query for query, _ in shown(variant)] == ["a b c", "x y z"]


def test_leaving_one_out_leaves_exactly_one_out() -> None:
    variants = leave_one_out(SPEC)
    assert [len(shown(v)) for v in variants] == [3, 2, 2, 2]
    whole = set(shown(variants[0]))
    assert [(whole - set(shown(v))).pop()[0] for v in variants[1:]] == ["one", "two", "three"]


def test_orders_are_distinct_and_the_given_one_is_first() -> None:
    variants = permutations(SPEC, n=10)
    orders = [tuple(shown(v)) for v in variants]
    assert len(set(orders)) == len(orders) == 6
    assert orders[0] == tuple(shown(SPEC))
    assert all(set(order) == set(orders[0]) for order in orders)
    many = Preset(name="m", examples=tuple(PresetExample(query=str(i), answer="a") for i in range(9)))
    assert len({tuple(shown(v)) for v in permutations(AssistantSpec("x", "m", many), n=20)}) == 20


def test_corrupted_answers_keep_their_queries() -> None:
    variants = {str(v.tags["value"]): shown(v) for v in corruptions(SPEC, POOL)}
    queries = ["one", "two", "three"]
    assert all([query for query, _ in found] == queries for found in variants.values())
    answers = {way: [answer for _, answer in found] for way, found in variants.items()}
    right = answers["correct"]
    assert answers["circular shift"] == [right[1], right[2], right[0]]
    assert set(answers["random in-domain"]) <= {e.answer for e in POOL}
    assert set(answers["random out-of-domain"]) <= set(OUT_OF_DOMAIN)
    assert answers["no answer"] == ["", "", ""]
    with pytest.raises(ExperimentError, match="others to draw from"):
        corruptions(SPEC, POOL[:2])


def test_system_template_and_decoding() -> None:
    on, off = without_system(SPEC)
    assert on.preset is not None
    assert off.preset is not None
    assert (on.preset.system, off.preset.system) == ("Be kind.", "")
    swapped = templates(SPEC, ("plain", "urial_backticks"))
    assert [v.preset.template for v in swapped if v.preset] == ["plain", "urial_backticks"]
    grid = decoding_grid(SPEC, temperatures=(0.0, 1.0), repetition_penalties=(1.0, 1.2), top_ps=(1.0, 0.9))
    seen = [(v.params().temperature, v.params().repetition_penalty, v.params().top_p) for v in grid]
    assert seen == [(0, 1, 1), (0, 1.2, 1), (1, 1, 1), (1, 1, 0.9), (1, 1.2, 1), (1, 1.2, 0.9)]
    assert len({v.name for v in grid}) == len(grid)


def test_a_variant_is_a_preset_that_can_be_opened_and_names_its_parent() -> None:
    for variant in (*leave_one_out(SPEC), *corruptions(SPEC, POOL), *without_system(SPEC)):
        assert variant.preset is not None
        assert variant.preset.derived_from is not None
        assert variant.preset.derived_from.hash == PRESET.content_hash() or variant.tags["axis"] == "system"
        assert Preset.from_yaml(variant.preset.to_yaml()) == variant.preset


def test_a_pool_is_told_in_the_presets_manner_and_holds_no_question() -> None:
    told = in_style_of((Example("q", "It is so."),), PRESET)
    assert told[0].answer == "Hello! It is so. Bye now."
    asked = QuestionSet("s", (Question("1", (Asked("Pool  3"),)),))
    assert [e.query for e in apart(POOL, asked)] == [e.query for e in POOL if e.query != "pool 3"]


def test_what_cannot_be_taken_apart_is_refused() -> None:
    with pytest.raises(ExperimentError, match="has no preset"):
        leave_one_out(AssistantSpec("bare", "m"))
    with pytest.raises(ExperimentError, match="verbatim prefix"):
        leave_one_out(AssistantSpec("v", "m", Preset(name="v", prefix="text")))
    with pytest.raises(ExperimentError, match="no enabled example"):
        permutations(AssistantSpec("e", "m", Preset(name="e")))
