"""``candidates``: which wording of a prompt does best."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli import experiment_options as shared
from playground.cli.app import app, print_json, print_table

if TYPE_CHECKING:
    from playground.experiments.run_files import Plan
    from playground.services import Workbench
    from playground.services.experiments import Experiments


@app.command()
def candidates(
    assistant: Annotated[str, typer.Option(help="MODEL[:PRESET] whose wording is tried.")] = "wren/base",
    text: Annotated[
        list[str] | None,
        typer.Option(help="A system text, or how a question is put with {query} in it; give it once each."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="More of them, a line each.")] = None,
    mine: Annotated[Path | None, typer.Option(help="A text from which candidates are mined.")] = None,
    mined: Annotated[int, typer.Option(min=1, help="Most candidates to mine.")] = 16,
    paraphrases: Annotated[int, typer.Option(min=0, help="To be written of each, by --writer.")] = 0,
    writer: Annotated[str, typer.Option(help="The model that paraphrases; the assistant's without it.")] = "",
    questions: shared.Questions = "wren:seen+told",
    metric: Annotated[
        str, typer.Option(help="To rank by, besides the likelihood of references; 'none' for that alone.")
    ] = "right",
    keep: Annotated[int, typer.Option(min=0, help="Of the likeliest, so many are asked; 0 is all.")] = 8,
    validation: Annotated[int, typer.Option(min=1, help="Questions to rank by.")] = 32,
    test: Annotated[int, typer.Option(min=1, help="Questions kept for the end.")] = 64,
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
    """Rank wordings of a prompt by the likelihood of reference answers and by a metric; test the best."""
    from playground.experiments.candidates_report import (
        candidate_test_rows,
        rank_and_report,
        ranking_rows,
        summary,
    )

    def plan(workbench: Workbench, experiments: Experiments) -> Plan:
        from playground.experiments.candidates import CandidateOptions
        from playground.services.experiment_plans import Splits, wording_search

        if writer:
            workbench.catalog.get(writer)
        given = [*(text or []), *(_read(file).splitlines() if file else [])]
        options = CandidateOptions(
            tuple(given),
            (),
            (),
            (),
            metric="" if metric == "none" else metric,
            keep=keep,
            paraphrases=paraphrases,
            writer=writer,
            name=name,
        )
        common = shared.Common(
            [assistant],
            questions,
            max_tokens=max_tokens,
            seed=seed,
            exact=exact,
            scorer=scorer,
            shift_base=shift_base,
        )
        asking = shared.asking_of(experiments, workbench, common)
        splits = Splits(0, validation, test)
        return wording_search(asking, options, splits, text=_read(mine) if mine else "", most_mined=mined)

    with shared.begun("candidates", out, resume, plan) as (run, workbench):
        with shared.watched(run):
            preset, results = rank_and_report(run)
        if save:
            workbench.presets.save(preset)
        if as_json:
            print_json({"folder": str(run.folder), "preset": preset.name, **asdict(results)})
        else:
            for rows in (ranking_rows(results), candidate_test_rows(results)):
                head, *body = ([" ".join(cell.split()) for cell in row] for row in rows)
                print_table(tuple(head), [tuple(row) for row in body])
            typer.echo(summary(results), err=True)
        typer.echo(f"found.yaml, report.html and the run in {run.folder}", err=True)


def _read(path: Path) -> str:
    from playground.experiments.assistants import ExperimentError

    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{path} is not UTF-8 text; save it as UTF-8.") from error
