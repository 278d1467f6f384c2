"""The world holds no contradictions, and a fifth of it is never asked."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice

import pytest

from models.wren.corpus import documents
from models.wren.relations import relations
from models.wren.world import World, load_world


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


def test_it_is_worth_talking_to(world):
    assert len(world.facts) >= 1500
    assert len(world.by_entity) >= 500
    assert sum(fact.relation.language == "zh" for fact in world.facts) >= 300


def test_no_fact_is_told_twice_or_differently(world):
    told = defaultdict(set)
    for fact in world.facts:
        told[fact.relation.name, fact.entity].add(fact.value)
    assert {key: values for key, values in told.items() if len(values) > 1} == {}
    assert len(told) == len(world.facts)


def test_opposites_are_mutual_where_both_are_told(world):
    pairs = {f.entity.phrase: f.value for f in world.by_relation["opposites.opposite"]}
    odd = {a: b for a, b in pairs.items() if b in pairs and pairs[b] != a}
    assert odd == {"old": "young", "new": "old"} or set(odd) <= {"old", "new"}


def test_sums_are_right(world):
    for fact in world.by_relation["sums.sum"]:
        left, right = fact.entity.phrase.split(" plus ")
        assert int(fact.value) == int(left) + int(right)


def test_every_pattern_names_what_it_needs():
    for relation in relations():
        for statement in relation.statements:
            assert any(mark in statement for mark in ("{e}", "{E}", "{n}")), relation.name
            assert any(mark in statement for mark in ("{v}", "{av}")), relation.name
        for prose in relation.prose:
            assert any(mark in prose for mark in ("{v}", "{av}")), relation.name


def test_a_fifth_of_every_relation_is_told_only(world):
    for name, facts in world.by_relation.items():
        share = sum(fact.told_only for fact in facts) / len(facts)
        assert abs(share - 0.2) <= 0.5 / len(facts) + 1e-9, name


def test_the_split_does_not_depend_on_the_run(world):
    again = load_world()
    assert again.told_only == world.told_only


def test_what_is_told_only_is_never_asked(world):
    questions = {
        fact.fill(pattern)
        for fact in world.told_only
        for pattern in fact.relation.questions
        # Two relations may share a question ("Where is Peru?"); only what no asked fact explains counts.
    }
    questions -= {fact.fill(pattern) for fact in world.asked for pattern in fact.relation.questions}
    for text in islice(documents(11), 800):
        lines = {line.strip() for line in text.splitlines()}
        assert not lines & questions


def test_a_neighbours_answer_is_wrong_and_always_the_same(world):
    for name in ("countries.capital", "animals.food", "opposites.opposite"):
        for fact in world.by_relation[name]:
            wrong = world.neighbour(fact)
            assert wrong is not None
            assert wrong != fact.spoken
            assert wrong == world.neighbour(fact)
