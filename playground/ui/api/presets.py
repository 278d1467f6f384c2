"""Presets: open, keep, delete; from a file and to one."""

from __future__ import annotations

from playground.errors import PresetError
from playground.presets.library import PresetEntry
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.ui.api.binding import Call
from playground.ui.strings import Strings
from playground.ui.wire_format import DraftIn, NameIn, SaveIn, YamlIn


class PresetCalls:
    """The library of presets."""

    def __init__(self, workbench: Workbench, strings: Strings) -> None:
        self._bench = workbench
        self._strings = strings

    def calls(self) -> list[Call]:
        """Open, save, delete; read and write files."""
        return [
            Call.of("open_preset", NameIn, self.open_preset),
            Call.of("save_preset", SaveIn, self.save_preset),
            Call.of("delete_preset", NameIn, self.delete_preset),
            Call.of("read_yaml", YamlIn, self.read_yaml),
            Call.of("write_yaml", DraftIn, self.write_yaml),
        ]

    def open_preset(self, query: NameIn) -> object:
        """A preset of the library."""
        return draft_json(load_listed(self._bench, query.name, self._strings))

    def save_preset(self, query: SaveIn) -> object:
        """Keep a preset; the list as it is then."""
        self._bench.presets.save(Preset.checked(query.draft), overwrite=query.overwrite)
        return self._presets()

    def delete_preset(self, query: NameIn) -> object:
        """Delete a preset of one's own; the list as it is then."""
        self._bench.presets.delete(query.name)
        return self._presets()

    def read_yaml(self, query: YamlIn) -> object:
        """The preset in a file that a person chose."""
        return draft_json(Preset.from_yaml(query.text, source=query.source))

    def write_yaml(self, query: DraftIn) -> object:
        """The file of a preset."""
        return Preset.checked(query.draft).to_yaml()

    def _presets(self) -> object:
        return [entry_json(entry) for entry in self._bench.presets.entries()]


def load_listed(bench: Workbench, name: str, strings: Strings) -> Preset:
    """A preset of the library, by name only: a page must not read files by their path.

    Raises:
        PresetError: There is none of that name, or it cannot be read.
    """
    if name not in {entry.name for entry in bench.presets.entries()}:
        raise PresetError(strings("preset.gone", name=name))
    return bench.presets.load(name)


def draft_json(preset: Preset) -> dict[str, object]:
    """A preset as the page edits it: what its file would say."""
    return preset.model_dump(mode="json", by_alias=True)


def entry_json(entry: PresetEntry) -> dict[str, object]:
    """A line of the library."""
    return {
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "shipped": entry.shipped,
        "error": entry.error,
    }
