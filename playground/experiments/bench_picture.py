"""The benchmark as a picture: one bar a row, on a logarithmic axis, with its goal marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Protocol

_WIDTH, _LABEL, _ROW, _TOP = 900, 400, 30, 40


class Measured(Protocol):
    """A row of the benchmark."""

    @property
    def work(self) -> str:
        """What was done."""
        ...

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        ...

    @property
    def goal(self) -> float | None:
        """What it must reach."""
        ...

    @property
    def against(self) -> str:
        """What it is measured against."""
        ...

    @property
    def reached(self) -> bool:
        """Whether the goal is met."""
        ...


def picture(rows: Sequence[Measured], title: str) -> str:
    """An SVG of how many times better each row is than what it is measured against."""
    largest = max([2.0, *(max(row.ratio, row.goal or 0) for row in rows)])
    smallest = min([0.5, *(row.ratio for row in rows if row.ratio > 0)])
    low, high = math.log10(smallest), math.log10(largest * 1.6)

    def x(value: float) -> float:
        return _LABEL + (_WIDTH - _LABEL - 20) * (math.log10(max(value, smallest)) - low) / (high - low)

    height = _TOP + _ROW * len(rows) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="22" font-size="15" font-weight="600">{escape(title)}</text>',
        f'<line x1="{x(1):.1f}" x2="{x(1):.1f}" y1="{_TOP - 6}" y2="{height - 14}" stroke="#888"/>',
    ]
    for number, row in enumerate(rows):
        y = _TOP + _ROW * number
        left, right = sorted((x(1), x(row.ratio)))
        width = max(right - left, 1)
        colour = "#2f6f9f" if row.reached else "#b5532f"
        lines += [
            f'<text x="10" y="{y + 16}">{escape(row.work)}</text>',
            f'<rect x="{left:.1f}" y="{y + 4}" width="{width:.1f}" height="16" fill="{colour}"/>',
            f'<text x="{right + 6:.1f}" y="{y + 16}">{row.ratio:.3g}</text>',
        ]
        if row.goal is not None:
            at = f"{x(row.goal):.1f}"
            ends = f'x1="{at}" x2="{at}" y1="{y + 1}" y2="{y + 23}"'
            lines.append(f'<line {ends} stroke="#222" stroke-width="2"/>')
    return "\n".join([*lines, "</svg>"]) + "\n"
