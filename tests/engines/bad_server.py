"""A loopback server that misbehaves as its address says: ``http://host:port/BEHAVIOUR/v1``."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playground.engines.server.connection import ServerConnection
from playground.engines.server.engine import ServerEngine
from playground.engines.spec import EngineSpec


class BadServer(ThreadingHTTPServer):
    """Counts what it was asked, keeps the bodies, and can be told to go on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, object]] = []
        self.keys: list[str | None] = []
        self.release = threading.Event()
        self.hung_up = threading.Event()
        self.began = threading.Event()

    def address(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{behaviour}/v1"


def _event(text: str, reason: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": reason, **more}
    return f"data: {json.dumps({'id': 'x', 'object': 'text_completion', 'choices': [choice]})}\n\n".encode()


VLLM_PROMPT_LOGPROBS = [
    None,
    {
        "10": {"logprob": -2.5, "rank": 7, "decoded_token": " there"},
        "11": {"logprob": -0.5, "rank": 1, "decoded_token": " world"},
    },
    {"12": {"logprob": -0.25, "rank": 1, "decoded_token": " you"}},
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BadServer

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.server.hung_up.set()

    def do_GET(self) -> None:
        behaviour = self._behaviour()
        if behaviour == "html":
            self._send(200, b"<html>Welcome</html>", "text/html")
        elif behaviour == "models_down":
            self._send(503, b'{"error": {"message": "starting"}}')
        else:
            owner = {"vllm": "vllm"}.get(behaviour, "somebody")
            models = [{"id": "m", "object": "model", "owned_by": owner, "max_model_len": 512}]
            self._send(200, json.dumps({"object": "list", "data": models}).encode())

    def do_POST(self) -> None:
        behaviour = self._behaviour()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith(("/completions",)):
            if behaviour == "vllm" and self.path.endswith("/tokenize"):
                self._send(200, json.dumps({"tokens": [1, *range(len(body["prompt"].split()))]}).encode())
            else:
                self._send(404, b'{"error": {"message": "no such endpoint"}}')
            return
        self.server.bodies.append(body)
        if not body.get("stream"):
            if behaviour == "vllm":
                choice = {"index": 0, "text": "", "prompt_logprobs": VLLM_PROMPT_LOGPROBS}
                self._send(200, json.dumps({"choices": [choice]}).encode())
            else:
                self._send(400, b'{"error": {"message": "echo is not supported"}}')
            return
        self.server.asked[behaviour] += 1
        getattr(self, f"_do_{behaviour}", self._do_well)(body)

    def _behaviour(self) -> str:
        self.server.keys.append(self.headers.get("Authorization"))
        return self.path.split("/")[1]

    def _send(self, code: int, data: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, *parts: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()

    def _do_well(self, body: dict[str, object]) -> None:
        usage = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
        if "messages" in body:
            chunk = {"choices": [{"index": 0, "delta": {"content": "Hi!"}, "finish_reason": "stop"}]}
            self._stream(f"data: {json.dumps(chunk)}\n\n".encode(), b"data: [DONE]\n\n")
        else:
            self._stream(_event("Hello"), _event(" you", "stop"), usage, b"data: [DONE]\n\n")

    def _do_thinks(self, body: dict[str, object]) -> None:
        """As a server that tells thinking apart from the answer, under either name."""
        deltas: list[dict[str, str | None]] = [
            {"role": "assistant", "content": None, "reasoning_content": "Is it"},
            {"reasoning": " 4?"},
            {"content": "It is"},
            {"content": " 5."},
        ]
        parts = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        parts.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        events = [f"data: {json.dumps(part)}\n\n".encode() for part in parts]
        self._stream(*events, b"data: [DONE]\n\n")

    def _do_only_thinks(self, body: dict[str, object]) -> None:
        delta = {"reasoning_content": "Hmm"}
        chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": "length"}]}
        self._stream(f"data: {json.dumps(chunk)}\n\n".encode(), b"data: [DONE]\n\n")

    def _do_busy(self, body: dict[str, object]) -> None:
        self._send(429, b'{"error": {"message": "slow down, key sk-secret123456"}}', Retry_After="0")

    def _do_busy_once(self, body: dict[str, object]) -> None:
        if self.server.asked["busy_once"] == 1:
            self._do_busy(body)
        else:
            self._do_well(body)

    def _do_fails(self, body: dict[str, object]) -> None:
        self._send(500, b'{"error": {"message": "out of memory"}}')

    def _do_locked(self, body: dict[str, object]) -> None:
        self._send(401, b'{"error": {"message": "wrong key"}}')

    def _do_echoes(self, body: dict[str, object]) -> None:
        key = str(self.headers["Authorization"])
        said = {"error": {"message": f"wrong: {key}, {key.removeprefix('Bearer ')}"}}
        self._send(401, json.dumps(said).encode())

    def _do_picky(self, body: dict[str, object]) -> None:
        self._send(400, b'{"error": {"message": "logprobs must be at most 5"}}')

    def _do_dies(self, body: dict[str, object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(_event("Hello"))
        self.wfile.flush()
        self.close_connection = True

    def _do_early(self, body: dict[str, object]) -> None:
        self._stream(_event("Hello"))

    def _do_half_a_line(self, body: dict[str, object]) -> None:
        self._stream(_event("Hello"), b'data: {"choices": [{"te')

    def _do_wrong_json(self, body: dict[str, object]) -> None:
        self._stream(_event("Hello"), b"data: {nonsense}\n\n")

    def _do_other_json(self, body: dict[str, object]) -> None:
        self._stream(b'data: {"weather": "fine"}\n\n')

    def _do_hangs(self, body: dict[str, object]) -> None:
        self._stream(_event("Hello"))
        self.server.began.set()
        self.server.release.wait()

    def _do_endless(self, body: dict[str, object]) -> None:
        self._stream(_event("Hello"))
        try:
            while not self.server.release.is_set():
                self.wfile.write(_event(" la" * 2000))
        except ConnectionError:
            self.server.hung_up.set()


@contextmanager
def bad_server() -> Iterator[BadServer]:
    """One that runs until the block ends."""
    server = BadServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def served(bad: BadServer, behaviour: str, *, timeout_s: float = 5.0) -> ServerEngine:
    """An engine over it, which waits next to nothing before it asks again."""
    address = bad.address(behaviour)
    connection = ServerConnection(address, timeout_s=timeout_s, first_pause_s=0.001)
    return ServerEngine(EngineSpec(kind="server", path=address), connection=connection)
