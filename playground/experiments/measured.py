"""One metric of some assistants on some questions, as far as it is not known: the one step of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from playground.experiments.assistants import AssistantSpec
from playground.experiments.model_metrics import LIKELIHOOD, MODEL_METRICS, score_answers
from playground.experiments.questions import Question
from playground.experiments.results import values_of
from playground.experiments.run import Run
from playground.experiments.run_files import Answer
from playground.presets.preset import Preset


def measured(
    run: Run,
    specs: Sequence[AssistantSpec],
    questions: Sequence[Question],
    metric: str,
    phase: str,
    *,
    style: Preset | None,
) -> dict[str, dict[str, float]]:
    """By assistant, then by question, the metric's mean; what could not be measured is left out.

    The likelihood of references (``LIKELIHOOD``) asks for no answers.

    Raises:
        RunCancelled: The run was cancelled meanwhile.
        PlaygroundError: No assistant can be asked, or the disk is full.
    """
    names = {spec.name for spec in specs}
    ids = {question.id for question in questions}
    if metric in MODEL_METRICS:
        run.know(specs)
        asked = [Answer(s.name, q.id, 0, 0, "", "stop", 0) for s in specs for q in questions]
        if metric != LIKELIHOOD:
            run.ask(specs, questions, phase)
            asked = [a for a in run.answers() if a.assistant in names and a.question in ids]
        values = values_of(run.plan, (), score_answers(run, asked, [metric]), metric)
    else:
        run.ask(specs, questions, phase)
        answers = [a for a in run.answers() if a.assistant in names and a.question in ids]
        values = values_of(replace(run.plan, style=style), answers, (), metric)
    return {
        name: {question: value for question, value in found.items() if question in ids}
        for name, found in values.items()
        if name in names
    }
