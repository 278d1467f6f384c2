"""Texts of every kind of character."""

from __future__ import annotations

import random
from collections.abc import Callable

_RANGES = ((0x20, 0x7E), (0x0, 0x1F), (0xA0, 0x24F), (0x4E00, 0x9FFF), (0x1F300, 0x1FAFF), (0xE000, 0x10FFFF))


def text(*, max_size: int) -> Callable[[random.Random], str]:
    """A strategy: a function from a source of random numbers to a text of at most ``max_size`` characters."""

    def example(draw: random.Random) -> str:
        ranges = [draw.choice(_RANGES) for _ in range(draw.randint(0, max_size))]
        return "".join(chr(draw.randint(low, high)) for low, high in ranges)

    return example
