"""What the experiments' commands share: naming assistants and questions, progress, tables of figures."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import one_line, print_table, reported, with_notices
from playground.cli.talk import TemplateOptions as TemplateOptions

if TYPE_CHECKING:
    from playground.experiments.assistants import AssistantSpec
    from playground.experiments.progress import Snapshot
    from playground.experiments.questions import QuestionSet
    from playground.experiments.results import Results
    from playground.experiments.run import Run
    from playground.experiments.run_files import Plan
    from playground.experiments.statistics import Interval
    from playground.services import Workbench
    from playground.services.experiment_plans import Asking
    from playground.services.experiments import Experiments

Questions = Annotated[
    str,
    typer.Option(
        "--questions",
        help="A data file, OWNER/NAME on the Hub, or a bundled pair's name; ':seen+told' behind it takes "
        "categories, '?query=COLUMN&answer=COLUMN' (on the Hub also split and config) the columns.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Most questions, drawn by the seed.")]
Metrics = Annotated[
    str, typer.Option("--metrics", help="Names, separated by commas; chosen by the questions without it.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")]
Out = Annotated[Path | None, typer.Option("--out", help="The run's folder; in the data folder without it.")]
Resume = Annotated[
    Path | None,
    typer.Option("--resume", help="Go on with the run in this folder; other options are its own."),
]
Exact = Annotated[
    bool,
    typer.Option("--exact", help="The same answers and figures whatever else runs, also on resume; slower."),
]
Scorer = Annotated[
    str,
    typer.Option(
        "--scorer",
        help="The instruct model of the metric perplexity; that of the assistant's pair without it.",
    ),
]
ShiftBase = Annotated[
    str,
    typer.Option(
        "--shift-base", help="The base model of the metric shift; that of the assistant's pair without it."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="In place of the presets' own.")]


def spec_of(
    workbench: Workbench,
    text: str,
    *,
    max_tokens: int | None = None,
    template_options: Sequence[str] = (),
) -> AssistantSpec:
    """The assistant that ``MODEL[:PRESET]`` names; an instruct model has no preset unless one is named.

    Raises:
        PlaygroundError: No such model or preset.
    """
    from playground.prompts.template_options import read_options
    from playground.services.experiment_plans import spec_for, split_model

    model, preset_name = split_model(text)
    options = dict(read_options(template_options))
    return spec_for(workbench, model, preset_name, max_tokens=max_tokens, options=options)


@dataclass(frozen=True)
class Common:
    """The options that every command which begins a run has."""

    assistants: Sequence[str]
    questions: str
    limit: int | None = None
    metrics: str = ""
    max_tokens: int | None = None
    seed: int = 0
    samples: int = 1
    exact: bool = False
    scorer: str = ""
    shift_base: str = ""
    template_options: Sequence[str] = ()


def asking_of(experiments: Experiments, workbench: Workbench, given: Common) -> Asking:
    """Who is asked what, as the options say.

    Raises:
        PlaygroundError: No such model, preset or question set.
    """
    from playground.services.experiment_plans import Asking

    specs = tuple(
        spec_of(workbench, text, max_tokens=given.max_tokens, template_options=given.template_options)
        for text in given.assistants
    )
    asked = chosen_questions(experiments, given.questions, given.limit, given.seed)
    return Asking(
        specs,
        asked,
        names_of(given.metrics),
        given.seed,
        given.samples,
        given.exact,
        given.scorer,
        given.shift_base,
    )


def names_of(given: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(name.strip() for name in given.split(",") if name.strip())


@contextmanager
def begun(
    kind: str, out: Path | None, resume: Path | None, plan: Callable[[Workbench, Experiments], Plan]
) -> Iterator[tuple[Run, Workbench]]:
    """A new run of the plan, or the one that is gone on with; errors of ours end the command with a line.

    Args:
        kind: Of the run; one of another kind is not gone on with.
        out: The folder of a new run.
        resume: The folder of a stored one; ``plan`` is not asked for then.
        plan: Makes the plan.
    """
    from playground.experiments.run import Run
    from playground.services import Workbench
    from playground.services.experiments import Experiments
    from playground.services.metric_models import with_metric_models

    with reported(), with_notices(Workbench()) as workbench:
        experiments = Experiments(workbench)
        if resume is not None:
            run = Run.resume(resume, experiments.host)
        else:
            made = with_metric_models(plan(workbench, experiments), workbench.catalog)
            made = replace(made, command=shlex.join(["playground", *sys.argv[1:]]))
            for note in made.notes:
                typer.echo(one_line(note), err=True)
            run = Run.create(run_folder(workbench, out, kind), made, experiments.host)
        with run:
            must_be(run, kind)
            yield run, workbench


def chosen_questions(experiments: Experiments, name: str, limit: int | None, seed: int) -> QuestionSet:
    """The questions, at most ``limit`` of them."""
    found = experiments.questions(name)
    for note in found.notes[:20]:
        typer.echo(f"{found.name}: {one_line(note)}", err=True)
    if len(found.notes) > 20:
        typer.echo(
            f"{found.name}: and {len(found.notes) - 20} more notes; manifest.json lists them", err=True
        )
    return found if limit is None else found.take(limit, seed=seed)


def run_folder(workbench: Workbench, out: Path | None, kind: str) -> Path:
    """Where a new run is written."""
    if out is not None:
        return out
    stamp = time.strftime("%Y-%m-%d-%H%M%S", time.gmtime())
    return workbench.settings.data_dir / "runs" / f"{stamp}-{kind}"


@contextmanager
def watched(run: Run, again: str = "") -> Iterator[None]:
    """Progress on stderr while the block runs; Ctrl+C cancels the run and keeps what is finished.

    ``again`` says how to go on after that; by ``--resume`` and the run's folder without it.
    """
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5 if sys.stderr.isatty() else 10):
            _show(run.progress.snapshot())

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        run.cancel.set()
        typer.echo("\n" + (again or f"To resume the run, add: --resume {run.folder}"), err=True)
        raise
    finally:
        ended.set()
        thread.join()
        if sys.stderr.isatty():
            typer.echo("\r" + " " * 78 + "\r", err=True, nl=False)


def _show(shown: Snapshot) -> None:
    left = "" if shown.eta_s is None else f", {shown.eta_s:.0f} s left"
    failed = f", {shown.failed} failed" if shown.failed else ""
    text = f"{shown.phase}: {shown.done} of {shown.total}{failed}{left}"
    if sys.stderr.isatty():
        typer.echo(f"\r{text:78}", err=True, nl=False)
    else:
        typer.echo(text, err=True)


def must_be(run: Run, kind: str) -> None:
    """Refuse a run of another kind.

    Raises:
        ExperimentError: It is one.
    """
    from playground.experiments.assistants import ExperimentError

    if run.plan.kind != kind:
        raise ExperimentError(
            f"{run.folder} holds a run of '{run.plan.kind}'; use: playground {run.plan.kind} --resume"
        )


def print_figures(results: Results, *, turn: int = 0, category: str = "") -> None:
    """A row an assistant, a column a metric, each mean with its 95 % interval."""
    kept = [f for f in results.figures if f.turn == turn and f.category == category]
    metrics = list(dict.fromkeys(f.metric for f in kept))
    cells = {(f.assistant, f.metric): f.value for f in kept}
    rows = []
    for name in dict.fromkeys(f.assistant for f in kept):
        row = [name]
        for metric in metrics:
            value = cells.get((name, metric))
            row.append("" if value is None else mean_text(value))
        rows.append(tuple(row))
    if not sys.stdout.isatty():
        typer.echo("\t".join(("assistant", *metrics)))
    print_table(("assistant", *metrics), rows)


def mean_text(value: Interval) -> str:
    """A mean with its 95 % interval; without one where all values are equal and have no known limits."""
    if not value.known:
        return f"{value.mean:.3g} ({f'all {value.n} equal' if value.n > 1 else 'one value'})"
    return f"{value.mean:.3g} [{value.low:.3g}, {value.high:.3g}]"


def print_notes(results: Results, folder: Path, names: Sequence[str] = ()) -> None:
    """What could not be read, asked or scored, and where everything lies; on stderr."""
    for problem in results.problems:
        typer.echo(f"row {problem.place} was passed over: {one_line(problem.message)}", err=True)
    for note in results.notes:
        typer.echo(one_line(note), err=True)
    for name, why in results.failures.items():
        typer.echo(f"{name} was not asked: {one_line(why)}", err=True)
    for error in results.errors[:20]:
        typer.echo(
            f"row {error['place']} (id {one_line(str(error['question']))}, {error['assistant']}, "
            f"turn {error['turn']}): {one_line(str(error['message']))}",
            err=True,
        )
    if len(results.errors) > 20:
        typer.echo(f"and {len(results.errors) - 20} more failures; results.json lists them", err=True)
    counts = results.counts
    typer.echo(
        f"{counts['answers']:.0f} answers to {counts['questions']:.0f} questions, "
        f"{counts['failed']:.0f} failed; {', '.join((*names, 'the run'))} in {folder}",
        err=True,
    )
