"""A run at work: asks what is not yet answered, writes down each answer as it comes, and can be killed.

All assistants of a run go through the engine's lanes behind their shared prefix. What is finished is known by
assistant, question, turn and sample, and is never asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from playground.chat.assistant import Assistant, fit
from playground.chat.compare import batch_replies
from playground.datasets import RowProblem
from playground.engines.base import Cancel, Engine, GenerateRequest
from playground.errors import ContextLengthError, EngineDiedError, PlaygroundError
from playground.experiments.assistants import AssistantSpec, ExperimentError, Host, Tag
from playground.experiments.journal import Journal, JournalError
from playground.experiments.progress import Progress
from playground.experiments.questions import Question
from playground.experiments.retrieve import Retriever
from playground.experiments.run_files import (
    Answer,
    AnswerKey,
    Plan,
    check_models,
    lock,
    note_engine,
    read_plan,
    write_manifest,
)
from playground.prompts.thinking import with_thinking
from playground.types import Message, Prompt, SamplingParams

BATCH = 128
"""Requests that are in the engine's hands at once; a kill loses those that were being decoded."""
_TRIES = 2


class RunCancelled(ExperimentError):
    """The run was cancelled; what was finished is kept."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One request: which turn of which conversation."""

    question: Question
    turn: int
    sample: int
    prompt: Prompt
    sampling: SamplingParams
    prompt_tokens: int


