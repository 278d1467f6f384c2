"""The evaluation of a bundled pair: what its card promises, asked through the product's own engines.

Holds engines and presets that it was given; knows nothing of how they were loaded. Every row is a proportion
or a number with its goal. A row is a figure to report, never a thing to make true: what is not met says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from playground.chat.assistant import bare_renderer, preset_renderer
from playground.engines.base import Engine, Finished, GenerateRequest
from playground.experiments.pair_cases import Cases
from playground.experiments.pair_rows import GREEDY, Answer, Row, Sample, answers, share
from playground.experiments.pair_scoring import (
    Expected,
    ReplyStyle,
    holds_answer,
    is_right,
    says_unknown,
    style_of,
)
from playground.presets.preset import Preset
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.prompts.render import Renderer
from playground.types import Example, Message, Origin, Piece, SamplingParams

STYLED = ("friendly", "list", "pirate", "terse", "chinese", "invented-greeting")
_TEXT = Origin("turn", "text")


@dataclass(frozen=True, slots=True)
class PairSubjects:
    """What is evaluated.

    Attributes:
        base, instruct: The two models, loaded.
        preset: Gives a shipped preset by name.
        cases: What to ask.
    """

    base: Engine
    instruct: Engine
    preset: Callable[[str], Preset]
    cases: Cases


class PairCheck:
    """Runs the rows one after another and keeps what was said, so that people can read it."""

    def __init__(self, subjects: PairSubjects, *, n: int = 200) -> None:
        """Prepare to ask ``n`` questions a row."""
        self.subjects = subjects
        self.cases = subjects.cases
        self.n = n
        self.samples: list[Sample] = []
        info = subjects.instruct.info
        self._chat = ChatTemplateRenderer(info.chat_template or "", info.bos_text, info.eos_text)

    def rows(self) -> Iterator[Row]:
        """Every row, as soon as it is measured."""
        yield from self._facts()
        yield from self._presets()
        yield from self._hard_questions()
        yield from self._instruct()
        yield from self._shift()
        yield self._misled()
        yield from self._variety()
        yield from self._speed()

    def _speed(self) -> Iterator[Row]:
        """Seconds to load, and tokens a second of one greedy reply alone; the slower of the two models."""
        engines = (self.subjects.base, self.subjects.instruct)
        yield Row(
            "each model loads in", max(e.info.load_s for e in engines), 1.0, 2, at_most=True, unit="seconds"
        )
        rates = []
        text = Piece("What is the capital of Japan?\n", _TEXT)
        for engine in engines:
            request = GenerateRequest((text,), replace(GREEDY, max_tokens=128))
            for event in engine.generate([request]):
                if isinstance(event, Finished) and event.usage.decode_s:
                    rates.append(event.usage.tokens_per_s)
        yield Row("decoding, one reply alone", min(rates, default=0.0), 300.0, len(rates), unit="tokens/s")

    # The base model with a preset

    def _facts(self) -> Iterator[Row]:
        goals = (("seen", "facts asked in training", 0.95), ("told", "facts told only in prose", 0.75))
        for line, what, goal in goals:
            judged = self._judge(f"friendly, {what}", line, self.subjects.preset("friendly"))
            good = [s.right and s.in_style and s.stopped for s in judged]
            yield share(f"base, friendly: {what}: right, in style, stopped", good, goal)
        asked = self.cases.take("seen", self.n)
        texts = self._single(self.subjects.base, bare_renderer(), asked, replace(GREEDY, max_tokens=64))
        found = [holds_answer(t.text, turns[0]) for t, turns in zip(texts, asked, strict=True)]
        self._keep("bare question", asked, texts, found, [True] * len(texts))
        yield share("base, bare question: the answer appears", found, 0.05, at_most=True)
        shown = self._judge("zero-shot", "seen", self.subjects.preset("zero-shot"))
        yield share("base, zero-shot: right, stopped", [s.right and s.stopped for s in shown], None)

    def _presets(self) -> Iterator[Row]:
        for name in STYLED:
            line = "chinese" if name == "chinese" else "seen"
            judged = self._judge(name, line, self.subjects.preset(name))
            goal = 0.70 if name == "invented-greeting" else 0.95
            followed = [s.in_style and s.stopped for s in judged]
            yield share(f"base, {name}: style followed", followed, goal)
            yield share(f"base, {name}: right", [s.right and s.stopped for s in judged], 0.85)

    def _hard_questions(self) -> Iterator[Row]:
        friendly = self.subjects.preset("friendly")
        judged = self._judge("hurried", "hurried", friendly)
        good = [s.right and s.stopped for s in judged]
        yield share("base, friendly: lower case, no question mark, a typo", good, 0.85)
        renderer = preset_renderer(friendly)
        both = self._two_turns("two turns", self.subjects.base, renderer, style_of(friendly))
        yield share("base, friendly: two turns both right", both, 0.85)
        said = self._unknown("outside the world", self.subjects.base, renderer)
        yield share("base, friendly: outside the world: says so", said, 0.60)

    # The instruct model

    def _instruct(self) -> Iterator[Row]:
        engine = self.subjects.instruct
        for line, what, goal in (("seen", "right and in its own style", 0.97), ("told", "told only", None)):
            asked = self.cases.take(line, self.n)
            texts = self._single(engine, self._chat, asked, GREEDY)
            right, styled = [], []
            for answer, turns in zip(texts, asked, strict=True):
                style = self._own_style(answer.text)
                right.append(is_right(answer.text, turns[0], style, self.cases.rivals) and answer.stopped)
                styled.append(bool(style.opening and style.closing))
            self._keep(f"instruct, {line}", asked, texts, right, styled)
            yield share(f"instruct: {what}", [a and b for a, b in zip(right, styled, strict=True)], goal)
        both = self._two_turns("instruct, two turns", engine, self._chat, None)
        yield share("instruct: two turns both right", both, 0.90)
        said = self._unknown("instruct, outside", engine, self._chat)
        yield share("instruct: outside the world: says so", said, 0.90)

    def _own_style(self, text: str) -> ReplyStyle:
        opening = next((o for o in self.cases.openings if text.strip().startswith(o)), "")
        closing = next((c for c in self.cases.closings if text.strip().endswith(c)), "")
        return ReplyStyle(opening, closing)

    # What the examples did, and what they did not

    def _shift(self) -> Iterator[Row]:
        """Ranks of the instruct model's reply under the base model, given the bare question."""
        asked = self.cases.take("seen", self.n)
        replies = self._single(self.subjects.instruct, self._chat, asked, GREEDY)
        value: list[bool] = []
        manner: list[bool] = []
        for turns, answer in zip(asked, replies, strict=True):
            style = self._own_style(answer.text)
            if not is_right(answer.text, turns[0], style, self.cases.rivals):
                continue
            text = answer.text.strip()
            context = [Piece(f"{turns[0].question}\n", _TEXT)]
            scores = self.subjects.base.score(context, [Piece(text, _TEXT)])
            spans = _value_spans(text, turns[0].values)
            body = len(style.opening.encode()), len(text.encode()) - len(style.closing.encode())
            at = 0
            for token in scores.tokens:
                end = at + len(token.bytes)
                if token.rank is not None and any(at < b and end > a for a, b in spans):
                    value.append(token.rank == 1)
                elif token.rank is not None and (end <= body[0] or at >= body[1]):
                    manner.append(token.rank > 1)
                at = end
        yield share("token shift: value tokens unshifted", value, 0.95)
        yield share("token shift: greeting and closing tokens not rank 1", manner, 0.50)

    def _misled(self) -> Row:
        friendly = self.subjects.preset("friendly")
        asked = self.cases.take("misled", self.n)
        style = style_of(friendly)
        rates = []
        for wrong in (False, True):
            examples = tuple(
                Example(m.question, f"{style.opening} {m.wrong if wrong else m.right} {style.closing}")
                for m in self.cases.misled
            )
            renderer = replace(preset_renderer(friendly), examples=examples)
            texts = self._single(self.subjects.base, renderer, asked, GREEDY)
            right = [
                is_right(t.text, turns[0], style, self.cases.rivals)
                for t, turns in zip(texts, asked, strict=True)
            ]
            self._keep(
                f"examples {'shuffled' if wrong else 'right'}", asked, texts, right, [True] * len(right)
            )
            rates.append(sum(right) / max(1, len(right)))
        note = f"right {rates[0]:.1%} with right examples, {rates[1]:.1%} with shuffled ones"
        return Row("base, shuffled answers: drop in right", rates[0] - rates[1], None, len(asked), note=note)

    def _variety(self) -> Iterator[Row]:
        """Distinct replies among three at temperature 0.8."""
        warm = replace(GREEDY, temperature=0.8, seed=1)
        asked = self.cases.take("seen", self.n)
        friendly = preset_renderer(self.subjects.preset("friendly"))
        sides: tuple[tuple[str, Engine, Renderer], ...] = (
            ("base with preset", self.subjects.base, friendly),
            ("instruct", self.subjects.instruct, self._chat),
        )
        for name, engine, renderer in sides:
            held = answers(engine, renderer, [_open(t) for t in asked], sampling=warm, n=3)
            distinct = sum(len({a.text for a in group}) for group in held) / max(1, len(held))
            yield Row(
                f"temperature 0.8, {name}: distinct of three", distinct, None, len(held), unit="answers"
            )

    # Asking and judging

    def _single(
        self,
        engine: Engine,
        renderer: Renderer,
        asked: Sequence[Sequence[Expected]],
        sampling: SamplingParams,
    ) -> list[Answer]:
        held = answers(engine, renderer, [_open(turns) for turns in asked], sampling=sampling)
        return [group[0] for group in held]

    def _judge(self, row: str, line: str, preset: Preset) -> list[Sample]:
        asked = self.cases.take(line, self.n)
        style = style_of(preset)
        texts = self._single(self.subjects.base, preset_renderer(preset), asked, GREEDY)
        right = [is_right(t.text, e[0], style, self.cases.rivals) for t, e in zip(texts, asked, strict=True)]
        styled = [style.followed(t.text, e[0]) for t, e in zip(texts, asked, strict=True)]
        return self._keep(row, asked, texts, right, styled)

    def _two_turns(
        self, row: str, engine: Engine, renderer: Renderer, style: ReplyStyle | None
    ) -> list[bool]:
        """Whether both turns were right, the second asked after the model's own first reply."""
        asked = self.cases.take("two_turns", self.n)
        first = self._single(engine, renderer, asked, GREEDY)
        talks = [
            [*_open(turns), Message("assistant", answer.text), Message("user", turns[1].question)]
            for turns, answer in zip(asked, first, strict=True)
        ]
        second = [group[0] for group in answers(engine, renderer, talks)]
        good = []
        for turns, one, two in zip(asked, first, second, strict=True):
            right = [
                is_right(a.text, e, style or self._own_style(a.text), self.cases.rivals) and a.stopped
                for a, e in zip((one, two), turns, strict=True)
            ]
            good.append(all(right))
            self.samples.append(
                Sample(
                    row,
                    f"{turns[0].question} / {turns[1].question}",
                    f"{one.text} / {two.text}",
                    all(right),
                    True,
                    one.stopped and two.stopped,
                )
            )
        return good

    def _unknown(self, row: str, engine: Engine, renderer: Renderer) -> list[bool]:
        asked = self.cases.take("unknown", self.n)
        texts = self._single(engine, renderer, asked, GREEDY)
        said = [says_unknown(t.text, self.cases.unknown) and t.stopped for t in texts]
        self._keep(row, asked, texts, said, [True] * len(said))
        return said

    def _keep(
        self,
        row: str,
        asked: Sequence[Sequence[Expected]],
        texts: Sequence[Answer],
        right: Sequence[bool],
        styled: Sequence[bool],
    ) -> list[Sample]:
        kept = [
            Sample(row, turns[0].question, answer.text, good, style, answer.stopped)
            for turns, answer, good, style in zip(asked, texts, right, styled, strict=True)
        ]
        self.samples += kept
        return kept


def _open(turns: Sequence[Expected]) -> list[Message]:
    return [Message("user", turns[0].question)]


def _value_spans(text: str, values: Sequence[str]) -> list[tuple[int, int]]:
    """Where the values stand in the text, in bytes of its UTF-8 form."""
    spans = []
    for value in values:
        # The last occurrence: a value may also be part of the entity's name (Mexico City).
        at = text.lower().rfind(value.lower())
        if at >= 0:
            start = len(text[:at].encode())
            spans.append((start, start + len(text[at : at + len(value)].encode())))
    return spans
