"""An engine that plays a script: for tests of timing and failure, and for pages without a model.

Its tokenizer is byte-level (one token a byte, so ``max_tokens`` counts bytes), its logits are uniform. With
a script it yields exactly the chunks it was given; without one it draws letters, seeded.
"""

from __future__ import annotations

import math
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from playground.engines.base import (
    NO_EMBEDDINGS,
    Cancel,
    Delta,
    EngineInfo,
    Event,
    Finished,
    GenerateRequest,
    Scores,
)
from playground.engines.limits import begun_refusal, context_full, request_refusal, score_refusal
from playground.engines.pieces import joined_bytes, special_ranges
from playground.engines.seeds import draw_seed
from playground.engines.streaming import TextStream
from playground.errors import ContextLengthError, EngineError
from playground.types import Alternative, FinishReason, Piece, Token, Usage

BOS, EOS, TURN = 256, 257, 258
_SPECIALS = {"<|bos|>": BOS, "<|eos|>": EOS, "<|turn|>": TURN}
_SPECIAL_BYTES = {token: text.encode() for text, token in _SPECIALS.items()}
_SPECIAL_PATTERN = re.compile("|".join(map(re.escape, _SPECIALS)).encode())
_N_VOCAB = 259
_LETTERS = b"abcdefghijklmnopqrstuvwxyz "


@dataclass(frozen=True, slots=True)
class FakeReply:
    """What the fake says to one prompt.

    Attributes:
        chunks: Texts in order; each becomes one delta as far as the stop rules let it.
        delay_s: Pause before each chunk; a cancel ends it at once.
        repeat: Start again at the end of the chunks, so that only a limit, a stop or a cancel ends it.
        fail_at: Chunk before which the request fails with ``error``.
        die_at: Chunk before which the process ends (in a worker) or pretends to (in place).
        error: The sentence of the failure.
    """

    chunks: Sequence[str] = ()
    delay_s: float = 0.0
    repeat: bool = False
    fail_at: int | None = None
    die_at: int | None = None
    error: str = "The fake engine failed as its script says."


@dataclass(frozen=True, slots=True)
class FakeScript:
    """Which reply goes to which prompt, as data, so that it can travel to a worker process.

    Attributes:
        replies: Pairs of a text and a reply: the first whose text occurs in the prompt is played. An empty
            text matches every prompt.
        load_error: If set, loading fails with this sentence.
        load_s: Seconds that loading takes.
    """

    replies: tuple[tuple[str, FakeReply], ...] = ()
    load_error: str = ""
    load_s: float = 0.0

    def __call__(self, prompt: str, sample: int) -> FakeReply | None:
        """The reply for ``prompt``, or None for seeded letters."""
        return next((reply for text, reply in self.replies if text in prompt), None)

    def pause(self) -> None:
        """Take as long as loading is said to take."""
        time.sleep(self.load_s)


class Player(Protocol):
    """Chooses what is played; ``chunks`` may be any iterable of a test's making."""

    def __call__(self, prompt: str, sample: int) -> FakeReply | Iterable[str] | None:
        """The reply to ``prompt`` in sample ``sample``."""
        ...


def _pretend_to_die() -> None:
    raise EngineError("The model's process was killed (SIGKILL). The next message loads the model again.")


@dataclass(slots=True)
class _Voice:
    """One sample being played."""

    request: int
    sample: int
    seed: int
    asked: GenerateRequest
    prompt_tokens: int
    reply: FakeReply
    chunks: Iterator[str]
    stream: TextStream
    started: float = field(default_factory=time.perf_counter)
    first: float | None = None
    count: int = 0
    played: int = 0


