"""``search``: which examples of a pool to show."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli import experiment_options as shared
from playground.cli.app import app, print_json, print_table

if TYPE_CHECKING:
    from playground.experiments.run_files import Plan
    from playground.experiments.search import SearchResults
    from playground.services import Workbench
    from playground.services.experiments import Experiments


@app.command()
def search(
    assistant: Annotated[str, typer.Option(help="MODEL[:PRESET] to begin with.")] = "wren/base",
    questions: Annotated[
        str, typer.Option(help="Pool, validation and test are drawn from this set; see evaluate.")
    ] = "wren:seen+told",
    metric: Annotated[
        str,
        typer.Option(help="What is optimised, in its own direction; reference_logprob asks for no answers."),
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
    max_tokens: shared.MaxTokens = None,
    scorer: shared.Scorer = "",
    shift_base: shared.ShiftBase = "",
    exact: shared.Exact = False,
    seed: shared.SeedOption = 0,
    out: shared.Out = None,
    resume: shared.Resume = None,
    as_json: shared.Json = False,
) -> None:
    """Choose examples greedily from a pool, beside random search of the same cost; test them at the end."""
    from playground.experiments.search_report import search_and_report

    def plan(workbench: Workbench, experiments: Experiments) -> Plan:
        from playground.experiments.search import SearchOptions
        from playground.services.experiment_plans import Splits, example_search

        if transfer:
            workbench.catalog.get(transfer)
        options = SearchOptions(
            metric,
            (),
            (),
            (),
            most=most,
            keep=keep,
            budget=budget,
            halving=halving,
            transfer=transfer,
            name=name,
        )
        given = shared.Common(
            [assistant],
            questions,
            max_tokens=max_tokens,
            seed=seed,
            exact=exact,
            scorer=scorer,
            shift_base=shift_base,
        )
        asking = shared.asking_of(experiments, workbench, given)
        return example_search(asking, options, Splits(pool, validation, test))

    with shared.begun("search", out, resume, plan) as (run, workbench):
        with shared.watched(run):
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
                    shared.mean_text(v),
                    "" if gap is None else gap.text(),
                )
            )
    print_table(("test", "model", results.metric, "against the start"), rows)
