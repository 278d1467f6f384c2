"""Which KV cell holds which token of which sequence. Plain numpy: no tensors, no model.

A cell holds one token's keys and values. A sequence is the list of its cells by position; sequences with a
common beginning name the same cells, so that sharing and forking copy nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from playground.engines.arrays import IntArray

# Reading some cells that nobody asked for is cheaper than copying those that were.
_WASTE = 1.5
_SMALL = 256

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Window:
    """The cells that one batch looks at: a stretch of the pool, or a list of cells."""

    start: int
    end: int
    picked: IntArray | None = None

    @property
    def width(self) -> int:
        """How many cells are read."""
        return self.end - self.start if self.picked is None else len(self.picked)

    def columns(self, cells: IntArray) -> IntArray:
        """Where some of its cells lie in it."""
        if self.picked is None:
            return cells - np.int32(self.start)
        return np.searchsorted(self.picked, cells).astype(np.int32)


class CellPool:
    """Cells and sequences; ``n_cells`` tokens over all sequences."""

    def __init__(self, n_cells: int) -> None:
        self.n_cells = n_cells
        self._owners = np.zeros(n_cells, np.int32)
        self._seqs: dict[int, IntArray] = {}

    @property
    def n_free(self) -> int:
        """Cells that nobody holds."""
        return int(np.count_nonzero(self._owners == 0))

    def cells(self, seq: int) -> IntArray:
        """The cells of a sequence, by position."""
        return self._seqs.get(seq, np.empty(0, np.int32))

    def take(self, count: int) -> IntArray | None:
        """The lowest free cells, or None where there are too few; they are nobody's until ``extend``."""
        free = np.flatnonzero(self._owners == 0)[:count].astype(np.int32)
        return free if len(free) == count else None

    def extend(self, seq: int, cells: IntArray) -> None:
        """Append cells to a sequence."""
        self._owners[cells] += 1
        self._seqs[seq] = np.concatenate([self.cells(seq), cells])

    def keep(self, seq: int, length: int) -> None:
        """Cut a sequence to its first ``length`` tokens."""
        cells = self.cells(seq)
        self._owners[cells[length:]] -= 1
        self._seqs[seq] = cells[:length]

    def drop(self, seq: int) -> None:
        """Forget a sequence."""
        self.keep(seq, 0)
        self._seqs.pop(seq, None)

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Append ``source``'s cells at positions [start, end) to ``target``, which ends at ``start``."""
        self.extend(target, self.cells(source)[start:end])

    def clear(self) -> None:
        """Forget everything."""
        self._owners[:] = 0
        self._seqs.clear()

    def window(self, seqs: list[int]) -> Window:
        """What a batch over some sequences must read."""
        used = np.zeros(self.n_cells, np.bool_)
        for seq in seqs:
            used[self.cells(seq)] = True
        picked = np.flatnonzero(used).astype(np.int32)
        start, end = int(picked[0]), int(picked[-1]) + 1
        if end - start <= max(_WASTE * len(picked), _SMALL):
            return Window(start, end)
        return Window(start, end, picked)


def attention_rows(
    window: Window, cells: IntArray, first: int, count: int, sliding: int | None = None
) -> BoolArray:
    """Who sees whom, ``[count, window.width]``, for the tokens at positions first ... first + count - 1.

    Args:
        window: The columns.
        cells: Of the tokens' sequence, those of the batch included.
        first: Position of the first token.
        count: Number of tokens.
        sliding: Only this many positions back, the token itself included; None for all.
    """
    rows = np.zeros((count, window.width), np.bool_)
    end = first + count
    columns = window.columns(cells[:end])
    mine = np.arange(first, end)[:, None]
    theirs = np.arange(end)[None, :]
    seen = theirs <= mine
    if sliding is not None:
        seen &= theirs > mine - sliding
    rows[:, columns] = seen
    return rows
