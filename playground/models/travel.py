"""Catalog entries and files of models on their way into another folder, for one engine alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml

from playground.errors import ModelNotFoundError, PlaygroundError
from playground.models.catalog import ModelEntry
from playground.models.places import shards

_OTHER_ENGINES = {
    "llama.cpp": ("transformers", "server", "served_model", "tokenizer"),
    "transformers": ("gguf", "server", "served_model", "tokenizer"),
}
_KEYS = {"llama.cpp": "gguf", "transformers": "transformers"}


def check_can_travel(entry: ModelEntry, engine: Literal["llama.cpp", "transformers"]) -> None:
    """Refuse a model that ``copy_pair`` could not take along.

    Raises:
        ModelNotFoundError: It is in no catalog, or cannot be opened with the engine.
    """
    if entry.listed_in is None:
        raise ModelNotFoundError(
            f"{entry.title} was named by its path; give it a name first: playground models add {entry.id}"
        )
    entry.source(engine)


def copy_pair(
    entries: Sequence[ModelEntry], engine: Literal["llama.cpp", "transformers"], target: Path
) -> None:
    """Write a catalog file for models of one pair, and copy those of their files that are in no repository.

    Args:
        entries: The models; of one pair.
        engine: The one that will open them.
        target: A catalog folder; made if it is not there.

    Raises:
        ModelNotFoundError: A model is in no catalog, or cannot be opened with the engine.
        PlaygroundError: A file is missing or cannot be copied.
    """
    content: dict[str, object] = {}
    for entry in entries:
        check_can_travel(entry, engine)
        assert entry.listed_in is not None
        said = yaml.safe_load(entry.listed_in.read_text(encoding="utf-8"))
        model = dict(said[entry.kind])
        for key in _OTHER_ENGINES[engine]:
            model.pop(key, None)
        key = _KEYS[engine]
        local = _local_path(model[key], entry.listed_in.parent)
        if local is not None:
            model[key] = _copied(local, target, entry)
        rest = {name: value for name, value in said.items() if name not in ("base", "instruct")}
        content = {**rest, **content, entry.kind: model}
    pair = entries[0].pair
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{pair}.yaml").write_text(
        yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )


def _local_path(place: object, folder: Path) -> Path | None:
    """The file or folder that a catalog entry names; None for one on the Hub."""
    if not isinstance(place, str):
        return None
    if place.lower().endswith(".gguf") or place.startswith(("./", "/", "~")):
        return folder / Path(place).expanduser()
    return None


def _copied(source: Path, target: Path, entry: ModelEntry) -> str:
    """Copy a model; how its catalog entry names the copy."""
    folder = target / entry.pair
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, folder / source.name, dirs_exist_ok=True)
            return f"./{entry.pair}/{source.name}"
        for part in shards(source.name):
            shutil.copyfile(source.parent / part, folder / part)
    except OSError as error:
        raise PlaygroundError(
            f"The files of {entry.id} cannot be copied: {error.strerror} ({source})."
        ) from error
    return f"{entry.pair}/{source.name}"
