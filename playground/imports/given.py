"""What an import reader gets: the text, and its value where it is JSON or YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.imports.result import Imported
from playground.presets.yaml_text import YamlText


@dataclass(frozen=True, slots=True)
class Given:
    """A text that may hold presets.

    Attributes:
        text: The whole text, without a byte order mark.
        name: A wish for the preset's name.
        source: What to call the text in an error.
        value: The JSON or YAML value in it, or None where it is neither.
        places: Where each key of a YAML text stands.
        folder: The folder of a file on this computer that the user named; None for what came otherwise.
    """

    text: str
    name: str
    source: str
    value: object = None
    places: YamlText | None = None
    folder: Path | None = None

    def beside(self, name: str) -> Path | None:
        """The file of that name in the folder or below it; None where there is none."""
        if self.folder is None:
            return None
        try:
            path = (self.folder / name).resolve()
            inside = path.is_relative_to(self.folder.resolve())
            return path if inside and path.is_file() else None
        except (OSError, ValueError, RuntimeError):
            return None

    @property
    def mapping(self) -> Mapping[Any, Any]:
        """The value where it is an object, else an empty one."""
        return self.value if isinstance(self.value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class ImportFormat:
    """One format: which texts are of it, and how presets are read from one.

    Attributes:
        title: For people, in the plural or as a mass: "Modelfiles of Ollama".
        fits: Whether a text is of this format.
        read: Its presets.
    """

    title: str
    fits: Callable[[Given], bool]
    read: Callable[[Given], tuple[Imported, ...]]
