"""The published JSON Schema says what the program itself accepts."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from playground.errors import PresetError
from playground.presets.preset import Preset, PresetExample, PresetResult, PresetTemplate
from playground.presets.schema import preset_schema, schema_text
from playground.presets.yaml_text import read_yaml

VALIDATOR = jsonschema.Draft202012Validator(preset_schema())


def test_the_published_file_is_todays(repository: Path) -> None:
    assert (repository / "docs" / "preset.schema.json").read_text(encoding="utf-8") == schema_text()


def test_it_is_a_schema_and_every_shipped_preset_keeps_to_it(repository: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(preset_schema())
    paths = sorted((repository / "presets").glob("*.yaml"))
    assert paths
    for path in paths:
        VALIDATOR.validate(read_yaml(path.read_text(encoding="utf-8"), source=path.name).value)


def test_everything_that_a_preset_can_hold_keeps_to_it() -> None:
    whole = Preset(
        name="p",
        template=PresetTemplate(turn="{query}{answer}"),
        prefix="x",
        examples=(PresetExample(query="q", answer="a", enabled=False, note="n"),),
        stop=("x",),
        models=("a/b",),
        results=(PresetResult(measure="right", value=0.5, n=3),),
    ).derived("q")
    VALIDATOR.validate(json.loads(json.dumps(whole.model_dump(mode="json", by_alias=True))))


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"name": ""},
        {"name": "x", "sytem": "y"},
        {"name": "x", "examples": [{"query": "q"}]},
        {"name": "x", "sampling": {"temperature": -1}},
        {"name": "x", "template": {"name": "t"}},
        {"name": "x", "derived_from": {"name": "y", "hash": "z"}},
        {"schema": 9, "name": "x"},
    ],
)
def test_both_refuse_the_same(bad: dict[str, object]) -> None:
    assert not VALIDATOR.is_valid(bad)
    with pytest.raises(PresetError):
        Preset.checked(bad)
