"""A run as one page of HTML that loads nothing: tables, charts as SVG, samples, and what went wrong.

Everything that a person or a model wrote is escaped.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from playground.experiments.assistants import ExperimentError
from playground.experiments.charts import Bar, Point, bar_chart, line_chart
from playground.experiments.diversity import words
from playground.experiments.metrics import CORPUS_METRICS, METRICS, Setting, rouge_l
from playground.experiments.model_metrics import MODEL_METRICS
from playground.experiments.results import Figure, Results
from playground.experiments.run_files import Answer, Plan
from playground.experiments.statistics import interval

_SAMPLES = 12
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem}
body{color:#111;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;display:block;overflow-x:auto}
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{max-width:100%;height:auto;margin:.5rem 0}
pre{white-space:pre-wrap;margin:0;font:13px/1.45 ui-monospace,monospace}
small{color:#555}
"""


def report_html(
    plan: Plan,
    results: Results,
    answers: Sequence[Answer],
    manifest: Mapping[str, object],
    *,
    judged: Mapping[str, object] | None = None,
) -> str:
    """The page of an evaluation or an ablation."""
    counts = results.counts
    parts = [
        f"<p>{counts['answers']:.0f} answers to {counts['questions']:.0f} questions "
        f"({escape(plan.questions.name)}), {counts['failed']:.0f} failed; seed {plan.seed}"
        f"{', exact mode' if plan.exact else ''}. Means stand with 95 % bootstrap intervals over "
        "questions.</p>",
        "<h2>Figures</h2>",
        _figures_table(results, 0, ""),
    ]
    for turn in sorted({f.turn for f in results.figures} - {0}):
        parts += [f"<h3>Turn {turn}</h3>", _figures_table(results, turn, "")]
    for category in sorted({f.category for f in results.figures} - {""}):
        parts += [f"<h3>{escape(category)}</h3>", _figures_table(results, 0, category)]
    if results.gaps:
        parts += [f"<h2>Gap to {escape(results.gaps[0].reference)}</h2>", _gaps_table(results)]
    parts += ["<h2>Charts</h2>", *_charts(plan, results, answers)]
    parts += ["<h2>All answers together</h2>", _corpus_table(results)]
    if judged:
        parts += ["<h2>Judged</h2>", *_judged(judged)]
    parts += ["<h2>Samples</h2>", _samples(plan, answers)]
    if results.problems or results.errors or results.failures:
        parts += ["<h2>What could not be read or asked</h2>", _problems(results)]
    return page(f"{plan.kind}: {', '.join(s.name for s in plan.assistants[:4])}", parts, manifest)


def page(title: str, parts: Iterable[str], manifest: Mapping[str, object]) -> str:
    """A whole page around some parts, with what the run was made of at its end."""
    rows = [["model", "what it is"]]
    models = manifest.get("models")
    if isinstance(models, dict):
        rows += [[name, ", ".join(f"{k} {v}" for k, v in facts.items())] for name, facts in models.items()]
    versions = manifest.get("versions")
    if isinstance(versions, dict):
        rows.append(["versions", ", ".join(f"{name} {value}" for name, value in versions.items())])
    machine = manifest.get("machine")
    if isinstance(machine, dict):
        rows.append(["machine", ", ".join(f"{value}" for value in machine.values())])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n"
        f"<p><small>begun {escape(str(manifest.get('created', '')))}</small></p>\n"
        + "\n".join(parts)
        + f"\n<h2>Made of</h2>\n{table(rows)}\n</body></html>\n"
    )


