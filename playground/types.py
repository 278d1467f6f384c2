"""The values that every layer speaks in.

Knows nothing of templates, models, engines or pages: only frozen values with names from the field.
Shapes and units stand in the docstrings; the distribution is summarised per token, so that a reply
can be stored, drawn and compared without the model that wrote it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# A field called bytes would shadow the type while the annotations of its class are resolved.
Bytes: TypeAlias = bytes
Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "cancelled", "error"]
Part = Literal["prefix", "system", "example", "history", "turn"]
Field = Literal["template", "system", "query", "answer", "text"]
StopPlace = Literal["anywhere", "line_start", "whole_line"]
OptionValue = bool | int | float | str
OptionKind = Literal["flag", "number", "text"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as a person or a model wrote it: nothing is escaped or trimmed."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """A stylistic example: what a person might ask and how the assistant should answer it."""

    query: str
    answer: str
    enabled: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """How text becomes a prompt, as data.

    Attributes:
        name: Identifier, e.g. ``urial_backticks``.
        system: Pattern that holds ``{system}`` once; written first, only where a system text is set.
        turn: Pattern that holds ``{query}`` and ``{answer}`` once each, in this order. Examples, history
            and the open last turn are all rendered from it; the open turn ends where ``{answer}`` starts.
        separator: Written between the system part, each turn, and the next one.
        lead: Written before each finished answer and left to the model in the open turn, because a
            prompt that ends in a space tokenizes badly. ``" "`` for ``Assistant: text``.
        strip_newlines: Newlines around a message are dropped before it is rendered (URIAL v6).
    """

    name: str
    system: str
    turn: str
    separator: str = "\n"
    lead: str = ""
    strip_newlines: bool = False


@dataclass(frozen=True, slots=True)
class StopRule:
    """A string that ends an answer, and where it counts.

    ``anywhere``: at any place. ``line_start``: only at the start of a line. ``whole_line``: only as a
    whole line (trailing blanks allowed), and only while no Markdown code fence opened inside the answer
    is still open. White space before the stop is trimmed, and the stop itself is never shown.
    """

    text: str
    place: StopPlace = "anywhere"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stretch of a prompt came from: example 2's answer, the template around the open turn ...

    ``index`` counts from 0: the example's place in the preset (disabled ones counted), or the turn of the
    conversation. It is 0 for the system text and the prefix.
    """

    part: Part
    field: Field
    index: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of prompt text of one origin. Only template pieces may hold special tokens."""

    text: str
    origin: Origin
    parse_special: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """``prompt.text[start:end]`` came from ``origin``. Offsets are in characters (code points)."""

    start: int
    end: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class TemplateOption:
    """A named argument that a chat template reads, such as ``enable_thinking``.

    Attributes:
        name: As the template spells it.
        kind: What it takes.
        choices: Values that the template knows; others may be taken too.
        default: What the template takes where nothing is given; None where it does not say so plainly.
    """

    name: str
    kind: OptionKind
    choices: tuple[str, ...] = ()
    default: OptionValue | None = None


@dataclass(frozen=True, slots=True)
class ThinkingMarkers:
    """What a model writes before and after its thinking, such as ``<think>`` and ``</think>``."""

    open: str
    close: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent, byte for byte: shown, counted and completed from this one value.

    Attributes:
        pieces: The text in order, by origin; empty pieces are left out.
        stop: What ends the answer, derived from the template.
        lead: Characters that the model itself is expected to write before the answer; dropped from it.
        dropped_turns: How many of the oldest turns were left out to fit the context.
        notes: What was changed to suit the model's template, and what of the conversation is not in the
            prompt: sentences for people.
        thinking: The markers that may enclose thinking at the start of the answer.
        thinks: Whether the prompt's own end opens the thinking, so that the answer starts inside it.
    """

    pieces: tuple[Piece, ...]
    stop: tuple[StopRule, ...] = ()
    lead: str = ""
    dropped_turns: int = 0
    notes: tuple[str, ...] = ()
    thinking: tuple[ThinkingMarkers, ...] = ()
    thinks: bool = False

    @property
    def text(self) -> str:
        """The whole prompt."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where each piece lies in ``text``."""
        spans: list[Span] = []
        at = 0
        for piece in self.pieces:
            spans.append(Span(at, at + len(piece.text), piece.origin))
            at += len(piece.text)
        return tuple(spans)


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is drawn; one meaning on every engine, in transformers' order.

    Logit bias, repetition penalty, frequency and presence penalty, temperature, top_k, top_p, min_p.

    Attributes:
        temperature: 0 is greedy (the arg max after penalties); otherwise logits are divided by it.
        top_k: Keep the k likeliest tokens; 0 keeps all.
        top_p: Keep the smallest set whose probability reaches this, in (0, 1]; 1 keeps all.
        min_p: Drop tokens below ``min_p`` times the likeliest one's probability, in [0, 1).
        repetition_penalty: Logits of tokens seen before are divided (positive) or multiplied (negative)
            by it, once a token whatever its count (arXiv 1909.05858, as in transformers).
        penalize_prompt: Whether the repetition penalty counts the prompt's tokens too (as transformers
            and vLLM do), or those of the output alone.
        frequency_penalty: Subtracted per occurrence of a token in the output (OpenAI's meaning).
        presence_penalty: Subtracted once for a token that occurs in the output (OpenAI's meaning).
        logit_bias: Pairs ``(token id, bias)`` added to the logits.
        max_tokens: Most tokens of one completion.
        seed: Of the sampler; None draws one. Sample ``i`` of a request with n samples uses ``seed + i``.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    penalize_prompt: bool = True
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    max_tokens: int = 256
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have stood at a position, with its natural-log probability."""

    id: int
    bytes: Bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a text, with what the model thought of it.

    ``logprob`` (natural log), ``rank`` (1 = likeliest) and ``entropy`` (nats) describe the raw distribution
    at its position, before penalties and temperature. All three are None where they were not asked for.
    """

    id: int
    bytes: Bytes
    logprob: float | None = None
    rank: int | None = None
    entropy: float | None = None
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a completion cost: tokens counted once each, times in seconds of wall clock.

    ``prefill_s`` ends with the first token, ``decode_s`` is from there to the end.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prefill_s: float = 0.0
    decode_s: float = 0.0

    @property
    def tokens_per_s(self) -> float:
        """Decoding speed; 0.0 where no token followed the first, whose time is part of the prefill."""
        steps = self.completion_tokens - 1
        return steps / self.decode_s if steps > 0 and self.decode_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished (or interrupted) answer.

    Attributes:
        text: All that the model wrote, its thinking included.
        tokens: Of all of it.
        finish_reason: Why it ended.
        usage: What it cost.
        error: A sentence for people, never part of the text: why it failed, or with ``length`` that the
            context was full.
        thinking_chars: How many characters at the start of ``text`` are thinking, markers and the white
            space behind them included.
        thinking_tokens: How many of ``tokens`` lie wholly in it.
        thinking_open: Whether the answer ended inside its thinking.
    """

    text: str
    tokens: tuple[Token, ...] = ()
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    error: str | None = None
    thinking_chars: int = 0
    thinking_tokens: int = 0
    thinking_open: bool = False

    @property
    def answer(self) -> str:
        """What was said to the person: the text without the thinking."""
        return self.text[self.thinking_chars :]

    @property
    def thinking(self) -> str:
        """The thinking, with its markers; empty where there was none."""
        return self.text[: self.thinking_chars]
