"""Seeds: one for each sample, drawn where a person gave none."""

from __future__ import annotations

import secrets


def draw_seed() -> int:
    """A fresh seed in [0, 2**31), small enough to be read out and typed again."""
    return secrets.randbelow(2**31)
