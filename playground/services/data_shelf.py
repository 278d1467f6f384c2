"""Data files that a page has sent in parts, kept while examples are chosen from them."""

from __future__ import annotations

import threading
from collections import OrderedDict

from playground.datafiles import DataFileError, parse_data
from playground.studio.pick import ExampleRows

MAX_CHARACTERS = 100_000_000
MAX_FILES = 4  # of all pages together; the one that was not used for longest goes first


class DataShelf:
    """Files by an id of the page's making. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: OrderedDict[str, list[str]] = OrderedDict()
        self._files: OrderedDict[str, ExampleRows] = OrderedDict()

    def add(self, file: str, text: str, *, name: str, last: bool) -> ExampleRows | None:
        """Take the next part of a file; its rows once the last one came.

        Raises:
            DataFileError: It is too large, or holds no usable row.
        """
        with self._lock:
            parts = self._parts.setdefault(file, [])
            parts.append(text)
            self._parts.move_to_end(file)
            too_large = sum(map(len, parts)) > MAX_CHARACTERS
            if last or too_large:
                del self._parts[file]
            while len(self._parts) > MAX_FILES:
                self._parts.popitem(last=False)
        if too_large:
            raise DataFileError(
                f"{name} is larger than {MAX_CHARACTERS // 1_000_000} MB; choose a part of it."
            )
        if not last:
            return None
        rows = ExampleRows(parse_data("".join(parts), source=name))
        with self._lock:
            self._files[file] = rows
            while len(self._files) > MAX_FILES:
                self._files.popitem(last=False)
        return rows

    def rows(self, file: str) -> ExampleRows:
        """A file that was taken whole.

        Raises:
            DataFileError: It is not kept any more.
        """
        with self._lock:
            if file not in self._files:
                raise DataFileError("The file is not held any more; choose it again.")
            self._files.move_to_end(file)
            return self._files[file]

    def close(self, file: str) -> None:
        """Forget a file."""
        with self._lock:
            self._parts.pop(file, None)
            self._files.pop(file, None)
