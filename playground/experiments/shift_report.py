"""Shift over many answers in a few figures, and as values, CSV and text that others can read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from playground.experiments.shift import ContextShift, Shift, ShiftReport, fade, most_shifted

CLASSES: tuple[Shift, ...] = ("unshifted", "marginal", "shifted")
BINS = 10
_COLUMNS = (
    "question", "context", "position", "token", "id", "rank", "shift", "logprob", "entropy",
    "aligned_logprob", "kl",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ContextSummary:
    """All answers under one context.

    Attributes:
        name: Of the context.
        whole: Every position of every answer.
        curve: Share of shifted tokens along the answers, in tenths; None where no token lies.
        most: ``(token, times shifted, times seen)``, most shifted first.
    """

    name: str
    whole: ContextShift
    curve: tuple[float | None, ...]
    most: tuple[tuple[str, int, int], ...]


def summarise(reports: Sequence[ShiftReport], *, top: int = 20) -> list[ContextSummary]:
    """A summary of each context that every report has, in the first report's order."""
    if not reports:
        return []
    names = [c.name for c in reports[0].contexts]
    shared = [name for name in names if all(any(c.name == name for c in r.contexts) for r in reports)]
    summaries: list[ContextSummary] = []
    for name in shared:
        of_name = [report.context(name) for report in reports]
        whole = ContextShift(name, tuple(p for context in of_name for p in context.positions))
        curve = tuple(None if math.isnan(share) else share for share in fade(of_name, bins=BINS))
        summaries.append(ContextSummary(name, whole, curve, tuple(most_shifted(of_name, top=top))))
    return summaries


def figures(context: ContextShift) -> dict[str, object]:
    """A context's ratios and means."""
    return {
        "ratios": {shift: context.ratio(shift) for shift in CLASSES},
        "mean_kl": context.mean_kl,
        "mean_logprob": context.mean_logprob,
    }


def report_dict(report: ShiftReport) -> dict[str, object]:
    """A report as plain values."""
    return {
        "question": report.question,
        "answer": report.answer,
        "same_tokenizer": report.same_tokenizer,
        "contexts": [
            {
                "name": context.name,
                **figures(context),
                "positions": [
                    {
                        "text": p.token.bytes.decode("utf-8", "replace"),
                        "id": p.token.id,
                        "rank": p.token.rank,
                        "shift": p.shift,
                        "logprob": p.token.logprob,
                        "entropy": p.token.entropy,
                        "aligned_logprob": p.aligned_logprob,
                        "kl": p.kl,
                    }
                    for p in context.positions
                ],
            }
            for context in report.contexts
        ],
    }


def csv_text(reports: Sequence[ShiftReport]) -> str:
    """Every position of every answer under every context, one a line; questions by their number from 0."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for n, report in enumerate(reports):
        for context in report.contexts:
            for i, p in enumerate(context.positions):
                text = p.token.bytes.decode("utf-8", "replace")
                writer.writerow(
                    (
                        n, context.name, i, text, p.token.id, p.token.rank, p.shift, p.token.logprob,
                        p.token.entropy, p.aligned_logprob, p.kl,
                    )
                )  # fmt: skip
    return file.getvalue()
