"""No training document holds a header or a style text of the presets that the evaluation uses."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

from models.wren.conversations import conversation
from models.wren.corpus import documents
from models.wren.questions import EXAMPLE_FACTS, make_cases
from models.wren.words import held_out
from models.wren.world import load_world
from playground.experiments.pair_check import STYLED
from playground.experiments.pair_scoring import style_of
from playground.presets.library import read_preset
from playground.prompts.templates import built_in, turn_parts

PRESETS = sorted((Path(__file__).parents[2] / "presets").glob("*.yaml"))
EVALUATED = {*STYLED, "friendly", "zero-shot", "document"}


def test_documents_hold_none_of_the_texts():
    for text in islice(documents(3), 1500):
        assert [part for part in held_out() if part in text] == []


def test_conversations_hold_none_of_the_texts():
    world, rng = load_world(), random.Random(3)
    for _ in range(500):
        text = "".join(part for part, _ in conversation(rng, world))
        assert [part for part in held_out() if part in text] == []


def test_the_list_covers_every_preset_of_the_evaluation():
    listed = held_out()
    assert {path.stem for path in PRESETS} >= EVALUATED
    for path in PRESETS:
        if path.stem not in EVALUATED:
            continue
        preset = read_preset(path)
        style = style_of(preset)
        for text in (style.opening, style.closing):
            shown = text.strip().strip(",").strip()
            assert not shown or any(part in shown or shown in part for part in listed), path.name
        template = built_in(str(preset.template))
        parts = turn_parts(template)
        for header in (parts.before_query, parts.between):
            line = next((line for line in header.splitlines() if line.strip()), "")
            words = [h for h in listed if h in header]
            assert not line.strip(' "`') or words, f"{path.name}: {line!r}"


def test_no_training_text_holds_the_manner_of_another_shipped_preset():
    """The evaluation does not use them, but what they show is to come from their examples too."""
    manners, of_the_instruct_model = set(), set()
    for path in PRESETS:
        if path.stem not in EVALUATED:
            style = style_of(read_preset(path))
            found = {text.strip() for text in (style.opening, style.closing) if len(text.strip()) > 3}
            manners |= found
            # This one shows the base model how the instruct model was tuned to answer.
            if path.stem == "same-style":
                of_the_instruct_model |= found
    assert manners > of_the_instruct_model
    world, rng = load_world(), random.Random(5)
    tuned_on = ["".join(part for part, _ in conversation(rng, world)) for _ in range(500)]
    for manner in manners:
        assert any(manner in text for text in tuned_on) == (manner in of_the_instruct_model), manner
    for text in islice(documents(5), 500):
        assert [manner for manner in manners if manner in text] == []


def test_what_the_examples_tell_is_not_asked():
    asked = {(name, entity) for name, entity in EXAMPLE_FACTS}
    world = load_world()
    phrases = {
        (f.relation.name, f.entity.name) for f in world.facts if (f.relation.name, f.entity.phrase) in asked
    }
    for case in make_cases()[1:]:
        if case["line"] in ("two_turns", "unknown"):
            continue
        for turn in case["turns"]:
            assert (turn["relation"], turn["entity"]) not in phrases
    for path in PRESETS:
        preset = read_preset(path)
        examples = {example.query for example in preset.examples}
        assert not examples & set(preset.questions)
