"""The way to one server: address, key, retries, and what it said of itself when it was first asked."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import openai

from playground.engines.server.dialect import LLAMA_CPP_PYTHON, OPENAI, TRANSFORMERS, Dialect, by_owner
from playground.engines.server.keys import KEY_VARIABLE, find_key
from playground.engines.server.sentences import sentence
from playground.errors import EngineError, ModelLoadError

_Result = TypeVar("_Result")
ATTEMPTS = 4
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0


@dataclass(frozen=True, slots=True)
class Served:
    """A model as its server describes it; ``n_ctx`` is None where it does not say."""

    model: str
    dialect: Dialect
    n_ctx: int | None


class ServerConnection:
    """Asks one server; thread-safe.

    Args:
        address: Base address, with or without ``/v1``.
        timeout_s: How long a server may say nothing, before and within an answer.
        first_pause_s: Before the first retry; it doubles each time.
    """

    def __init__(
        self, address: str, *, timeout_s: float = 60.0, first_pause_s: float = _FIRST_PAUSE_S
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ModelLoadError(f"{address} is no server's address; it looks like http://127.0.0.1:8000/v1")
        if parts.username or parts.password:
            raise ModelLoadError(f"Leave the key out of the address and set {KEY_VARIABLE} instead.")
        path = parts.path.rstrip("/")
        self.root = f"{parts.scheme}://{parts.netloc}{path.removesuffix('/v1')}"
        self.address = f"{self.root}/v1"
        self.timeout_s = timeout_s
        self._first_pause_s = first_pause_s
        self._key = find_key(self.root)
        self.client = openai.OpenAI(
            base_url=self.address,
            api_key=self._key or "none",
            max_retries=0,
            timeout=openai.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
        )

    def describe(self, wanted: str) -> Served:
        """The model of that name, or the server's first.

        Raises:
            ModelLoadError: The server cannot be asked, or has no such model.
        """
        try:
            listed: Any = self.retried(lambda: self.post("GET", f"{self.address}/models"))
            models = {str(model["id"]): model for model in listed["data"]}
        except EngineError as error:
            raise ModelLoadError(str(error)) from error
        except (TypeError, KeyError) as error:
            raise ModelLoadError(self._say(error)) from error
        name = wanted or next(iter(models), "")
        model = models.get(name, {})
        dialect = by_owner(str(model.get("owned_by", ""))) or self._probe()
        # transformers lists what was downloaded, and serves other models besides.
        if not name or (name not in models and dialect is not TRANSFORMERS):
            raise ModelLoadError(
                f"The server at {self.address} has no model '{wanted}', only: {', '.join(models) or 'none'}."
            )
        return Served(name, dialect, _context(model))

    def _probe(self) -> Dialect:
        """What a server is whose list of models does not say it."""
        if self._has("extras/tokenize/count", {"input": "a"}):
            return LLAMA_CPP_PYTHON
        return TRANSFORMERS if "/load_model" in self._paths() else OPENAI

    def _paths(self) -> Collection[str]:
        """What the server says that it can be asked."""
        try:
            told: Any = self.post("GET", f"{self.root}/openapi.json")
            return frozenset(told["paths"])
        except (openai.OpenAIError, OSError, ValueError, TypeError, KeyError):
            return ()

    def post(self, method: str, url: str, body: object = None) -> Any:
        """The decoded JSON of an endpoint that the client has no name for."""
        if method == "GET":
            return self.client.get(url, cast_to=object)
        return self.client.post(url, cast_to=object, body=body)

    def _has(self, path: str, body: object) -> bool:
        try:
            self.post("POST", f"{self.root}/{path}", body)
        except (openai.OpenAIError, OSError, ValueError):
            return False
        return True

    def retried(self, ask: Callable[[], _Result], *, stopped: threading.Event | None = None) -> _Result:
        """The answer to ``ask``, asked again with growing pauses while the server is busy or failing.

        What is asked must have no effect, as a question to a model has none.

        Raises:
            EngineError: With one sentence, once that was enough.
        """
        pause = self._first_pause_s
        stop = stopped or threading.Event()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return ask()
            except Exception as error:
                if attempt == ATTEMPTS or stop.is_set() or not _may_pass(error):
                    raise EngineError(self._say(error)) from error
                stop.wait(max(_asked_pause(error), pause * random.uniform(0.8, 1.2)))
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        raise AssertionError("unreachable")

    def broken(self, error: BaseException) -> EngineError:
        """The error of an answer that had begun."""
        return EngineError(self._say(error, started=True))

    def _say(self, error: BaseException, *, started: bool = False) -> str:
        return sentence(error, self.address, timeout_s=self.timeout_s, started=started, key=self._key)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _context(model: dict[str, Any]) -> int | None:
    """VLLM says ``max_model_len``, llama-server ``meta.n_ctx_train``; others nothing."""
    value = model.get("max_model_len") or (model.get("meta") or {}).get("n_ctx_train")
    return value if isinstance(value, int) and value > 0 else None


def _may_pass(error: BaseException) -> bool:
    """Whether asking again may help: busy, failing, or not reached. Not a hang, which would only double."""
    if isinstance(error, openai.APITimeoutError):
        return False
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 425, 429) or error.status_code >= 500
    refused = isinstance(error, openai.APIConnectionError)
    return refused and "CERTIFICATE" not in repr(error.__cause__).upper()


def _asked_pause(error: BaseException) -> float:
    """Seconds that the server asked to wait, at most the longest pause."""
    response = getattr(error, "response", None)
    said = response.headers.get("retry-after", "") if response is not None else ""
    try:
        return min(max(float(said), 0.0), _LONGEST_PAUSE_S)
    except ValueError:
        return 0.0
