"""The store of lines: token runs, and where their KV is, so that no prefix is computed twice.

A line is a text that was or is being decoded. While it is live it owns a sequence of the context; when it
ends, its KV is also kept in RAM as parts, of which lines with a common beginning share the first ones. A
new text takes the longest common token prefix over all lines: sharing a live line's cells is metadata
only, bringing a parked one back is a copy (some 5 ms for 1,024 tokens of a 135M model, against seconds).

Idle lines leave the context as soon as another text is taken in, because attention costs follow the
highest used cell, whoever owns it. Owned by the decode thread; knows no requests and no text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from playground.engines.arrays import IntArray
from playground.engines.batching.decoding import DecodeContext
from playground.engines.batching.prefix import common_prefix
from playground.engines.batching.snapshots import SnapshotStore

# Less than this in common is not worth a copy.
_WORTHWHILE = 8
_MOST_PARTS = 12
# Enough for some presets and the conversations behind them; what each request looks through.
_MOST_IDLE = 48
_SHORT = 256
# A line that begins like another for less than this is parked whole, not as that one's large part and a rest.
_WORTH_A_PART = 64
# Reading a file takes about as long as computing this many tokens more.
_WORTH_A_FILE = 32


@dataclass(frozen=True, slots=True)
class Part:
    """KV of the positions [start, end) of a line; ``data`` may hold more at its end."""

    data: bytearray
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Line:
    """A run of tokens; the first ``length`` of its ``known`` tokens are in the KV.

    ``seq`` is its sequence while it is in the context; ``parts`` its KV in RAM as far as it is there.
    """

    buffer: IntArray
    known: int
    length: int = 0
    seq: int | None = None
    parts: list[Part] = field(default_factory=list)
    live: bool = True
    used: int = 0

    @property
    def tokens(self) -> IntArray:
        """All known tokens."""
        return self.buffer[: self.known]

    @property
    def parked(self) -> int:
        """How many of its first tokens have their KV in RAM."""
        return self.parts[-1].end if self.parts else 0

    @property
    def own_tokens(self) -> int:
        """How many of its tokens it does not share with the line that it was forked from."""
        return self.length - (self.parts[-1].start if self.parts else 0)

    def append(self, token: int) -> None:
        """Add a token whose KV is still to be computed."""
        if self.known == len(self.buffer):
            self.buffer = np.concatenate([self.buffer, np.zeros_like(self.buffer)])
        self.buffer[self.known] = token
        self.known += 1


class LineStore:
    """All lines of one context.

    Args:
        context: Whose sequences these are; the last one is kept for copying.
        parked_bytes: Most RAM for parked KV; the least recently used lines go first.
        can_rewind: Whether a text may be cut; without that nothing is shared.
        disk: Keeps prefixes from one session to the next.
    """

    def __init__(
        self,
        context: DecodeContext,
        *,
        parked_bytes: int,
        can_rewind: bool,
        disk: SnapshotStore | None = None,
    ) -> None:
        self._context = context
        self._disk = disk
        self._budget = parked_bytes
        self._can_rewind = can_rewind
        self._scratch = context.options.n_seqs - 1
        self._free = list(range(context.options.n_seqs - 1))
        self._lines: list[Line] = []
        self._clock = 0

    @property
    def parked_bytes(self) -> int:
        """RAM that parked KV takes; shared parts count once."""
        data = {id(part.data): len(part.data) for line in self._lines for part in line.parts}
        return sum(data.values())

    def find(self, tokens: IntArray, most: int) -> tuple[Line | None, int]:
        """The line that shares the longest prefix of at most ``most`` tokens, and its length."""
        best: Line | None = None
        length = 0
        if not self._can_rewind:
            return None, 0
        for line in self._lines:
            have = line.length if line.seq is not None else line.parked
            if min(have, most) < max(length, _WORTHWHILE):
                continue
            shared = min(common_prefix(line.buffer[:have], tokens), most)
            in_context = best is not None and best.seq is None and line.seq is not None
            if shared >= _WORTHWHILE and (shared > length or (shared == length and in_context)):
                best, length = line, shared
        return best, length

    def begin(self, tokens: IntArray, most: int) -> Line | None:
        """A live line for ``tokens`` with as much KV as is known, at most ``most`` of its tokens.

        Returns None where every sequence is taken.
        """
        source, length = self.find(tokens, most)
        if self._disk is not None:
            source, length = self._with_disk(self._disk, source, length, tokens, most)
        if not self._has_room():
            return None
        line = Line(np.concatenate([tokens, np.zeros(64, np.int32)]), len(tokens))
        line.seq = self._free.pop(0)
        if source is not None:
            self._tick(source)
            if source.seq is not None:
                self.park(source, length)
                self._context.share(source.seq, line.seq, 0, length)
                line.length = length
                line.parts = _cut(source.parts, length)
        if not self._context.options.idle_is_free:
            self.release_idle()
        if line.length == 0 and all(other.seq is None for other in self._lines):
            # Empty: start at the lowest cells again, or attention would pay for those below as well.
            self._context.clear()
        if source is not None and line.length == 0:
            self._restore(line, source, length)
        if line.length < _WORTH_A_PART:
            line.parts = []
        self._tick(line)
        self._lines.append(line)
        return line

    def fork(self, source: Line) -> Line | None:
        """Another live line with the same tokens and KV, or None where every sequence is taken."""
        if source.seq is None or not self._has_room():
            return None
        self.park(source, source.length)
        line = Line(source.buffer.copy(), source.known, source.length, self._free.pop(0))
        assert line.seq is not None
        self._context.share(source.seq, line.seq, 0, source.length)
        line.parts = list(source.parts)
        self._tick(line)
        self._lines.append(line)
        return line

    def _has_room(self) -> bool:
        """Whether a sequence is free, once idle lines have made way."""
        if not self._free:
            self.release_idle()
        return bool(self._free)

    def end(self, line: Line) -> None:
        """A live line became idle: its KV is parked, and stays in the context until others need it."""
        line.live = False
        line.known = line.length
        self.park(line, line.length)
        if line.length < _WORTHWHILE or self._is_covered(line):
            self.forget(line)
        self._trim()

    def forget(self, line: Line) -> None:
        """Drop a line and free its sequence."""
        self._release(line)
        if line in self._lines:
            self._lines.remove(line)

    def suspend(self, line: Line) -> None:
        """Take a live line out of the context; ``resume`` brings it back. For when the KV is full."""
        self.park(line, line.length)
        self._release(line)
        line.length = 0

    def resume(self, line: Line) -> bool:
        """Bring a suspended line back as far as it was parked; False where every sequence is taken."""
        if not self._has_room():
            return False
        line.seq = self._free.pop(0)
        self._restore(line, line, min(line.parked, line.known - 1))
        return True

    def release_idle(self) -> bool:
        """Take idle lines out of the context; True if there were any."""
        idle = [line for line in self._lines if not line.live and line.seq is not None]
        if self._context.options.idle_is_free:
            # They may stay as long as there is room: only what was not used for longest makes way.
            idle = sorted(idle, key=lambda line: line.used)[:1]
        for line in idle:
            self._release(line)
            if not line.parts:
                self._lines.remove(line)
        return bool(idle)

    def park(self, line: Line, length: int) -> None:
        """Copy the KV of the first ``length`` tokens to RAM, as far as it is not there yet."""
        if line.seq is None or length <= line.parked or not self._can_rewind or not self._budget:
            return
        start = 0 if len(line.parts) >= _MOST_PARTS else line.parked
        if start == 0 and length == line.length:
            data = self._context.save(line.seq)
        else:
            self._context.share(line.seq, self._scratch, start, length)
            data = self._context.save(self._scratch)
            self._context.drop(self._scratch)
        if not data or len(data) > self._budget:
            return
        line.parts = [*(line.parts if start else []), Part(data, start, length)]

    def clear(self) -> None:
        """Forget everything; for when the context's state is in doubt."""
        self._context.clear()
        for line in self._lines:
            line.seq = None
            line.parts = []
        self._lines.clear()
        self._free = list(range(self._context.options.n_seqs - 1))

    def _with_disk(
        self, disk: SnapshotStore, source: Line | None, length: int, tokens: IntArray, most: int
    ) -> tuple[Line | None, int]:
        """The better source, which may be on disk; a long prefix that is used again is kept there."""
        if source is not None and source.parts and source.parts[0].end >= length * 7 // 8:
            part = source.parts[0]
            disk.offer(source.buffer[: part.end], part.data)
        snapshot, shared = disk.find(tokens)
        shared = min(shared, most)
        if snapshot is None or shared < length + _WORTH_A_FILE or not self._can_rewind:
            return source, length
        data = disk.load(snapshot)
        if data is None or len(data) > self._budget:
            return source, length
        count = len(snapshot.tokens)
        line = Line(snapshot.tokens, count, count, parts=[Part(data, 0, count)], live=False)
        self._lines.append(line)
        return line, shared

    def _restore(self, line: Line, source: Line, length: int) -> None:
        """Bring the first ``length`` parked tokens of ``source`` into ``line``'s sequence."""
        assert line.seq is not None
        line.parts = _cut(source.parts, length)
        line.length = 0
        for part in line.parts:
            if not self._context.load(self._scratch, part.data):
                # No room: what could not be brought back is computed again.
                self._context.drop(self._scratch)
                break
            self._context.share(self._scratch, line.seq, part.start, part.end)
            self._context.drop(self._scratch)
            line.length = part.end

    def _release(self, line: Line) -> None:
        if line.seq is not None:
            self._context.drop(line.seq)
            self._free.append(line.seq)
            line.seq = None

    def _is_covered(self, line: Line) -> bool:
        """Whether another line holds all of this one; idle lines that this one holds are dropped."""
        for other in list(self._lines):
            if other is line:
                continue
            have = other.length if other.seq is not None else other.parked
            shared = common_prefix(line.tokens, other.buffer[:have])
            if shared == line.length:
                return True
            if shared == have and not other.live:
                self.forget(other)
        return False

    def _tick(self, line: Line) -> None:
        self._clock += 1
        line.used = self._clock

    def _trim(self) -> None:
        """Drop idle lines until what is kept fits: least recently used ones, and of many, short ones first.

        A batch of questions leaves many lines that differ in a few tokens; they must not push out another
        preset, which takes seconds to compute.
        """
        while True:
            idle = [line for line in self._lines if not line.live]
            too_many = len(idle) > _MOST_IDLE
            if not idle or (not too_many and self.parked_bytes <= self._budget):
                return
            short = [line for line in idle if line.own_tokens < _SHORT] if too_many else []
            self.forget(min(short or idle, key=lambda line: line.used))


def _cut(parts: list[Part], length: int) -> list[Part]:
    """The parts of the first ``length`` tokens."""
    return [Part(part.data, part.start, min(part.end, length)) for part in parts if part.start < length]