def table(rows: Sequence[Sequence[str]], *, numbers_from: int = 99) -> str:
    """A table of texts, the first row its head."""
    head, *body = rows
    lines = ["<table><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for row in body:
        cells = (
            f'<td class="n">{escape(cell)}</td>' if i >= numbers_from else f"<td>{escape(cell)}</td>"
            for i, cell in enumerate(row)
        )
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "\n".join([*lines, "</table>"])


def axis_chart(plan: Plan, results: Results, metric: str) -> str:
    """One metric of an ablation: a line over the number of examples, else a bar a variant."""
    figures = [f for f in results.figures if f.metric == metric and not f.turn and not f.category]
    numeric = [
        f
        for f in figures
        if results.tags.get(f.assistant, {}).get("axis") == "k"
        and isinstance(results.tags[f.assistant].get("value"), int)
    ]
    title, share = _title(metric), _is_share(metric)
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
        return bar_chart(title, bars, share=share)
    series: dict[str, dict[float, list[Figure]]] = {}
    for figure in numeric:
        tags = results.tags[figure.assistant]
        name = f"{_model(plan, figure.assistant)}, {tags.get('order', '')}"
        series.setdefault(name, {}).setdefault(float(tags["value"]), []).append(figure)
    lines = [
        (name, [_over_seeds(k, group) for k, group in sorted(by.items())]) for name, by in series.items()
    ]
    return line_chart(title, lines, x_title="examples (whiskers: 95 %, or the range over seeds)", share=share)


def _over_seeds(k: float, group: Sequence[Figure]) -> Point:
    """One point: of a single set its interval, of several the range of their means."""
    means = [figure.value.mean for figure in group]
    if len(group) == 1:
        return Point(k, means[0], group[0].value.low, group[0].value.high)
    return Point(k, statistics.fmean(means), min(means), max(means))


def rouge_by_length(plan: Plan, answers: Sequence[Answer], *, bins: int = 4) -> str:
    """ROUGE-L over the length of the reference in words, in bins of as many questions each; empty without."""
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
            value_ = interval([v for _, v in part], seed=plan.seed)
            if value_ is not None:
                length = statistics.fmean(n for n, _ in part)
                line.append(Point(round(length, 1), value_.mean, value_.low, value_.high))
        series.append((name, line))
    return line_chart("ROUGE-L by the reference's length", series, x_title="words") if series else ""


def _charts(plan: Plan, results: Results, answers: Sequence[Answer]) -> list[str]:
    metrics = dict.fromkeys(f.metric for f in results.figures)
    charts = [axis_chart(plan, results, metric) for metric in metrics]
    if "rouge_l" in metrics and len(plan.assistants) <= 7:
        charts.append(rouge_by_length(plan, answers))
    return charts


def _figures_table(results: Results, turn: int, category: str) -> str:
    kept = [f for f in results.figures if (f.turn, f.category) == (turn, category)]
    metrics = list(dict.fromkeys(f.metric for f in kept))
    cells = {(f.assistant, f.metric): f.value for f in kept}
    rows = [["assistant", *(_title(metric) for metric in metrics)]]
    for name in dict.fromkeys(f.assistant for f in kept):
        row = [name]
        for metric in metrics:
            value = cells.get((name, metric))
            row.append(
                "" if value is None else f"{value.mean:.3g} [{value.low:.3g}, {value.high:.3g}] n={value.n}"
            )
        rows.append(row)
    return table(rows, numbers_from=1)


def _gaps_table(results: Results) -> str:
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
                _title(gap.metric),
                str(gap.turn or "all"),
                f"{v.difference:+.3g} [{v.low:+.3g}, {v.high:+.3g}]",
                "" if v.ratio is None else f"{v.ratio:.2f}",
                f"{v.wins} / {v.losses} / {v.ties}",
                f"{v.p_bootstrap:.2g}",
                f"{v.p_sign:.2g}",
            ]
        )
    return table(rows, numbers_from=3)


def _corpus_table(results: Results) -> str:
    rows = [["assistant", *CORPUS_METRICS, "tokens: median", "p10", "p90"]]
    for name, found in results.corpus.items():
        tokens = results.lengths.get(name, {}).get("tokens", {})
        row = [name]
        for metric in CORPUS_METRICS:
            value = found.get(metric)
            row.append("" if value is None else f"{value:.3f}")
        rows.append([*row, *(f"{tokens.get(p, 0.0):.0f}" for p in ("p50", "p10", "p90"))])
    return table(rows, numbers_from=1)


def _judged(judged: Mapping[str, object]) -> list[str]:
    """Tables of ``judged.json``, a row a figure."""
    parts = []
    for name in ("scores", "pairs"):
        rows = judged.get(name)
        if not isinstance(rows, list) or not rows:
            continue
        head = [str(key) for key in rows[0]]
        body = [[_cell(row[key]) for key in head] for row in rows]
        parts += [f"<h3>{name}</h3>", table([head, *body])]
    return parts


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return f"{value['mean']:.3g} [{value['low']:.3g}, {value['high']:.3g}] n={value['n']}"
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _samples(plan: Plan, answers: Sequence[Answer]) -> str:
    by_key = {(a.question, a.turn, a.assistant): a for a in answers if a.sample == 0}
    names = list(dict.fromkeys(a.assistant for a in answers))[:4]
    step = max(1, len(plan.questions.questions) // _SAMPLES)
    lines = ["<table><tr><th>question</th>" + "".join(f"<th>{escape(name)}</th>" for name in names) + "</tr>"]
    for question in plan.questions.questions[::step][:_SAMPLES]:
        for turn, asked in enumerate(question.turns):
            cells = []
            for name in names:
                answer = by_key.get((question.id, turn, name))
                text = "" if answer is None else answer.error or answer.text
                cells.append(f"<td><pre>{escape(text)}</pre></td>")
            lines.append(f"<tr><td><pre>{escape(asked.query)}</pre></td>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</table>"])


def _problems(results: Results) -> str:
    rows = [["where", "what"]]
    rows += [[f"row {p.place}", p.message] for p in results.problems]
    rows += [[name, why] for name, why in results.failures.items()]
    rows += [
        [f"row {e['place']}, id {e['question']}, {e['assistant']}, turn {e['turn']}", str(e["message"])]
        for e in results.errors
    ]
    return table(rows)


def write_report(path: Path, text: str) -> Path:
    """Write a page.

    Raises:
        ExperimentError: The file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise ExperimentError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def _model(plan: Plan, assistant: str) -> str:
    return next((spec.model for spec in plan.assistants if spec.name == assistant), "")


def _title(metric: str) -> str:
    return METRICS[metric].title if metric in METRICS else MODEL_METRICS[metric][0]


def _is_share(metric: str) -> bool:
    unit = METRICS[metric].unit if metric in METRICS else MODEL_METRICS[metric][1]
    return unit in ("share", "score")
