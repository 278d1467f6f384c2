"""The presets at hand: the shipped gallery, read-only, and a person's own folder.

A preset goes by its file name. Writes are atomic: a reader sees the old file or the new one, never half.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playground.errors import PresetError
from playground.presets.preset import MAX_BYTES, Preset

_SAFE_NAME = re.compile(r"[\w][\w .+\-]{0,79}")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{i}" for p in ("com", "lpt") for i in range(1, 10))}


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A preset in a list. ``error`` says why a file that is there cannot be used; then it has no title."""

    name: str
    path: Path
    shipped: bool
    title: str = ""
    description: str = ""
    language: str = ""
    error: str | None = None


class PresetLibrary:
    """Lists, loads, saves and deletes presets in two folders; a person's own wins over a shipped one."""

    def __init__(self, shipped: Path, own: Path) -> None:
        self._shipped = shipped
        self._own = own

    def entries(self) -> list[PresetEntry]:
        """Every preset, shipped ones first in the gallery's order (friendly, then by name)."""
        found: dict[str, PresetEntry] = {}
        for folder, is_shipped in ((self._shipped, True), (self._own, False)):
            if folder.is_dir():
                for path in sorted(folder.glob("*.yaml")):
                    found[path.stem] = _entry(path, shipped=is_shipped)
        return sorted(found.values(), key=lambda e: (not e.shipped, e.name != "friendly", e.name))

    def load(self, name: str) -> Preset:
        """The preset of that name, or in that file where ``name`` is a path that ends in .yaml or .yml.

        Raises:
            PresetError: There is none, or the file cannot be used.
        """
        path = self._path(name)
        if path is None:
            names = ", ".join(entry.name for entry in self.entries())
            raise PresetError(f"There is no preset '{name}'. Use one of: {names}, none, or a .yaml file.")
        return read_preset(path)

    def save(self, preset: Preset, *, overwrite: bool = False) -> Path:
        """Write a preset to the person's folder, atomically.

        Raises:
            PresetError: The name cannot be a file's, belongs to a shipped preset, or is taken.
        """
        name = check_name(preset.name)
        if (self._shipped / f"{name}.yaml").exists():
            raise PresetError(f"'{name}' ships with the program and stays as it is; save under another name.")
        target = self._own / f"{name}.yaml"
        if target.exists() and not overwrite:
            raise PresetError(f"There is a preset '{name}' already; save under another name or overwrite it.")
        try:
            write_atomically(target, preset.to_yaml())
        except OSError as error:
            raise PresetError(f"'{name}' was not saved: {error.strerror}. Nothing was changed.") from error
        return target

    def delete(self, name: str) -> None:
        """Remove a preset from the person's folder.

        Raises:
            PresetError: It ships with the program, or there is none.
        """
        target = self._own / f"{check_name(name)}.yaml"
        if not target.exists():
            where = "ships with the program" if (self._shipped / f"{name}.yaml").exists() else "is not there"
            raise PresetError(f"'{name}' {where}; only presets of your own can be deleted.")
        target.unlink()

    def _path(self, name: str) -> Path | None:
        if name.lower().endswith((".yaml", ".yml")):
            return Path(name).expanduser()
        if _SAFE_NAME.fullmatch(name):
            for folder in (self._own, self._shipped):
                if (folder / f"{name}.yaml").is_file():
                    return folder / f"{name}.yaml"
        return None


def read_preset(path: Path) -> Preset:
    """The preset in a file.

    Raises:
        PresetError: Missing, too large, not UTF-8 text, or no preset.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise PresetError(
                f"{path.name} has {size / 1e6:.1f} MB and a preset has at most {MAX_BYTES // 1_000_000} MB; "
                "choose another file."
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PresetError(f"The preset file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PresetError(
            f"{path.name} is not UTF-8 text (byte {error.start}); save it as UTF-8 and try again."
        ) from error
    return Preset.from_yaml(text, source=path.name)


def check_name(name: str) -> str:
    """The name, if it can be a file's name on every platform.

    Raises:
        PresetError: Says which names can.
    """
    if not _SAFE_NAME.fullmatch(name) or name.lower().split(".")[0] in _RESERVED or name != name.strip(" ."):
        shown = name if len(name) <= 40 else name[:37] + "..."
        raise PresetError(
            f"'{shown}' cannot be a preset's name; "
            f"use up to 80 letters, digits, spaces or '-', '_', '+', '.'."
        )
    return name


def write_atomically(target: Path, text: str) -> None:
    """Replace a file's text so that a reader, or a crash, meets the old text or the new one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem[:20]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _entry(path: Path, *, shipped: bool) -> PresetEntry:
    try:
        preset = read_preset(path)
    except PresetError as error:
        return PresetEntry(path.stem, path, shipped, error=str(error))
    return PresetEntry(
        path.stem, path, shipped, preset.title or preset.name, preset.description, preset.language
    )
