"""Shift as a person looks at it: one answer of the aligned model under contexts that change meanwhile.

The aligned answer of a question is asked for and scored once and kept, so that toggling an example costs one
forward of the base model. Reports of a study (a file of questions) are kept together for its figures.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from playground.engines.base import Cancel
from playground.errors import ConversationError, PlaygroundError
from playground.experiments.shift import (
    AlignedAnswer,
    ContextShift,
    ShiftReport,
    aligned_answer,
    bare_context,
    leave_one_out,
    measure_shift,
    preset_context,
)
from playground.presets.preset import Preset
from playground.services.workbench import NO_PRESET, SideSpec, Workbench
from playground.types import Prompt

BARE = "bare"
KEPT_ANSWERS = 8
KEPT_STUDIES = 8
KEPT_CONTEXTS = 32
MOST_REPORTS = 2_000
MOST_FULL_BYTES = 64_000_000
"""Whole distributions of an answer are kept for KL up to this size."""


class ShiftStudies:
    """Answers and reports that a page or a script looks at again. Thread-safe.

    Args:
        bench: Where models and presets come from.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, str, int], AlignedAnswer] = OrderedDict()
        self._measured: OrderedDict[tuple[object, ...], ShiftReport] = OrderedDict()
        self._studies: OrderedDict[str, list[ShiftReport]] = OrderedDict()

    def measure(
        self,
        question: str,
        *,
        base: str,
        aligned: str,
        preset: Preset | None,
        max_tokens: int = 256,
        top: int = 5,
        cancel: Cancel | None = None,
    ) -> ShiftReport:
        """The aligned model's greedy answer under the base model: bare, and behind a preset if given.

        Raises:
            PlaygroundError: A model cannot be had or cannot score, or the question is empty.
        """
        answer = self._answer(question, aligned, max_tokens, cancel)
        contexts = {BARE: bare_context(question)}
        if preset is not None:
            contexts[preset.name] = preset_context(preset, question)
        reports = [
            self._under(base, aligned, answer, name, prompt, max_tokens=max_tokens, top=top, cancel=cancel)
            for name, prompt in contexts.items()
        ]
        return ShiftReport(
            question,
            answer.text,
            tuple(context for report in reports for context in report.contexts),
            all(report.same_tokenizer for report in reports),
        )

    def examples(
        self, question: str, *, base: str, aligned: str, preset: Preset, max_tokens: int = 256
    ) -> dict[int, ContextShift]:
        """The same answer with each enabled example left out in turn, by the example's index."""
        answer = self._answer(question, aligned, max_tokens, None)
        without_full = replace(answer, scores=replace(answer.scores, full=None))
        return leave_one_out(self._bench.engine(base), without_full, preset)

    def add(self, study: str, report: ShiftReport) -> None:
        """Keep a report with a study.

        Raises:
            PlaygroundError: The study is full.
        """
        with self._lock:
            reports = self._studies.setdefault(study, [])
            self._studies.move_to_end(study)
            while len(self._studies) > KEPT_STUDIES:
                self._studies.popitem(last=False)
            if len(reports) >= MOST_REPORTS:
                raise PlaygroundError(f"A study holds at most {MOST_REPORTS:,} questions; begin another.")
            reports.append(report)

    def reports(self, study: str) -> Sequence[ShiftReport]:
        """What was kept with a study so far.

        Raises:
            PlaygroundError: It was forgotten, because others came after it or the program was started again.
        """
        with self._lock:
            if study not in self._studies:
                raise PlaygroundError("This study is no longer kept; measure it again.")
            return tuple(self._studies[study])

    def _under(
        self,
        base: str,
        aligned: str,
        answer: AlignedAnswer,
        name: str,
        prompt: Prompt,
        *,
        max_tokens: int,
        top: int,
        cancel: Cancel | None,
    ) -> ShiftReport:
        """One context. The last ones are remembered, because a toggle leaves the others as they are."""
        key = (base, aligned, answer.question, max_tokens, top, name, prompt.pieces)
        with self._lock:
            known = self._measured.get(key)
        if known is not None:
            return known
        report = measure_shift(self._bench.engine(base), answer, {name: prompt}, top=top, cancel=cancel)
        with self._lock:
            self._measured[key] = report
            while len(self._measured) > KEPT_CONTEXTS:
                self._measured.popitem(last=False)
        return report

    def _answer(self, question: str, aligned: str, max_tokens: int, cancel: Cancel | None) -> AlignedAnswer:
        if not question.strip():
            raise ConversationError("The question is empty; write one.")
        key = (aligned, question, max_tokens)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        engine = self._bench.engine(aligned)
        renderer = self._bench.assistant(SideSpec(aligned, NO_PRESET)).renderer
        small = max_tokens * engine.info.n_vocab * 4 <= MOST_FULL_BYTES
        full = small and "score_full" in engine.info.capabilities
        answer = aligned_answer(engine, renderer, question, max_tokens=max_tokens, full=full, cancel=cancel)
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return answer
