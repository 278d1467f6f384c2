"""Refusals in words: what does not fit a context, with the figures and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from playground.engines.base import GenerateRequest
from playground.types import SamplingParams

MOST_TOKEN_BYTES = 32
"""No text that people write has tokens of more bytes than this on average, white space left out."""


def least_tokens(text: str) -> int:
    """How many tokens a text has at least, told without a tokenizer; 0 for a short one.

    Tokenizing some megabytes takes seconds and hundreds of megabytes of memory, only to find that they do not
    fit. White space counts nothing, because long runs of it are single tokens of some vocabularies.
    """
    if len(text) < MOST_TOKEN_BYTES:
        return 0
    return len("".join(text.split()).encode("utf-8", "surrogatepass")) // MOST_TOKEN_BYTES


def far_over(texts: Iterable[str], n_ctx: int) -> bool:
    """Whether texts are together so long that they need not be tokenized to know that they do not fit."""
    return sum(map(least_tokens, texts)) > n_ctx


def far_over_refusal(texts: Sequence[str], n_ctx: int, what: str = "The text") -> str | None:
    """Why texts are not even tokenized, or None."""
    if not far_over(texts, n_ctx):
        return None
    return (
        f"{what} has {sum(map(len, texts)):,} characters, far more than fit into the context of "
        f"{n_ctx:,} tokens; shorten it."
    )


def request_refusal(request: GenerateRequest, prompt_tokens: int, n_ctx: int) -> str | None:
    """Why a request cannot be run, or None."""
    if request.n < 1:
        return f"{request.n} samples were asked for; ask for 1 or more."
    if any(not rule.text for rule in request.stop):
        return "A stop rule is empty; remove it or give it a text."
    return sampling_refusal(request.sampling) or context_refusal(prompt_tokens, n_ctx)


def begun_refusal(begun: Sequence[int], n_vocab: int) -> str | None:
    """Which token that an answer is to begin with does not exist, or None."""
    wrong = next((token for token in begun if not 0 <= token < n_vocab), None)
    if wrong is None:
        return None
    return f"Token {wrong} is none of this model's {n_vocab:,}; ask the model that the answer came from."


def sampling_refusal(params: SamplingParams) -> str | None:
    """Which sampling option has a value that means nothing, or None."""
    checks = (
        (params.temperature >= 0, "temperature", params.temperature, "0 or more"),
        (params.top_k >= 0, "top_k", params.top_k, "0 or more"),
        (0 < params.top_p <= 1, "top_p", params.top_p, "above 0 and at most 1"),
        (0 <= params.min_p < 1, "min_p", params.min_p, "at least 0 and below 1"),
        (params.repetition_penalty > 0, "repetition_penalty", params.repetition_penalty, "above 0"),
        (params.max_tokens >= 0, "max_tokens", params.max_tokens, "0 or more"),
    )
    for holds, name, value, allowed in checks:
        if not holds:
            return f"The sampling option {name} is {value}; it must be {allowed}."
    return None


def context_refusal(prompt_tokens: int, n_ctx: int) -> str | None:
    """Why a prompt cannot be continued, or None if at least one token can follow it."""
    if prompt_tokens == 0:
        return "The prompt is empty and this model has no token to begin with; write something."
    if prompt_tokens < n_ctx:
        return None
    return (
        f"The prompt has {prompt_tokens:,} tokens and the context holds {n_ctx:,}; "
        "shorten the examples or raise n_ctx."
    )


def score_refusal(tokens: int, n_ctx: int) -> str | None:
    """Why a text cannot be scored, or None if it fits."""
    if tokens <= n_ctx:
        return None
    return (
        f"The text to score has {tokens:,} tokens with its context and the context holds {n_ctx:,}; "
        "shorten it or raise n_ctx."
    )


def context_full(n_ctx: int) -> str:
    """What is said where an answer ended because the context was full."""
    return f"The context of {n_ctx:,} tokens is full; start a new conversation or raise n_ctx."
