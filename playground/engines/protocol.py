"""Messages between a page and the worker process that runs a model, and how they are framed.

A frame is four bytes of length (little endian) and a MessagePack map, typed by msgspec on both ends, so that
nothing is ever unpickled. Every message of one call carries the call's number.
"""

from __future__ import annotations

import struct
import threading
from typing import BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt

from playground import errors
from playground.engines.base import Delta, EngineInfo, Finished, GenerateRequest, Scores
from playground.engines.pieces import half_character
from playground.engines.spec import EngineSpec
from playground.types import Piece, Token, Usage

_LENGTH = struct.Struct("<I")
# What four bytes of length can say, with room for what stands around the payload.
_LONGEST_BYTES = 4_290_000_000


class Load(msgspec.Struct, tag=True):
    """To the worker, first of all: open this engine."""

    spec: EngineSpec


class Tokenize(msgspec.Struct, tag=True):
    """To the worker; answered by ``Ids``."""

    call: int
    pieces: tuple[Piece, ...]
    add_bos: bool


class Detokenize(msgspec.Struct, tag=True):
    """To the worker; answered by ``Text``."""

    call: int
    ids: tuple[int, ...]


class TokenSizes(msgspec.Struct, tag=True):
    """To the worker; answered by ``Ids``, which are sizes in bytes."""

    call: int
    ids: tuple[int, ...]


class Generate(msgspec.Struct, tag=True):
    """To the worker; answered by many ``Progressed`` and ``Ended``, then ``Done``."""

    call: int
    requests: tuple[GenerateRequest, ...]


class Score(msgspec.Struct, tag=True):
    """To the worker; answered by ``Scored``."""

    call: int
    context: tuple[Piece, ...]
    target: tuple[Piece, ...]
    top: int
    full: bool
    exact: bool


class Warm(msgspec.Struct, tag=True):
    """To the worker; answered by ``Done``."""

    call: int
    pieces: tuple[Piece, ...]


class SetThreads(msgspec.Struct, tag=True):
    """To the worker: use this many threads from the next step on; not answered."""

    count: int


class CancelCall(msgspec.Struct, tag=True):
    """To the worker: end a call."""

    call: int


Request = Load | Tokenize | Detokenize | TokenSizes | Generate | Score | Warm | CancelCall | SetThreads


class Loading(msgspec.Struct, tag=True):
    """From the worker: the fraction loaded."""

    fraction: float


class Loaded(msgspec.Struct, tag=True):
    """From the worker: the engine is open."""

    info: EngineInfo


class Ids(msgspec.Struct, tag=True):
    """Token ids."""

    call: int
    ids: list[int]


class Text(msgspec.Struct, tag=True):
    """Bytes of tokens."""

    call: int
    data: bytes


class Progressed(msgspec.Struct, tag=True):
    """A delta of a generation."""

    call: int
    event: Delta


class Ended(msgspec.Struct, tag=True):
    """A sample's final event."""

    call: int
    event: Finished


class Scored(msgspec.Struct, tag=True):
    """Scores; ``full`` holds ``n_rows`` rows of float32."""

    call: int
    tokens: tuple[Token, ...]
    usage: Usage
    n_rows: int
    full: bytes | None

    @classmethod
    def of(cls, call: int, scores: Scores) -> Scored:
        """The message for ``scores``.

        Raises:
            EngineError: They do not fit a frame.
        """
        if scores.full is not None and scores.full.nbytes > _LONGEST_BYTES:
            raise errors.EngineError(
                f"The full log-probabilities of {len(scores.full):,} tokens take "
                f"{scores.full.nbytes / 1e9:.1f} GB; score a shorter text at a time."
            )
        full = None if scores.full is None else scores.full.tobytes()
        return cls(call, scores.tokens, scores.usage, 0 if scores.full is None else len(scores.full), full)

    def scores(self, n_vocab: int) -> Scores:
        """The scores that the message holds."""
        rows: npt.NDArray[np.float32] | None = None
        if self.full is not None:
            rows = np.frombuffer(self.full, np.float32).reshape(self.n_rows, n_vocab)
        return Scores(self.tokens, self.usage, rows)


class Done(msgspec.Struct, tag=True):
    """A call has no more to say."""

    call: int


class Failed(msgspec.Struct, tag=True):
    """A call (or loading: call 0) ended in an error of the class ``kind``."""

    call: int
    kind: str
    message: str

    @classmethod
    def of(cls, call: int, error: Exception) -> Failed:
        """The message for ``error``; an unforeseen one is reported as such."""
        kind, message = "EngineError", str(error)
        if isinstance(error, errors.PlaygroundError):
            kind = type(error).__name__
        else:
            message = f"The engine failed unexpectedly ({type(error).__name__}: {message})."
        # A message may quote what could not be sent.
        return cls(call, kind, message.encode("utf-8", "replace").decode())

    def error(self) -> errors.PlaygroundError:
        """The error, of its own class."""
        kind = getattr(errors, self.kind, errors.EngineError)
        known = isinstance(kind, type) and issubclass(kind, errors.PlaygroundError)
        error: errors.PlaygroundError = (kind if known else errors.EngineError)(self.message)
        return error


Answer = Loading | Loaded | Ids | Text | Progressed | Ended | Scored | Done | Failed


def unsendable(message: object) -> str | None:
    """Why a value cannot be sent to the other process, as a sentence; None where it can."""
    try:
        msgspec.msgpack.encode(message)
    except UnicodeEncodeError as error:
        return half_character(error)
    except (TypeError, ValueError, OverflowError) as error:
        return f"The request cannot be sent to the model's process: {error}. Change the value that it names."
    return None


class FrameWriter:
    """Writes whole messages to a pipe, from any thread."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._encoder = msgspec.msgpack.Encoder()

    def write(self, message: Request | Answer) -> None:
        """Send one message.

        Raises:
            EngineError: It holds a value that cannot be sent. Nothing was written.
            OSError, ValueError: The pipe is broken or closed.
        """
        try:
            data = self._encoder.encode(message)
            head = _LENGTH.pack(len(data))
        except (TypeError, ValueError, OverflowError, struct.error) as error:
            why = unsendable(message) or f"The request is too long to be sent ({error}); shorten it."
            raise errors.EngineError(why) from None
        with self._lock:
            self._pipe.write(head + data)
            self._pipe.flush()


def read_frame(pipe: BinaryIO) -> bytes | None:
    """The next message's bytes, or None where the pipe has ended."""
    head = _read_exactly(pipe, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    return _read_exactly(pipe, length)


def _read_exactly(pipe: BinaryIO, size: int) -> bytes | None:
    data = pipe.read(size)
    return data if len(data) == size else None
