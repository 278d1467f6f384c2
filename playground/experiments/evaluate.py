"""Evaluation: assistants by questions by metrics, as one call over a run."""

from __future__ import annotations

import json
from pathlib import Path

from playground.experiments.exports import figures_csv, public_names
from playground.experiments.journal import read_journal
from playground.experiments.model_metrics import Score, score_answers
from playground.experiments.report import report_html, write_report
from playground.experiments.results import Results, results_of
from playground.experiments.run import Run, RunCancelled
from playground.experiments.run_files import Answer, Plan, read_manifest, read_plan, write_results


def evaluate(run: Run) -> Results:
    """Ask what is not yet asked, score it, and write ``results.json``, ``figures.csv`` and ``report.html``.

    Raises:
        RunCancelled: It was cancelled; what is finished is kept.
        PlaygroundError: No assistant can be asked, or the disk is full.
    """
    try:
        run.ask(run.plan.assistants, run.plan.questions.questions)
        answers = run.answers()
        scores = score_answers(run, answers, run.plan.metrics)
        run.progress.start("measuring", 1)
        results = results_of(run.plan, answers, scores, failures=run.failures, problems=run.row_problems)
        write_results(run.folder, {"kind": run.plan.kind, **results.as_dict()})
        _write(run.folder, run.plan, results, answers)
        run.progress.step()
    except RunCancelled:
        run.progress.end("cancelled")
        raise
    except BaseException as error:
        run.progress.end("failed", str(error))
        raise
    run.progress.end("finished")
    return results


def stored(folder: Path) -> tuple[Plan, Results, list[Answer]]:
    """Plan, figures and answers of a run, read from its folder alone; also of one that is not finished.

    Raises:
        ExperimentError: It holds no run.
    """
    plan = read_plan(folder)
    lines, problems = read_journal(folder / "answers.jsonl", Answer)
    scores, _ = read_journal(folder / "scores.jsonl", Score)
    # The later line of a key counts, as when the run itself goes on.
    answers = list({line.key: line for line in lines}.values())
    current = list({line.key: line for line in scores}.values())
    results = results_of(plan, answers, current, problems=(*plan.questions.problems, *problems))
    return plan, results, answers


def rewrite_report(folder: Path) -> list[Path]:
    """Write a run's table and page again, with what a judge said meanwhile; their paths.

    Raises:
        ExperimentError: It holds no run, or cannot be written.
    """
    plan, results, answers = stored(folder)
    return _write(folder, plan, results, answers)


def _write(folder: Path, plan: Plan, results: Results, answers: list[Answer]) -> list[Path]:
    judged = None
    if (folder / "judged.json").is_file():
        judged = json.loads((folder / "judged.json").read_text(encoding="utf-8"))
    page = report_html(plan, results, answers, read_manifest(folder), judged=judged)
    return [
        write_report(folder / "figures.csv", figures_csv(results, public_names(plan, answers))),
        write_report(folder / "report.html", page),
    ]
