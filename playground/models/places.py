"""Where downloaded models lie: this program's own folder, and the cache that Hugging Face's tools share.

Knows names of folders and files only; opens nothing and downloads nothing.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HubReference:
    """Files of a repository on the Hub.

    Attributes:
        repository: ``owner/name``.
        file: A file there; empty where ``quantization`` says which, or where the whole model is meant.
        quantization: E.g. ``Q4_K_M``: the GGUF of that precision.
        revision: Branch, tag or commit; empty for main.
        sha256: Of ``file``, where the catalog knows it.
        size_bytes: Of ``file``, where the catalog knows it; 0 where not.
        gated: Its owner asks for consent to terms first.
    """

    repository: str
    file: str = ""
    quantization: str = ""
    revision: str = ""
    sha256: str = ""
    size_bytes: int = 0
    gated: bool = False

    @property
    def is_gguf(self) -> bool:
        """Whether one GGUF is meant, and not a folder of safetensors."""
        return bool(self.file or self.quantization)


def repository_folder(downloads: Path, repository: str) -> Path:
    """The folder of ``downloads`` that holds a repository's files."""
    return downloads / repository.replace("/", "--")


def names_quantization(name: str, quantization: str) -> bool:
    """Whether a file's name says that precision: ``Q4_K_M`` in ``x.Q4_K_M.gguf`` or ``x-q4_k_m.gguf``."""
    found = re.search(rf"(?<![a-z0-9]){re.escape(quantization.lower())}(?![a-z0-9_])", name.lower())
    return found is not None


def first_shard(name: str) -> bool:
    """Whether a GGUF is whole in itself, or the first of several parts (which is the one to open)."""
    found = _SHARD.search(name)
    return found is None or found.group(1) == "00001"


def shards(name: str) -> list[str]:
    """Every part of a GGUF that is split into several; just the name where it is not."""
    found = _SHARD.search(name)
    if found is None:
        return [name]
    stem, count = name[: found.start()], int(found.group(2))
    return [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


def size_on_disk(path: Path) -> int:
    """Bytes of a model's weights: of a GGUF with all its parts, or of a folder's safetensors."""
    files = path.glob("*.safetensors") if path.is_dir() else [path.with_name(n) for n in shards(path.name)]
    return sum(file.stat().st_size for file in files if file.is_file())


def quantization_of(name: str) -> str:
    """The precision that a GGUF's name says, e.g. ``Q4_K_M`` or ``F16``; empty where it says none."""
    found = re.search(r"(?i)(?<![a-z0-9])(i?q\d(?:_[a-z0-9]+)*|bf16|f16|f32)(?![a-z0-9])", name)
    return found.group(1).upper() if found else ""


def hub_cache() -> Path:
    """The cache folder of Hugging Face's tools (its documentation, "Environment variables")."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")


def cached_repository(repository: str) -> Path:
    """The folder of a repository in that cache."""
    return hub_cache() / f"models--{repository.replace('/', '--')}"


def cached_snapshots(repository: str) -> list[Path]:
    """Folders of a repository's versions in that cache, newest first."""
    folder = cached_repository(repository) / "snapshots"
    try:
        versions = [path for path in folder.iterdir() if path.is_dir()]
        return sorted(versions, key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return []


def find_gguf(reference: HubReference, downloads: Path | None) -> Path | None:
    """The file where it was downloaded, by this program or by another of Hugging Face's tools."""
    folders = [repository_folder(downloads, reference.repository)] if downloads else []
    for folder in [*folders, *cached_snapshots(reference.repository)]:
        found = _in_folder(folder, reference)
        if found is not None:
            return found
    return None


def _in_folder(folder: Path, reference: HubReference) -> Path | None:
    if reference.file:
        parts = [folder / part for part in shards(reference.file)]
        return parts[0] if all(part.is_file() for part in parts) else None
    if not folder.is_dir():
        return None
    for path in sorted(folder.glob("**/*.gguf")):
        if names_quantization(path.name, reference.quantization) and first_shard(path.name):
            return path
    return None


def find_transformers(repository: str, downloads: Path | None) -> Path | None:
    """The folder of a repository that this program downloaded whole: its configuration arrives last."""
    if downloads is None:
        return None
    folder = repository_folder(downloads, repository)
    return folder if (folder / "config.json").is_file() else None
