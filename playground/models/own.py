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


def write_entry(
    folder: Path,
    pair: str,
    kind: ModelKind,
    *,
    gguf: Path | GgufOnHub | None = None,
    transformers: str = "",
    title: str = "",
    pair_title: str = "",
) -> Path:
    """Add a model to a person's pair, or replace it; the other half of the pair stays.

    Args:
        folder: The person's models folder.
        pair: The pair's name; a shipped pair of the same name keeps its other half.
        kind: Which half it is.
        gguf: A file on this machine, or one on the Hub.
        transformers: A folder or ``owner/name``.
        title: Shown in place of one made of the pair's name.
        pair_title: The pair's, where the pair is new.

    Raises:
        PlaygroundError: No pair can be called so, or its file cannot be read or written.
    """
    path = _path(folder, pair)
    content = _read(path) if path.exists() else _new_pair(pair, pair_title)
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


def rename_entry(folder: Path, entry: ModelEntry, pair: str, title: str = "") -> str:
    """Give a person's own model another name or title; returns its name.

    Its file stays where it is, and its former name still finds it. A pair that has only this model takes its
    other facts along; the other model of a pair keeps the pair's name.

    Args:
        folder: The person's models folder.
        entry: The model.
        pair: The new pair name; that of the entry changes the title alone.
        title: The new title; empty keeps the one that it has.

    Raises:
        PlaygroundError: It is not the person's own entry, no pair can be called so, or the new pair has such
            a model already.
    """
    path, target = entry.listed_in, _path(folder, pair)
    if path is None or path.parent != folder:
        raise ModelNotFoundError(
            f"{entry.id} is no entry of your own and keeps its name; only what was added can be renamed."
        )
    content = _read(path)
    model = content[entry.kind]
    assert isinstance(model, dict)
    alone = not {"base", "instruct"} - {entry.kind} & content.keys()
    if title:
        model["title"] = title
        if alone:
            content["title"] = title
    if pair == entry.pair:
        _write(path, content)
        return entry.id
    if target.exists() and entry.kind in _read(target):
        raise PlaygroundError(f"There is a model {pair}/{entry.kind} already; choose another name.")
    model.setdefault("title", entry.title)
    new = f"{pair}/{entry.kind}"
    model["former"] = [name for name in dict.fromkeys([*entry.former, entry.id]) if name != new]
    if target.exists():
        moved = _read(target)
    elif alone:
        moved = {**content, "pair": pair}
        moved.pop(entry.kind)
    else:
        moved = _new_pair(pair, title or entry.title)
    _write(target, {**moved, entry.kind: model})
    remove_entry(folder, entry)
    return new


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


def _path(folder: Path, pair: str) -> Path:
    if not re.fullmatch(PAIR_NAME, pair):
        raise PlaygroundError(
            f"'{pair[:80]}' is no name for a pair; use at most 60 letters, digits, dots, plus signs and "
            "dashes, a letter or digit first."
        )
    return folder / f"{pair}.yaml"


def _new_pair(pair: str, title: str) -> dict[str, object]:
    return {"schema": 1, "pair": pair} | ({"title": title} if title else {})


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
