"""The library of presets: look, open, keep, delete, and notice what others change in its folder."""

from __future__ import annotations

from collections.abc import Mapping

from playground.chat.assistant import preset_renderer
from playground.errors import PresetError, TemplateError
from playground.presets.library import PresetCommentsError, PresetConflictError, PresetEntry, file_digest
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.types import Message
from playground.ui.api.binding import Call
from playground.ui.strings import Strings
from playground.ui.wire_format import Incoming, NameIn, PresetRef, prompt_json


class SaveIn(Incoming):
    """A preset to keep.

    ``overwrite`` where it was opened from the same name, ``expected`` what its file held then; ``parent`` is
    the preset that it was made from, where it gets a name of its own.
    """

    draft: Mapping[str, object]
    overwrite: bool = False
    expected: str | None = None
    drop_comments: bool = False
    parent: Mapping[str, object] | None = None


class FolderIn(Incoming):
    """What the page knows of the folders."""

    token: str


class PresetCalls:
    """The library of presets."""

    def __init__(self, workbench: Workbench, strings: Strings) -> None:
        self._bench = workbench
        self._strings = strings

    def calls(self) -> list[Call]:
        """Look at, open, save and delete presets; ask what changed in their folders."""
        return [
            Call.of("preset_folder", FolderIn, self.folder),
            Call.of("view_preset", PresetRef, self.view),
            Call.of("open_preset", NameIn, self.open_preset),
            Call.of("save_preset", SaveIn, self.save_preset),
            Call.of("delete_preset", NameIn, self.delete_preset),
        ]

    def folder(self, query: FolderIn) -> object:
        """The library, if anything in its folders changed since."""
        return None if self._bench.presets.stamp().token == query.token else library_json(self._bench)

    def view(self, query: PresetRef) -> object:
        """A preset with the prompt that it makes of its first question."""
        return view_json(preset_of(self._bench, query, self._strings))

    def open_preset(self, query: NameIn) -> object:
        """A preset of the library, and what its file holds, for a later save."""
        entry = find_entry(self._bench, query.name, self._strings)
        digest = file_digest(entry.path)  # before it is read: of what is read later a save would ask
        return {"draft": draft_json(self._bench.presets.load(entry.name)), "digest": digest}

    def save_preset(self, query: SaveIn) -> object:
        """Keep a preset; what is in the way is told for the person to decide."""
        preset = Preset.checked(query.draft)
        if query.parent is not None:
            preset = preset.made_from(Preset.checked(query.parent))
        try:
            path = self._bench.presets.save(
                preset,
                overwrite=query.overwrite,
                drop_comments=query.drop_comments,
                expected=query.expected,
            )
        except PresetConflictError as error:
            return {"conflict": str(error)}
        except PresetCommentsError as error:
            return {"comments": [[comment.line, comment.text] for comment in error.comments]}
        return {"draft": draft_json(preset), "digest": file_digest(path), **library_json(self._bench)}

    def delete_preset(self, query: NameIn) -> object:
        """Delete a preset of one's own; the library as it is then."""
        self._bench.presets.delete(query.name)
        return library_json(self._bench)


def find_entry(bench: Workbench, name: str, strings: Strings) -> PresetEntry:
    """A line of the library, by name only: a page must not read files by their path.

    Raises:
        PresetError: There is none of that name.
    """
    for entry in bench.presets.entries():
        if entry.name == name:
            return entry
    raise PresetError(strings("preset.gone", name=name))


def preset_of(bench: Workbench, ref: PresetRef, strings: Strings) -> Preset:
    """The preset that is meant.

    Raises:
        PresetError: There is none of that name, or it cannot be read.
    """
    if ref.name is None:
        return Preset.checked(ref.draft)
    return bench.presets.load(find_entry(bench, ref.name, strings).name)


def library_json(bench: Workbench) -> dict[str, object]:
    """The library, and a token that is another one after any change of its folders."""
    # asked first: what changes meanwhile is in the list, and told once more
    token = bench.presets.stamp().token
    return {"presets": [entry_json(entry) for entry in bench.presets.entries()], "folder": token}


def draft_json(preset: Preset) -> dict[str, object]:
    """A preset as the page edits it: what its file would say."""
    return preset.model_dump(mode="json", by_alias=True)


def view_json(preset: Preset) -> dict[str, object]:
    """A preset with the prompt of its first question, or what is wrong with its template."""
    question = next(iter(preset.questions), "")
    shown: dict[str, object] = {"draft": draft_json(preset), "prompt": None, "problem": None}
    try:
        prompt = preset_renderer(preset).render([Message("user", question)])
        shown["prompt"] = prompt_json(prompt, pieces=True)
    except TemplateError as error:
        shown["problem"] = str(error)
    return shown


def entry_json(entry: PresetEntry) -> dict[str, object]:
    """A line of the library."""
    return {
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "language": entry.language,
        "tags": entry.tags,
        "author": entry.author,
        "parent": entry.parent,
        "shipped": entry.shipped,
        "digest": entry.digest,
        "error": entry.error,
    }
