"""Older preset files brought up to date, one step a schema; the file itself is not touched.

``MIGRATIONS[n]`` makes a mapping of schema ``n`` one of schema ``n + 1``. A step copies what it changes and
says in its docstring what changed and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from playground.errors import PresetError

SCHEMA = 2
"""What this program writes."""


def _language_is_told(preset: Mapping[object, object]) -> dict[object, object]:
    """1 to 2: a preset without ``language`` was English; now it is one whose language nobody told.

    An imported file does not say its language, and must not claim one. New in 2, with nothing to migrate:
    ``derived_from``, ``models``, ``results``.
    """
    return {"language": "en", **preset}


MIGRATIONS: dict[int, Callable[[Mapping[object, object]], dict[object, object]]] = {1: _language_is_told}


def migrate(preset: Mapping[object, object], *, source: str) -> Mapping[object, object]:
    """The same preset in the schema of today. A mapping without ``schema`` is taken for one of today.

    Raises:
        PresetError: It is of a schema that this program does not know.
    """
    version = preset.get("schema", SCHEMA)
    if isinstance(version, bool) or not isinstance(version, int):
        return preset  # the check of types names it
    if version > SCHEMA:
        raise PresetError(
            f"{source} is of schema {version} and this program reads up to {SCHEMA}; update the program."
        )
    while version in MIGRATIONS:
        preset = {**MIGRATIONS[version](preset), "schema": version + 1}
        version += 1
    return preset
