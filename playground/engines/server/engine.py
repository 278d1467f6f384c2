"""The engine interface over a server that speaks OpenAI's API."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from urllib.parse import urlsplit

from playground.engines.base import (
    NO_EMBEDDINGS,
    Cancel,
    Capability,
    EngineInfo,
    Event,
    Finished,
    GenerateRequest,
    Scores,
)
from playground.engines.limits import request_refusal, score_refusal
from playground.engines.pieces import joined_bytes
from playground.engines.seeds import draw_seed
from playground.engines.server.chat import MARK, TEMPLATE
from playground.engines.server.connection import ServerConnection
from playground.engines.server.dialect import engine_name, refusal
from playground.engines.server.samples import ServedSample
from playground.engines.server.scoring import PromptScorer
from playground.engines.server.tokens import EstimatedTokens, LocalTokens, ServerTokens, Tokens, unsafe_text
from playground.engines.spec import EngineSpec
from playground.errors import ContextLengthError, EngineError, UnsupportedError
from playground.types import Piece, Usage

_ASSUMED_N_CTX = 4096
_NO_EXACT = "A server has no exact mode; ask without it."
_NO_LOGPROBS = "This kind of server does not tell the logprobs of what it writes; ask without them."
_NO_FULL = "A server tells the likeliest tokens, not the whole distribution."
_NO_RESUME = "A server's answer cannot begin with given tokens; put their text at the end of the prompt."


class ServerEngine:
    """A model on a server.

    Args:
        spec: ``path`` is the address, ``served_model`` the model's name there, ``n_lanes`` the most requests
            in flight.
        connection: In place of one to that address; for tests.

    Raises:
        ModelLoadError: The server cannot be reached, or has no such model.
    """

    def __init__(self, spec: EngineSpec, *, connection: ServerConnection | None = None) -> None:
        started = time.perf_counter()
        self._connection = connection or ServerConnection(spec.path)
        try:
            self._served = self._connection.describe(spec.served_model)
            self._tokens: Tokens
            template: str | None = TEMPLATE
            if spec.tokenizer:
                self._tokens, own = LocalTokens.load(spec.tokenizer)
                template = own or TEMPLATE
            elif self._served.dialect.tokenize:
                self._tokens = ServerTokens(self._connection, self._served)
            else:
                self._tokens = EstimatedTokens()
            self._scorer = PromptScorer(self._connection, self._served)
        except BaseException:
            self._connection.close()
            raise
        at_once = 1 if self._served.dialect.one_at_a_time else spec.n_lanes
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="served")
        self._closed = False
        n_ctx = spec.n_ctx or self._served.n_ctx or _ASSUMED_N_CTX
        self._info = self._describe(n_ctx, template, time.perf_counter() - started)

    def _describe(self, n_ctx: int, template: str | None, load_s: float) -> EngineInfo:
        capabilities: list[Capability] = ["generate"]
        lacks: list[tuple[Capability, str]] = [
            ("resume", _NO_RESUME),
            ("score_full", _NO_FULL),
            ("exact", _NO_EXACT),
            ("embed", NO_EMBEDDINGS),
        ]
        if self._served.dialect.logprobs:
            capabilities.append("logprobs")
        else:
            lacks.append(("logprobs", _NO_LOGPROBS))
        if self._scorer.reason is None:
            capabilities.append("score")
        else:
            lacks.append(("score", self._scorer.reason))
        info = EngineInfo(
            name=self._served.model,
            engine=engine_name(self._served.dialect),
            n_ctx=n_ctx,
            n_ctx_train=self._served.n_ctx or n_ctx,
            n_vocab=0,
            add_bos=False,
            bos_id=None,
            eos_ids=(),
            chat_template=template,
            load_s=load_s,
            capabilities=tuple(capabilities),
            device=urlsplit(self._connection.address).netloc,
            lacks=tuple(lacks),
            counts_estimated=self._tokens.estimated,
        )
        if not isinstance(self._tokens, LocalTokens):
            return info
        vocab = self._tokens.vocab
        return replace(
            info,
            n_vocab=vocab.size,
            add_bos=vocab.add_bos,
            bos_id=vocab.bos,
            eos_ids=vocab.eog,
            special_tokens=vocab.special_texts,
            bos_text=vocab.text(vocab.bos),
            eos_text=vocab.text(vocab.eos),
        )

    @property
    def info(self) -> EngineInfo:
        """What the server said of the model, and what it cannot do."""
        return self._info

    @property
    def alive(self) -> bool:
        """Whether it was not closed; whether the server still runs shows when it is asked."""
        return not self._closed

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        """Token ids of the pieces joined; of this engine's own making where counts are estimates."""
        self._must_be_open()
        joined_bytes(pieces)  # refuses what no request can carry
        return self._tokens.encode(_without_mark(pieces), add_bos=add_bos)

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined."""
        self._must_be_open()
        return b"".join(self._tokens.piece(token) for token in ids)

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        """How many bytes each id stands for."""
        self._must_be_open()
        return [len(self._tokens.piece(token)) for token in ids]

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """Continue each request, every sample in a request of its own, so that each has its seed."""
        self._must_be_open()
        events: SimpleQueue[Event] = SimpleQueue()
        samples: dict[tuple[int, int], ServedSample] = {}
        for index, request in enumerate(requests):
            seed = draw_seed() if request.sampling.seed is None else request.sampling.seed
            if cancel is not None and cancel.is_set():
                for sample in range(request.n):
                    yield Finished(index, sample, "cancelled", Usage(), seed + sample)
                continue
            ids, refused = self._checked(request)
            usage = Usage(prompt_tokens=len(ids))
            for sample in range(request.n):
                if refused is not None:
                    yield Finished(index, sample, "error", usage, seed + sample, error=refused)
                elif request.sampling.max_tokens == 0:
                    yield Finished(index, sample, "length", usage, seed + sample)
                else:
                    samples[index, sample] = ServedSample(
                        self._connection,
                        self._served,
                        self._prompt(request.prompt, ids),
                        request,
                        (index, sample),
                        seed=seed + sample,
                        prompt_tokens=len(ids),
                        n_ctx=self._info.n_ctx,
                        emit=events.put,
                    )
        yield from self._run(samples, events, cancel)

    def _run(
        self,
        samples: dict[tuple[int, int], ServedSample],
        events: SimpleQueue[Event],
        cancel: Cancel | None,
    ) -> Iterator[Event]:
        """The samples' events until the last has ended; cancels those that are open when it is closed."""
        for one in samples.values():
            self._pool.submit(one.run)

        def stop() -> None:
            for one in list(samples.values()):
                one.cancel()

        forget = cancel.on_set(stop) if cancel is not None else None
        try:
            while samples:
                event = events.get()
                if isinstance(event, Finished):
                    del samples[event.request, event.sample]
                yield event
        finally:
            if forget is not None:
                forget()
            stop()

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
        """Log-probabilities of the target's tokens, where the server tells those of a prompt.

        Raises:
            UnsupportedError: It does not, or the whole distribution or exact mode was asked for.
        """
        self._must_be_open()
        if exact:
            raise UnsupportedError(_NO_EXACT)
        if full:
            raise UnsupportedError(_NO_FULL)
        ids = self.tokenize([*context, *target])
        refused = score_refusal(len(ids), self._info.n_ctx)
        if refused is not None:
            raise ContextLengthError(refused)
        unsafe = unsafe_text([*context, *target])
        if unsafe is not None and not self._sends_ids(context):
            raise UnsupportedError(_unsafe(unsafe))
        return self._scorer.score(context, target, top=top)

    def warm(self, pieces: Sequence[Piece], *, cancel: Cancel | None = None) -> None:
        """Nothing: a server keeps prefixes by itself, and a request only for that may cost money."""

    def close(self) -> None:
        """Let go of the connections; the server runs on."""
        if not self._closed:
            self._closed = True
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._connection.close()

    def _must_be_open(self) -> None:
        if self._closed:
            raise EngineError("The model was closed; open it again.")

    def _checked(self, request: GenerateRequest) -> tuple[list[int], str | None]:
        """The prompt's tokens, and why it cannot be asked, if so."""
        try:
            ids = self.tokenize(request.prompt)
        except EngineError as error:
            return [], str(error)
        # An empty prompt begins with whatever the server begins with.
        refused = request_refusal(request, max(len(ids), 1), self._info.n_ctx)
        refused = refused or refusal(self._served.dialect, request.sampling)
        if refused is None and request.logprobs is not None and not self._served.dialect.logprobs:
            refused = _NO_LOGPROBS
        if refused is None and request.exact:
            refused = _NO_EXACT
        if refused is None and request.begun:
            refused = _NO_RESUME
        is_chat = bool(request.prompt) and request.prompt[0].text.startswith(MARK)
        unsafe = None if is_chat or self._sends_ids(request.prompt) else unsafe_text(request.prompt)
        return ids, refused or (None if unsafe is None else _unsafe(unsafe))

    def _sends_ids(self, prompt: Sequence[Piece]) -> bool:
        return self._served.dialect.takes_ids and isinstance(self._tokens, LocalTokens)

    def _prompt(self, prompt: Sequence[Piece], ids: list[int]) -> str | list[int]:
        """Ids where they are the model's own and the server takes them; they say exactly what is meant."""
        return ids if self._sends_ids(prompt) else "".join(piece.text for piece in prompt)


def _without_mark(pieces: Sequence[Piece]) -> list[Piece]:
    """A conversation's pieces without the line that is only for people."""
    return [*itertools.dropwhile(lambda piece: piece.text == MARK, pieces)]


def _unsafe(text: str) -> str:
    return (
        f"The text holds {text}, which a server that is sent text reads as a control token; "
        "write it otherwise, or name the model's tokenizer in its catalog entry."
    )
