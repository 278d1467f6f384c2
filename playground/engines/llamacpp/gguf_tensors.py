"""The table of tensors of a GGUF: what each takes, and whether the file can hold it.

The precisions and their sizes are ggml's (its ``ggml.h`` and ``ggml-common.h``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# By type id: weights a block, bytes a block.
BLOCKS: dict[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip
_LONGEST = 1 << 40


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """A tensor as the table describes it; ``offset`` counts from the end of the table, aligned."""

    name: str
    shape: tuple[int, ...]
    type_id: int
    offset: int

    @property
    def n_items(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """What it takes; 0 for a precision that is not known here."""
        per_block, block_bytes = BLOCKS.get(self.type_id, (1, 0))
        return self.n_items // per_block * block_bytes


def table_refusal(
    tensors: Sequence[GgufTensor], alignment: object, table_end: int, file_size: int
) -> str | None:
    """Why a file with this table cannot be whole, or None. What is not known here is left to llama.cpp."""
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
        return f"its alignment of {alignment} cannot be"
    data = -(-table_end // alignment) * alignment
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            return f"it holds the tensor {tensor.name[:60]!r} twice"
        names.add(tensor.name)
        if any(not 0 < length < _LONGEST for length in tensor.shape):
            return f"the shape {list(tensor.shape)} of its tensor {tensor.name[:60]!r} cannot be"
        end = data + tensor.offset + tensor.size_bytes
        if end > file_size:
            return (
                f"its tensor {tensor.name[:60]!r} ends at byte {end:,} and the file has {file_size:,}: "
                "it is cut off, or damaged"
            )
    return None
