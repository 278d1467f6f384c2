"""The engine interface: complete and score tokens, and nothing else.

Knows no chat format, no preset, no page. A request carries pieces of text, sampling and stop rules; what
comes back is a stream of events, of which exactly one per sample is final. Implementations: ``fake``
(scripted, ships with the package), ``llamacpp``, ``transformers``, ``server``, and ``client`` (any of them in
a process of its own).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from playground.types import FinishReason, Piece, SamplingParams, StopRule, Token, Usage

Capability = Literal["generate", "resume", "score", "score_full", "logprobs", "exact", "embed"]
# Why no engine here has the capability ``embed``.
NO_EMBEDDINGS = "No engine of this program embeds texts yet."


class Cancel:
    """A one-way switch that ends the requests it was passed with. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._callbacks: list[Callable[[], None]] = []

    def set(self) -> None:
        """Ask the work to end; every callback runs once, in this thread."""
        with self._lock:
            if self._set:
                return
            self._set = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def is_set(self) -> bool:
        """Whether ``set`` was called."""
        return self._set

    def on_set(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run ``callback`` when the switch is set, or now if it already is.

        Returns what takes the callback back, so that a switch that outlives its work does not grow.
        """
        with self._lock:
            if not self._set:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock:
            self._callbacks = [kept for kept in self._callbacks if kept is not callback]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a loaded model is. Token ids are None where the vocabulary has no such token.

    Attributes:
        name: The model's own name from its metadata, or its file name.
        engine: ``llama.cpp``, ``fake`` ...
        n_ctx: Context in tokens, as loaded. n_ctx_train: as trained.
        n_vocab: Size of the vocabulary.
        add_bos: Whether the model wants a BOS in front of every text.
        eos_ids: Tokens that end a generation.
        special_tokens: Texts that tokenize to one control token when specials are parsed.
        chat_template: Jinja source from the model's metadata, if any. Only shown and used above.
        bos_text / eos_text: Their texts, for chat templates; empty where there is none.
        parameters, size_bytes: Of the weights. load_s: seconds it took to load.
        device, dtype: Where it runs (``cpu``, ``cuda:0``, a server's host and port) and in what numbers
            its weights are (``bfloat16``, ``Q4_K_M``), where that is known.
        lacks: What it cannot do, each with the reason as a sentence; every capability is here or above.
        counts_estimated: Its token counts are estimates, because nobody here has its tokenizer.
        layout: What else its floats depend on, as loaded: threads, ``n_ubatch``, flash attention, KV types.
    """

    name: str
    engine: str
    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    add_bos: bool
    bos_id: int | None
    eos_ids: tuple[int, ...]
    special_tokens: tuple[str, ...] = ()
    chat_template: str | None = None
    bos_text: str = ""
    eos_text: str = ""
    architecture: str = ""
    parameters: int = 0
    size_bytes: int = 0
    load_s: float = 0.0
    capabilities: tuple[Capability, ...] = ("generate", "score")
    device: str = ""
    dtype: str = ""
    lacks: tuple[tuple[Capability, str], ...] = ()
    counts_estimated: bool = False
    layout: tuple[tuple[str, str | int | bool], ...] = ()


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One prompt to be continued ``n`` times.

    Attributes:
        prompt: Pieces in order. Special tokens are parsed only where a piece allows it, and exactly one
            BOS is put in front where the model wants one.
        sampling: How tokens are drawn.
        stop: What ends the text besides EOS.
        n: Number of samples; sample i is seeded with ``seed + i``.
        logprobs: None for bare tokens; k >= 0 for logprob, rank and entropy and the top k alternatives.
        exact: The same floats whatever else runs or ran; slower. An engine that cannot refuses.
        begun: Token ids that every sample begins with, taken as they are. They come back first, bare; they
            count as output for penalties and stops, as prompt for ``usage``, and not for ``max_tokens``. An
            engine without the capability ``resume`` refuses.
    """

    prompt: tuple[Piece, ...]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    stop: tuple[StopRule, ...] = ()
    n: int = 1
    logprobs: int | None = None
    exact: bool = False
    begun: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of one sample. Never half a character, never part of a possible stop.

    ``tokens`` are those whose first byte lies in text released so far, each once; a delta may bring
    tokens without text or text without tokens.
    """

    request: int
    sample: int
    text: str
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The one final event of a sample.

    ``seed`` is the one used; ``stop`` the rule's text that ended it, if one did; ``error`` a sentence where
    ``finish_reason`` is ``error`` (what was written before it stands), and where it is ``length`` because
    the context was full.
    """

    request: int
    sample: int
    finish_reason: FinishReason
    usage: Usage
    seed: int = 0
    stop: str | None = None
    error: str | None = None


Event = Delta | Finished


@dataclass(frozen=True, slots=True)
class Scores:
    """How likely a target text was after its context.

    Attributes:
        tokens: The target's tokens with logprob, rank, entropy and the top alternatives.
        full: With ``full=True`` the float32 log-probabilities ``[n_tokens, n_vocab]``; else None.
        usage: Times and counts of the forward.
    """

    tokens: tuple[Token, ...]
    usage: Usage
    full: npt.NDArray[np.float32] | None = None


class Engine(Protocol):
    """A loaded model. Every method may be called from several threads at once."""

    @property
    def info(self) -> EngineInfo:
        """What was loaded."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the model is loaded now; not after its process ended, until a call starts it again."""
        ...

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        """Token ids of the pieces joined; answered while the model is busy."""
        ...

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined; special tokens are written out."""
        ...

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        """How many bytes each id stands for, as ``detokenize`` writes it; tells where a token begins."""
        ...

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """Continue each request; events of all samples come interleaved as they happen.

        The iterator may be closed early, which cancels what is still running; so does ``cancel`` from any
        thread, and then every sample still ends with a ``Finished("cancelled")``. A failure of one request
        is a ``Finished("error")``, not an exception.

        Raises:
            EngineDiedError: On the first ``next`` where the process is already gone and cannot be started.
        """
        ...

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
        """Log-probabilities of ``target``'s tokens after ``context``, by one forward pass.

        The joined text is tokenized as a whole; a token belongs to the target if its first byte does, or if
        it reaches into the target from white space at the context's end, or holds all of the target. The
        very first token of a text without BOS has no logprob (None).

        Raises:
            ContextLengthError: The two together do not fit the context.
            UnsupportedError: ``full`` or ``exact`` on an engine that cannot.
        """
        ...

    def warm(self, pieces: Sequence[Piece], *, cancel: Cancel | None = None) -> None:
        """Compute a prefix that will probably be asked for, while nothing else is to be done.

        Returns when it is there or was given up: for ``cancel``, or for the first real request.
        """
        ...

    def close(self) -> None:
        """Free the model. Calling it again does nothing."""
        ...
