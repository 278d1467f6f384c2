"""``judge`` and ``report``: what is done with a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from playground.cli.app import app, print_json, print_table, reported
from playground.cli.experiment_options import Json, MaxTokens, mean_text, watched

Folder = Annotated[Path, typer.Argument(help="The folder of a run, as evaluate and ablate write it.")]


@app.command()
def judge(
    folder: Folder,
    by: Annotated[
        str, typer.Option("--judge", help="MODEL[:PRESET], or rule:first or rule:longer for comparison.")
    ],
    pairs: Annotated[
        str,
        typer.Option(
            help="Compare with this assistant of the run, in both orders, instead of giving scores."
        ),
    ] = "",
    aspects: Annotated[str, typer.Option(help="What is judged, separated by commas.")] = "overall",
    votes: Annotated[
        Path | None, typer.Option(help="People's votes on the same pairs, in MT-Bench's format.")
    ] = None,
    max_tokens: MaxTokens = None,
    as_json: Json = False,
) -> None:
    """Have a model read a run's answers: scores from 1 to 10, or pairs in both orders."""
    from playground.experiments.evaluate import rewrite_report
    from playground.experiments.judge import judge_pairs, judge_scores, write_judged
    from playground.experiments.run import Run
    from playground.experiments.verdicts import agreement, read_votes
    from playground.services import Workbench
    from playground.services.experiments import Experiments
    from playground.services.judging import judge_of

    with reported(), Workbench() as workbench:
        experiments = Experiments(workbench)
        chosen = judge_of(workbench, by, max_tokens=max_tokens)
        wanted = [part.strip() for part in aspects.split(",") if part.strip()]
        with Run.resume(folder, experiments.host) as run:
            with watched(run, "Finished verdicts are kept. To continue, give the same command again."):
                if pairs:
                    verdicts = judge_pairs(run, chosen, pairs, wanted)
                else:
                    verdicts = judge_scores(run, chosen, wanted)
            judged = write_judged(run, verdicts, pairs)
        if votes is not None:
            same, n = agreement(verdicts, read_votes(votes))
            judged["agreement"] = {"share": same, "n": n}
        rewrite_report(folder)
        if as_json:
            print_json({"folder": str(folder), **judged})
        else:
            _print(judged)


@app.command()
def report(
    folder: Folder,
    export: Annotated[
        list[str] | None, typer.Option(help="Also write: alpaca_eval, mt_bench, just_eval or csv.")
    ] = None,
) -> None:
    """Write a run's page and table again, and its answers in other projects' formats."""
    import time

    from playground.experiments.evaluate import rewrite_report, stored
    from playground.experiments.exports import export as write

    with reported():
        written = rewrite_report(folder)
        plan, _, answers = stored(folder)
        for wanted in export or []:
            written += write(folder / "exports", plan, answers, wanted, created_s=time.time())  # type: ignore[arg-type]
        for path in written:
            typer.echo(str(path))


def _print(judged: dict[str, object]) -> None:
    for kind in ("scores", "pairs"):
        rows = judged[kind]
        assert isinstance(rows, list)
        if rows:
            head = tuple(str(key) for key in rows[0])
            typer.echo("\t".join(head))
            print_table(head, [tuple(_cell(row[key]) for key in head) for row in rows])
    found = judged.get("agreement")
    if isinstance(found, dict):
        share = "none" if found["share"] is None else f"{found['share']:.1%}"
        typer.echo(f"agreement with people: {share} of {found['n']} pairs", err=True)


def _cell(value: object) -> str:
    from playground.experiments.statistics import Interval

    if isinstance(value, dict):
        return mean_text(Interval(**value))
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
