"""Presets on their way out, and beside each other: formats, links, the Hub, conflicts, descent."""

from __future__ import annotations

from collections.abc import Mapping

from playground.errors import PresetError, TemplateError
from playground.exports.formats import FORMATS, export_preset
from playground.presets.hub import PresetThereError, has_token, push
from playground.presets.library import file_digest
from playground.presets.lineage import lineage
from playground.presets.link import LinkTooLongError, encode_link
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.studio.conflict import three_way
from playground.ui.api.binding import Call
from playground.ui.api.presets import draft_json, find_entry
from playground.ui.api.studio import diff_json
from playground.ui.strings import Strings
from playground.ui.wire_format import DraftIn, Incoming, NameIn


class ExportIn(DraftIn):
    """A preset, and the format that is wanted of it."""

    to: str


class PushIn(DraftIn):
    """A preset, and the dataset repository that it goes to."""

    repository: str
    public: bool = False
    overwrite: bool = False


class ConflictIn(Incoming):
    """Somebody else changed a preset: what it was when it was opened, and what it is here now."""

    name: str
    base: Mapping[str, object]
    mine: Mapping[str, object]


class PresetSharingCalls:
    """Hands presets on, and holds them against each other."""

    def __init__(self, workbench: Workbench, strings: Strings) -> None:
        self._bench = workbench
        self._strings = strings

    def calls(self) -> list[Call]:
        """``sharing``, ``export_preset``, ``link_preset``, ``push_preset``, ``conflict`` and ``lineage``."""
        return [
            Call.of("sharing", Incoming, lambda _: self.sharing()),
            Call.of("export_preset", ExportIn, self.export),
            Call.of("link_preset", DraftIn, self.link),
            Call.of("push_preset", PushIn, self.push),
            Call.of("conflict", ConflictIn, self.conflict),
            Call.of("lineage", NameIn, self.lineage),
        ]

    def sharing(self) -> object:
        """The formats that there are, and whether a token for the Hub is here."""
        return {"formats": list(FORMATS), "token": has_token()}

    def export(self, query: ExportIn) -> object:
        """A preset in another format, and what that loses."""
        exported = export_preset(Preset.checked(query.draft), query.to)
        return {"text": exported.text, "suffix": exported.suffix, "lost": exported.lost}

    def link(self, query: DraftIn) -> object:
        """The fragment of a link that holds the preset, or why there is none."""
        try:
            return {"fragment": encode_link(Preset.checked(query.draft)), "too_long": None}
        except LinkTooLongError as error:
            return {"fragment": None, "too_long": str(error)}

    def push(self, query: PushIn) -> object:
        """Put a preset into a dataset repository; ``there`` says that another one has its name there."""
        preset = Preset.checked(query.draft)
        repository = query.repository.strip()
        try:
            done = push(preset, repository, public=query.public, overwrite=query.overwrite)
        except PresetThereError as error:
            return {"there": str(error)}
        return {"path": done.path, "commit": done.commit, "created": done.created}

    def conflict(self, query: ConflictIn) -> object:
        """What the file holds now against the preset here, by part; both in one where that can be."""
        entry = find_entry(self._bench, query.name, self._strings)
        shown: dict[str, object] = {"digest": file_digest(entry.path), "problem": None, "theirs": None}
        base, mine = (Preset.checked(one) for one in (query.base, query.mine))
        try:
            theirs = self._bench.presets.load(entry.name)
            both = three_way(base, mine, theirs)
        except (PresetError, TemplateError) as error:
            return shown | {"problem": str(error)}
        mergeable = not both.clashing and both.merged not in (mine, theirs)
        return shown | {
            "theirs": draft_json(theirs),
            "difference": diff_json(both.between),
            "clashing": both.clashing,
            "merged": draft_json(both.merged) if mergeable else None,
        }

    def lineage(self, query: NameIn) -> object:
        """The tree that a preset belongs to, as lines with a depth, parents first."""
        tree = lineage(self._bench.presets, query.name)
        return [
            {"depth": depth, "name": n.name, "hash": n.hash, "present": n.present, "link": n.link}
            for depth, n in tree.walk()
        ]
