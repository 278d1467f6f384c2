"""Tokens as the page keeps them: short arrays, because an answer may have thousands.

A described token is ``[id, text, logprob, rank, entropy, [id, text, logprob, ...]]``, the last its top
alternatives, flat; natural logs, rounded to four places. Where a token's bytes are no UTF-8 (half a
character) its text is the list of its bytes. A token of which only the id is known is that number alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from playground.types import Token

Row = int | list[object]


def token_rows(tokens: Iterable[Token]) -> list[Row]:
    """The rows of tokens."""
    return [token_row(token) for token in tokens]


def token_row(token: Token) -> Row:
    """One token; with its text as soon as anything is known of its distribution."""
    if token.rank is None:
        return token.id
    others: list[object] = []
    for other in token.alternatives:
        others += [other.id, shown_bytes(other.bytes), _short(other.logprob)]
    return [
        token.id,
        shown_bytes(token.bytes),
        _short(token.logprob),
        token.rank,
        _short(token.entropy),
        others,
    ]


def known_rows(tokens: Iterable[Token]) -> list[Row]:
    """As ``token_rows``, with the text of every token, also of one that has no distribution."""
    rows: list[Row] = []
    for token in tokens:
        row = token_row(token)
        rows.append(row if isinstance(row, list) else [row, shown_bytes(token.bytes), None, None, None, []])
    return rows


def shown_bytes(raw: bytes) -> str | list[int]:
    """A token's bytes as text, or as numbers where they are no text by themselves."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return list(raw)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
