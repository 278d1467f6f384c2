"""Ranked wordings as a page: what each does on the validation set, and the best on the test set."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from playground.experiments.candidates import CandidateResults, rank_candidates
from playground.experiments.charts import Bar, BarChart
from playground.experiments.model_metrics import LIKELIHOOD
from playground.experiments.report import page, table, write_report
from playground.experiments.report_parts import Rows
from playground.experiments.run import Run
from playground.experiments.run_files import read_manifest
from playground.experiments.statistics import Interval
from playground.presets.preset import Preset

_CHART_BARS = 20


def rank_and_report(run: Run) -> tuple[Preset, CandidateResults]:
    """Rank a run's candidates and write its page beside ``found.yaml`` and ``results.json``.

    Raises:
        RunCancelled: It was cancelled; resuming goes over what is finished.
        PlaygroundError: A model cannot be had or cannot score, or the disk is full.
    """
    preset, results = rank_candidates(run)
    write_report(run.folder / "report.html", candidates_html(results, read_manifest(run.folder)))
    return preset, results


def candidates_html(results: CandidateResults, manifest: Mapping[str, object]) -> str:
    """The page of a ranking."""
    parts = [
        f"<p>{escape(summary(results))}</p>",
        "<h2>On the test set, which chose nothing</h2>",
        table(candidate_test_rows(results), numbers_from=2),
        "<h2>On the validation set</h2>",
        ranking_chart(results).svg(),
        table(ranking_rows(results), numbers_from=2),
    ]
    return page("candidates for the wording", parts, manifest)


def summary(results: CandidateResults) -> str:
    """What was tried and how far the two rankings agree, in a sentence or two."""
    n = len(results.ranked) - 1
    said = f"{n} candidate{'' if n == 1 else 's'} beside the preset's own wording"
    if results.refused:
        said += f"; paraphrases refused: {results.refused}"
    if results.agreement is not None:
        said += (
            f". Spearman's rho between the rankings by {LIKELIHOOD} and by {results.metric} is "
            f"{results.agreement:.2f}"
        )
    return said + "."


def ranking_chart(results: CandidateResults) -> BarChart:
    """The first of the ranking, by the metric where there is one."""
    bars = []
    for row in results.ranked[:_CHART_BARS]:
        value = row.value if results.metric else row.likelihood
        if value is not None:
            bars.append(Bar(_short(row.text), value.mean, value.low, value.high))
    return BarChart(f"{results.metric or LIKELIHOOD} on the validation set", tuple(bars))


def ranking_rows(results: CandidateResults) -> Rows:
    """Every candidate, the best first."""
    rows = [["wording", "origin", LIKELIHOOD, *([results.metric] if results.metric else [])]]
    for row in results.ranked:
        values = [row.likelihood, *([row.value] if results.metric else [])]
        rows.append([row.text or "(none)", row.origin, *map(_cell, values)])
    return rows


def candidate_test_rows(results: CandidateResults) -> Rows:
    """The start, the likeliest and the best on the test set."""
    metrics = [LIKELIHOOD, *([results.metric] if results.metric else [])]
    rows = [["which", "wording", *metrics, "against the start", "sign p"]]
    for row in results.tested:
        gap = row.against_start
        rows.append(
            [
                row.name,
                row.text or "(none)",
                *map(_cell, [row.likelihood, *([row.value] if results.metric else [])]),
                "" if gap is None else gap.text(),
                "" if gap is None else f"{gap.p_sign:.2g}",
            ]
        )
    return rows


def _cell(value: Interval | None) -> str:
    return "" if value is None else value.text()


def _short(text: str) -> str:
    shown = " ".join(text.split()) or "(none)"
    return shown if len(shown) <= 40 else shown[:39] + "…"
