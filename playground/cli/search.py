"""``search``: which examples of a pool to show."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import app, print_json, print_table, reported
from playground.cli.experiment_options import (
    Json,
    MaxTokens,
    Out,
    Resume,
    SeedOption,
    must_be,
    opened,
    run_folder,
    spec_of,
    watched,
)

if TYPE_CHECKING:
    from playground.experiments.run import Run
    from playground.experiments.search import SearchResults


@app.command()
def search(
    assistant: Annotated[str, typer.Option(help="MODEL[:PRESET] to begin with.")] = "wren/base",
    questions: Annotated[
        str, typer.Option(help="Pool, validation and test are drawn from this set; see evaluate.")
    ] = "wren:seen+told",
    metric: Annotated[
        str, typer.Option(help="What is to be high, or reference_logprob, which asks for no answers.")
    ] = "right",
    pool: Annotated[int, typer.Option(min=1, help="Examples to choose from.")] = 24,
    validation: Annotated[int, typer.Option(min=1, help="Questions to choose by.")] = 32,
    test: Annotated[int, typer.Option(min=1, help="Questions kept for the end.")] = 64,
    most: Annotated[int, typer.Option(min=1, help="Examples to choose at most.")] = 3,
    keep: Annotated[bool, typer.Option("--keep", help="Behind the preset's own examples.")] = False,
    budget: Annotated[
        int, typer.Option(min=0, help="Most pairs of candidate and question; 0 is no limit.")
    ] = 0,
    halving: Annotated[int, typer.Option(min=0, help="Questions of the first rung; 0 is no halving.")] = 0,
    transfer: Annotated[str, typer.Option(help="A second model, whose test result is told by itself.")] = "",
    name: Annotated[str, typer.Option(help="Of the preset that comes out.")] = "found",
    save: Annotated[bool, typer.Option("--save", help="Save the preset among your own.")] = False,
    max_tokens: MaxTokens = None,
    seed: SeedOption = 0,
    out: Out = None,
    resume: Resume = None,
    as_json: Json = False,
) -> None:
    """Choose examples greedily from a pool, beside random search of the same cost; test them at the end."""
    from playground.experiments.model_metrics import check_metrics
    from playground.experiments.pools import in_style_of
    from playground.experiments.run import Run
    from playground.experiments.run_files import Plan
    from playground.experiments.search import SearchOptions, split_for_search
    from playground.experiments.search_report import search_and_report
    from playground.services import Workbench
    from playground.services.experiments import Experiments

    with reported(), Workbench() as workbench:
        experiments = Experiments(workbench)

        def create() -> Run:
            check_metrics([metric])
            spec = spec_of(workbench, assistant, max_tokens=max_tokens)
            if transfer:
                workbench.catalog.get(transfer)
            shown, chosen_by, kept = split_for_search(
                experiments.questions(questions), pool=pool, validation=validation, test=test, seed=seed
            )
            options = SearchOptions(
                metric,
                in_style_of(shown.examples(), spec.preset),
                tuple(q.id for q in chosen_by.questions),
                tuple(q.id for q in kept.questions),
                most=most,
                keep=keep,
                budget=budget,
                halving=halving,
                transfer=transfer,
                name=name,
            )
            asked = replace(chosen_by, questions=(*chosen_by.questions, *kept.questions))
            plan = Plan("search", (spec,), asked, (metric,), seed=seed, options=asdict(options))
            return Run.create(run_folder(workbench, out, "search"), plan, experiments.host)

        with opened(workbench, experiments, resume, create) as run:
            must_be(run, "search")
            with watched(run):
                preset, results = search_and_report(run)
            if save:
                workbench.presets.save(preset)
            if as_json:
                print_json({"folder": str(run.folder), "preset": preset.name, **asdict(results)})
            else:
                _print(results)
            typer.echo(f"found.yaml, report.html and the run in {run.folder}", err=True)


def _print(results: SearchResults) -> None:
    for i in results.greedy.examples:
        typer.echo(f"chosen: {results.queries[i]}")
    typer.echo(
        f"validation: start {results.start.value:.3g}, greedy {results.greedy.value:.3g}, "
        f"random {results.random.value:.3g} ({results.cost['greedy']} and {results.cost['random']} pairs); "
        f"{results.stopped}"
    )
    rows: list[tuple[str, ...]] = []
    for row in results.tested:
        if row.value is not None:
            v, gap = row.value, row.against_start
            rows.append(
                (
                    row.name,
                    row.model,
                    f"{v.mean:.3g} [{v.low:.3g}, {v.high:.3g}]",
                    "" if gap is None else f"{gap.difference:+.3g} [{gap.low:+.3g}, {gap.high:+.3g}]",
                )
            )
    print_table(("test", "model", results.metric, "against the start"), rows)
