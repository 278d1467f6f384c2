"""A person's own catalog entries: written and removed one model at a time, a small file for each pair."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import yaml

from playground.errors import ModelNotFoundError, PlaygroundError
from playground.models.catalog import ModelEntry, ModelKind
from playground.models.catalog_file import PAIR_NAME, GgufOnHub, read_pair


def pair_name(text: str) -> str:
    """A name for a pair, made of a file's or repository's name."""
    name = re.sub(r"(?i)\.gguf$", "", text.rpartition("/")[2])
    name = re.sub(r"[^\w.+\-]+", "-", name).strip("-._+")[:60]
    return name or "model"


def write_entry(
    folder: Path,
    pair: str,
    kind: ModelKind,
    *,
    gguf: Path | GgufOnHub | None = None,
    transformers: str = "",
    title: str = "",
) -> Path:
    """Add a model to a person's pair, or replace it; the other half of the pair stays.

    Args:
        folder: The person's models folder.
        pair: The pair's name; a shipped pair of the same name keeps its other half.
        kind: Which half it is.
        gguf: A file on this machine, or one on the Hub.
        transformers: A folder or ``owner/name``.
        title: Shown in place of one made of the pair's name.

    Raises:
        PlaygroundError: No pair can be called so, or its file cannot be read or written.
    """
    if not re.fullmatch(PAIR_NAME, pair):
        raise PlaygroundError(
            f"'{pair[:80]}' is no name for a pair; use at most 60 letters, digits, dots, plus signs and "
            "dashes, a letter or digit first."
        )
    path = folder / f"{pair}.yaml"
    content = _read(path) if path.exists() else {"schema": 1, "pair": pair}
    model: dict[str, object] = {"title": title} if title else {}
    if isinstance(gguf, GgufOnHub):
        model["gguf"] = gguf.model_dump(exclude_defaults=True)
    elif gguf is not None:
        model["gguf"] = str(gguf.expanduser().absolute())
    if transformers:
        model["transformers"] = transformers
    content[kind] = model
    _write(path, content)
    read_pair(path)
    return path


def change_kind(entry: ModelEntry, kind: ModelKind) -> str:
    """Make a person's own base model an instruct one, or the reverse; returns what it is called now.

    Raises:
        PlaygroundError: Its pair has such a model already, or the file cannot be written.
    """
    assert entry.listed_in is not None
    content = _read(entry.listed_in)
    if kind in content:
        raise PlaygroundError(
            f"{entry.pair}/{kind} is there already; take it out of the list first, or add this model under "
            "another pair's name."
        )
    content[kind] = content.pop(entry.kind)
    _write(entry.listed_in, content)
    return f"{entry.pair}/{kind}"


def remove_entry(folder: Path, entry: ModelEntry) -> Path:
    """Take a model out of a person's catalog; its files stay where they are.

    Raises:
        PlaygroundError: It is not the person's own entry, or the file cannot be written.
    """
    path = entry.listed_in
    if path is None or path.parent != folder:
        raise ModelNotFoundError(
            f"{entry.id} is no entry of your own; only what 'playground models add' wrote can be removed. "
            "What was downloaded for it can: playground models remove --files."
        )
    content = _read(path)
    content.pop(entry.kind, None)
    if "base" in content or "instruct" in content:
        _write(path, content)
    else:
        path.unlink()
    return path


def _read(path: Path) -> dict[str, object]:
    read_pair(path)
    content: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def _write(path: Path, content: dict[str, object]) -> None:
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            temporary = file.name
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise PlaygroundError(f"{path} cannot be written: {error.strerror}.") from error
