"""What a server streams, as tokens; nothing about it is taken on trust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playground.types import Alternative, Token

# A token whose id the server does not tell.
UNKNOWN_ID = -1


class UnreadableAnswerError(Exception):
    """An event that is no completion."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a stream: new tokens, why it ended if it did, and what it cost if that was told.

    ``reasoning`` is text that the server tells apart from the answer.
    """

    tokens: tuple[Token, ...]
    finish_reason: str | None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning: str = ""


def read_chunk(event: Any, top: int | None) -> Chunk:
    """An event of ``/completions`` or ``/chat/completions``.

    Raises:
        UnreadableAnswerError: It is neither.
    """
    choices = getattr(event, "choices", None)
    if not isinstance(choices, list):
        raise UnreadableAnswerError
    usage = getattr(event, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    costs = (
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        _count(details, "cached_tokens"),
    )
    if not choices:
        return Chunk((), None, *costs)
    choice = choices[0]
    delta = getattr(choice, "delta", None)
    text = getattr(choice, "text", None) if delta is None else (getattr(delta, "content", None) or "")
    if not isinstance(text, str):
        raise UnreadableAnswerError
    tokens = _described(text, choice, top) if top is not None else _plain(text, choice)
    return Chunk(tokens, getattr(choice, "finish_reason", None), *costs, _reasoning(delta))


def _reasoning(delta: Any) -> str:
    """What some servers call ``reasoning_content`` (DeepSeek, llama.cpp), others ``reasoning`` (vLLM)."""
    for name in ("reasoning_content", "reasoning"):
        text = getattr(delta, name, None)
        if isinstance(text, str) and text:
            return text
    return ""


def _count(value: object, name: str) -> int | None:
    number = getattr(value, name, None)
    return number if isinstance(number, int) else None


def _plain(text: str, choice: Any) -> tuple[Token, ...]:
    if not text:
        return ()
    ids = getattr(choice, "token_ids", None) or [UNKNOWN_ID]
    first = Token(int(ids[0]), text.encode())
    # Text of several tokens at once cannot be told apart: it goes with the first.
    return (first, *(Token(int(token), b"") for token in ids[1:]))


def _described(text: str, choice: Any, top: int) -> tuple[Token, ...]:
    """Tokens with their logprobs. The rank is known where the token is among the alternatives told."""
    logprobs = getattr(choice, "logprobs", None)
    rows = _chat_rows(logprobs) if getattr(logprobs, "content", None) else _completion_rows(logprobs)
    if not rows or "".join(row[0] for row in rows) != text:
        # Half characters and merged events: the text is right, what was told does not fit it.
        return _plain(text, choice)
    ids = getattr(choice, "token_ids", None) or [UNKNOWN_ID] * len(rows)
    return tuple(
        described(int(token), word, logprob, others, top)
        for token, (word, logprob, others) in zip(ids, rows, strict=False)
    )


def described(
    token: int, word: str, logprob: float | None, others: dict[str, float], top: int, rank: int | None = None
) -> Token:
    """A token with its alternatives, best first."""
    if logprob is None:
        return Token(token, word.encode())
    best = sorted(others.items(), key=lambda item: -item[1])
    likelier = sum(value > logprob for value in others.values())
    # A server may add the token itself behind those that were asked for: then only they are known. And
    # tokens that are half a character have no text of their own to be told apart by.
    is_clear = not any(not text or "\ufffd" in text for text in others)
    if rank is None and is_clear and word in others and likelier < max(top, 1):
        rank = 1 + likelier
    shown = tuple(Alternative(UNKNOWN_ID, text.encode(), value) for text, value in best[:top])
    return Token(token, word.encode(), logprob, rank, None, shown)


def _completion_rows(logprobs: Any) -> list[tuple[str, float | None, dict[str, float]]]:
    words = getattr(logprobs, "tokens", None) or []
    values = getattr(logprobs, "token_logprobs", None) or []
    tops = getattr(logprobs, "top_logprobs", None) or [None] * len(words)
    return [
        (str(word), value, dict(top or {})) for word, value, top in zip(words, values, tops, strict=False)
    ]


def _chat_rows(logprobs: Any) -> list[tuple[str, float | None, dict[str, float]]]:
    """The chat way of telling; llama-server tells completions so too, left as plain maps by the client."""
    rows: list[tuple[str, float | None, dict[str, float]]] = []
    for item in logprobs.content:
        others = {
            str(_field(other, "token")): float(_field(other, "logprob"))
            for other in _field(item, "top_logprobs") or ()
        }
        rows.append((str(_field(item, "token")), _field(item, "logprob"), others))
    return rows


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)
