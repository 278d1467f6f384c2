"""Long texts that come in parts, put together again."""

from __future__ import annotations

import threading
from collections import OrderedDict

from playground.datasets import DataFileError

MAX_CHARACTERS = 100_000_000
MAX_FILES = 4  # of all pages together; the one that was not added to for longest goes first


class TextParts:
    """Texts by an id of their sender's making. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: OrderedDict[str, list[str]] = OrderedDict()

    def add(self, file: str, text: str, *, name: str, last: bool) -> str | None:
        """Take the next part; the whole text once the last one came.

        Raises:
            DataFileError: It is too large.
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
        return "".join(parts) if last else None

    def close(self, file: str) -> None:
        """Forget a text of which parts came."""
        with self._lock:
            self._parts.pop(file, None)
