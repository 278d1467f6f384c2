"""How likely a text was, from servers that tell the logprobs of a prompt: vLLM's way, or by ``echo``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import openai

from playground.engines.base import Scores
from playground.engines.pieces import first_target_token
from playground.engines.server.answers import described
from playground.engines.server.connection import Served, ServerConnection
from playground.errors import EngineError, UnsupportedError
from playground.types import Piece, Usage


@dataclass(frozen=True, slots=True)
class _Row:
    """What was told of one token of a prompt."""

    word: str
    logprob: float | None
    others: dict[str, float]
    rank: int | None = None


class PromptScorer:
    """Scores texts; ``reason`` says why it cannot, once that was asked.

    Args:
        connection: The server.
        served: The model there.
    """

    def __init__(self, connection: ServerConnection, served: Served) -> None:
        self._connection = connection
        self._served = served
        self.reason: str | None = None
        if not served.dialect.prompt_logprobs:
            self.reason = self._why_no_echo()

    def _why_no_echo(self) -> str | None:
        try:
            rows, _ = self._rows("one two three", 1)
        except openai.APIStatusError as error:
            return f"The server does not tell the logprobs of a prompt ({error.status_code})."
        except (openai.OpenAIError, OSError, EngineError):
            return "The server does not tell the logprobs of a prompt."
        told = [row.logprob for row in rows[1:]]
        text = "".join(row.word for row in rows)
        if len(told) < 2 or None in told[:-1] or not text.startswith("one two three"):
            return "The server does not tell the logprobs of a prompt."
        return None

    def score(self, context: Sequence[Piece], target: Sequence[Piece], *, top: int) -> Scores:
        """Log-probabilities of the target's tokens.

        Raises:
            UnsupportedError: The server cannot.
        """
        if self.reason is not None:
            raise UnsupportedError(self.reason)
        started = time.perf_counter()
        before = "".join(piece.text for piece in context)
        text = before + "".join(piece.text for piece in target)
        border, end = len(before.encode()), len(text.encode())
        rows, prompt_tokens = self._connection.retried(lambda: self._rows(text, max(top, 1)))
        starts: list[int] = []
        at = 0
        for position, row in enumerate(rows):
            # The first may be a BOS that the server put in front.
            added = position == 0 and not text.startswith(row.word)
            if at >= end:
                break
            starts.append(-1 if added else at)
            at += 0 if added else len(row.word.encode())
        if at < end:
            raise EngineError(
                f"The server at {self._connection.address} told the logprobs of another text than was sent."
            )
        first = first_target_token(starts, text.encode(), border)
        tokens = [
            described(-1, row.word, row.logprob, row.others, top, row.rank)
            for row in rows[first : len(starts)]
            if row.word
        ]
        return Scores(tuple(tokens), Usage(prompt_tokens, prefill_s=time.perf_counter() - started))

    def _rows(self, text: str, top: int) -> tuple[list[_Row], int]:
        """What was told of each token of the prompt, and how many there are."""
        options: dict[str, Any] = {
            "model": self._served.model,
            "prompt": text,
            "max_tokens": 1,
            "temperature": 0.0,
        }
        if self._served.dialect.prompt_logprobs:
            answer: Any = self._connection.client.completions.create(
                **options, extra_body={"prompt_logprobs": top}
            )
            rows = [_vllm_row(row) for row in _choice(answer).prompt_logprobs or ()]
            # Nothing is told of the first position: it is a BOS, or what is missing of the text.
            rest = "".join(row.word for row in rows)
            if rows and text.endswith(rest):
                rows[0] = _Row(text[: len(text) - len(rest)], None, {})
            return rows, len(rows)
        answer = self._connection.client.completions.create(**options, echo=True, logprobs=top)
        told = _choice(answer).logprobs
        if told is None:
            return [], 0
        tops = told.top_logprobs or [None] * len(told.tokens or ())
        rows = [
            _Row(str(word), value, dict(others or {}))
            for word, value, others in zip(told.tokens or (), told.token_logprobs or (), tops, strict=False)
        ]
        counted = getattr(answer.usage, "prompt_tokens", None)
        return rows, counted if isinstance(counted, int) else len(rows) - 1


def _choice(answer: Any) -> Any:
    choices = getattr(answer, "choices", None)
    if not choices:
        raise ValueError("no choices")
    return choices[0]


def _vllm_row(row: dict[str, Any] | None) -> _Row:
    """vLLM: a map from token id to logprob, rank and text; the prompt's own token comes first.

    The very first position is null: nothing stands before it.
    """
    if not row:
        return _Row("", None, {})
    entries = list(row.values())
    own = entries[0]
    others = {str(entry["decoded_token"]): float(entry["logprob"]) for entry in entries}
    return _Row(str(own["decoded_token"]), float(own["logprob"]), others, int(own["rank"]))
