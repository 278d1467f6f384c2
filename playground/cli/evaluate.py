"""``evaluate``: assistants by questions by metrics."""

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
    from playground.experiments.results import Results
    from playground.services import Workbench


@app.command()
def evaluate(
    assistant: Annotated[
        list[str] | None,
        typer.Option(help="MODEL[:PRESET]; give it once an assistant. Default: base and instruct."),
    ] = None,
    questions: Questions = "wren",
    limit: Limit = None,
    metrics: Metrics = "",
    reference: Annotated[
        str,
        typer.Option(help="MODEL[:PRESET] that gaps are measured to; the first instruct model without it."),
    ] = "",
    style: Annotated[str, typer.Option(help="A preset whose manner is looked for in every answer.")] = "",
    retrieve: Annotated[
        str,
        typer.Option(help="Ask the first assistant also with examples found for each question in this set."),
    ] = "",
    k: Annotated[int, typer.Option(min=1, help="Examples to retrieve.")] = 3,
    samples: Annotated[int, typer.Option(min=1, help="Answers to each question.")] = 1,
    max_tokens: MaxTokens = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="The same floats whatever else runs; slower.")
    ] = False,
    seed: SeedOption = 0,
    out: Out = None,
    resume: Resume = None,
    as_json: Json = False,
) -> None:
    """Ask assistants many questions and measure their answers; gaps are paired by question."""
    from playground.experiments import evaluate as work
    from playground.experiments.run import Run
    from playground.experiments.run_files import Plan
    from playground.services import Workbench
    from playground.services.experiments import Experiments

    with reported(), Workbench() as workbench:
        experiments = Experiments(workbench)

        def create() -> Run:
            specs = [
                spec_of(workbench, text, max_tokens=max_tokens)
                for text in (assistant or ["wren/base", "wren/instruct"])
            ]
            if retrieve:
                specs.append(_retrieving(experiments, specs[0], retrieve, k))
            asked = chosen_questions(experiments, questions, limit, seed)
            plan = Plan(
                "evaluate",
                tuple(specs),
                asked,
                metric_names(metrics, asked),
                samples,
                seed,
                exact,
                _reference(workbench, specs, reference),
                workbench.presets.load(style) if style else None,
            )
            return Run.create(run_folder(workbench, out, "evaluate"), plan, experiments.host)

        with opened(workbench, experiments, resume, create) as run:
            must_be(run, "evaluate")
            with watched(run):
                results = work.evaluate(run)
            if as_json:
                print_json({"folder": str(run.folder), **results.as_dict()})
            else:
                _print(results)
            print_notes(results, run.folder)


def _reference(workbench: Workbench, specs: list[AssistantSpec], named: str) -> str:
    if named:
        wanted = spec_of(workbench, named).name
        if wanted not in [spec.name for spec in specs]:
            from playground.experiments.assistants import ExperimentError

            raise ExperimentError(f"{wanted} is not among the assistants; name it with --assistant too.")
        return wanted
    kinds = {spec.name: workbench.catalog.get(spec.model).kind for spec in specs}
    return next((name for name, kind in kinds.items() if kind == "instruct"), specs[0].name)


def _retrieving(experiments: object, spec: AssistantSpec, pool: str, k: int) -> AssistantSpec:
    from dataclasses import replace

    from playground.experiments.assistants import Retrieval
    from playground.experiments.pools import in_style_of
    from playground.services.experiments import Experiments

    assert isinstance(experiments, Experiments)
    examples = in_style_of(experiments.questions(pool).examples(), spec.preset)
    return replace(spec.named(f"{spec.name} + BM25 {k}"), retrieval=Retrieval(k, examples))


def _print(results: Results) -> None:
    print_figures(results)
    for turn in sorted({f.turn for f in results.figures} - {0}):
        typer.echo(f"\nturn {turn}")
        print_figures(results, turn=turn)
    for category in sorted({f.category for f in results.figures} - {""}):
        typer.echo(f"\n{category}")
        print_figures(results, category=category)
    gaps = [gap for gap in results.gaps if gap.turn == 0]
    if gaps:
        typer.echo(f"\ngap to {gaps[0].reference}, paired by question")
    for gap in gaps:
        v = gap.value
        typer.echo(
            f"{gap.assistant}\t{gap.metric}\t{v.difference:+.3g} [{v.low:+.3g}, {v.high:+.3g}]\t"
            f"{v.wins} above, {v.losses} below, {v.ties} the same\tsign test p={v.p_sign:.2g}"
        )