class FakeEngine:
    """Plays chunks; see ``FakeReply``. Thread-safe, because calls share nothing that changes.

    Args:
        script: A ``FakeScript``, any callable of (prompt, sample), or a list of chunks for every prompt.
        n_ctx: Context in tokens (bytes).
        add_bos: Whether the model wants a BOS.
        die: What ``die_at`` does; a worker passes a function that ends its process.
        name: The model's name.
    """

    def __init__(
        self,
        script: Player | Sequence[str] | None = None,
        *,
        n_ctx: int = 65_536,
        add_bos: bool = True,
        die: Callable[[], None] = _pretend_to_die,
        name: str = "fake",
    ) -> None:
        self._play: Player | None
        if script is None or callable(script):
            self._play = script
        else:
            chunks = tuple(script)
            self._play = lambda prompt, sample: FakeReply(chunks)
        self._die = die
        self._closed = threading.Event()
        self._info = EngineInfo(
            name=name,
            engine="fake",
            n_ctx=n_ctx,
            n_ctx_train=n_ctx,
            n_vocab=_N_VOCAB,
            add_bos=add_bos,
            bos_id=BOS,
            eos_ids=(EOS,),
            special_tokens=tuple(_SPECIALS),
            bos_text="<|bos|>",
            eos_text="<|eos|>",
            architecture="fake",
            capabilities=("generate", "resume", "score", "score_full", "logprobs"),
            lacks=(("exact", "The fake engine computes nothing."), ("embed", NO_EMBEDDINGS)),
            device="cpu",
        )

    @property
    def info(self) -> EngineInfo:
        """What was loaded."""
        return self._info

    @property
    def alive(self) -> bool:
        """Whether it was not closed."""
        return not self._closed.is_set()

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        """One token a byte; special texts are one token where their piece allows it."""
        return self._encode(pieces, add_bos=add_bos)[0]

    def _encode(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> tuple[list[int], list[int]]:
        """Ids, and the byte of the joined text at which each starts (-1 for a BOS that was added)."""
        self._must_be_open()
        joined = joined_bytes(pieces)
        ids, starts = [*joined], [*range(len(joined))]
        for begin, end in reversed(special_ranges(pieces)):
            for match in reversed(list(_SPECIAL_PATTERN.finditer(joined, begin, end))):
                ids[match.start() : match.end()] = [_SPECIALS[match[0].decode()]]
                starts[match.start() + 1 : match.end()] = []
        if add_bos and self._info.add_bos and ids[:1] != [BOS]:
            return [BOS, *ids], [-1, *starts]
        return ids, starts

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids; special tokens are written out."""
        self._must_be_open()
        return b"".join(_SPECIAL_BYTES.get(token) or bytes([token]) for token in ids)

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        """How many bytes each id stands for."""
        return [len(self.detokenize([token])) for token in ids]

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """Play each request's reply, a chunk of every sample in turn."""
        wake = threading.Event()
        forget = cancel.on_set(wake.set) if cancel is not None else None
        try:
            yield from self._generate(requests, wake)
        finally:
            if forget is not None:
                forget()

    def _generate(self, requests: Sequence[GenerateRequest], wake: threading.Event) -> Iterator[Event]:
        voices: list[_Voice] = []
        for index, request in enumerate(requests):
            ids = [*self.tokenize(request.prompt), *request.begun]
            base = request.sampling.seed
            seed = draw_seed() if base is None else base
            refusal = begun_refusal(request.begun, _N_VOCAB) or request_refusal(
                request, len(ids), self._info.n_ctx
            )
            for sample in range(request.n):
                if refusal:
                    usage = Usage(prompt_tokens=len(ids))
                    yield Finished(index, sample, "error", usage, seed + sample, error=refusal)
                else:
                    voice = self._voice(index, sample, seed + sample, request, len(ids))
                    ended = request.begun[-1:] == (EOS,)
                    shown = request.begun[:-1] if ended else request.begun
                    begun = voice.stream.add([self._token(t, None, known=False) for t in shown])
                    if begun:
                        yield Delta(index, sample, begun.text, begun.tokens)
                    if ended or voice.stream.stopped is not None:
                        yield from self._end(voice, "stop")
                    else:
                        voices.append(voice)
        while voices:
            for voice in list(voices):
                for event in self._step(voice, wake):
                    yield event
                    if isinstance(event, Finished):
                        voices.remove(voice)

    def score(
        self,
        context: Sequence[Piece],
        target: Sequence[Piece],
        *,
        top: int = 0,
        full: bool = False,
        exact: bool = False,
        cancel: Cancel | None = None,
    ) -> Scores:
        """Every token is as likely as any other."""
        ids, starts = self._encode([*context, *target])
        refusal = score_refusal(len(ids), self._info.n_ctx)
        if refusal:
            raise ContextLengthError(refusal)
        border = sum(len(piece.text.encode()) for piece in context)
        tokens = tuple(
            self._token(token, top, known=position > 0)
            for position, (token, start) in enumerate(zip(ids, starts, strict=True))
            if start >= border
        )
        rows = np.full((len(tokens), _N_VOCAB), -math.log(_N_VOCAB), np.float32) if full else None
        return Scores(tokens, Usage(prompt_tokens=len(ids)), rows)

    def warm(self, pieces: Sequence[Piece], *, cancel: Cancel | None = None) -> None:
        """Nothing is computed, so nothing is kept warm."""

    def close(self) -> None:
        """Calls after this are refused, as by an engine that has freed its model."""
        self._closed.set()

    def _must_be_open(self) -> None:
        if self._closed.is_set():
            raise EngineError("The model was closed; open it again.")

    def _voice(
        self, index: int, sample: int, seed: int, request: GenerateRequest, prompt_tokens: int
    ) -> _Voice:
        prompt = "".join(piece.text for piece in request.prompt)
        played = self._play(prompt, sample) if self._play is not None else None
        chunks: Iterator[str]
        if played is None:
            reply = FakeReply()
            chunks = _letters(seed, greedy=request.sampling.temperature == 0)
        elif isinstance(played, FakeReply):
            reply = played
            chunks = _repeated(reply.chunks) if reply.repeat else iter(reply.chunks)
        else:
            reply = FakeReply()
            chunks = iter(played)
        stream = TextStream(request.stop)
        return _Voice(index, sample, seed, request, prompt_tokens, reply, chunks, stream)

    def _step(self, voice: _Voice, wake: threading.Event) -> Iterator[Event]:
        """The events of one chunk."""
        reply, limit = voice.reply, voice.asked.sampling.max_tokens
        if wake.wait(reply.delay_s) if reply.delay_s else wake.is_set():
            yield from self._end(voice, "cancelled")
            return
        try:
            if reply.fail_at == voice.played:
                raise EngineError(reply.error)
            if reply.die_at == voice.played:
                self._die()
            chunk = next(voice.chunks, None)
        except EngineError as error:
            yield from self._end(voice, "error", str(error))
            return
        if chunk is None or limit == 0:
            yield from self._end(voice, "stop" if limit else "length")
            return
        voice.played += 1
        top = voice.asked.logprobs
        room = self._info.n_ctx - voice.prompt_tokens
        ids = chunk.encode()[: min(limit, room) - voice.count]
        voice.first = voice.first or time.perf_counter()
        voice.count += len(ids)
        released = voice.stream.add([self._token(token, top, known=True) for token in ids])
        if released:
            yield Delta(voice.request, voice.sample, released.text, released.tokens)
        if voice.stream.stopped is not None:
            yield from self._end(voice, "stop")
        elif voice.count >= limit:
            yield from self._end(voice, "length")
        elif voice.count >= room:
            yield from self._end(voice, "length", context_full(self._info.n_ctx))

    def _end(self, voice: _Voice, reason: FinishReason, error: str | None = None) -> Iterator[Event]:
        released = voice.stream.finish(eos=reason == "stop")
        if released:
            yield Delta(voice.request, voice.sample, released.text, released.tokens)
        stopped = voice.stream.stopped
        now = time.perf_counter()
        first = voice.first or now
        usage = Usage(
            prompt_tokens=voice.prompt_tokens,
            completion_tokens=voice.count,
            prefill_s=first - voice.started,
            decode_s=now - first,
        )
        yield Finished(
            voice.request,
            voice.sample,
            "stop" if stopped is not None and reason == "length" else reason,
            usage,
            voice.seed,
            stop=None if stopped is None else stopped.text,
            error=error,
        )

    def _token(self, token: int, top: int | None, *, known: bool) -> Token:
        data = self.detokenize([token])
        if top is None or not known:
            return Token(token, data)
        logprob = -math.log(_N_VOCAB)
        best = tuple(Alternative(i, self.detokenize([i]), logprob) for i in range(top))
        return Token(token, data, logprob, 1, math.log(_N_VOCAB), best)


def _repeated(chunks: Sequence[str]) -> Iterator[str]:
    while True:
        yield from chunks


def _letters(seed: int, *, greedy: bool) -> Iterator[str]:
    """Letters without end, as a model with uniform logits over the alphabet would write them."""
    draw = random.Random(seed)
    while True:
        yield "a" if greedy else chr(draw.choice(_LETTERS))
