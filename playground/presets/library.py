"""The presets at hand: the shipped gallery, read-only, and a person's own folder.

A preset goes by its file name. Writes are atomic: a reader sees the old file or the new one, never half. A
file is written only where its preset changed. Its comments are kept; those of removed parts are never
dropped unasked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from playground.errors import PresetError
from playground.presets.files import read_regular
from playground.presets.names import SAFE_NAME, check_name
from playground.presets.preset import MAX_BYTES, Preset
from playground.presets.watch import FolderWatch, LibraryStamp
from playground.presets.yaml_comments import keep_comments
from playground.presets.yaml_text import Comment
from playground.settings import Confinement


class PresetConflictError(PresetError):
    """The file was changed by somebody else since it was opened; ``theirs`` is what it holds now."""

    def __init__(self, message: str, theirs: str) -> None:
        super().__init__(message)
        self.theirs = theirs


class PresetCommentsError(PresetError):
    """The file has ``comments`` on parts that the new preset does not have; saving would drop them."""

    def __init__(self, message: str, found: tuple[Comment, ...]) -> None:
        super().__init__(message)
        self.comments = found


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A preset in a list. ``error`` says why a file that is there cannot be used; then it has no title.

    ``hash`` is its content hash, ``digest`` that of its file's bytes, which ``save`` takes as ``expected``.
    """

    name: str
    path: Path
    shipped: bool
    title: str = ""
    description: str = ""
    language: str = ""
    error: str | None = None
    tags: tuple[str, ...] = ()
    author: str = ""
    parent: str = ""
    hash: str = ""
    digest: str = ""


class PresetLibrary:
    """Lists, loads, saves and deletes presets in two folders; a person's own wins over a shipped one.

    Args:
        shipped: The gallery, read-only.
        own: The person's folder.
        confined: Whether presets may be named by their paths, and kept.
    """

    def __init__(self, shipped: Path, own: Path, *, confined: Confinement | None = None) -> None:
        self._shipped = shipped
        self._own = own
        self._confined = confined or Confinement()
        self._saving = threading.Lock()
        self._watch = FolderWatch((shipped, own))
        self._read: dict[Path, PresetEntry] = {}  # of files that hold the same bytes still

    def entries(self) -> list[PresetEntry]:
        """Every preset, shipped ones first in the gallery's order (friendly, then by name)."""
        digests = self._watch.stamp().digests
        read: dict[Path, PresetEntry] = {}
        for path, digest in sorted(digests.items(), key=lambda item: (item[0].parent == self._own, item[0])):
            known = self._read.get(path)
            same = known is not None and digest != "" and known.digest == digest
            read[path] = known if same and known else _entry(path, digest, shipped=path.parent != self._own)
        self._read = read
        found = {entry.name: entry for entry in read.values()}
        return sorted(found.values(), key=lambda e: (not e.shipped, e.name != "friendly", e.name))

    def load(self, name: str) -> Preset:
        """The preset of that name, or in that file where ``name`` is a path that ends in .yaml or .yml.

        Raises:
            PresetError: There is none, or the file cannot be used.
        """
        path = self._path(name)
        if path is None:
            names = ", ".join(entry.name for entry in self.entries())
            or_file = ", none, or a .yaml file" if self._confined.paths else ", or none"
            raise PresetError(f"There is no preset '{name[:80]}'. Use one of: {names}{or_file}.")
        return read_preset(path)

    def stamp(self) -> LibraryStamp:
        """What the folders hold now, by content; cheap enough to ask every second. See ``LibraryStamp``."""
        return self._watch.stamp()

    def save(
        self,
        preset: Preset,
        *,
        overwrite: bool = False,
        drop_comments: bool = False,
        expected: str | None = None,
    ) -> Path:
        """Write a preset to the person's folder, atomically; a file that says the same already stays.

        Args:
            preset: What to save, under its name.
            overwrite: Replace the preset of that name.
            drop_comments: Replace a file of which comments would go with the parts that they belong to.
            expected: ``file_digest`` of the file as it was opened; a file that is another one now is not
                replaced. Between people who share a folder over a network the check is as good as their
                file system; what is read is the one whole file or the other in any case.

        Raises:
            PresetConflictError: The file is not the expected one any more.
            PresetCommentsError: The file has comments, which would go.
            PresetError: The name cannot be a file's, belongs to a shipped preset, or is taken; the preset
                is too large, or the disk full.
        """
        self._check_kept()
        name = check_name(preset.name)
        if (self._shipped / f"{name}.yaml").exists():
            raise PresetError(f"'{name}' ships with the program and stays as it is; save under another name.")
        text = preset.to_yaml()
        target = self._own / f"{name}.yaml"
        try:
            with self._saving:
                if target.exists():
                    taken = f"There is a preset '{name}' already; save under another name or overwrite it."
                    if not overwrite:
                        raise PresetError(taken)
                    kept = self._replacing(target, preset, text, drop=drop_comments, expected=expected)
                    if kept is None:
                        return target
                    text = kept
                try:
                    write_atomically(target, text, new=not overwrite)
                except FileExistsError as error:
                    raise PresetError(
                        f"There is a preset '{name}' already; save under another name or overwrite it."
                    ) from error
        except OSError as error:
            raise PresetError(f"'{name}' was not saved: {error.strerror}. Nothing was changed.") from error
        return target

    def _replacing(
        self, target: Path, preset: Preset, text: str, *, drop: bool, expected: str | None
    ) -> str | None:
        """What the file is to hold, its comments included; None where it says the same already.

        Refuses where replacing it would lose something that it was not told to drop.
        """
        content = read_regular(target, limit=MAX_BYTES)
        if expected is not None and _digest(content) != expected:
            raise PresetConflictError(
                f"'{preset.name}' was changed by somebody else since it was opened; compare the two, then "
                "save under another name or overwrite it.",
                content.decode("utf-8-sig", "replace"),
            )
        try:
            old = content.decode("utf-8-sig").replace("\r\n", "\n")
            if Preset.from_yaml(old) == preset:
                return None
            text, lost = keep_comments(old, text)
            if Preset.from_yaml(text) != preset:
                raise PresetError("the comments change what the file says")
        except (PresetError, UnicodeDecodeError):
            return preset.to_yaml()  # what cannot be read is replaced, since the person asked for it
        if lost and not drop:
            raise PresetCommentsError(
                f"Saving would drop {said_comments(lost)} from {target.name}, because what they belong to is "
                "removed; save under another name, or say that they may go.",
                lost,
            )
        return text

    def lost_comments(self, preset: Preset) -> tuple[Comment, ...]:
        """The comments of a person's own file that saving this preset over it would drop."""
        try:
            path = self._own / f"{check_name(preset.name)}.yaml"
            old = read_regular(path, limit=MAX_BYTES).decode("utf-8-sig").replace("\r\n", "\n")
            return keep_comments(old, preset.to_yaml())[1]
        except (UnicodeDecodeError, PresetError):
            return ()

    def delete(self, name: str) -> None:
        """Remove a preset from the person's folder.

        Raises:
            PresetError: It ships with the program, or there is none.
        """
        self._check_kept()
        target = self._own / f"{check_name(name)}.yaml"
        if not target.exists():
            where = "ships with the program" if (self._shipped / f"{name}.yaml").exists() else "is not there"
            raise PresetError(f"'{name}' {where}; only presets of your own can be deleted.")
        try:
            target.unlink()
        except OSError as error:
            raise PresetError(f"'{name}' was not deleted: {error.strerror}.") from error

    def _check_kept(self) -> None:
        if not self._confined.own_presets:
            raise PresetError("No preset is kept here; download it as a file.")

    def _path(self, name: str) -> Path | None:
        if self._confined.paths and name.lower().endswith((".yaml", ".yml")):
            return Path(name).expanduser()
        if SAFE_NAME.fullmatch(name):
            for folder in (self._own, self._shipped):
                if (folder / f"{name}.yaml").is_file():
                    return folder / f"{name}.yaml"
        return None


