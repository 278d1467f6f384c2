"""A llama-server over HTTP, as the benchmark's third side; any that speaks its ``/completion``.

The request format is llama.cpp's (tools/server/README.md in its repository): JSON in, server-sent events out.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from playground.errors import EngineError


class Peer:
    """A server at ``url``, e.g. ``http://127.0.0.1:8080``.

    Raises:
        EngineError: It does not answer.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise EngineError(f"{url} is no address of a server; use one like http://127.0.0.1:8080.")
        self._host, self._port = parts.hostname, parts.port or 80
        self._path = parts.path.rstrip("/") + "/completion"
        self.first_token_s("a")

    def first_token_s(self, text: str) -> float:
        """Seconds to the first token of a continuation."""
        return self._stream(text, 1)[0]

    def rate(self, text: str, n_tokens: int) -> float:
        """Tokens per second after the first one."""
        first_s, total_s, tokens = self._stream(text, n_tokens)
        return (tokens - 1) / (total_s - first_s)

    def all_s(self, texts: list[str], n_tokens: int) -> float:
        """Seconds for all texts, asked at once."""
        failed: list[EngineError] = []

        def ask(text: str) -> None:
            try:
                self._stream(text, n_tokens)
            except EngineError as error:
                failed.append(error)

        started = time.perf_counter()
        threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        return time.perf_counter() - started

    def _stream(self, text: str, n_tokens: int) -> tuple[float, float, int]:
        """Seconds to the first token, seconds in all, and the number of tokens."""
        body = {
            "prompt": text, "n_predict": n_tokens, "temperature": 0.0, "cache_prompt": True, "stream": True,
            "ignore_eos": True,
        }  # fmt: skip
        connection = http.client.HTTPConnection(self._host, self._port, timeout=600)
        started = time.perf_counter()
        first_s, tokens = 0.0, 0
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self._path, json.dumps(body), headers)
            response = connection.getresponse()
            if response.status != 200:
                raise EngineError(f"The server at {self._host}:{self._port} answered {response.status}.")
            for line in response:
                if not line.startswith(b"data: ") or line.strip() == b"data: [DONE]":
                    continue
                event = json.loads(line[6:])
                first_s = first_s or time.perf_counter() - started
                tokens += len(event.get("tokens") or [0]) if not event.get("stop") else 0
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineError(f"The server at {self._host}:{self._port} does not answer: {error}.") from error
        finally:
            connection.close()
        return first_s, time.perf_counter() - started, tokens
