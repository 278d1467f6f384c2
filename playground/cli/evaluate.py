"""``evaluate``: assistants by questions by metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli import experiment_options as shared
from playground.cli.app import app, print_json

if TYPE_CHECKING:
    from playground.experiments.results import Results
    from playground.experiments.run_files import Plan
    from playground.services import Workbench
    from playground.services.experiments import Experiments


@app.command()
def evaluate(
    assistant: Annotated[
        list[str] | None,
        typer.Option(help="MODEL[:PRESET]; give it once an assistant. Default: base and instruct."),
    ] = None,
    questions: shared.Questions = "wren",
    limit: shared.Limit = None,
    metrics: shared.Metrics = "",
    reference: Annotated[
        str,
        typer.Option(help="MODEL[:PRESET] that gaps are measured to; the first instruct model without it."),
    ] = "",
    style: Annotated[str, typer.Option(help="A preset whose manner is looked for in every answer.")] = "",
    retrieve: Annotated[
        str,
        typer.Option(help="Ask the first assistant also with examples found for each question in this set."),
    ] = "",
    retrieve_by: Annotated[
        str,
        typer.Option(help="bm25, likelihood (the model's own, of the question behind an example), or both."),
    ] = "bm25",
    k: Annotated[int, typer.Option(min=1, help="Examples to retrieve.")] = 3,
    samples: Annotated[int, typer.Option(min=1, help="Answers to each question.")] = 1,
    max_tokens: shared.MaxTokens = None,
    template_option: shared.TemplateOptions = None,
    scorer: shared.Scorer = "",
    shift_base: shared.ShiftBase = "",
    exact: shared.Exact = False,
    seed: shared.SeedOption = 0,
    out: shared.Out = None,
    resume: shared.Resume = None,
    as_json: shared.Json = False,
) -> None:
    """Ask assistants many questions and measure their answers; gaps are paired by question."""
    from playground.experiments import evaluate as work

    def plan(workbench: Workbench, experiments: Experiments) -> Plan:
        from playground.services.experiment_plans import evaluation

        given = shared.Common(
            assistant or ["wren/base", "wren/instruct"],
            questions,
            limit,
            metrics,
            max_tokens,
            seed,
            samples,
            exact,
            scorer,
            shift_base,
            template_option or (),
        )
        return evaluation(
            workbench,
            shared.asking_of(experiments, workbench, given),
            reference=shared.spec_of(workbench, reference).name if reference else "",
            style=workbench.presets.load(style) if style else None,
            pool=experiments.questions(retrieve) if retrieve else None,
            k=k,
            by=shared.names_of(retrieve_by),
        )

    with shared.begun("evaluate", out, resume, plan) as (run, _):
        with shared.watched(run):
            results = work.evaluate(run)
        if as_json:
            print_json({"folder": str(run.folder), **results.as_dict()})
        else:
            _print(results)
        shared.print_notes(results, run.folder)


def _print(results: Results) -> None:
    shared.print_figures(results)
    for turn in sorted({f.turn for f in results.figures} - {0}):
        typer.echo(f"\nturn {turn}")
        shared.print_figures(results, turn=turn)
    for category in sorted({f.category for f in results.figures} - {""}):
        typer.echo(f"\n{category}")
        shared.print_figures(results, category=category)
    gaps = [gap for gap in results.gaps if gap.turn == 0]
    if gaps:
        typer.echo(f"\ngap to {gaps[0].reference}, paired by question")
    for gap in gaps:
        v = gap.value
        typer.echo(
            f"{gap.assistant}\t{gap.metric}\t{v.text()}\t"
            f"{v.wins} above, {v.losses} below, {v.ties} the same\tsign test p={v.p_sign:.2g}"
        )
