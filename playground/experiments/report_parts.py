"""What a report shows of a run, as values: charts to be drawn and tables of texts. HTML is made elsewhere.

The page, the report and the recorded experiments draw from these, so that they cannot disagree.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from playground.experiments.charts import Bar, BarChart, Chart, LineChart, Point
from playground.experiments.diversity import words
from playground.experiments.metrics import CORPUS_METRICS, METRICS, Setting, rouge_l
from playground.experiments.model_metrics import MODEL_METRICS
from playground.experiments.results import Figure, Results
from playground.experiments.run_files import Answer, Plan
from playground.experiments.statistics import UNIT, Interval, interval

Rows = list[list[str]]
"""A table of texts, the first row its head."""


def axis_chart(plan: Plan, results: Results, metric: str) -> Chart:
    """One metric of an ablation: a line over the number of examples, else a bar a variant."""
    figures = [f for f in results.figures if f.metric == metric and not f.turn and not f.category]
    numeric = [
        f
        for f in figures
        if results.tags.get(f.assistant, {}).get("axis") == "k"
        and isinstance(results.tags[f.assistant].get("value"), int)
    ]
    title, share = metric_title(metric), _is_share(metric)
    if not numeric:
        models = list(dict.fromkeys(_model(plan, f.assistant) for f in figures))
        bars = [
            Bar(
                str(results.tags.get(f.assistant, {}).get("value", f.assistant)),
                f.value.mean,
                f.value.low,
                f.value.high,
                models.index(_model(plan, f.assistant)),
            )
            for f in figures
        ]
        return BarChart(title, tuple(bars), tuple(models), share)
    series: dict[str, dict[float, list[Figure]]] = {}
    for figure in numeric:
        tags = results.tags[figure.assistant]
        name = f"{_model(plan, figure.assistant)}, {tags.get('order', '')}"
        series.setdefault(name, {}).setdefault(float(tags["value"]), []).append(figure)
    lines = tuple(
        (name, tuple(_over_seeds(k, group) for k, group in sorted(by.items()))) for name, by in series.items()
    )
    return LineChart(title, lines, "examples (whiskers: 95 %, or the range over seeds)", share)


def _over_seeds(k: float, group: Sequence[Figure]) -> Point:
    """One point: of a single set its interval, of several the range of their means."""
    means = [figure.value.mean for figure in group]
    if len(group) == 1:
        return Point(k, means[0], group[0].value.low, group[0].value.high)
    return Point(k, statistics.fmean(means), min(means), max(means))


def rouge_by_length(plan: Plan, answers: Sequence[Answer], *, bins: int = 4) -> LineChart | None:
    """ROUGE-L over the length of the reference in words, in bins of as many questions each; None without."""
    questions = {question.id: question for question in plan.questions.questions}
    points: dict[str, list[tuple[int, float]]] = {}
    for answer in answers:
        question = questions.get(answer.question)
        if answer.error is None and question is not None:
            asked = question.turns[answer.turn]
            value = rouge_l(asked, answer, Setting())
            if value is not None:
                points.setdefault(answer.assistant, []).append((len(words(asked.reference)), value))
    series = []
    for name, found in points.items():
        found.sort()
        size = max(1, -(-len(found) // bins))
        line = []
        for start in range(0, len(found), size):
            part = found[start : start + size]
            value_ = interval([v for _, v in part], seed=plan.seed, limits=UNIT)
            if value_ is not None:
                length = statistics.fmean(n for n, _ in part)
                line.append(Point(round(length, 1), value_.mean, value_.low, value_.high))
        series.append((name, tuple(line)))
    return LineChart("ROUGE-L by the reference's length", tuple(series), "words") if series else None


def charts(plan: Plan, results: Results, answers: Sequence[Answer]) -> list[Chart]:
    """A chart a metric, and ROUGE-L by length where few assistants are compared."""
    metrics = dict.fromkeys(f.metric for f in results.figures)
    drawn = [axis_chart(plan, results, metric) for metric in metrics]
    by_length = rouge_by_length(plan, answers) if "rouge_l" in metrics and len(plan.assistants) <= 7 else None
    return drawn if by_length is None else [*drawn, by_length]


def figures_rows(results: Results, turn: int = 0, category: str = "") -> Rows:
    """Means with their intervals, a row an assistant, a column a metric."""
    kept = [f for f in results.figures if (f.turn, f.category) == (turn, category)]
    metrics = list(dict.fromkeys(f.metric for f in kept))
    cells = {(f.assistant, f.metric): f.value for f in kept}
    rows = [["assistant", *(metric_title(metric) for metric in metrics)]]
    for name in dict.fromkeys(f.assistant for f in kept):
        row = [name]
        for metric in metrics:
            value = cells.get((name, metric))
            row.append("" if value is None else value.text())
        rows.append(row)
    return rows


def gaps_rows(results: Results) -> Rows:
    """Every paired comparison to the reference."""
    rows = [
        [
            "assistant",
            "metric",
            "turn",
            "difference",
            "ratio",
            "above / below / same",
            "bootstrap p",
            "sign p",
        ]
    ]
    for gap in results.gaps:
        v = gap.value
        rows.append(
            [
                gap.assistant,
                metric_title(gap.metric),
                str(gap.turn or "all"),
                v.text(),
                "" if v.ratio is None else f"{v.ratio:.2f}",
                f"{v.wins} / {v.losses} / {v.ties}",
                f"{v.p_bootstrap:.2g}",
                f"{v.p_sign:.2g}",
            ]
        )
    return rows


def corpus_rows(results: Results) -> Rows:
    """Figures over all answers of an assistant together, and their lengths."""
    rows = [["assistant", *CORPUS_METRICS, "tokens: median", "p10", "p90"]]
    for name, found in results.corpus.items():
        tokens = results.lengths.get(name, {}).get("tokens", {})
        row = [name]
        for metric in CORPUS_METRICS:
            value = found.get(metric)
            row.append("" if value is None else f"{value:.3f}")
        rows.append([*row, *(f"{tokens.get(p, 0.0):.0f}" for p in ("p50", "p10", "p90"))])
    return rows


def judged_rows(judged: Mapping[str, object]) -> dict[str, Rows]:
    """Tables of ``judged.json`` by name, a row a figure."""
    parts: dict[str, Rows] = {}
    for name in ("scores", "pairs"):
        rows = judged.get(name)
        if not isinstance(rows, list) or not rows:
            continue
        head = [str(key) for key in rows[0]]
        body = [[_cell(row[key]) for key in head] for row in rows]
        parts[name] = [head, *body]
    return parts


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return Interval(**value).text()
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def problem_rows(results: Results) -> Rows:
    """What could not be read, asked or scored; the head alone where all went well."""
    rows = [["where", "what"]]
    rows += [[f"row {p.place}", p.message] for p in results.problems]
    rows += [["all", note] for note in results.notes]
    rows += [[name, why] for name, why in results.failures.items()]
    rows += [
        [f"row {e['place']}, id {e['question']}, {e['assistant']}, turn {e['turn']}", str(e["message"])]
        for e in results.errors
    ]
    return rows


def _model(plan: Plan, assistant: str) -> str:
    return next((spec.model for spec in plan.assistants if spec.name == assistant), "")


def metric_title(metric: str) -> str:
    """What a metric is called by people."""
    return METRICS[metric].title if metric in METRICS else MODEL_METRICS[metric][0]


def _is_share(metric: str) -> bool:
    unit = METRICS[metric].unit if metric in METRICS else MODEL_METRICS[metric][1]
    return unit in ("share", "score")
