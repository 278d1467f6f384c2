"""One sample of one request, streamed from a server in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from playground.engines.base import Delta, Event, Finished, GenerateRequest
from playground.engines.limits import context_full
from playground.engines.server.answers import UNKNOWN_ID, Chunk, UnreadableAnswerError, read_chunk
from playground.engines.server.chat import CLOSE_THINKING, OPEN_THINKING, messages_of
from playground.engines.server.connection import Served, ServerConnection
from playground.engines.server.dialect import extra_body, plain_options
from playground.engines.streaming import Released, TextStream
from playground.errors import EngineError
from playground.types import FinishReason, Token, Usage

_ENDS: dict[str, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "stop"}


class ServedSample:
    """Asks for one continuation and hands its events to ``emit``; exactly one of them is final.

    Args:
        connection: The server.
        served: The model there.
        prompt: Text or token ids; not used for a conversation.
        request: What was asked.
        place: (request, sample).
        seed: Of this sample.
        prompt_tokens: As counted here, for where the server does not say.
        n_ctx: Where an answer ends for want of room.
        emit: Takes the events, in the sample's thread.
    """

    def __init__(
        self,
        connection: ServerConnection,
        served: Served,
        prompt: str | list[int],
        request: GenerateRequest,
        place: tuple[int, int],
        *,
        seed: int,
        prompt_tokens: int,
        n_ctx: int,
        emit: Callable[[Event], None],
    ) -> None:
        self._connection = connection
        self._served = served
        self._prompt = prompt
        self._request = request
        self._index, self._sample = place
        self.seed = seed
        self._prompt_tokens = prompt_tokens
        self._n_ctx = n_ctx
        self._emit = emit
        self._text = TextStream(request.stop)
        self._cancelled = threading.Event()
        self._response: Any = None
        self._count = 0
        self._is_reasoning = False
        self._cached = 0
        self._started = time.perf_counter()
        self._first: float | None = None

    def cancel(self) -> None:
        """End it from any thread; the final event says so."""
        self._cancelled.set()
        _hang_up(self._response)

    def run(self) -> None:
        """Ask, stream, and end."""
        if self._cancelled.is_set():
            self._finish("cancelled")
            return
        try:
            stream = self._connection.retried(self._open, stopped=self._cancelled)
        except EngineError as error:
            self._finish("cancelled" if self._cancelled.is_set() else "error", str(error))
            return
        self._response = getattr(stream, "response", None)
        try:
            reason = self._read(stream)
        except (EngineError, UnreadableAnswerError) as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  the client's, its transport's, a decoder's
            self._fail(error)
        else:
            self._finish(reason)
        finally:
            with contextlib.suppress(Exception):
                stream.close()

    def _fail(self, error: Exception) -> None:
        if self._cancelled.is_set():
            self._finish("cancelled")
        else:
            said = error if isinstance(error, EngineError) else self._connection.broken(error)
            self._finish("error", str(said))

    def _open(self) -> Any:
        params = self._request.sampling
        options: dict[str, Any] = {
            "model": self._served.model,
            "seed": self.seed,
            "stream": True,
            **plain_options(self._served.dialect, params),
        }
        top = self._request.logprobs
        more = extra_body(self._served.dialect, params, logprobs=top is not None)
        messages = messages_of(self._request.prompt)
        client = self._connection.client
        if messages is not None:
            if top is not None:
                options |= {"logprobs": True, "top_logprobs": max(top, 1)}
            said = [{"role": message.role, "content": message.content} for message in messages]
            return client.chat.completions.create(messages=said, extra_body=more, **options)  # type: ignore[arg-type]
        if top is not None:
            options["logprobs"] = max(top, 1)
        return client.completions.create(prompt=self._prompt, extra_body=more, **options)

    def _read(self, stream: Any) -> FinishReason:
        """Pass on what comes; returns why it ended."""
        ended: FinishReason | None = None
        for event in stream:
            if self._cancelled.is_set():
                return "cancelled"
            chunk = read_chunk(event, self._request.logprobs)
            self._prompt_tokens = chunk.prompt_tokens or self._prompt_tokens
            self._cached = chunk.cached_tokens or self._cached
            tokens = self._with_reasoning(chunk)
            if tokens:
                self._first = self._first or time.perf_counter()
                self._count += len(tokens)
                self._send(self._text.add(tokens))
            self._count = chunk.completion_tokens or self._count
            if self._text.stopped is not None:
                return "stop"
            if chunk.finish_reason is not None:
                ended = _ENDS.get(chunk.finish_reason, "stop")
        if self._cancelled.is_set():
            return "cancelled"
        if ended is None:
            raise EngineError(
                f"The server at {self._connection.address} ended the answer before it was finished."
            )
        return ended

    def _with_reasoning(self, chunk: Chunk) -> tuple[Token, ...]:
        """The chunk's reasoning and tokens; the markers belong to the tokens beside them."""
        tokens = chunk.tokens
        if chunk.reasoning:
            opening = "" if self._is_reasoning else OPEN_THINKING
            self._is_reasoning = True
            tokens = (Token(UNKNOWN_ID, (opening + chunk.reasoning).encode()), *tokens)
            first = 1
        else:
            first = 0
        if self._is_reasoning and len(tokens) > first:
            self._is_reasoning = False
            closed = replace(tokens[first], bytes=CLOSE_THINKING.encode() + tokens[first].bytes)
            tokens = (*tokens[:first], closed, *tokens[first + 1 :])
        return tokens

    def _send(self, released: Released) -> None:
        if released:
            self._emit(Delta(self._index, self._sample, released.text, released.tokens))

    def _finish(self, reason: FinishReason, error: str | None = None) -> None:
        self._send(self._text.finish(eos=reason == "stop" and self._text.stopped is None))
        stopped = self._text.stopped
        if stopped is not None and reason == "length":
            reason = "stop"
        now = time.perf_counter()
        first = now if self._first is None else self._first
        usage = Usage(
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached,
            completion_tokens=self._count,
            prefill_s=first - self._started,
            decode_s=now - first,
        )
        said = error if reason == "error" else None
        if reason == "length" and self._prompt_tokens + self._request.sampling.max_tokens > self._n_ctx:
            said = context_full(self._n_ctx)
        stop = None if stopped is None else stopped.text
        self._emit(Finished(self._index, self._sample, reason, usage, self.seed, stop=stop, error=said))


def _hang_up(response: Any) -> None:
    """Shut the connection down under a thread that waits for more of it; closing would not wake it."""
    network = None if response is None else response.extensions.get("network_stream")
    connected = None if network is None else network.get_extra_info("socket")
    if isinstance(connected, socket.socket):
        with contextlib.suppress(OSError):
            # Closed with a reset: what the server still sends is nobody's, and it must not wait for that.
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
