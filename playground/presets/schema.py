"""The published JSON Schema of a preset file, for editors that check while one types and for others."""

from __future__ import annotations

import json

from playground.presets.preset import Preset


def preset_schema() -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of a preset file of today's schema.

    It says what has which type and limits. What it cannot say (that a turn pattern holds ``{query}`` before
    ``{answer}``) is told when a preset is read.
    """
    schema = Preset.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Preset"}


def schema_text() -> str:
    """The schema as it is published in ``docs/preset.schema.json``."""
    return json.dumps(preset_schema(), indent=2, ensure_ascii=False) + "\n"
