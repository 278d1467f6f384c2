"""Presets from elsewhere: files, pasted text, addresses, the Hub. Nothing is saved before it is asked for."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Annotated

from pydantic import Field

from playground.errors import PresetError
from playground.imports.recognise import import_text
from playground.imports.result import Imported
from playground.imports.source import SourceText, decoded, read_source
from playground.presets.hub import pull
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.studio.conflict import prompt_difference
from playground.ui.api.binding import Call
from playground.ui.api.presets import library_json, view_json
from playground.ui.wire_format import Incoming

MAX_FOUND = 200  # presets of one file that the page shows


class ImportIn(Incoming):
    """What may hold presets: a text, a file's bytes in base64, or an address that is to be read."""

    text: str | None = None
    data: str | None = None
    address: str | None = None
    name: str = ""


class SaveAllIn(Incoming):
    """Presets to keep, each under its name."""

    drafts: Annotated[tuple[Mapping[str, object], ...], Field(max_length=MAX_FOUND)]


class PullIn(Incoming):
    """Where presets lie on the Hub."""

    repository: str


class PresetImportCalls:
    """Reads what people bring, and keeps what they choose of it."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench

    def calls(self) -> list[Call]:
        """``import_presets``, ``save_presets`` and ``pull_presets``."""
        return [
            Call.of("import_presets", ImportIn, self.import_presets),
            Call.of("save_presets", SaveAllIn, self.save_presets),
            Call.of("pull_presets", PullIn, self.pull_presets),
        ]

    def import_presets(self, query: ImportIn) -> object:
        """The presets in a text, with what was kept in which way; nothing is saved."""
        read = _read(query)
        found = import_text(read.text, name=read.name, source=read.source)
        return [_found_json(imported, read.notes) for imported in found[:MAX_FOUND]]

    def save_presets(self, query: SaveAllIn) -> object:
        """Keep presets that are new here; those that were not kept, with the reason."""
        saved: list[str] = []
        refused: list[tuple[str, str]] = []
        for draft in query.drafts:
            try:
                saved.append(self._bench.presets.save(Preset.checked(draft)).stem)
            except PresetError as error:
                refused.append((str(draft.get("name", "")), str(error)))
        return {"saved": saved, "refused": refused, **library_json(self._bench)}

    def pull_presets(self, query: PullIn) -> object:
        """The presets of a dataset repository; nothing is saved."""
        found: list[dict[str, object]] = []
        refused: list[tuple[str, str]] = []
        for pulled in pull(query.repository.strip()):
            if pulled.preset is None:
                refused.append((pulled.name, pulled.error))
            else:
                found.append(_found_json(Imported(pulled.preset, "preset", "structured")))
        return {"found": found[:MAX_FOUND], "refused": refused}


def _read(query: ImportIn) -> SourceText:
    """The text that was brought.

    Raises:
        PresetImportError: It cannot be had, is too large, or is no text.
    """
    if query.address is not None:
        address = query.address.strip()
        if not address.lower().startswith(("http://", "https://")):
            raise PresetError(f"'{address[:60]}' is no address; one begins with https:// or http://.")
        return read_source(address)
    if query.data is None:
        return SourceText(query.text or "", "the text", "imported")
    file = PurePath(query.name.replace("\\", "/"))
    try:
        content = base64.b64decode(query.data, validate=True)
    except ValueError as error:  # also where there are other letters than ASCII
        raise PresetError(f"{file.name} did not arrive whole; choose it again.") from error
    return decoded(content, source=file.name or "the file", name=file.stem or "imported")


def _found_json(imported: Imported, notes: Sequence[str] = ()) -> dict[str, object]:
    other = imported.normalised
    found: dict[str, object] = {
        **view_json(imported.preset),
        "format": imported.format,
        "kind": imported.kind,
        "notes": [*notes, *imported.notes],
        "normalised": None,
    }
    if other is not None:
        found["normalised"] = view_json(other) | {"difference": prompt_difference(imported.preset, other)}
    return found
