"""Names of data sets: a path or a repository on the Hub, with split and columns behind a ``?``."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from playground.datasets.records import BY_NAME, Columns, DataFileError

OPTIONS = ("query", "answer", "system", "category", "id", "split", "config", "revision")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_FILE_ENDINGS = (
    ".json",
    ".jsonl",
    ".ndjson",
    ".csv",
    ".tsv",
    ".txt",
    ".parquet",
    ".gz",
    ".md",
    ".yaml",
    ".yml",
)


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where a data set lies and what is read of it.

    Attributes:
        name: What to call it in messages.
        path: The file; unused where ``repository`` is set.
        repository: ``OWNER/NAME`` of a dataset repository on the Hub, or empty.
        split, config, revision: Which of its files; empty for the usual ones.
        columns: Columns that the user named.
    """

    name: str
    path: Path = Path()
    repository: str = ""
    split: str = ""
    config: str = ""
    revision: str = ""
    columns: Columns = BY_NAME


def parse_source(given: Path | str) -> DataSource:
    """What a name means: ``FILE``, ``FILE?query=COLUMN&answer=COLUMN``, ``OWNER/NAME?split=test``.

    A file that exists under the whole name is that file. ``OWNER/NAME`` is a repository where no such file
    exists; ``hf://datasets/OWNER/NAME`` always is one.

    Raises:
        DataFileError: An unknown option, or the same one twice.
    """
    text = str(given)
    try:
        whole = Path(text).expanduser()
        if whole.exists():
            return DataSource(whole.name, whole)
    except (OSError, ValueError, RuntimeError):
        pass  # too long, or a NUL: reading it says why
    base, mark, options = text.partition("?")
    if mark and "=" not in options:
        base, options = text, ""
    found: dict[str, str] = {}
    for key, value in parse_qsl(options, keep_blank_values=True):
        if key not in OPTIONS:
            raise DataFileError(f"'{key[:40]}' is not an option of a data set; use {', '.join(OPTIONS)}.")
        if key in found:
            raise DataFileError(f"The option '{key}' stands twice in '{text[:80]}'; give it once.")
        found[key] = value
    columns = Columns(
        **{key: found.pop(key) for key in ("query", "answer", "system", "category", "id") if key in found}
    )
    stated = base.startswith("hf://")
    repository = base.removeprefix("hf://").removeprefix("datasets/") if stated else base
    looks = _REPOSITORY.fullmatch(repository) is not None
    if stated and not looks:
        raise DataFileError(f"'{base[:80]}' is not a data set on the Hub; write OWNER/NAME.")
    try:
        # A folder that exists makes OWNER/NAME a path whose last part was mistyped.
        there = Path(base).expanduser().exists() or Path(base).parent.is_dir()
    except (OSError, ValueError, RuntimeError):
        there = False
    if looks and (stated or (not there and not base.lower().endswith(_FILE_ENDINGS))):
        return DataSource(
            repository,
            repository=repository,
            split=found.get("split", ""),
            config=found.get("config", ""),
            revision=found.get("revision", ""),
            columns=columns,
        )
    if found:
        raise DataFileError(
            f"'{next(iter(found))}' is an option of data sets on the Hub, and {base[:80]} is a file."
        )
    path = Path(base)
    with contextlib.suppress(RuntimeError):  # no such user: the path stays as it is
        path = path.expanduser()
    return DataSource(path.name or base, path, columns=columns)
