"""Models that other programs left on this machine. Read-only: nothing is opened but Ollama's small manifests.

Looked at: Hugging Face's cache, LM Studio's folders, Ollama's store, text-generation-webui's folders.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playground.models.places import first_shard, hub_cache, size_on_disk

Owner = Literal["Hugging Face", "LM Studio", "Ollama", "text-generation-webui"]
_MOST_ENTRIES = 20_000
_LONGEST_MANIFEST = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model of another program, called ``name`` there: a GGUF file, or a folder of safetensors."""

    owner: Owner
    name: str
    path: Path
    size_bytes: int

    @property
    def is_gguf(self) -> bool:
        """Whether it is one file for llama.cpp."""
        return self.path.is_file()


def find_models(home: Path | None = None) -> list[FoundModel]:
    """Every model that other programs keep here, by program and name.

    Args:
        home: The person's home folder; the real one by default.
    """
    home = home or Path.home()
    found = [*_hugging_face(), *_lm_studio(home), *_ollama(home), *_webui(home)]
    return sorted(found, key=lambda model: (model.owner, model.name.lower()))


def _hugging_face() -> Iterator[FoundModel]:
    for repository in _entries(hub_cache()):
        if not repository.name.startswith("models--"):
            continue
        name = repository.name.removeprefix("models--").replace("--", "/")
        for snapshot in _entries(repository / "snapshots"):
            for path in _ggufs(snapshot):
                yield FoundModel("Hugging Face", f"{name} {path.name}", path, _size(path))
            if (snapshot / "config.json").is_file() and any(snapshot.glob("*.safetensors")):
                size = sum(_size(file) for file in snapshot.glob("*.safetensors"))
                yield FoundModel("Hugging Face", name, snapshot, size)


def _lm_studio(home: Path) -> Iterator[FoundModel]:
    for folder in (home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"):
        for path in _ggufs(folder):
            yield FoundModel("LM Studio", path.relative_to(folder).as_posix(), path, _size(path))


def _ollama(home: Path) -> Iterator[FoundModel]:
    """Its manifests name the blob that is the model (github.com/ollama/ollama, ``docs/import.mdx``)."""
    store = Path(os.environ.get("OLLAMA_MODELS") or home / ".ollama" / "models")
    for manifest in _files(store / "manifests", ""):
        try:
            if manifest.stat().st_size > _LONGEST_MANIFEST:
                continue
            layers = json.loads(manifest.read_text(encoding="utf-8"))["layers"]
            digests = [one["digest"] for one in layers if one["mediaType"].endswith("image.model")]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        for digest in digests[:1]:
            blob = store / "blobs" / str(digest).replace(":", "-")
            if blob.parent == store / "blobs" and blob.is_file():
                yield FoundModel("Ollama", f"{manifest.parent.name}:{manifest.name}", blob, _size(blob))


def _webui(home: Path) -> Iterator[FoundModel]:
    for root in (home / "text-generation-webui", home / "textgen-portable"):
        for folder in (root / "models", root / "user_data" / "models"):
            for path in _ggufs(folder):
                yield FoundModel(
                    "text-generation-webui", path.relative_to(folder).as_posix(), path, _size(path)
                )
            for config in _files(folder, "config.json"):
                weights = list(config.parent.glob("*.safetensors"))
                if weights:
                    size = sum(_size(file) for file in weights)
                    yield FoundModel("text-generation-webui", config.parent.name, config.parent, size)


def _ggufs(folder: Path) -> Iterator[Path]:
    # A projector for pictures is a GGUF too, and no model.
    for path in _files(folder, ".gguf"):
        if first_shard(path.name) and not path.name.lower().startswith("mmproj"):
            yield path


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    """Files below ``folder`` whose names end so; a folder of any size is looked at only so far."""
    seen = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            seen += 1
            if seen > _MOST_ENTRIES:
                return
            if name.lower().endswith(suffix):
                yield Path(place) / name


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return size_on_disk(path)
    except OSError:
        return 0
