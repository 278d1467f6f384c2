"""A file of JSON lines that loses nothing: each line is on the disk before the next piece of work begins.

Knows no experiment. A process may be killed at any byte: what it left of a last line is cut off when the
file is opened again, so that the piece of work behind it is done again and nothing else is.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from playground.datasets import RowProblem
from playground.errors import PlaygroundError
from playground.experiments.private_files import private_opener

T = TypeVar("T")


class JournalError(PlaygroundError):
    """A journal that cannot be read or written: no such folder, no rights, no room."""


class Journal(Generic[T]):
    """Lines of one type, appended one by one. Thread-safe within a process; a run's lock keeps others out."""

    def __init__(self, path: Path, type_: type[T]) -> None:
        """Open or begin the file; a torn last line is dropped.

        Raises:
            JournalError: The file cannot be read or written.
        """
        self._path = path
        self._type = type_
        self._lock = threading.Lock()
        try:
            self._file = open(path, "ab+", opener=private_opener)  # noqa: SIM115  (closed by ``close``)
            self._mend()
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}.") from error

    def read(self) -> tuple[list[T], list[RowProblem]]:
        """Every line in order, and those that cannot be read, by their number."""
        return read_journal(self._path, self._type)

    def append(self, item: T) -> None:
        """Write a line and wait until the disk has it.

        Raises:
            JournalError: The disk is full or gone.
        """
        line = msgspec.json.encode(item) + b"\n"
        try:
            with self._lock:
                self._file.write(line)
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(
                f"{self._path} cannot be written: {error.strerror}. What was finished is kept; make room and "
                "resume the run."
            ) from error

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._file.close()

    def _mend(self) -> None:
        """Cut off what stands behind the last line break: the work that was being written down."""
        end = self._file.seek(0, os.SEEK_END)
        at = end
        while at > 0:
            start = max(0, at - 65_536)
            self._file.seek(start)
            block = self._file.read(at - start)
            found = block.rfind(b"\n")
            if found >= 0:
                at = start + found + 1
                break
            at = start
        if at < end:
            self._file.truncate(at)


def read_journal(path: Path, type_: type[T]) -> tuple[list[T], list[RowProblem]]:
    """The lines of a journal that somebody else may be writing; a torn last line is passed over."""
    items: list[T] = []
    problems: list[RowProblem] = []
    decoder = msgspec.json.Decoder(type_)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}.") from error
    whole, _, _ = data.rpartition(b"\n")
    for number, line in enumerate(whole.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            items.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            problems.append(RowProblem(number, f"{path.name}: {error}"))
    return items, problems
