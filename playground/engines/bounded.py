"""An engine whose completions are bounded, whatever is asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from playground.engines.base import Cancel, Engine, EngineInfo, Event, GenerateRequest, Scores
from playground.errors import UnsupportedError
from playground.types import Piece


class BoundedEngine:
    """Passes everything on to another engine, with fewer tokens where too many were asked for.

    Args:
        inner: Does the work.
        max_tokens: Most tokens of one completion; None for as many as are asked for.
        samples: Most samples of one call; None for as many as are asked for.
    """

    def __init__(self, inner: Engine, *, max_tokens: int | None, samples: int | None) -> None:
        self.inner = inner
        self._max_tokens = max_tokens
        self._samples = samples

    @property
    def info(self) -> EngineInfo:
        """What was loaded."""
        return self.inner.info

    @property
    def alive(self) -> bool:
        """Whether the model is loaded now."""
        return self.inner.alive

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        """See ``Engine.tokenize``."""
        return self.inner.tokenize(pieces, add_bos=add_bos)

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """See ``Engine.detokenize``."""
        return self.inner.detokenize(ids)

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        """See ``Engine.token_sizes``."""
        return self.inner.token_sizes(ids)

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """See ``Engine.generate``.

        Raises:
            UnsupportedError: More samples than there may be.
        """
        asked = sum(request.n for request in requests)
        if self._samples is not None and asked > self._samples:
            raise UnsupportedError(
                f"{asked} samples were asked for and at most {self._samples} are drawn at once here."
            )
        return self.inner.generate([self._bounded(request) for request in requests], cancel=cancel)

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
        """See ``Engine.score``; one forward within the context, which is the bound."""
        return self.inner.score(context, target, top=top, full=full, exact=exact, cancel=cancel)

    def warm(self, pieces: Sequence[Piece], *, cancel: Cancel | None = None) -> None:
        """See ``Engine.warm``."""
        self.inner.warm(pieces, cancel=cancel)

    def close(self) -> None:
        """Free the model."""
        self.inner.close()

    def _bounded(self, request: GenerateRequest) -> GenerateRequest:
        if self._max_tokens is None or request.sampling.max_tokens <= self._max_tokens:
            return request
        return replace(request, sampling=replace(request.sampling, max_tokens=self._max_tokens))
