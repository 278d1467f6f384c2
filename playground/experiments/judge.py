"""A judge reads a run's answers: scores from 1 to 10, or pairs in both orders; verdicts are never guessed.

Any assistant can judge, and so can two rules that need no model: ``rule:first`` always prefers the first
answer, ``rule:longer`` the longer one; they show what position and length alone would do. A verdict is a
line of ``verdicts.jsonl``. Known bias (FastChat issue 3911): longer answers win more often, and swapping the
sides flips verdicts; so pairs are judged in both orders, and the win rate is also given at equal length.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from playground.chat.assistant import fit
from playground.chat.compare import batch_replies
from playground.engines.base import GenerateRequest
from playground.errors import EngineDiedError, PlaygroundError
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.journal import Journal, read_journal
from playground.experiments.judge_prompts import (
    ASPECTS,
    Turns,
    pair_prompt,
    read_choice,
    read_score,
    score_prompt,
)
from playground.experiments.questions import Question
from playground.experiments.run import BATCH, Run, seed_for
from playground.experiments.run_files import Answer, write_results
from playground.experiments.verdicts import Verdict, pair_figures, score_figures
from playground.prompts.thinking import marked_text
from playground.types import Message, Prompt


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: one answer, or two in the order in which they are shown (``other`` is the second).

    ``earlier`` holds the turns before, as each of the two assistants held the conversation.
    """

    aspect: str
    question: str
    turn: int
    sample: int
    one: Answer
    other: Answer | None
    query: str
    reference: str = ""
    earlier: tuple[Turns, Turns] = ((), ())


class Judge(Protocol):
    """Gives a text, or a sentence why not, for each case, in any order."""

    name: str

    def ask(self, run: Run, cases: Sequence[Case]) -> Iterator[tuple[int, str, str | None]]:
        """Tuples of a case's place, the judge's text, and an error."""
        ...


class RuleJudge:
    """A judge without a model.

    Raises:
        ExperimentError: There is no such rule.
    """

    def __init__(self, rule: str) -> None:
        self.name = f"rule:{rule}"
        rules: dict[str, Callable[[Case], str]] = {"first": _first, "longer": _longer}
        if rule not in rules:
            raise ExperimentError(f"There is no rule '{rule}' to judge by. Use rule:first or rule:longer.")
        self._rule = rules[rule]

    def ask(self, run: Run, cases: Sequence[Case]) -> Iterator[tuple[int, str, str | None]]:
        """The rule's verdicts."""
        for i, case in enumerate(cases):
            yield i, self._rule(case), None


class ModelJudge:
    """An assistant as a judge, greedy unless its spec says otherwise."""

    def __init__(self, spec: AssistantSpec) -> None:
        self.name = spec.name
        self.spec = spec

    def ask(self, run: Run, cases: Sequence[Case]) -> Iterator[tuple[int, str, str | None]]:
        """The model's verdicts as they are finished."""
        engine = run.engine(self.spec.model)
        assistant = run.host.assistant(self.spec.model, self.spec.preset)
        params = self.spec.params()
        requests: list[GenerateRequest] = []
        leads: list[str] = []
        places: list[int] = []
        prompts: list[Prompt] = []
        for i, case in enumerate(cases):
            try:
                prompt, _ = fit(
                    assistant.renderer,
                    [Message("user", _prompt(case))],
                    count=lambda p: len(engine.tokenize(p.pieces)),
                    n_ctx=engine.info.n_ctx,
                    max_tokens=params.max_tokens,
                )
            except PlaygroundError as error:
                yield i, "", str(error)
                continue
            seed = seed_for(run.plan.seed, case.question, case.turn, case.sample)
            sampling = replace(params, seed=seed)
            requests.append(GenerateRequest(prompt.pieces, sampling, prompt.stop, exact=run.plan.exact))
            leads.append(prompt.lead)
            places.append(i)
            prompts.append(prompt)
        try:
            for done in batch_replies(engine, requests, leads, cancel=run.cancel):
                if done.reply.finish_reason != "cancelled":
                    failed = done.reply.finish_reason == "error"
                    text = marked_text(done.reply, prompts[done.index])
                    yield places[done.index], text, done.reply.error if failed else None
        except EngineDiedError as error:
            raise ExperimentError(f"The judge's model ended: {error}") from error


def judge_scores(run: Run, judge: Judge, aspects: Sequence[str] = ("overall",)) -> list[Verdict]:
    """Every answer's score on every aspect; finished verdicts are kept.

    Raises:
        RunCancelled: It was cancelled meanwhile.
        PlaygroundError: The judge cannot be had at all.
    """
    questions = {question.id: question for question in run.plan.questions.questions}
    cases = []
    for answer in _good(run):
        for aspect in _known(aspects):
            cases.append(_case(run, questions[answer.question], aspect, answer, None))
    return _judge(run, judge, cases)


