"""What two token runs have in common."""

from __future__ import annotations

from playground.engines.arrays import IntArray


def common_prefix(one: IntArray, other: IntArray) -> int:
    """Length of the longest common beginning."""
    length = min(len(one), len(other))
    differs = one[:length] != other[:length]
    first = int(differs.argmax()) if length else 0
    return first if length and differs[first] else length
