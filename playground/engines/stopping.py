"""Finds the end of an answer in streamed text, and never lets part of a possible stop out.

Knows text and ``StopRule`` only: no tokens, no model. One matcher serves one sample. What it finds does
not depend on how the text was cut into chunks: the rule whose match is complete first ends the text, and
of several complete at the same character the one that began first.

While any rule exists, what could still become a stop is held back, and white space too, because the white
space before a stop belongs to the stop. When the text ends without a stop:

* at EOS, white space at the end is dropped and half a stop is released (the model wrote no more of it);
* by length or cancel, all of it is released: it is what the model wrote when it was cut off, and a
  continuation must find it there. Only a complete closing line at the very end still counts as the stop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playground.types import StopRule

_BLANKS = " \t\r"
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})(.*)")


@dataclass(frozen=True, slots=True)
class _Fence:
    """A Markdown code fence that is open: CommonMark 0.31, section 4.5, at any indentation."""

    marker: str

    def is_closed_by(self, line: str) -> bool:
        """Whether ``line`` is this fence's end: the same character, at least as long, nothing else."""
        match = _FENCE.match(line)
        return (
            match is not None
            and match[1][0] == self.marker[0]
            and len(match[1]) >= len(self.marker)
            and not match[2].strip()
        )


def _opened_by(line: str) -> _Fence | None:
    """The fence that ``line`` opens, or None; an info string holds no backtick after backticks."""
    match = _FENCE.match(line)
    if match is None or (match[1][0] == "`" and "`" in match[2]):
        return None
    return _Fence(match[1])


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    rule: StopRule


def _first(one: _Match | None, other: _Match | None) -> _Match | None:
    """The match that begins first."""
    if one is None or other is None:
        return one or other
    return one if one.start <= other.start else other


class StopMatcher:
    """Feeds on chunks of text and returns what is safe to show.

    Raises:
        ValueError: A rule is empty.
    """

    def __init__(self, rules: Sequence[StopRule]) -> None:
        if any(not rule.text for rule in rules):
            raise ValueError("a stop rule is empty; remove it or give it a text")
        self._rules = tuple(rules)
        self._whole = tuple(rule for rule in rules if rule.place == "whole_line")
        self._inline = tuple(rule for rule in rules if rule.place != "whole_line")
        self._held = ""
        # What stands before the held text: an answer begins at the start of a line.
        self._before = "\n"
        self._line = ""
        self._fence: _Fence | None = None
        self._stopped: StopRule | None = None

    @property
    def stopped(self) -> StopRule | None:
        """The rule that ended the text, or None while it goes on."""
        return self._stopped

    def feed(self, text: str) -> str:
        """Text that is now known to belong to the answer. After a stop: nothing more."""
        if not self._rules:
            return text
        if self._stopped is not None:
            return ""
        at = len(self._held)
        self._held += text
        for position in range(at, len(self._held)):
            character = self._held[position]
            found = self._completed(position + 1)
            if character == "\n":
                found = _first(found, self._closing_line(position))
            if found is not None:
                return self._stop(found)
            if character == "\n":
                self._end_line()
            else:
                self._line += character
        return self._release(self._safe_length())

    def finish(self, *, eos: bool) -> str:
        """What was held back, once the text has ended without a stop; may still find a closing line.

        Args:
            eos: The model ended the text itself; otherwise it was cut off by length or cancel.
        """
        if not self._rules or self._stopped is not None:
            return ""
        found = self._closing_line(len(self._held))
        if found is not None:
            return self._stop(found)
        return self._release(len(self._held.rstrip()) if eos else len(self._held))

    def _completed(self, end: int) -> _Match | None:
        """The inline rule that is complete at ``end``; the one that began first if there are several."""
        found: _Match | None = None
        for rule in self._inline:
            start = end - len(rule.text)
            if start < 0 or not self._held.startswith(rule.text, start):
                continue
            if rule.place == "anywhere" or self._is_line_start(start):
                found = _first(found, _Match(start, rule))
        return found

    def _closing_line(self, line_end: int) -> _Match | None:
        """The whole-line rule that the line before ``line_end`` matches."""
        if self._fence is not None:
            return None
        text = self._held[:line_end].rstrip(_BLANKS)
        for rule in self._whole:
            wanted = rule.text.rstrip(_BLANKS)
            start = len(text) - len(wanted)
            if wanted and start >= 0 and text.endswith(wanted) and self._is_line_start(start):
                return _Match(start, rule)
        return None

    def _is_line_start(self, position: int) -> bool:
        return (self._held[position - 1] if position else self._before) == "\n"

    def _end_line(self) -> None:
        """Follow the code fences that the answer opens and closes."""
        if self._whole:
            if self._fence is None:
                self._fence = _opened_by(self._line)
            elif self._fence.is_closed_by(self._line):
                self._fence = None
        self._line = ""

    def _safe_length(self) -> int:
        """How much of the held text can neither be part of a stop nor white space before one."""
        first = len(self._held)
        for rule in self._rules:
            if rule.place == "whole_line" and self._fence is not None:
                continue
            for length in range(min(len(rule.text), len(self._held)), 0, -1):
                start = len(self._held) - length
                if (
                    start < first
                    and self._held.endswith(rule.text[:length])
                    and (rule.place == "anywhere" or self._is_line_start(start))
                ):
                    first = start
                    break
        for rule in self._whole if self._fence is None else ():
            # The marker is complete, but only the end of its line tells whether it stands alone.
            wanted = rule.text.rstrip(_BLANKS)
            text = self._held.rstrip(_BLANKS)
            start = len(text) - len(wanted)
            if wanted and text.endswith(wanted) and start >= 0 and self._is_line_start(start):
                first = min(first, start)
        return len(self._held[:first].rstrip())

    def _stop(self, found: _Match) -> str:
        """Everything before the stop, without the white space in front of it."""
        self._stopped = found.rule
        released = self._held[: found.start].rstrip()
        self._held = ""
        return released

    def _release(self, length: int) -> str:
        released, self._held = self._held[:length], self._held[length:]
        if released:
            self._before = released[-1]
        return released