class Run:
    """An open run. One thread drives it; any thread may read ``progress`` and set ``cancel``."""

    def __init__(self, folder: Path, plan: Plan, host: Host, cancel: Cancel | None = None) -> None:
        """Open a folder that holds ``plan``; use ``create`` or ``resume``."""
        self.folder = folder
        self.plan = plan
        self.host = host
        self.cancel = cancel or Cancel()
        self.progress = Progress()
        self._lock = lock(folder)
        self._journal: Journal[Answer] | None = None
        self.failures: dict[str, str] = {}
        self._writers: dict[str, _Prompts] = {}
        self._noted: set[str] = set()
        try:
            self._journal = Journal(folder / "answers.jsonl", Answer)
            answers, self.problems = self._journal.read()
        except BaseException:
            self.close()
            raise
        # A failure is asked again; the later line of a key counts.
        self._answers: dict[AnswerKey, Answer] = {a.key: a for a in answers}
        self._by_name = {spec.name: spec for spec in plan.assistants}
        self.reused = sum(a.error is None for a in self._answers.values())

    @classmethod
    def create(cls, folder: Path, plan: Plan, host: Host, *, cancel: Cancel | None = None) -> Run:
        """Begin a run in an empty or new folder.

        Raises:
            ExperimentError: The folder is taken, or the plan cannot be asked.
        """
        taken = lock(folder)
        try:
            write_manifest(folder, plan, host)
        finally:
            taken.release()
        return cls(folder, plan, host, cancel)

    @classmethod
    def resume(cls, folder: Path, host: Host, *, cancel: Cancel | None = None) -> Run:
        """Go on with a run that was cancelled or killed; a finished one finds nothing left to ask.

        Raises:
            ExperimentError: No run, or one that was begun with other questions or weights.
        """
        plan = read_plan(folder)
        check_models(folder, host)
        return cls(folder, plan, host, cancel)

    def __enter__(self) -> Self:
        """The run itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of the folder; calling it again does nothing."""
        if self._journal is not None:
            self._journal.close()
        self._lock.release()

    @property
    def row_problems(self) -> tuple[RowProblem, ...]:
        """Rows of the question file and lines of the journal that could not be read."""
        return (*self.plan.questions.problems, *self.problems)

    def answers(self) -> list[Answer]:
        """Every answer so far, failures included, in the order of assistants, questions, samples, turns."""
        names = {name: i for i, name in enumerate(dict.fromkeys(k[0] for k in self._answers))}
        order = {q.id: i for i, q in enumerate(self.plan.questions.questions)}
        planned = {spec.name: i - len(self.plan.assistants) for i, spec in enumerate(self.plan.assistants)}
        return sorted(
            self._answers.values(),
            key=lambda a: (
                planned.get(a.assistant, names[a.assistant]),
                order.get(a.question, len(order)),
                a.sample,
                a.turn,
            ),
        )

    def check(self) -> None:
        """Stop here if the run was cancelled.

        Raises:
            RunCancelled: It was.
        """
        if self.cancel.is_set():
            raise RunCancelled(
                f"The run was cancelled; what is finished is kept. Go on with: --resume {self.folder}"
            )

    def engine(self, model: str) -> Engine:
        """The loaded model; the manifest remembers how it was loaded.

        Raises:
            PlaygroundError: It cannot be had.
        """
        engine = self.host.engine(model)
        if model not in self._noted:
            info = engine.info
            facts: dict[str, Tag] = {"engine": info.engine, "n_ctx": info.n_ctx, "device": info.device}
            note_engine(self.folder, model, facts | {"dtype": info.dtype} | dict(info.layout))
            self._noted.add(model)
        return engine

    def know(self, specs: Sequence[AssistantSpec]) -> None:
        """Take assistants that the plan does not name, such as a search's candidates."""
        self._by_name.update({spec.name: spec for spec in specs})

    def spec(self, name: str) -> AssistantSpec:
        """The assistant of that name."""
        return self._by_name[name]

    def ask(self, specs: Sequence[AssistantSpec], questions: Sequence[Question], phase: str = "") -> None:
        """Have every assistant answer every turn of every question, as far as that is not done.

        Failures are tried once more and then written down with their sentence; the rest goes on.

        Raises:
            RunCancelled: It was cancelled meanwhile.
            ExperimentError: No assistant could be asked at all.
            JournalError: The disk is full.
        """
        self.know(specs)
        samples = self.plan.samples
        keys = [
            (spec.name, question.id, turn, sample)
            for spec in specs
            for question in questions
            for turn in range(len(question.turns))
            for sample in range(samples)
        ]
        there = sum(self._is_done(key) for key in keys)
        self.progress.start(phase or "answering", len(keys), reused=there)
        if there == len(keys):
            return
        for spec in specs:
            try:
                self._ask_one(spec, questions)
            except (RunCancelled, JournalError):
                raise
            except PlaygroundError as error:
                # A model that cannot be had is that assistant's failure; the others are asked all the same.
                self.failures[spec.name] = str(error)
        if all(spec.name in self.failures for spec in specs):
            raise ExperimentError(self.failures[specs[0].name])

    def _is_done(self, key: AnswerKey) -> bool:
        answer = self._answers.get(key)
        return answer is not None and answer.error is None

    def _ask_one(self, spec: AssistantSpec, questions: Sequence[Question]) -> None:
        pending = [
            q
            for q in questions
            if not all(
                self._is_done((spec.name, q.id, turn, sample))
                for turn in range(len(q.turns))
                for sample in range(self.plan.samples)
            )
        ]
        if not pending:
            return
        engine = self.engine(spec.model)
        writer = _Prompts(spec, self.host, self.cancel)
        size = max(1, BATCH // self.plan.samples)
        for start in range(0, len(pending), size):
            chunk = pending[start : start + size]
            for turn in range(max(len(q.turns) for q in chunk)):
                self.check()
                jobs = list(self._jobs(spec, writer, engine, chunk, turn))
                self._run(spec, engine, jobs)

    def _jobs(
        self, spec: AssistantSpec, writer: _Prompts, engine: Engine, chunk: Sequence[Question], turn: int
    ) -> Iterator[_Job]:
        """The requests of one turn; what cannot be asked is written down as a failure."""
        for question in chunk:
            if turn >= len(question.turns):
                continue
            for sample in range(self.plan.samples):
                if self._is_done((spec.name, question.id, turn, sample)):
                    continue
                try:
                    yield self._job(spec, writer, engine, question, turn, sample)
                except (ContextLengthError, _Unanswered) as error:
                    self._keep(Answer(spec.name, question.id, turn, sample, "", "error", 0, error=str(error)))

    def _job(
        self,
        spec: AssistantSpec,
        writer: _Prompts,
        engine: Engine,
        question: Question,
        turn: int,
        sample: int,
    ) -> _Job:
        messages = self.talk(spec, question, turn, sample)
        assistant = writer.assistant(question)
        params = replace(spec.params(), seed=seed_for(self.plan.seed, question.id, turn, sample))
        prompt, n_prompt = fit(
            assistant.renderer,
            messages,
            count=lambda p: len(engine.tokenize(p.pieces)),
            n_ctx=engine.info.n_ctx,
            max_tokens=params.max_tokens,
        )
        return _Job(question, turn, sample, prompt, params, n_prompt)

    def prompt_of(self, spec: AssistantSpec, question: Question, turn: int, sample: int) -> Prompt:
        """The prompt that an answered turn was asked with; nothing is dropped from it to fit.

        Raises:
            ExperimentError: An earlier turn has no answer.
        """
        writer = self._writers.get(spec.name)
        if writer is None:
            writer = self._writers[spec.name] = _Prompts(spec, self.host, self.cancel)
        return writer.assistant(question).renderer.render(self.talk(spec, question, turn, sample))

    def talk(self, spec: AssistantSpec, question: Question, turn: int, sample: int) -> list[Message]:
        """The conversation up to an open turn, as this assistant held it.

        Raises:
            ExperimentError: An earlier turn has no answer.
        """
        messages = [Message("system", question.system)] if question.system else []
        for query, answer in self.earlier(spec.name, question, turn, sample, thinking=True):
            messages += [Message("user", query), Message("assistant", answer)]
        messages.append(Message("user", question.turns[turn].query))
        return messages

    def earlier(
        self, assistant: str, question: Question, turn: int, sample: int, *, thinking: bool = False
    ) -> tuple[tuple[str, str], ...]:
        """What was asked and answered before a turn, as this assistant held the conversation.

        With ``thinking`` each answer has the thinking before it: the model's own template decides what of its
        past thinking it is shown. Judges see none.

        Raises:
            ExperimentError: An earlier turn has no answer.
        """
        found = []
        for number in range(turn):
            said = self._answers.get((assistant, question.id, number, sample))
            if said is None or said.error is not None:
                raise _Unanswered("An earlier turn was not answered.")
            text = said.thinking + said.text if thinking else said.text
            found.append((question.turns[number].query, text))
        return tuple(found)

    def _run(self, spec: AssistantSpec, engine: Engine, jobs: list[_Job]) -> None:
        """Send the requests, and those that failed once more."""
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            failed: list[_Job] = []
            waiting = dict(enumerate(jobs))
            requests = [
                GenerateRequest(job.prompt.pieces, job.sampling, job.prompt.stop, exact=self.plan.exact)
                for job in jobs
            ]
            try:
                for done in batch_replies(
                    engine, requests, [job.prompt.lead for job in jobs], cancel=self.cancel
                ):
                    job = waiting.pop(done.index)
                    reply = with_thinking(done.reply, job.prompt)
                    if reply.finish_reason == "cancelled":
                        continue
                    if reply.finish_reason == "error" and not last:
                        failed.append(job)
                        continue
                    usage = reply.usage
                    self._keep(
                        Answer(
                            spec.name, job.question.id, job.turn, job.sample, reply.answer,
                            reply.finish_reason, done.seed, done.stop,
                            # A full context is a shorter answer, not a missing one.
                            reply.error if reply.finish_reason == "error" else None,
                            job.prompt.dropped_turns, usage.prompt_tokens, usage.cached_tokens,
                            usage.completion_tokens, round(usage.prefill_s, 4), round(usage.decode_s, 4),
                            reply.thinking, reply.thinking_tokens, reply.thinking_open,
                        )
                    )  # fmt: skip
            except EngineDiedError:
                if last:
                    raise
            self.check()
            jobs = [*failed, *waiting.values()]
            if not jobs:
                return

    def _keep(self, answer: Answer) -> None:
        assert self._journal is not None
        self._journal.append(answer)
        self._answers[answer.key] = answer
        self.progress.step(failed=answer.error is not None)


class _Unanswered(ExperimentError):
    """The conversation cannot go on, because an earlier turn has no answer."""


class _Prompts:
    """How a spec prompts: one assistant for all questions, or one a question where examples are retrieved."""

    def __init__(self, spec: AssistantSpec, host: Host, cancel: Cancel) -> None:
        self._spec = spec
        self._host = host
        self._retriever = None
        if spec.retrieval:
            engine = host.engine(spec.model) if spec.retrieval.by == "likelihood" else None
            self._retriever = Retriever(spec.retrieval, engine, cancel)
        self._fixed = None if self._retriever else host.assistant(spec.model, spec.preset)

    def assistant(self, question: Question) -> Assistant:
        """The assistant for a question."""
        if self._fixed is not None:
            return self._fixed
        assert self._retriever is not None
        preset = self._retriever.preset_for(self._spec.preset, question.turns[0].query)
        return self._host.assistant(self._spec.model, preset)


def seed_for(seed: int, question: str, turn: int, sample: int) -> int:
    """The seed of one answer: the same for every assistant, and after a resume."""
    digest = hashlib.sha256(f"{seed}\n{question}\n{turn}\n{sample}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big")
