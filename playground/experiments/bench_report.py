"""What the benchmark found: rows, as a table for a person and as a line for a machine."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ``ratio`` is how many times better ours is, or their plain ratio.

    Attributes:
        work: What was done. unit: Of both figures. ours, other: Medians.
        ratio: Of the two, above 1 where ours is better. goal: What it must reach; None for information.
        against: What ``other`` is.
    """

    work: str
    unit: str
    ours: float
    other: float
    ratio: float
    goal: float | None
    against: str = "llama_cpp.Llama"

    @property
    def reached(self) -> bool:
        """Whether the goal is met."""
        return self.goal is None or self.ratio >= self.goal


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line of the table that makes no sense on an engine, and why."""

    work: str
    reason: str


# Measures the rows of one kind of work.
Group = Callable[[], Iterator[Row | LeftOut]]


def table(rows: Sequence[Row | LeftOut]) -> str:
    """The rows for a person."""
    lines = [f"{'work':58} {'ours':>10} {'other':>10} {'ratio':>8} {'goal':>6}  against"]
    for row in rows:
        if isinstance(row, LeftOut):
            lines.append(f"{row.work:58} {'-':>10} {'-':>10} {'-':>8} {'':>6}  {row.reason}")
            continue
        goal = "" if row.goal is None else f"{row.goal:g}"
        mark = "" if row.reached else "  MISSED"
        lines.append(
            f"{row.work + ', ' + row.unit:58} {row.ours:10.4g} {row.other:10.4g} {row.ratio:8.2f} {goal:>6}  "
            f"{row.against}{mark}"
        )
    return "\n".join(lines)


def json_line(rows: Sequence[Row | LeftOut]) -> str:
    """The rows for a machine, on one line."""
    measured = [asdict(row) | {"reached": row.reached} for row in rows if isinstance(row, Row)]
    left_out = [asdict(row) for row in rows if isinstance(row, LeftOut)]
    return json.dumps({"rows": measured, "left_out": left_out})


def median_row(
    work: str,
    unit: str,
    ours: list[float],
    other: list[float],
    goal: float | None,
    *,
    against: str = "llama_cpp.Llama",
) -> Row:
    """The row of two lists of measurements: their medians."""
    mine, theirs = statistics.median(ours), statistics.median(other)
    ratio = mine / theirs if unit == "tok/s" else theirs / mine
    return Row(work, unit, mine, theirs, ratio, goal, against)
