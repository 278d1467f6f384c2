"""Evaluation: assistants by questions by metrics, as one call over a run."""

from __future__ import annotations

from playground.experiments.model_metrics import score_answers
from playground.experiments.results import Results, results_of
from playground.experiments.run import Run, RunCancelled
from playground.experiments.run_files import write_results


def evaluate(run: Run) -> Results:
    """Ask what is not yet asked, score it, and write ``results.json``.

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
        run.progress.step()
    except RunCancelled:
        run.progress.end("cancelled")
        raise
    except BaseException as error:
        run.progress.end("failed", str(error))
        raise
    run.progress.end("finished")
    return results
