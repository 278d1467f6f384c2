"""Charts as SVG text: bars and lines with their intervals. They load nothing and need no library.

Colours are of Okabe and Ito's set, which people with any colour vision can tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_FONT = 'font-family="system-ui, sans-serif" font-size="13"'
_WIDTH = 760
_LABEL_CHARS = 42


@dataclass(frozen=True, slots=True)
class Point:
    """A value with its interval at a place on the x axis."""

    x: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A named value with its interval; ``group`` chooses its colour."""

    label: str
    mean: float
    low: float
    high: float
    group: int = 0


@dataclass(frozen=True, slots=True)
class BarChart:
    """Named values; ``groups`` names the colours. ``share``: the scale runs from 0 to 1."""

    title: str
    bars: tuple[Bar, ...]
    groups: tuple[str, ...] = ()
    share: bool = False

    def svg(self) -> str:
        """The chart as SVG text."""
        return bar_chart(self.title, self.bars, share=self.share)


@dataclass(frozen=True, slots=True)
class LineChart:
    """Named lines over numbers. ``share``: the scale runs from 0 to 1."""

    title: str
    series: tuple[tuple[str, tuple[Point, ...]], ...]
    x_title: str = ""
    share: bool = False

    def svg(self) -> str:
        """The chart as SVG text."""
        return line_chart(self.title, self.series, x_title=self.x_title, share=self.share)


Chart = BarChart | LineChart


def bar_chart(title: str, bars: Sequence[Bar], *, share: bool = False) -> str:
    """Horizontal bars from 0, each with its interval as a whisker; shares run from 0 to 1."""
    left, row, top = 320, 26, 40
    height = top + row * len(bars) + 34
    low = min([0.0, *(bar.low for bar in bars)])
    high = 1.0 if share else max([bar.high for bar in bars], default=1.0)
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def x(value: float) -> float:
        return left + (_WIDTH - left - 70) * (value - low) / (high - low)

    lines = _head(title, height)
    for tick in ticks:
        lines.append(_line(x(tick), top - 4, x(tick), height - 28, "#ddd"))
        lines.append(_text(x(tick), height - 12, _number(tick), anchor="middle", colour="#555"))
    for i, bar in enumerate(bars):
        y = top + row * i
        start, end = sorted((x(0.0), x(bar.mean)))
        colour = COLOURS[bar.group % len(COLOURS)]
        lines += [
            _text(left - 8, y + 16, _short(bar.label), anchor="end"),
            f'<rect x="{start:.1f}" y="{y + 4}" width="{max(end - start, 1):.1f}" height="16" '
            f'fill="{colour}" fill-opacity="0.8"><title>{escape(bar.label)}</title></rect>',
            _line(x(bar.low), y + 12, x(bar.high), y + 12, "#222", 1.5),
            _text(x(max(bar.high, bar.mean, 0.0)) + 6, y + 16, _number(bar.mean)),
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def line_chart(
    title: str, series: Sequence[tuple[str, Sequence[Point]]], *, x_title: str = "", share: bool = False
) -> str:
    """Lines over numbers, each point with its interval, and a legend; shares run from 0 to 1."""
    left, top, bottom, right = 60, 44, 300, _WIDTH - 20
    height = bottom + 50 + 20 * len(series)
    points = [point for _, line in series for point in line]
    x_ticks = sorted({point.x for point in points}) or [0.0]
    low = 0.0 if share else min((p.low for p in points), default=0.0)
    high = 1.0 if share else max((p.high for p in points), default=1.0)
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    first, last = x_ticks[0], x_ticks[-1]

    def x(value: float) -> float:
        return left + (right - left) * ((value - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    lines = _head(title, height)
    for tick in ticks:
        lines.append(_line(left, y(tick), right, y(tick), "#ddd"))
        lines.append(_text(left - 8, y(tick) + 4, _number(tick), anchor="end", colour="#555"))
    for value in x_ticks:
        lines.append(_text(x(value), bottom + 18, _number(value), anchor="middle", colour="#555"))
    lines.append(_text((left + right) / 2, bottom + 36, x_title, anchor="middle"))
    for i, (name, line) in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{x(p.x):.1f},{y(p.mean):.1f}" for p in line)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for p in line:
            lines.append(_line(x(p.x), y(p.low), x(p.x), y(p.high), colour, 1.5))
            lines.append(f'<circle cx="{x(p.x):.1f}" cy="{y(p.mean):.1f}" r="3.5" fill="{colour}"/>')
        at = bottom + 56 + 20 * i
        lines.append(f'<rect x="{left}" y="{at - 10}" width="14" height="10" fill="{colour}"/>')
        lines.append(_text(left + 20, at, name))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _head(title: str, height: float) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" '
        f'height="{height:.0f}" role="img" {_FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="10" y="22" font-size="15" font-weight="600">{escape(title)}</text>',
    ]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#111") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _short(text: str) -> str:
    return text if len(text) <= _LABEL_CHARS else "…" + text[-_LABEL_CHARS + 1 :]


def _number(value: float) -> str:
    return f"{value:.3g}"


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers that enclose the range."""
    if not math.isfinite(low) or not math.isfinite(high):
        low, high = 0.0, 1.0
    span = high - low or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 5)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]
