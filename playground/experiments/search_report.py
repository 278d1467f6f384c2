"""A search as a page: what each round tried, random search beside it, and both on the test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from playground.experiments.charts import Bar, BarChart, LineChart, Point
from playground.experiments.metric_choice import direction
from playground.experiments.report import page, table, write_report
from playground.experiments.report_parts import Rows
from playground.experiments.run import Run
from playground.experiments.run_files import read_manifest
from playground.experiments.search import Candidate, SearchResults, search
from playground.presets.preset import Preset

_SHOWN = 12


def search_and_report(run: Run) -> tuple[Preset, SearchResults]:
    """Run the search of a run's plan and write its page beside ``found.yaml`` and ``results.json``.

    Raises:
        RunCancelled: It was cancelled; resuming replays it over what is finished.
        PlaygroundError: A model cannot be had, or the disk is full.
    """
    preset, results = search(run)
    write_report(run.folder / "report.html", search_html(results, read_manifest(run.folder)))
    return preset, results


def search_html(results: SearchResults, manifest: Mapping[str, object]) -> str:
    """The page of a search."""
    parts = [
        f"<p>By {escape(results.metric)}; greedy search took {results.cost['greedy']} pairs of candidate and "
        f"question, random search {results.cost['random']}. {escape(results.stopped.capitalize())}.</p>",
        "<h2>On the test set, which neither search saw</h2>",
        tested_chart(results).svg(),
        table(tested_rows(results), numbers_from=2),
        "<h2>On the validation set</h2>",
        validation_chart(results).svg(),
    ]
    for number, candidates in enumerate(results.rounds, 1):
        title = f"<h3>Round {number}, {len(candidates)} candidates</h3>"
        parts += [title, table(round_rows(results, candidates), numbers_from=1)]
    return page(f"search by {results.metric}", parts, manifest)


def round_rows(results: SearchResults, candidates: Sequence[Candidate]) -> Rows:
    """The best candidates of a round."""
    rows = [["examples", "value", "questions"]]
    for c in candidates[:_SHOWN]:
        measured = str(c.n) if c.measured in (None, c.n) else f"{c.measured} of {c.n}"
        rows.append([_shown(results, c), f"{c.value:.3g}", measured])
    return rows


def tested_chart(results: SearchResults) -> BarChart:
    """Start, greedy and random on the test set, a colour a model."""
    models = list(dict.fromkeys(row.model for row in results.tested))
    bars = [
        Bar(
            f"{row.name}, {row.model}", row.value.mean, row.value.low, row.value.high, models.index(row.model)
        )
        for row in results.tested
        if row.value is not None
    ]
    return BarChart(f"{results.metric} on the test set", tuple(bars), tuple(models))


def validation_chart(results: SearchResults) -> LineChart:
    """The best of each round, and the best of random search as it went on at the same cost."""
    better = max if direction(results.metric) > 0 else min
    whole = [[c.value for c in r if c.n == results.start.n] for r in results.rounds]
    per_round = results.cost["greedy"] / max(1, len(results.rounds)) / results.start.n
    reached = [((i + 1) * per_round, better(values)) for i, values in enumerate(whole) if values]
    greedy = [Point(at, value, value, value) for at, value in reached]
    at_random = []
    best = results.random_tried[0].value if results.random_tried else 0.0
    for i, candidate in enumerate(results.random_tried, 1):
        best = better(best, candidate.value)
        at_random.append(Point(float(i), best, best, best))
    series = (("greedy, by round", tuple(greedy)), ("random, best so far", tuple(_thin(at_random))))
    return LineChart(f"{results.metric} on the validation set", series, "candidates tried")


def _thin(points: list[Point]) -> list[Point]:
    """At most ten of them, the last among them."""
    step = max(1, len(points) // 10)
    return points[::-1][::step][::-1]


def tested_rows(results: SearchResults) -> Rows:
    """Start, greedy and random on the test set."""
    rows = [["way", "model", "mean", "against the start", "above / below / same", "sign p"]]
    for row in results.tested:
        if row.value is None:
            continue
        v, gap = row.value, row.against_start
        rows.append(
            [
                row.name,
                row.model,
                v.text(),
                "" if gap is None else gap.text(),
                "" if gap is None else f"{gap.wins} / {gap.losses} / {gap.ties}",
                "" if gap is None else f"{gap.p_sign:.2g}",
            ]
        )
    return rows


def _shown(results: SearchResults, candidate: Candidate) -> str:
    return " · ".join(results.queries.get(i, str(i)) for i in candidate.examples) or "the preset's own"
