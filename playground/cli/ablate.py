"""``ablate``: one knob of an assistant turned step by step, everything else as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import app, print_json, reported
from playground.cli.experiment_options import (
    Json,
    Limit,
    MaxTokens,
    Metrics,
    Out,
    Questions,
    Resume,
    SeedOption,
    chosen_questions,
    metric_names,
    must_be,
    opened,
    print_figures,
    print_notes,
    run_folder,
    spec_of,
    watched,
)

if TYPE_CHECKING:
    from playground.experiments.assistants import AssistantSpec
    from playground.experiments.run import Run


@app.command()
def ablate(
    axis: Annotated[
        str,
        typer.Argument(help="k, leave-one-out, order, corrupt, system, template or decoding."),
    ] = "k",
    assistant: Annotated[
        list[str] | None, typer.Option(help="MODEL[:PRESET]; give it once an assistant.")
    ] = None,
    questions: Questions = "wren:told",
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
    limit: Limit = None,
    metrics: Metrics = "",
    max_tokens: MaxTokens = None,
    seed: SeedOption = 0,
    out: Out = None,
    resume: Resume = None,
    as_json: Json = False,
) -> None:
    """Turn one knob of an assistant and measure what it does; every variant is a preset of its own."""
    from playground.experiments.ablate import (
        AXES,
        ORDERS,
        apart,
        corruptions,
        decoding_grid,
        example_counts,
        leave_one_out,
        permutations,
        without_system,
    )
    from playground.experiments.ablate import templates as in_templates
    from playground.experiments.assistants import ExperimentError
    from playground.experiments.evaluate import evaluate
    from playground.experiments.pools import in_style_of
    from playground.experiments.run import Run
    from playground.experiments.run_files import Plan
    from playground.services import Workbench
    from playground.services.experiments import Experiments

    with reported(), Workbench() as workbench:
        experiments = Experiments(workbench)

        def variants(spec: AssistantSpec) -> list[AssistantSpec]:
            if axis == "leave-one-out":
                return leave_one_out(spec)
            if axis == "order":
                return permutations(spec, n=orders, seed=seed)
            if axis == "system":
                return without_system(spec)
            if axis == "template":
                return in_templates(spec, [t.strip() for t in templates.split(",")])
            if axis == "decoding":
                return decoding_grid(
                    spec,
                    temperatures=_numbers(temperatures, "--temperatures"),
                    repetition_penalties=_numbers(penalties, "--penalties"),
                )
            asked = chosen_questions(experiments, questions, limit, seed)
            examples = in_style_of(apart(experiments.questions(pool).examples(), asked), spec.preset)
            if axis == "corrupt":
                return corruptions(spec, examples, seed=seed)
            if order not in ORDERS:
                raise ExperimentError(f"There is no order '{order}'. Use one of: {', '.join(ORDERS)}.")
            numbers = [int(n) for n in _numbers(counts, "--counts")]
            return example_counts(spec, examples, numbers, seeds=range(seeds), order=order)

        def create() -> Run:
            if axis not in AXES:
                raise ExperimentError(f"There is no ablation '{axis}'. Use one of: {', '.join(AXES)}.")
            specs = [spec_of(workbench, text, max_tokens=max_tokens) for text in (assistant or ["wren/base"])]
            asked = chosen_questions(experiments, questions, limit, seed)
            made = tuple(variant for spec in specs for variant in variants(spec))
            whole = Plan(
                "ablate", made, asked, metric_names(metrics, asked), seed=seed, style=specs[0].preset,
                reference=made[0].name,
            )  # fmt: skip
            return Run.create(run_folder(workbench, out, f"ablate-{axis}"), whole, experiments.host)

        with opened(workbench, experiments, resume, create) as run:
            must_be(run, "ablate")
            with watched(run):
                results = evaluate(run)
            if as_json:
                print_json({"folder": str(run.folder), **results.as_dict()})
            else:
                print_figures(results)
            print_notes(results, run.folder, ("report.html",))


def _numbers(text: str, option: str) -> list[float]:
    from playground.experiments.assistants import ExperimentError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ExperimentError(
            f"{option} is '{text}'; give numbers separated by commas, as in 0,1,2."
        ) from error