def read_preset(path: Path) -> Preset:
    """The preset in a file.

    Raises:
        PresetError: Missing, too large, not UTF-8 text, or no preset.
    """
    content = read_regular(path, limit=MAX_BYTES)
    try:
        # Line breaks are read as text files have them.
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise PresetError(
            f"{path.name} is not UTF-8 text (byte {error.start}); save it as UTF-8 and try again."
        ) from error
    return Preset.from_yaml(text, source=path.name)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, for ``save(expected=...)``; empty where it cannot be read."""
    try:
        return _digest(read_regular(path, limit=MAX_BYTES))
    except PresetError:
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def said_comments(found: tuple[Comment, ...]) -> str:
    """Comments as part of a sentence: the first ones with their lines."""
    shown = ", ".join(f"line {c.line} '{c.text[:60]}'" for c in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"{'a comment' if len(found) == 1 else f'{len(found)} comments'} ({shown}{more})"


def write_atomically(target: Path, text: str, *, new: bool = False) -> None:
    """Replace a file's text so that a reader, or a crash, meets the old text or the new one.

    Args:
        target: The file.
        text: What it holds then, as UTF-8.
        new: Make the file or fail; of two who make it at once, one does.

    Raises:
        FileExistsError: With ``new``, it is there already.
        OSError: It could not be written; nothing changed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem[:20]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if new:
            _link(temporary, target)
        else:
            os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _link(temporary: str, target: Path) -> None:
    """Give a file a name that nobody has: a hard link, where the file system knows them."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        if target.exists():
            raise FileExistsError(target) from None
        os.replace(temporary, target)
        return
    os.unlink(temporary)


def _entry(path: Path, digest: str, *, shipped: bool) -> PresetEntry:
    try:
        preset = read_preset(path)
    except PresetError as error:
        return PresetEntry(path.stem, path, shipped, error=str(error), digest=digest)
    if path.stem.encode("utf-8", "replace").decode() != path.stem:
        said = "its file's name is not UTF-8; rename it"
        return PresetEntry(
            path.stem.encode("utf-8", "replace").decode(), path, shipped, error=said, digest=digest
        )
    return PresetEntry(
        name=path.stem,
        path=path,
        shipped=shipped,
        title=preset.title or preset.name,
        description=preset.description,
        language=preset.language,
        tags=preset.tags,
        author=preset.author,
        parent=preset.derived_from.name if preset.derived_from else "",
        hash=preset.content_hash(),
        digest=digest,
    )
