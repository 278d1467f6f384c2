"""A judge reads a run's answers: scores from 1 to 10, or pairs in both orders; verdicts are never guessed.

Any assistant can judge, and so can two rules that need no model: ``rule:first`` always prefers the first
answer, ``rule:longer`` the longer one; they show what position and length alone would do. A verdict is a
line of ``verdicts.jsonl``. Known bias (FastChat issue 3911): longer answers win more often, and swapping the
sides flips verdicts; so pairs are judged in both orders, and the win rate is also told at equal length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from playground.chat.assistant import fit
from playground.chat.compare import batch_replies
from playground.engines.base import GenerateRequest
from playground.errors import EngineDiedError, PlaygroundError
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.journal import Journal
from playground.experiments.judge_prompts import (
    ASPECTS,
    pair_prompt,
    read_choice,
    read_score,
    score_prompt,
)
from playground.experiments.run import BATCH, Run, seed_for
from playground.experiments.run_files import Answer, write_results
from playground.experiments.verdicts import Verdict, pair_figures, score_figures
from playground.prompts.thinking import marked_text
from playground.types import Message, Prompt


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: one answer, or two in the order in which they are shown (``other`` is the second)."""

    aspect: str
    question: str
    turn: int
    sample: int
    one: Answer
    other: Answer | None
    query: str
    reference: str = ""


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
        self._spec = spec

    def ask(self, run: Run, cases: Sequence[Case]) -> Iterator[tuple[int, str, str | None]]:
        """The model's verdicts as they are finished."""
        engine = run.host.engine(self._spec.model)
        assistant = run.host.assistant(self._spec.model, self._spec.preset)
        params = self._spec.params()
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
        asked = questions[answer.question].turns[answer.turn]
        for aspect in _known(aspects):
            cases.append(
                Case(
                    aspect, answer.question, answer.turn, answer.sample, answer, None, asked.query,
                    asked.reference,
                )
            )  # fmt: skip
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
        asked = questions[answer.question].turns[answer.turn]
        for aspect in _known(aspects):
            for first, second in ((answer, other), (other, answer)):
                cases.append(
                    Case(
                        aspect, answer.question, answer.turn, answer.sample, first, second, asked.query,
                        asked.reference,
                    )
                )  # fmt: skip
    return _judge(run, judge, cases)


def _judge(run: Run, judge: Judge, cases: Sequence[Case]) -> list[Verdict]:
    journal = Journal(run.folder / "verdicts.jsonl", Verdict)
    try:
        lines, _ = journal.read()
        found = {line.key: line for line in lines if not line.retry}
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
        (len(case.one.text), len(case.other.text) if case.other else 0),
    )  # fmt: skip


def write_judged(run: Run, verdicts: Sequence[Verdict], reference: str) -> dict[str, object]:
    """Write ``judged.json`` with the figures of the verdicts, and give them."""
    seed = run.plan.seed
    judged: dict[str, object] = {
        "scores": [asdict(f) for f in score_figures(verdicts, seed=seed)],
        "pairs": [asdict(f) for f in pair_figures(verdicts, reference, seed=seed)] if reference else [],
    }
    write_results(run.folder, judged, "judged.json")
    return judged


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
        return score_prompt(case.query, case.one.text, case.aspect, case.reference)
    return pair_prompt(case.query, case.one.text, case.other.text, case.aspect, case.reference)


def _first(case: Case) -> str:
    return "[[5]]" if case.other is None else "[[A]]"


def _longer(case: Case) -> str:
    if case.other is None:
        return f"[[{min(10, 1 + len(case.one.text) // 100)}]]"
    gap = len(case.one.text) - len(case.other.text)
    return "[[C]]" if not gap else "[[A]]" if gap > 0 else "[[B]]"
