"""Question sets by name: those of bundled pairs, a person's own files, and any data file by its path."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from playground.datasets import parse_data
from playground.errors import PlaygroundError
from playground.experiments.assistants import ExperimentError
from playground.experiments.questions import QuestionSet, pair_questions, read_questions
from playground.models.catalog import Catalog
from playground.presets.library import write_atomically

MAX_CHARACTERS = 50_000_000
_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class OfferedSet:
    """A set that can be chosen from a list.

    Attributes:
        name: As ``QuestionSets.get`` takes it.
        title: For people.
        categories: Questions of each category, the whole set's number under the empty name.
        answered: How many have a reference for their first turn, by category likewise.
        problems: Rows that were passed over.
        error: Why it cannot be read, where it cannot.
    """

    name: str
    title: str
    categories: Mapping[str, int]
    answered: Mapping[str, int]
    problems: int = 0
    error: str | None = None


class QuestionSets:
    """Where questions come from; own files lie in ``folder``."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self.folder = folder
        self._known: dict[str, tuple[tuple[int, int], OfferedSet]] = {}

    def get(self, name: str) -> QuestionSet:
        """A set: a data file's path, a data set on the Hub, or a pair's name; then ``:category+category``.

        Columns and split stand behind a ``?``, as ``playground.datasets.source`` says.

        Raises:
            DataFileError: No such file or category, or nothing in it can be asked.
        """
        path, _, wanted = name.rpartition(":")
        if not path or Path(name).exists() or re.fullmatch("[A-Za-z]|hf", path) or "?" in wanted:
            path, wanted = name, ""
        if re.fullmatch(r"[\w.-]+", path) and not Path(path).exists():
            check = self._pairs().get(path)
            if check is not None:
                path_set = pair_questions(check, name=path)
                return path_set.only(wanted.split("+")) if wanted else path_set
        read = read_questions(path)
        return read.only(wanted.split("+")) if wanted else read

    def offered(self) -> list[OfferedSet]:
        """The sets of pairs, then a person's own files."""
        pairs = [self._offer(name, path, name) for name, path in sorted(self._pairs().items())]
        own = sorted(p for p in self.folder.glob("[!.]*") if p.is_file()) if self.folder.is_dir() else []
        return [*pairs, *(self._offer(str(path), path, path.name) for path in own)]

    def keep(self, name: str, text: str) -> OfferedSet:
        """Keep a file among a person's own, under a free name of its kind.

        Raises:
            DataFileError: Nothing in it can be asked.
            ExperimentError: It is too large, or cannot be written.
        """
        if len(text) > MAX_CHARACTERS:
            raise ExperimentError(
                f"{name} is larger than {MAX_CHARACTERS // 1_000_000} MB; choose a part of it, or name its "
                "path on the command line."
            )
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        parse_data(text, source=name)
        safe = Path(_NAME.sub("-", Path(name).name).strip("-.") or "questions")
        stem, suffix = safe.stem, safe.suffix
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            number = 1
            while True:
                path = self.folder / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
                if not path.exists():
                    write_atomically(path, text)
                    break
                if path.read_text(encoding="utf-8", errors="replace") == text:
                    break
                number += 1
        except OSError as error:
            raise ExperimentError(f"{name} cannot be kept: {error.strerror}.") from error
        return self._offer(str(path), path, path.name)

    def _pairs(self) -> dict[str, Path]:
        """The check files of pairs that have one."""
        found: dict[str, Path] = {}
        for entry in self._catalog.entries():
            check = entry.path.with_name("check.jsonl")
            if entry.kind == "base" and entry.pair not in found and check.is_file():
                found[entry.pair] = check
        return found

    def _offer(self, name: str, path: Path, title: str) -> OfferedSet:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            held = self.get(name)
        except (PlaygroundError, OSError) as error:
            offered = OfferedSet(name, title, {}, {}, error=str(error))
        else:
            offered = _described(name, title, held)
        self._known[name] = (stamp, offered)
        return offered


def _described(name: str, title: str, held: QuestionSet) -> OfferedSet:
    asked = Counter(question.category for question in held.questions)
    answered = Counter(question.category for question in held.questions if question.turns[0].reference)
    return OfferedSet(
        name,
        title,
        {"": len(held.questions), **{key: n for key, n in asked.items() if key}},
        {"": answered.total(), **{key: n for key, n in answered.items() if key}},
        len(held.problems),
    )
