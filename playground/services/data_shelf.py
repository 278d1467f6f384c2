"""Data files that a page has sent in parts, kept while examples are chosen from them."""

from __future__ import annotations

import threading
from collections import OrderedDict

from playground.datasets import NO_COLUMN, Columns, DataFileError, parse_data
from playground.services.text_parts import MAX_FILES, TextParts
from playground.studio.pick import ExampleRows


class DataShelf:
    """Files by an id of the page's making. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts = TextParts()
        self._files: OrderedDict[str, ExampleRows] = OrderedDict()
        self._tables: dict[
            str, tuple[str, str]
        ] = {}  # name and text of those that can be read by other columns

    def add(self, file: str, text: str, *, name: str, last: bool) -> ExampleRows | None:
        """Take the next part of a file; its rows once the last one came.

        Raises:
            DataFileError: It is too large, or holds no usable row.
        """
        whole = self._parts.add(file, text, name=name, last=last)
        if whole is None:
            return None
        rows = ExampleRows(parse_data(whole, source=name))
        with self._lock:
            self._files[file] = rows
            if len(rows.available) > 1:
                self._tables[file] = name, whole
            while len(self._files) > MAX_FILES:
                gone, _ = self._files.popitem(last=False)
                self._tables.pop(gone, None)
        return rows

    def choose_columns(self, file: str, *, query: str, answer: str) -> ExampleRows:
        """The rows of a table, read by other columns; an empty answer column means none.

        Raises:
            DataFileError: It is not kept any more, or has no usable row by these columns.
        """
        with self._lock:
            held = self._tables.get(file)
        if held is None:
            raise DataFileError("The file is not held any more; choose it again.")
        name, text = held
        rows = ExampleRows(
            parse_data(text, source=name, columns=Columns(query=query, answer=answer or NO_COLUMN))
        )
        with self._lock:
            if file in self._files:
                self._files[file] = rows
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
        self._parts.close(file)
        with self._lock:
            self._files.pop(file, None)
            self._tables.pop(file, None)
