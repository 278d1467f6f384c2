"""Token ids of prompts and what each piece takes of them, where only what changed is tokenized again.

A prompt is cut in front of lines of the template (and of some lines of long texts) into chunks, and a chunk
is remembered with the end of the line before it and the line behind it. What is not known is tokenized with
these neighbours around it, and its ids are kept only if tokens begin exactly at its edges. Tokenizers look no
further than that: those that first cut text into words see at most the white space behind a word, and in
the others nothing merges across a line's end where a token begins. Where a tokenizer's bytes are not the
text's, or a token crosses an edge, the text is tokenized as a whole, as it is when it is sent.
"""

from __future__ import annotations

import re
import threading
import weakref
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from playground.engines.base import Engine
from playground.types import Origin, Piece

MAX_TOKENS = 1_000_000  # of all chunks kept for one engine
NEIGHBOUR = 64  # characters of a chunk's neighbours: longer than any special token
LONG_TEXT = 512  # characters of a person's text from which on it is cut, too
LINES_PER_CHUNK = 8  # of such a text, on average
WHOLE_KEPT = 8
MOST_MISFITS = 8  # then this tokenizer is not tried again
_LINE_START = re.compile(r"\n(?=\S)")
_NOWHERE = Origin("turn", "text")

Segment = tuple[str, bool]
"""A stretch of one piece, and whether special tokens are parsed in it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt under a model.

    Attributes:
        ids: Token ids, a BOS included.
        by_piece: For each piece the tokens whose first byte lies in it; a BOS belongs to none.
    """

    ids: tuple[int, ...]
    by_piece: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A stretch of the prompt, ``start`` and ``end`` in characters, with its neighbours."""

    start: int
    segments: tuple[Segment, ...]
    before: tuple[Segment, ...] | None  # None at the start of the prompt, where a BOS may stand
    behind: tuple[Segment, ...]

    @property
    def key(self) -> tuple[object, ...]:
        return self.before, self.segments, self.behind


@dataclass(frozen=True, slots=True)
class _Known:
    ids: array[int]
    by_segment: tuple[int, ...]


@dataclass(slots=True)
class _EngineCache:
    lock: threading.Lock = field(default_factory=threading.Lock)
    chunks: OrderedDict[tuple[object, ...], _Known] = field(default_factory=OrderedDict)
    whole: OrderedDict[tuple[Piece, ...], Encoded] = field(default_factory=OrderedDict)
    tokens: int = 0
    last: tuple[tuple[Piece, ...], Encoded] | None = None
    misfits: int = 0  # windows in a row whose bytes were not the text's


class _MisfitError(Exception):
    """The tokens of a window do not spell its text."""


class EncodingCache:
    """Encodes prompts; see the module. Thread-safe. Forgets an engine when nobody holds it any more."""

    def __init__(self) -> None:
        self._caches: weakref.WeakKeyDictionary[Engine, _EngineCache] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def encode(self, engine: Engine, pieces: Sequence[Piece]) -> Encoded:
        """The ids of the joined pieces, the same as ``engine.tokenize`` gives."""
        pieces = tuple(piece for piece in pieces if piece.text)
        with self._lock:
            cache = self._caches.setdefault(engine, _EngineCache())
        last = cache.last
        if last is not None and last[0] == pieces:  # whoever fits a prompt asks for it again
            return last[1]
        known = self._from_chunks(engine, cache, pieces) if pieces and cache.misfits < MOST_MISFITS else None
        encoded = known if known is not None else self._whole(engine, cache, pieces)
        cache.last = pieces, encoded
        return encoded

    def _from_chunks(self, engine: Engine, cache: _EngineCache, pieces: tuple[Piece, ...]) -> Encoded | None:
        chunks = _chunks(pieces)
        with cache.lock:
            found = [cache.chunks.get(chunk.key) for chunk in chunks]
            for chunk, known in zip(chunks, found, strict=True):
                if known is not None:
                    cache.chunks.move_to_end(chunk.key)
        for first, end in _gaps(found):
            try:
                new = _encode_window(engine, chunks[first:end])
            except _MisfitError:
                cache.misfits += 1
                return None
            cache.misfits = 0
            if new is None:
                return None
            found[first:end] = new
        with cache.lock:
            for chunk, known in zip(chunks, found, strict=True):
                if known is not None and chunk.key not in cache.chunks:
                    cache.chunks[chunk.key] = known
                    cache.tokens += len(known.ids)
            while cache.tokens > MAX_TOKENS and cache.chunks:
                cache.tokens -= len(cache.chunks.popitem(last=False)[1].ids)
        return _joined(pieces, chunks, [known for known in found if known is not None])

    def _whole(self, engine: Engine, cache: _EngineCache, pieces: tuple[Piece, ...]) -> Encoded:
        with cache.lock:
            if pieces in cache.whole:
                cache.whole.move_to_end(pieces)
                return cache.whole[pieces]
        ids = engine.tokenize(pieces)
        sizes = engine.token_sizes(ids)
        lengths = [len(piece.text.encode()) for piece in pieces]
        # A BOS that the engine put in front stands for no text of ours.
        encoded = Encoded(tuple(ids), _by_segment(sizes, sum(lengths) - sum(sizes), lengths))
        with cache.lock:
            cache.whole[pieces] = encoded
            while len(cache.whole) > WHOLE_KEPT:
                cache.whole.popitem(last=False)
        return encoded


def _chunks(pieces: Sequence[Piece]) -> list[_Chunk]:
    """The prompt cut in front of lines; no chunk is empty, and together they are the whole text."""
    text = "".join(piece.text for piece in pieces)
    cuts = [0, *_cuts(pieces, text), len(text)]
    segments: list[list[Segment]] = [[] for _ in cuts[1:]]
    chunk, at = 0, 0
    for piece in pieces:
        end = at + len(piece.text)
        start = at
        while start < end:
            while cuts[chunk + 1] <= start:
                chunk += 1
            stop = min(end, cuts[chunk + 1])
            segments[chunk].append((piece.text[start - at : stop - at], piece.parse_special))
            start = stop
        at = end
    return [
        _Chunk(
            cuts[i],
            tuple(own),
            _tail(segments[i - 1]) if i else None,
            _head(segments[i + 1]) if i + 1 < len(segments) else (),
        )
        for i, own in enumerate(segments)
    ]


def _cuts(pieces: Sequence[Piece], text: str) -> Iterator[int]:
    """Places behind a line's end and in front of a character that is no white space, in order.

    One in each stretch of template, the last that both sides of which are the template's, so that it depends
    on no person's text; else the one at its end. In a long text, some, chosen by the line before.
    """
    at, i = 0, 0
    while i < len(pieces):
        start = at
        template = pieces[i].parse_special
        while i < len(pieces) and pieces[i].parse_special == template:
            at += len(pieces[i].text)
            i += 1
        places = [
            match.end() for match in _LINE_START.finditer(text, max(0, start - 1), min(len(text), at + 1))
        ]
        if template:
            inside = [place for place in places if start < place < at]
            if inside or places:
                yield inside[-1] if inside else places[-1]
        elif at - start > LONG_TEXT:
            line = start
            for place in places:
                chosen = (
                    zlib.crc32(text[max(line, place - NEIGHBOUR) : place].encode()) % LINES_PER_CHUNK == 0
                )
                if chosen and start < place < at:
                    yield place
                line = place


def _tail(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The last line of the chunk before that is not blank, at most ``NEIGHBOUR`` characters of it."""
    text = "".join(text for text, _ in segments)[-NEIGHBOUR:]
    line = text.rstrip().rfind("\n") + 1
    return _last(segments, len(text) - line)


