"""``ablate``: one knob of an assistant turned step by step, everything else as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli import experiment_options as shared
from playground.cli.app import app, print_json

if TYPE_CHECKING:
    from playground.experiments.run_files import Plan
    from playground.services import Workbench
    from playground.services.experiments import Experiments


@app.command()
def ablate(
    axis: Annotated[
        str,
        typer.Argument(help="k, leave-one-out, order, corrupt, system, template or decoding."),
    ] = "k",
    assistant: Annotated[
        list[str] | None, typer.Option(help="MODEL[:PRESET]; give it once an assistant.")
    ] = None,
    questions: shared.Questions = "wren:told",
    pool: Annotated[
        str, typer.Option(help="Where examples and wrong answers come from, as --questions.")
    ] = "wren:seen",
    counts: Annotated[str, typer.Option(help="Numbers of examples for k.")] = "0,1,2,3,5,8",
    order: Annotated[str, typer.Option(help="For k: random, diverse or given.")] = "random",
    seeds: Annotated[int, typer.Option(min=1, help="Random sets for k.")] = 3,
    orders: Annotated[int, typer.Option(min=2, help="Most orders to try.")] = 6,
    templates: Annotated[
        str, typer.Option(help="Built-in templates to try.")
    ] = "basechat,plain,urial_backticks",
    temperatures: Annotated[str, typer.Option(help="For decoding.")] = "0,0.5,1",
    penalties: Annotated[str, typer.Option(help="Repetition penalties for decoding.")] = "1,1.15",
    limit: shared.Limit = None,
    metrics: shared.Metrics = "",
    max_tokens: shared.MaxTokens = None,
    scorer: shared.Scorer = "",
    shift_base: shared.ShiftBase = "",
    exact: shared.Exact = False,
    seed: shared.SeedOption = 0,
    out: shared.Out = None,
    resume: shared.Resume = None,
    as_json: shared.Json = False,
) -> None:
    """Turn one knob of an assistant and measure what it does; every variant is a preset of its own."""
    from playground.experiments.evaluate import evaluate

    def plan(workbench: Workbench, experiments: Experiments) -> Plan:
        from playground.services.experiment_plans import Ablation, ablation

        chosen = Ablation(
            axis,  # type: ignore[arg-type]  # checked there, by name
            tuple(int(n) for n in _numbers(counts, "--counts")),
            order,  # type: ignore[arg-type]
            seeds,
            orders,
            shared.names_of(templates),
            _numbers(temperatures, "--temperatures"),
            _numbers(penalties, "--penalties"),
        )
        given = shared.Common(
            assistant or ["wren/base"],
            questions,
            limit,
            metrics,
            max_tokens,
            seed,
            exact=exact,
            scorer=scorer,
            shift_base=shift_base,
        )
        asking = shared.asking_of(experiments, workbench, given)
        wanted = axis in ("k", "corrupt")
        return ablation(asking, chosen, experiments.questions(pool) if wanted else None)

    with shared.begun("ablate", out, resume, plan) as (run, _):
        with shared.watched(run):
            results = evaluate(run)
        if as_json:
            print_json({"folder": str(run.folder), **results.as_dict()})
        else:
            shared.print_figures(results)
        shared.print_notes(results, run.folder, ("report.html",))


def _numbers(text: str, option: str) -> tuple[float, ...]:
    from playground.experiments.assistants import ExperimentError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ExperimentError(
            f"{option} is '{text}'; give numbers separated by commas, as in 0,1,2."
        ) from error
