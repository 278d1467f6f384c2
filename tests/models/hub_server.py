"""A server on the loopback that speaks what huggingface_hub needs, and misbehaves as it is told."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

import pytest

_PIECE = 16 * 1024
COMMIT = "c0ffee00" * 5
DATA = random.Random(1).randbytes(900_000)
REPOSITORY = "someone/Far-GGUF"
FILE = "Far.Q4_K_M.gguf"


@dataclass
class Hosted:
    """A repository as the server tells of it.

    Attributes:
        files: What is said to be there; the checksums are of these bytes.
        sent: What is really sent for a file, where that differs.
        claimed: How large a file is said to be in the list, where that differs.
        small: Names of files that are kept in git itself, and so have a git hash alone.
        status: Answered in place of any file; ``code`` is the Hub's own word for it.
        api_status: Answered in place of the list of files.
        cut_after: Break the connection after so many bytes of a response; one number a response.
        stall_after: Send so many bytes of a response, then nothing until the server is closed.
        no_ranges: Answer 200 with everything, whatever range was asked for.
        wait: Called with the total of bytes sent of a file, after each piece.
    """

    files: dict[str, bytes]
    sent: dict[str, bytes] = field(default_factory=dict)
    claimed: dict[str, int] = field(default_factory=dict)
    small: set[str] = field(default_factory=set)
    status: int = 200
    code: str = ""
    api_status: int = 200
    gated: bool = False
    cut_after: list[int] = field(default_factory=list)
    stall_after: list[int] = field(default_factory=list)
    no_ranges: bool = False
    wait: Callable[[int], None] = lambda sent: None
    token: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        return  # a client that was killed


class HubServer:
    """Serves repositories; ``requests`` lists ``(method, path, range)``."""

    def __init__(self) -> None:
        self.repositories: dict[str, Hosted] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.closing = threading.Event()
        server = self

        class Handler(_Handler):
            hub = server

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serving(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[HubServer]:
    """A server with one repository, which processes that are started meanwhile take for the Hub."""
    with HubServer() as server:
        server.repositories[REPOSITORY] = Hosted({FILE: DATA})
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_HOME", str(home))
        monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "30")
        monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "30")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, self.headers.get("Range", "")))
        api, name, rest = _split(path)
        hosted = self.hub.repositories.get(name)
        if hosted is None:
            self._refuse(404, "RepoNotFound")
        elif hosted.token and self.headers.get("Authorization") != f"Bearer {hosted.token}":
            self._refuse(401, "GatedRepo" if hosted.gated else "RepoNotFound")
        elif api:
            self._list(name, hosted, rest)
        else:
            self._file(hosted, rest, body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _list(self, name: str, hosted: Hosted, rest: str) -> None:
        if hosted.api_status != 200:
            self._refuse(hosted.api_status, hosted.code)
            return
        if rest not in ("", "revision/main", f"revision/{COMMIT}"):
            self._refuse(404, "RevisionNotFound")
            return
        siblings = []
        for file, data in hosted.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            size = hosted.claimed.get(file, len(data))
            sibling: dict[str, object] = {"rfilename": file, "size": size, "blobId": blob}
            if file not in hosted.small:
                digest = hashlib.sha256(data).hexdigest()
                sibling["lfs"] = {"size": size, "sha256": digest, "pointerSize": 130}
            siblings.append(sibling)
        answer = {
            "id": name,
            "modelId": name,
            "sha": COMMIT,
            "private": False,
            "gated": "manual" if hosted.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "cardData": {"license": "apache-2.0"},
            "siblings": siblings,
        }
        self._send(200, json.dumps(answer).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _file(self, hosted: Hosted, rest: str, body: bool) -> None:
        revision, _, file = rest.removeprefix("resolve/").partition("/")
        if hosted.status != 200:
            self._refuse(hosted.status, hosted.code)
            return
        data = hosted.sent.get(file, hosted.files.get(file))
        if data is None or revision not in ("main", COMMIT):
            self._refuse(404, "EntryNotFound")
            return
        start = 0
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and not hosted.no_ranges:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{hashlib.sha256(hosted.files.get(file, data)).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self._body(hosted, data, start)

    def _body(self, hosted: Hosted, data: bytes, start: int) -> None:
        cut = hosted.cut_after.pop(0) if hosted.cut_after else None
        stall = hosted.stall_after.pop(0) if hosted.stall_after else None
        end = len(data) if cut is None else min(len(data), start + cut)
        end = end if stall is None else min(end, start + stall)
        try:
            for at in range(start, end, _PIECE):
                self.wfile.write(data[at : min(at + _PIECE, end)])
                self.wfile.flush()
                hosted.wait(min(at + _PIECE, end))
            if stall is not None:
                self.hub.closing.wait(30)
            if end < len(data):
                self.close_connection = True
        except OSError:
            self.close_connection = True


def _split(path: str) -> tuple[bool, str, str]:
    """Whether it is the API, the repository's name, and what is asked of it."""
    parts = path.strip("/").split("/")
    api = parts[:2] == ["api", "models"]
    if api:
        parts = parts[2:]
    return api, "/".join(parts[:2]), "/".join(parts[2:])
