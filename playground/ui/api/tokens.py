"""Tokens: what a model thinks of a text, and several answers to one question with how far they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from playground.chat.compare import SideEvent
from playground.chat.conversation import Conversation
from playground.engines.base import Cancel
from playground.errors import PlaygroundError
from playground.experiments.diversity import agreement, diversity
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.services.judging import judge_answers
from playground.services.lens import TOP, sample_answers, score_answer
from playground.ui.api.binding import Call, Stream
from playground.ui.token_rows import known_rows
from playground.ui.wire_format import Incoming, SideIn, StreamIn

MAX_SAMPLES = 32


class ScoreIn(Incoming):
    """Ask what a side's model thinks of a text, as the answer to the conversation's open turn."""

    side: SideIn
    draft: Mapping[str, object]
    conversation: str
    text: str


class SamplesIn(StreamIn):
    """Ask for ``n`` answers of one side, which go by ``s0``, ``s1`` and so on."""

    kind: Literal["samples"] = "samples"
    side: SideIn
    draft: Mapping[str, object]
    conversation: str
    n: Annotated[int, Field(ge=2, le=MAX_SAMPLES)]
    temperature: Annotated[float, Field(gt=0, le=10)]

    def side_ids(self) -> tuple[str, ...]:
        """One id a sample."""
        return tuple(f"s{i}" for i in range(self.n))


class DiversityIn(Incoming):
    """Ask how far texts differ."""

    texts: Annotated[tuple[str, ...], Field(max_length=MAX_SAMPLES)]


class JudgeIn(Incoming):
    """Ask a chat model for a score of each of some answers to one question.

    ``sides`` says whose each text is, ``earlier`` what was asked and answered before, by side.
    """

    model: str
    question: str
    texts: Annotated[tuple[str, ...], Field(min_length=1, max_length=4 * MAX_SAMPLES)]
    sides: Annotated[tuple[str, ...], Field(max_length=4 * MAX_SAMPLES)] = ()
    earlier: Mapping[str, Annotated[tuple[tuple[str, str], ...], Field(max_length=2_000)]] = {}
    aspect: Literal["overall", "helpfulness", "clarity", "factuality", "depth", "engagement", "safety"] = (
        "overall"
    )


class TokenCalls:
    """Scores and samples."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench

    def calls(self) -> list[Call]:
        """``score``, ``diversity`` and ``judge_answers``."""
        return [
            Call.of("score", ScoreIn, self.score),
            Call.of("diversity", DiversityIn, self.diversity),
            Call.of("judge_answers", JudgeIn, self.judge),
        ]

    def streams(self) -> list[Stream]:
        """``samples``."""
        return [Stream.of("samples", SamplesIn, self.samples)]

    def score(self, query: ScoreIn) -> object:
        """The text's tokens as the side's model sees them."""
        scores = score_answer(
            self._bench,
            query.side.id,
            query.side.spec(),
            Preset.checked(query.draft),
            Conversation.from_json(query.conversation),
            query.text,
        )
        return known_rows(scores.tokens)

    def samples(self, query: SamplesIn, cancel: Cancel) -> Iterator[SideEvent]:
        """The answers, each told as a side of its own."""
        return sample_answers(
            self._bench,
            query.side.id,
            query.side.spec(),
            Preset.checked(query.draft),
            Conversation.from_json(query.conversation),
            query.side_ids(),
            temperature=query.temperature,
            logprobs=TOP,
            cancel=cancel,
        )

    def diversity(self, query: DiversityIn) -> object:
        """The figures over all texts, and each one's agreement with the others."""
        figures = diversity(query.texts)
        return {
            "distinct": list(figures.distinct),
            "self_bleu": figures.self_bleu,
            "distance": figures.distance,
            "agreement": agreement(query.texts),
        }

    def judge(self, query: JudgeIn) -> object:
        """The scores in the order of the texts, with the judge's words."""
        if query.sides and len(query.sides) != len(query.texts):
            raise PlaygroundError("'sides' must name one side for each text of 'texts'.")
        judged = judge_answers(
            self._bench,
            query.model,
            query.question,
            query.texts,
            aspect=query.aspect,
            earlier=[query.earlier.get(side, ()) for side in query.sides],
        )
        return [{"score": one.score, "said": one.said, "error": one.error} for one in judged]