def _last(segments: Sequence[Segment], count: int) -> tuple[Segment, ...]:
    kept: list[Segment] = []
    for text, special in reversed(segments):
        if count <= 0:
            break
        kept.append((text[-count:], special))
        count -= len(text)
    return tuple(reversed(kept))


def _head(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The first line of the chunk behind, at most ``NEIGHBOUR`` characters of it."""
    kept: list[Segment] = []
    left = NEIGHBOUR
    for text, special in segments:
        line = text.find("\n", 0, left) + 1
        kept.append((text[: line or left], special))
        left -= len(kept[-1][0])
        if line or left <= 0:
            break
    return tuple(kept)


def _gaps(found: Sequence[_Known | None]) -> Iterator[tuple[int, int]]:
    """Runs ``(first, end)`` of what is not known."""
    first: int | None = None
    for i, known in enumerate(found):
        if known is None and first is None:
            first = i
        elif known is not None and first is not None:
            yield first, i
            first = None
    if first is not None:
        yield first, len(found)


def _encode_window(engine: Engine, chunks: Sequence[_Chunk]) -> list[_Known] | None:
    """Neighbouring chunks, tokenized with what stands around them; None where a token crosses an edge.

    Raises:
        _MisfitError: The tokens do not spell the text.
    """
    before, behind = chunks[0].before, chunks[-1].behind
    segments = [*(before or ()), *(segment for chunk in chunks for segment in chunk.segments), *behind]
    ids = engine.tokenize(
        [Piece(text, _NOWHERE, parse_special=special) for text, special in segments], add_bos=before is None
    )
    sizes = engine.token_sizes(ids)
    data = "".join(text for text, _ in segments).encode()
    written = engine.detokenize(ids)
    # A BOS, and the space that some tokenizers put in front, stand for no text of ours.
    if len(written) != sum(sizes) or not written.endswith(data):
        raise _MisfitError
    known: list[_Known] = []
    token, at = 0, len(data) - len(written)
    edge = sum(len(text.encode()) for text, _ in before or ())
    if before is not None:
        token, at = _skip(sizes, token, at, edge)
        if at != edge:
            return None
    for chunk in chunks:
        lengths = [len(text.encode()) for text, _ in chunk.segments]
        first, began = token, at
        edge += sum(lengths)
        token, at = _skip(sizes, token, at, edge)
        if at != edge:
            return None
        own = sizes[first:token]
        known.append(
            _Known(array("i", ids[first:token]), _by_segment(own, began - (edge - sum(lengths)), lengths))
        )
    return known


def _skip(sizes: Sequence[int], token: int, at: int, edge: int) -> tuple[int, int]:
    """The first token that begins at ``edge`` or behind it, and where that is."""
    while token < len(sizes) and at < edge:
        at += sizes[token]
        token += 1
    return token, at


def _by_segment(sizes: Sequence[int], start: int, lengths: Sequence[int]) -> tuple[int, ...]:
    """Tokens whose first byte lies in each segment, the first token starting at byte ``start`` of them."""
    counts = [0] * len(lengths)
    if not lengths:
        return ()
    current, end = 0, lengths[0]
    for size in sizes:
        while current < len(lengths) - 1 and start >= end:
            current += 1
            end += lengths[current]
        if start >= 0:
            counts[current] += 1
        start += size
    return tuple(counts)


def _joined(pieces: Sequence[Piece], chunks: Sequence[_Chunk], known: Sequence[_Known]) -> Encoded:
    ids = array("i")
    counts = [0] * len(pieces)
    piece, left = 0, len(pieces[0].text)
    for chunk, one in zip(chunks, known, strict=True):
        ids.extend(one.ids)
        for (text, _), count in zip(chunk.segments, one.by_segment, strict=True):
            counts[piece] += count
            left -= len(text)
            if left == 0 and piece + 1 < len(pieces):
                piece += 1
                left = len(pieces[piece].text)
    return Encoded(tuple(ids), tuple(counts))
