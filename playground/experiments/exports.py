"""Runs as the files that other projects read: AlpacaEval, MT-Bench, just-eval, and CSV.

Formats: tatsu-lab/alpaca_eval (a JSON list of ``instruction, output, generator, dataset, datasplit``),
lm-sys/FastChat ``llm_judge`` (JSONL of ``question_id, answer_id, model_id, choices, tstamp``) and
Re-Align/just-eval (a JSON list of ``id, instruction, source_id, dataset, output, generator, datasplit``).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from playground.experiments.assistants import ExperimentError, model_label
from playground.experiments.private_files import make_private_folder, write_private
from playground.experiments.questions import Question
from playground.experiments.results import Results
from playground.experiments.run_files import Answer, Plan, asked_models

ExportFormat = Literal["alpaca_eval", "mt_bench", "just_eval", "csv"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


def alpaca_eval(plan: Plan, answers: Sequence[Answer], assistant: str) -> str:
    """First turns and first samples of one assistant, as AlpacaEval's model outputs."""
    rows = [
        {
            "instruction": question.turns[0].query,
            "output": answer.text,
            "generator": assistant,
            "dataset": question.category or plan.questions.name,
            "datasplit": "eval",
        }
        for question, answer in _first_turns(plan, answers, assistant)
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"


def just_eval(plan: Plan, answers: Sequence[Answer], assistant: str) -> str:
    """First turns and first samples of one assistant, as just-eval reads them."""
    rows = [
        {
            "id": number,
            "instruction": question.turns[0].query,
            "source_id": question.id,
            "dataset": question.category or plan.questions.name,
            "output": answer.text,
            "generator": assistant,
            "datasplit": "just_eval",
        }
        for number, (question, answer) in enumerate(_first_turns(plan, answers, assistant))
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"


def mt_bench(plan: Plan, answers: Sequence[Answer], assistant: str, *, created_s: float = 0.0) -> str:
    """All turns of one assistant, a choice a sample, as MT-Bench's model answers.

    Questions with a turn that was not answered are left out, as a judge there needs all of them. Ids that are
    numbers stay numbers.
    """
    by_key = {
        (a.question, a.turn, a.sample): a for a in answers if a.assistant == assistant and a.error is None
    }
    lines = []
    for question in plan.questions.questions:
        choices: list[dict[str, object]] = []
        for sample in range(plan.samples):
            said = [by_key.get((question.id, turn, sample)) for turn in range(len(question.turns))]
            if all(said):
                choices.append({"index": len(choices), "turns": [a.text for a in said if a]})
        if choices:
            name = f"{assistant}\n{question.id}\n{json.dumps(choices)}"
            row = {
                "question_id": int(question.id) if question.id.isdecimal() else question.id,
                "answer_id": hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:22],
                "model_id": assistant,
                "choices": choices,
                "tstamp": created_s,
            }
            lines.append(json.dumps(row, ensure_ascii=False))
    return "\n".join(lines) + "\n" if lines else ""


def figures_csv(results: Results, names: Mapping[str, str] | None = None) -> str:
    """Every mean with its interval, a line each; ``names`` stand in place of the assistants' own."""
    shown = names or {}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("assistant", "metric", "turn", "category", "mean", "low", "high", "n", "tags"))
    for f in results.figures:
        tags = json.dumps(dict(results.tags.get(f.assistant, {})), ensure_ascii=False)
        v = f.value
        name = shown.get(f.assistant, f.assistant)
        writer.writerow((name, f.metric, f.turn or "", f.category, v.mean, v.low, v.high, v.n, tags))
    return out.getvalue()


def answers_csv(plan: Plan, answers: Sequence[Answer]) -> str:
    """Every answer beside its question and reference, a line each."""
    questions = {question.id: question for question in plan.questions.questions}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ("assistant", "question_id", "category", "turn", "sample", "question", "reference", "answer",
         "finish_reason", "tokens", "error")
    )  # fmt: skip
    for a in answers:
        question = questions.get(a.question)
        if question is not None:
            asked = question.turns[a.turn]
            writer.writerow(
                (a.assistant, a.question, question.category, a.turn + 1, a.sample, asked.query,
                 asked.reference, a.text, a.finish_reason, a.completion_tokens, a.error or "")
            )  # fmt: skip
    return out.getvalue()


def export_texts(
    plan: Plan, answers: Sequence[Answer], wanted: ExportFormat, *, created_s: float = 0.0
) -> dict[str, str]:
    """A run's answers in a format: texts by the names of their files, one an assistant (one for CSV).

    Assistants of models that were named by a path go by the name of the file, because these texts are
    passed on.

    Raises:
        ExperimentError: There is no such format.
    """
    if wanted not in EXPORT_FORMATS:
        raise ExperimentError(f"There is no format '{wanted}'. Use one of: {', '.join(EXPORT_FORMATS)}.")
    names = public_names(plan, answers)
    answers = [replace(answer, assistant=names[answer.assistant]) for answer in answers]
    if wanted == "csv":
        return {"answers.csv": answers_csv(plan, answers)}
    texts: dict[str, str] = {}
    for name in dict.fromkeys(a.assistant for a in answers):
        safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
        if wanted == "mt_bench":
            texts[f"mt_bench-{safe}.jsonl"] = mt_bench(plan, answers, name, created_s=created_s)
        else:
            write = alpaca_eval if wanted == "alpaca_eval" else just_eval
            texts[f"{wanted}-{safe}.json"] = write(plan, answers, name)
    return texts


def public_names(plan: Plan, answers: Sequence[Answer]) -> dict[str, str]:
    """By the name of each assistant, one without the folders of this computer; all differ."""
    models = sorted(asked_models(plan), key=len, reverse=True)
    found: dict[str, str] = {}
    for name in dict.fromkeys([*(s.name for s in plan.assistants), *(a.assistant for a in answers)]):
        public = name
        for model in models:
            public = public.replace(model, model_label(model))
        number = 2
        while public in found.values():
            public = f"{public.removesuffix(f' ({number - 1})')} ({number})"
            number += 1
        found[name] = public
    return found


def export(
    folder: Path, plan: Plan, answers: Sequence[Answer], wanted: ExportFormat, *, created_s: float = 0.0
) -> list[Path]:
    """Write a run's answers in a format, a file an assistant (one for CSV); the paths.

    Raises:
        ExperimentError: There is no such format, or the folder cannot be written.
    """
    written = []
    for file, text in export_texts(plan, answers, wanted, created_s=created_s).items():
        path = folder / file
        try:
            make_private_folder(path.parent)
            write_private(path, text)
        except OSError as error:
            raise ExperimentError(f"{path} cannot be written: {error.strerror}.") from error
        written.append(path)
    return written


def _first_turns(plan: Plan, answers: Sequence[Answer], assistant: str) -> list[tuple[Question, Answer]]:
    found = {
        a.question: a
        for a in answers
        if (a.assistant, a.turn, a.sample) == (assistant, 0, 0) and a.error is None
    }
    return [(q, found[q.id]) for q in plan.questions.questions if q.id in found]