def judge_pairs(
    run: Run, judge: Judge, reference: str, aspects: Sequence[str] = ("overall",)
) -> list[Verdict]:
    """Every answer against the reference assistant's to the same question, in both orders.

    Raises:
        ExperimentError: The reference assistant answered nothing.
        RunCancelled: It was cancelled meanwhile.
    """
    questions = {question.id: question for question in run.plan.questions.questions}
    answers = _good(run)
    theirs = {(a.question, a.turn, a.sample): a for a in answers if a.assistant == reference}
    if not theirs:
        raise ExperimentError(f"{reference} has no answers in this run; name an assistant that has.")
    cases = []
    for answer in answers:
        other = theirs.get((answer.question, answer.turn, answer.sample))
        if other is None or answer.assistant == reference:
            continue
        for aspect in _known(aspects):
            for first, second in ((answer, other), (other, answer)):
                cases.append(_case(run, questions[answer.question], aspect, first, second))
    return _judge(run, judge, cases)


def _case(run: Run, question: Question, aspect: str, one: Answer, other: Answer | None) -> Case:
    """What a judge is shown of one answer or two; its turns before are the assistants' own."""
    asked = question.turns[one.turn]
    before = tuple(
        run.earlier(answer.assistant, question, answer.turn, answer.sample) if answer else ()
        for answer in (one, other)
    )
    return Case(
        aspect, one.question, one.turn, one.sample, one, other, asked.query, asked.reference,
        (before[0], before[1]),
    )  # fmt: skip


def _judge(run: Run, judge: Judge, cases: Sequence[Case]) -> list[Verdict]:
    journal = Journal(run.folder / "verdicts.jsonl", Verdict)
    try:
        lines, _ = journal.read()
        found = {line.key: line for line in lines if line.usable}
        verdict_keys = [_verdict(judge.name, case, "", None).key for case in cases]
        todo = [case for case, key in zip(cases, verdict_keys, strict=True) if key not in found]
        run.progress.start(f"judging by {judge.name}", len(cases), reused=len(cases) - len(todo))
        for start in range(0, len(todo), BATCH):
            run.check()
            part = todo[start : start + BATCH]
            for place, text, error in judge.ask(run, part):
                verdict = _verdict(judge.name, part[place], text, error)
                journal.append(verdict)
                found[verdict.key] = verdict
                run.progress.step(failed=verdict.problem is not None)
        run.check()
        return [found[key] for key in dict.fromkeys(verdict_keys) if key in found]
    finally:
        journal.close()


def _verdict(judge: str, case: Case, text: str, error: str | None) -> Verdict:
    single = case.other is None
    score = read_score(text) if single and error is None else None
    choice = read_choice(text) if not single and error is None else None
    problem = error
    if error is None and score is None and choice is None:
        problem = "The verdict does not parse."
    return Verdict(
        judge, case.aspect, case.question, case.turn, case.sample, case.one.assistant,
        case.other.assistant if case.other else "", score, choice, text, problem, error is not None,
        (len(case.one.text), len(case.other.text) if case.other else 0), len(case.earlier[0]),
    )  # fmt: skip


def write_judged(run: Run, verdicts: Sequence[Verdict], reference: str) -> dict[str, object]:
    """Write ``judged.json`` with the figures of every judge that read this run, and give them.

    Args:
        run: Its folder holds the verdicts of all judges so far.
        verdicts: The newest, if they are not in the folder.
        reference: The assistant that pairs were compared with; empty where scores were given.
    """
    seed = run.plan.seed
    lines, _ = read_journal(run.folder / "verdicts.jsonl", Verdict)
    current = {v.key: v for v in (*lines, *verdicts) if v.history == v.turn}
    everything = list(current.values())
    references = dict.fromkeys([*_judged_references(run.folder / "judged.json"), reference])
    judged: dict[str, object] = {
        "scores": [asdict(f) for f in score_figures(everything, seed=seed)],
        "pairs": [asdict(f) for r in references if r for f in pair_figures(everything, r, seed=seed)],
    }
    write_results(run.folder, judged, "judged.json")
    return judged


def _judged_references(path: Path) -> list[str]:
    """The assistants that pairs were compared with so far."""
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"))["pairs"]
        return list(dict.fromkeys(str(row["reference"]) for row in pairs))
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _good(run: Run) -> list[Answer]:
    known = {question.id for question in run.plan.questions.questions}
    return [a for a in run.answers() if a.error is None and a.question in known]


def _known(aspects: Sequence[str]) -> Sequence[str]:
    for aspect in aspects:
        if aspect not in ASPECTS:
            raise ExperimentError(f"There is no aspect '{aspect}'. Use some of: {', '.join(ASPECTS)}.")
    return aspects


def _prompt(case: Case) -> str:
    if case.other is None:
        return score_prompt(case.query, case.one.text, case.aspect, case.reference, earlier=case.earlier[0])
    return pair_prompt(
        case.query, case.one.text, case.other.text, case.aspect, case.reference, earlier=case.earlier
    )


def _first(case: Case) -> str:
    return "[[5]]" if case.other is None else "[[A]]"


def _longer(case: Case) -> str:
    if case.other is None:
        return f"[[{min(10, 1 + len(case.one.text) // 100)}]]"
    gap = len(case.one.text) - len(case.other.text)
    return "[[C]]" if not gap else "[[A]]" if gap > 0 else "[[B]]"
