"""``shift``: which tokens of an aligned model's answer the base model would not have written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import app, one_line, print_json, print_table, reported
from playground.errors import ConversationError, PlaygroundError

if TYPE_CHECKING:
    from playground.experiments.shift import ContextShift, ShiftReport
    from playground.presets.preset import Preset
    from playground.services import Workbench


@app.command()
def shift(
    question: Annotated[str | None, typer.Argument(help="What the aligned model is asked.")] = None,
    base: Annotated[
        str, typer.Option(help="The base model; that of --aligned's pair, or the bundled one, without it.")
    ] = "",
    aligned: Annotated[
        str,
        typer.Option(help="The instruct model whose answer is looked at; that of --base's pair without it."),
    ] = "",
    preset: Annotated[
        str, typer.Option(help="Scored behind this preset too; none for the bare question alone.")
    ] = "friendly",
    questions: Annotated[
        str | None,
        typer.Option(
            help="A data file, or OWNER/NAME on the Hub, instead of one; ?query=COLUMN names its column."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most questions of the file.")] = 100,
    kl: Annotated[bool, typer.Option("--kl/--no-kl", help="Compare whole distributions too.")] = True,
    exact: Annotated[
        bool, typer.Option("--exact", help="Score each text alone: the same numbers each time, slower.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write every position here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to look at here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show where an aligned model's answer departs from what the base model would write."""
    from playground.experiments.shift_html import page
    from playground.experiments.shift_report import csv_text, report_dict
    from playground.services import Workbench
    from playground.services.metric_models import shift_models

    with reported(), Workbench() as workbench:
        asked = _questions(question, questions, limit)
        # Neither is named: the bundled pair. One is: never the bundled pair's other half.
        base, aligned = shift_models(workbench.catalog, base or ("" if aligned else "wren/base"), aligned)
        behind = None if preset == "none" else workbench.presets.load(preset)
        reports = []
        for i, text in enumerate(asked, 1):
            reports.append(_report(workbench, base, aligned, behind, text, kl=kl, exact=exact))
            if len(asked) > 1:
                typer.echo(f"\r{i} of {len(asked)} questions", err=True, nl=i == len(asked))
        if csv is not None:
            write_file(csv, csv_text(reports))
        if html is not None:
            write_file(html, page(reports, base=base, aligned=aligned))
        if as_json:
            print_json(
                {
                    "base": base,
                    "aligned": aligned,
                    "preset": preset,
                    "reports": [report_dict(report) for report in reports],
                }
            )
        elif len(reports) == 1:
            _print_one(reports[0])
        else:
            _print_summary(reports)


def write_file(path: Path, text: str) -> None:
    """Write a text where a person asked for it.

    Raises:
        PlaygroundError: It cannot be written there.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise PlaygroundError(f"{path} cannot be written: {error.strerror}; name another place.") from error


def _questions(question: str | None, source: str | None, limit: int) -> list[str]:
    if source is not None:
        from playground.datasets import read_data

        data = read_data(source)
        changed = [f"row {one.place}: {one.message}" for one in data.repaired]
        skipped = [f"row {one.place} was skipped: {one.message}" for one in data.problems]
        for note in (*data.notes, *skipped, *changed):
            typer.echo(one_line(note), err=True)
        return [record.queries[0] for record in data.records[:limit]]
    if question is None or not question.strip():
        raise ConversationError("The question is empty; write one, or name a file with --questions.")
    return [question]


def _report(
    workbench: Workbench,
    base: str,
    aligned: str,
    preset: Preset | None,
    question: str,
    *,
    kl: bool,
    exact: bool,
) -> ShiftReport:
    from playground.experiments.shift import aligned_answer, bare_context, measure_shift, preset_context
    from playground.services import SideSpec

    renderer = workbench.assistant(SideSpec(aligned, "none")).renderer
    answer = aligned_answer(workbench.engine(aligned), renderer, question, full=kl, exact=exact)
    contexts = {"bare": bare_context(question)}
    if preset is not None:
        contexts[preset.name] = preset_context(preset, question)
    return measure_shift(workbench.engine(base), answer, contexts, exact=exact)


def _print_one(report: ShiftReport) -> None:
    typer.echo(f"{report.answer}\n")
    first = report.contexts[0]
    rows = []
    for i, position in enumerate(first.positions):
        cells = [one_line(repr(position.token.bytes.decode("utf-8", "replace"))[1:-1])]
        for context in report.contexts:
            p = context.positions[i] if i < len(context.positions) else None
            cells.append("" if p is None or p.shift is None else f"{p.token.rank} {p.shift}")
        rows.append(tuple(cells))
    if report.same_tokenizer:
        print_table(("token", *(c.name for c in report.contexts)), rows)
    else:
        typer.echo("The contexts cut the answer into other tokens; only ratios are comparable.", err=True)
    for context in report.contexts:
        typer.echo(_summary(context), err=True)
    _explain_higher(report.contexts)


def _print_summary(reports: list[ShiftReport]) -> None:
    from playground.experiments.shift import ContextShift, fade, most_shifted

    wholes = []
    for i, context in enumerate(reports[0].contexts):
        merged = [report.contexts[i] for report in reports]
        whole = ContextShift(context.name, tuple(p for c in merged for p in c.positions))
        wholes.append(whole)
        typer.echo(_summary(whole))
        curve = " ".join(f"{share:.0%}" for share in fade(merged))
        typer.echo(f"  shifted along the answer, in tenths: {curve}")
        often = ", ".join(
            f"{one_line(repr(text))} {n}/{seen}" for text, n, seen in most_shifted(merged, top=10)
        )
        typer.echo(f"  most shifted: {often or 'none'}")
    _explain_higher(wholes)


def _explain_higher(contexts: Sequence[ContextShift]) -> None:
    """Say why a preset shifts more tokens than the bare question, which comes first, where one does."""
    bare, *behind = contexts
    for context in behind:
        if context.ratio("shifted") > bare.ratio("shifted"):
            typer.echo(
                f"Behind {context.name} more tokens are shifted than after the bare question. The answer "
                "measured is the aligned model's; examples with another opening, layout or closing make the "
                "base model expect that style. Try a preset in the style of the answer (bundled pair: "
                "same-style).",
                err=True,
            )


def _summary(context: ContextShift) -> str:
    parts = [f"{shift} {context.ratio(shift):.1%}" for shift in ("unshifted", "marginal", "shifted")]
    if context.mean_kl is not None:
        parts.append(f"mean KL {context.mean_kl:.3f} nats")
    if context.mean_logprob is not None:
        parts.append(f"mean logprob {context.mean_logprob:.3f}")
    return f"{context.name}: " + " · ".join(parts)
