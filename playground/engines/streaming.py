"""Turns the tokens of one sample into text that is safe to show, and says when it has ended.

Every engine uses it, so that half characters, stops and the tokens of a released text mean the same
everywhere. Knows bytes, characters and stop rules; no model.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from playground.engines.stopping import StopMatcher
from playground.types import StopRule, Token


@dataclass(frozen=True, slots=True)
class Released:
    """Text that may be shown, and the tokens whose first byte lies in what has been released so far."""

    text: str = ""
    tokens: tuple[Token, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.tokens)


class TextStream:
    """Decodes, holds back and releases the text of one sample.

    Bytes that are no UTF-8 become U+FFFD, as everywhere in Python; half a character at the end of the
    text is dropped together with its tokens.
    """

    def __init__(self, rules: Sequence[StopRule]) -> None:
        self._matcher = StopMatcher(rules)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._decoded = 0
        self._released = 0
        # Each waiting token with the index of the character that holds its first byte.
        self._waiting: deque[tuple[int, Token]] = deque()

    @property
    def stopped(self) -> StopRule | None:
        """The rule that ended the text, or None."""
        return self._matcher.stopped

    def add(self, tokens: Sequence[Token]) -> Released:
        """Take the next tokens; returns what may be shown now."""
        text = ""
        for token in tokens:
            self._waiting.append((self._decoded, token))
            decoded = self._decoder.decode(token.bytes)
            self._decoded += len(decoded)
            text += decoded
        return self._release(self._matcher.feed(text))

    def finish(self, *, eos: bool) -> Released:
        """The rest, once the text has ended: by EOS, or (``eos=False``) cut off by length or cancel."""
        return self._release(self._matcher.finish(eos=eos))

    def _release(self, text: str) -> Released:
        self._released += len(text)
        tokens: list[Token] = []
        while self._waiting:
            at, token = self._waiting[0]
            # A token without bytes (a control token) goes with the text in front of it.
            if at >= self._released + (not token.bytes):
                break
            tokens.append(token)
            self._waiting.popleft()
        return Released(text, tuple(tokens))
