"""A run as one page of HTML that loads nothing: tables, charts as SVG, samples, and what went wrong.

Everything that a person or a model wrote is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from playground.experiments.assistants import ExperimentError, model_label
from playground.experiments.private_files import write_private
from playground.experiments.report_parts import (
    charts,
    corpus_rows,
    figures_rows,
    gaps_rows,
    judged_rows,
    problem_rows,
)
from playground.experiments.results import Results
from playground.experiments.run_files import Answer, Plan

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
        table(figures_rows(results), numbers_from=1),
    ]
    for turn in sorted({f.turn for f in results.figures} - {0}):
        parts += [f"<h3>Turn {turn}</h3>", table(figures_rows(results, turn), numbers_from=1)]
    for category in sorted({f.category for f in results.figures} - {""}):
        parts += [f"<h3>{escape(category)}</h3>", table(figures_rows(results, 0, category), numbers_from=1)]
    if results.gaps:
        parts += [
            f"<h2>Gap to {escape(results.gaps[0].reference)}</h2>",
            table(gaps_rows(results), numbers_from=3),
        ]
    parts += ["<h2>Charts</h2>", *(chart.svg() for chart in charts(plan, results, answers))]
    parts += ["<h2>All answers together</h2>", table(corpus_rows(results), numbers_from=1)]
    if judged:
        parts += ["<h2>Judged</h2>"]
        for name, rows in judged_rows(judged).items():
            parts += [f"<h3>{name}</h3>", table(rows)]
    parts += ["<h2>Samples</h2>", _samples(plan, answers)]
    if len(problem_rows(results)) > 1:
        parts += ["<h2>What could not be read or asked</h2>", table(problem_rows(results))]
    return page(f"{plan.kind}: {', '.join(s.name for s in plan.assistants[:4])}", parts, manifest)


def page(title: str, parts: Iterable[str], manifest: Mapping[str, object]) -> str:
    """A whole page around some parts, with what the run was made of at its end.

    A page is passed on, so models that were named by a path go by the name of the file.
    """
    rows = [["model", "what it is"]]
    models = manifest.get("models")
    if isinstance(models, dict):
        for name, facts in models.items():
            shown = {k: model_label(str(v)) if k == "source" else v for k, v in facts.items()}
            rows.append([name, ", ".join(f"{k} {v}" for k, v in shown.items())])
    engines = manifest.get("engines")
    for name, layouts in engines.items() if isinstance(engines, dict) else ():
        rows += [[f"{name}, as loaded", ", ".join(f"{k} {v}" for k, v in one.items())] for one in layouts]
    versions = manifest.get("versions")
    if isinstance(versions, dict):
        rows.append(["versions", ", ".join(f"{name} {value}" for name, value in versions.items())])
    machine = manifest.get("machine")
    if isinstance(machine, dict):
        rows.append(["machine", ", ".join(f"{value}" for value in machine.values())])
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n"
        f"<p><small>begun {escape(str(manifest.get('created', '')))}</small></p>\n"
        + "\n".join(parts)
        + f"\n<h2>Made of</h2>\n{table(rows)}\n</body></html>\n"
    )
    for model in sorted(models, key=len, reverse=True) if isinstance(models, dict) else ():
        text = text.replace(escape(model), escape(model_label(model)))
    return text


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


def write_report(path: Path, text: str) -> Path:
    """Write a page.

    Raises:
        ExperimentError: The file cannot be written.
    """
    try:
        write_private(path, text.encode("utf-8", "replace").decode())
    except OSError as error:
        raise ExperimentError(f"{path} cannot be written: {error.strerror}.") from error
    return path
