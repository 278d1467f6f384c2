"""Token distribution shift: where an aligned model's answer departs from what the base model would write.

The aligned model's answer is scored under the base model, given some context before it; at each position
the rank of the answer's token says whether alignment moved it: rank 1 unshifted, 2 or 3 marginal, above 3
shifted (Lin et al., arXiv 2312.01552, section 2; Re-Align/AlignTDS). One forward over the whole answer gives
the same ranks as one forward a token.

The paper puts the same text in front of both models; here the base model is given each context that is asked
for (the bare question, a preset's prompt), so that what a preset takes over from tuning can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from playground.chat.assistant import bare_renderer, preset_renderer
from playground.chat.compare import complete
from playground.engines.base import Cancel, Engine, Scores
from playground.errors import EngineError
from playground.experiments.alignment import stretches
from playground.presets.preset import Preset
from playground.prompts.render import Renderer
from playground.types import Message, Origin, Piece, Prompt, SamplingParams, Token

Shift = Literal["unshifted", "marginal", "shifted"]
MARGINAL_RANK = 3
_ANSWER = Origin("turn", "answer")


def shift_of(rank: int) -> Shift:
    """The paper's three classes of a token's rank under the base model."""
    return "unshifted" if rank == 1 else "marginal" if rank <= MARGINAL_RANK else "shifted"


@dataclass(frozen=True, slots=True)
class Position:
    """One token of the aligned answer, as the base model sees it in one context.

    Attributes:
        token: With the base model's logprob, rank, entropy and alternatives.
        shift: Its class; None where the base model has no distribution there (the first token of a text).
        aligned_logprob: Of the same text under the aligned model; None where its tokens end elsewhere.
        kl: Kullback-Leibler divergence of the base from the aligned distribution in nats,
            sum p_aligned (log p_aligned - log p_base); None where not asked for or tokenizers differ.
    """

    token: Token
    shift: Shift | None
    aligned_logprob: float | None = None
    kl: float | None = None


@dataclass(frozen=True, slots=True)
class ContextShift:
    """An answer under one context."""

    name: str
    positions: tuple[Position, ...]

    def count(self, shift: Shift) -> int:
        """Positions of a class."""
        return sum(position.shift == shift for position in self.positions)

    def ratio(self, shift: Shift) -> float:
        """Share of a class among the positions that have one; 0.0 where there are none."""
        known = sum(position.shift is not None for position in self.positions)
        return self.count(shift) / known if known else 0.0

    @property
    def mean_kl(self) -> float | None:
        """Mean divergence over the positions, in nats; None where there is none."""
        known = [position.kl for position in self.positions if position.kl is not None]
        return sum(known) / len(known) if known else None

    @property
    def mean_logprob(self) -> float | None:
        """Mean log-probability of the answer's tokens under the base model; None where there is none."""
        known = [p.token.logprob for p in self.positions if p.token.logprob is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """One question's answer under every context.

    ``same_tokenizer`` is False where the two models cut the answer into other tokens: ranks are then those
    of the base model's own tokens, log-probabilities are compared where both have a border, and distributions
    are not.
    """

    question: str
    answer: str
    contexts: tuple[ContextShift, ...]
    same_tokenizer: bool = True

    def context(self, name: str) -> ContextShift:
        """The context of that name."""
        return next(context for context in self.contexts if context.name == name)


@dataclass(frozen=True, slots=True)
class AlignedAnswer:
    """What the aligned model said, and its own view of it."""

    question: str
    text: str
    scores: Scores


def bare_context(question: str) -> Prompt:
    """The question on a line of its own and nothing else, so that an answer may begin on the next."""
    prompt = bare_renderer().render([Message("user", question)])
    newline = Piece("\n", Origin("turn", "template"))
    return replace(prompt, pieces=(*prompt.pieces, newline))


def preset_context(preset: Preset, question: str) -> Prompt:
    """The preset's whole prompt for the question."""
    return preset_renderer(preset).render([Message("user", question)])


def aligned_answer(
    engine: Engine,
    renderer: Renderer,
    question: str,
    *,
    max_tokens: int = 256,
    full: bool = False,
    exact: bool = False,
    cancel: Cancel | None = None,
) -> AlignedAnswer:
    """The aligned model's greedy answer, scored by itself; ``exact`` as in ``Engine.score``.

    What it thought before is part of the answer's context and not of the answer.

    Raises:
        EngineError: It failed, or wrote nothing.
    """
    prompt = renderer.render([Message("user", question)])
    sampling = SamplingParams(temperature=0.0, max_tokens=max_tokens)
    reply = complete(engine, [prompt], sampling, cancel=cancel)[0]
    if reply.finish_reason == "error":
        raise EngineError(reply.error or "The aligned model failed.")
    if not reply.answer:
        why = "ended inside its thinking; allow more tokens" if reply.thinking_open else "wrote no answer"
        raise EngineError(f"The aligned model {why}; there is nothing to score.")
    thought = (Piece(reply.thinking, _ANSWER),) if reply.thinking else ()
    scores = engine.score(
        (*prompt.pieces, *thought), [Piece(reply.answer, _ANSWER)], full=full, exact=exact, cancel=cancel
    )
    return AlignedAnswer(question, reply.answer, scores)


def measure_shift(
    base: Engine,
    answer: AlignedAnswer,
    contexts: Mapping[str, Prompt],
    *,
    top: int = 5,
    exact: bool = False,
    cancel: Cancel | None = None,
) -> ShiftReport:
    """The answer under the base model in every context. KL where ``answer`` was scored in full.

    ``exact`` takes exact mode: the same numbers each time, and no prefix shared between contexts.

    Raises:
        ContextLengthError: A context and the answer do not fit the base model.
        UnsupportedError: The models' tokenizers cannot be compared; see ``alignment.stretches``.
    """
    target = [Piece(answer.text, _ANSWER)]
    aligned_ids = [token.id for token in answer.scores.tokens]
    aligned_bytes = [token.bytes for token in answer.scores.tokens]
    measured: list[ContextShift] = []
    same = True
    full = answer.scores.full is not None
    for name, prompt in contexts.items():
        scores = base.score(prompt.pieces, target, top=top, full=full, exact=exact, cancel=cancel)
        # The context may change how the answer's first bytes are cut; then positions do not correspond.
        fits = [t.id for t in scores.tokens] == aligned_ids and [
            t.bytes for t in scores.tokens
        ] == aligned_bytes
        same = same and fits
        positions = _positions(scores, answer.scores) if fits else _beside(scores, answer.scores)
        measured.append(ContextShift(name, positions))
    return ShiftReport(answer.question, answer.text, tuple(measured), same)


def leave_one_out(
    base: Engine, answer: AlignedAnswer, preset: Preset, *, cancel: Cancel | None = None
) -> dict[int, ContextShift]:
    """The answer with each enabled example switched off in turn, by the example's index.

    What an example contributes is the difference to the whole preset's context.
    """
    contexts: dict[str, Prompt] = {}
    for i, example in enumerate(preset.examples):
        if example.enabled:
            others = tuple(
                e.model_copy(update={"enabled": False}) if j == i else e
                for j, e in enumerate(preset.examples)
            )
            contexts[str(i)] = preset_context(preset.model_copy(update={"examples": others}), answer.question)
    report = measure_shift(base, answer, contexts, top=0, cancel=cancel)
    return {int(context.name): context for context in report.contexts}


def fade(contexts: Sequence[ContextShift], *, bins: int = 10) -> list[float]:
    """Share of shifted tokens along the answer, in ``bins`` equal parts of its length, over many answers.

    The paper finds that shift fades as the answer grows. A bin without tokens is NaN.
    """
    shifted = np.zeros(bins)
    seen = np.zeros(bins)
    for context in contexts:
        for i, position in enumerate(context.positions):
            if position.shift is not None:
                place = min(bins - 1, i * bins // len(context.positions))
                seen[place] += 1
                shifted[place] += position.shift == "shifted"
    return [float(s / n) if n else float("nan") for s, n in zip(shifted, seen, strict=True)]


def most_shifted(contexts: Sequence[ContextShift], *, top: int = 20) -> list[tuple[str, int, int]]:
    """Tokens by how often they are shifted: ``(text, times shifted, times seen)``, most shifted first."""
    counts: dict[bytes, list[int]] = {}
    for context in contexts:
        for position in context.positions:
            if position.shift is not None:
                entry = counts.setdefault(position.token.bytes, [0, 0])
                entry[0] += position.shift == "shifted"
                entry[1] += 1
    rows = [
        (raw.decode("utf-8", "replace"), shifted, seen) for raw, (shifted, seen) in counts.items() if shifted
    ]
    return sorted(rows, key=lambda row: (-row[1], row[2], row[0]))[:top]


def _beside(scores: Scores, aligned: Scores) -> tuple[Position, ...]:
    """Positions of the base model's own tokens, with the aligned model's view where one stands alone."""
    known: dict[int, float] = {}
    for stretch in stretches([t.bytes for t in scores.tokens], [t.bytes for t in aligned.tokens]):
        theirs = [aligned.tokens[i].logprob for i in stretch.other]
        if len(stretch.one) == 1 and None not in theirs:
            known[stretch.one[0]] = sum(logprob for logprob in theirs if logprob is not None)
    return tuple(
        Position(token, None if token.rank is None else shift_of(token.rank), known.get(i))
        for i, token in enumerate(scores.tokens)
    )


def _positions(scores: Scores, aligned: Scores) -> tuple[Position, ...]:
    divergence: Sequence[float | None] = [None] * len(scores.tokens)
    if aligned.full is not None and scores.full is not None:
        known = aligned.full.shape == scores.full.shape
        divergence = _kl(aligned, scores) if known else divergence
    return tuple(
        Position(
            token,
            None if token.rank is None else shift_of(token.rank),
            aligned.tokens[i].logprob,
            divergence[i],
        )
        for i, token in enumerate(scores.tokens)
    )


def _kl(aligned: Scores, base: Scores) -> list[float | None]:
    """KL(aligned || base) of each position; None where either has no distribution."""
    assert aligned.full is not None
    assert base.full is not None
    values: list[float | None] = []
    for i, (a, b) in enumerate(zip(aligned.tokens, base.tokens, strict=True)):
        if a.logprob is None or b.logprob is None:
            values.append(None)
            continue
        log_p = aligned.full[i].astype(np.float64)
        # 0 log 0 is 0: a token that the aligned model rules out adds nothing.
        with np.errstate(invalid="ignore"):
            terms = np.where(
                np.isneginf(log_p), 0.0, np.exp(log_p) * (log_p - base.full[i].astype(np.float64))
            )
        values.append(float(terms.sum()))
    return values
