"""What is behind a file, an address or standard input; real servers on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from playground.imports import source
from playground.imports.result import PresetImportError
from playground.imports.source import decoded, fetch, read_source


class _Handler(BaseHTTPRequestHandler):
    stop = threading.Event()

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/round":
            self.send_response(302)
            self.send_header("Location", "/round")
            self.end_headers()
        elif self.path.startswith("/prompt"):
            self._answer(b"User: q\nAssistant: a\n")
        elif self.path == "/large":
            self._answer(b"x" * 2_000_001)
        elif self.path == "/stalls":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x")
            self.wfile.flush()
            self.stop.wait(20)
        elif self.path == "/drips":
            self.send_response(200)
            self.end_headers()
            while not self.stop.wait(0.05):
                self.wfile.write(b"x")
                self.wfile.flush()
        else:
            self.send_error(404)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass  # a client that had enough


@pytest.fixture
def address() -> Iterator[str]:
    _Handler.stop.clear()
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    _Handler.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_gives_its_text_and_a_name(address: str) -> None:
    read = read_source(f"{address}/prompt%20one.txt?raw=1", allow_private=True)
    assert (read.text, read.source, read.name) == ("User: q\nAssistant: a\n", "prompt one.txt", "prompt one")


def test_redirects_are_followed_to_http_only(address: str) -> None:
    assert fetch(f"{address}/to//prompt.txt", allow_private=True)[1].endswith("/prompt.txt")
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:1"):
        with pytest.raises(PresetImportError, match="no http address"):
            fetch(f"{address}/to/{target}", allow_private=True)
    with pytest.raises(PresetImportError, match="more than 5 times"):
        fetch(f"{address}/round", allow_private=True)


def test_private_addresses_are_refused_unless_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PresetImportError, match="--allow-private"):
        read_source(f"{address}/prompt.txt")
    port = address.rpartition(":")[2]
    for host in ("localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1", "10.0.0.1"):
        with pytest.raises(PresetImportError, match="private network"):
            fetch(f"http://{host}:{port}/prompt.txt")
    for ip in ("169.254.169.254", "192.168.1.1", "100.64.0.1", "224.0.0.1", "fe80::1"):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        found = [(family, socket.SOCK_STREAM, 6, "", (ip, 80))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=found, **__: found)
        with pytest.raises(PresetImportError, match="private network"):
            fetch("http://presets.example/x")


def test_a_redirect_to_a_private_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first host is judged public and the second is not: each step is judged by itself."""
    judged: list[str] = []

    def public(host: str, port: int, *, allow_private: bool) -> str:
        judged.append(host)
        if len(judged) == 1:
            return "127.0.0.1"
        raise PresetImportError("an address of a private network")

    monkeypatch.setattr(source, "_public_ip", public)
    port = address.rpartition(":")[2]
    with pytest.raises(PresetImportError, match="private network"):
        fetch(f"http://presets.example:{port}/to/http://inside.example/x")
    assert judged == ["presets.example", "inside.example"]


def test_too_large_too_slow_and_not_there(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PresetImportError, match="larger than 2 MB"):
        fetch(f"{address}/large", allow_private=True)
    with pytest.raises(PresetImportError, match="answers 404"):
        fetch(f"{address}/nothing", allow_private=True)
    monkeypatch.setattr(source, "CONNECT_S", 0.3)
    monkeypatch.setattr(source, "TOTAL_S", 0.5)
    for path in ("stalls", "drips"):
        with pytest.raises(PresetImportError, match="did not answer in time"):
            fetch(f"{address}/{path}", allow_private=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(PresetImportError, match="cannot be fetched"):
        fetch(f"http://127.0.0.1:{port}/", allow_private=True)


@pytest.mark.parametrize(
    "given", ["http://", "http://[", "http://x:99999/", "file:///etc/passwd", "gopher://x"]
)
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(PresetImportError):
        read_source(given, allow_private=True)


def test_files_and_encodings(tmp_path: Path) -> None:
    path = tmp_path / "my prompt.txt"
    path.write_bytes("a\r\n中".encode())
    read = read_source(str(path))
    assert (read.text, read.name) == ("a\r\n中", "my prompt")
    path.write_bytes("中".encode("utf-16"))
    assert read_source(str(path)).text == "中"
    assert "UTF-16" in read_source(str(path)).notes[0]
    western = decoded(b"ab\ncd\xe9 and more words", source="x", name="x")
    assert western.text == "ab\ncd\xe9 and more words"
    assert "not UTF-8; it was read as" in western.notes[0]
    with pytest.raises(PresetImportError, match="not UTF-16 text"):
        decoded(b"\xff\xfea", source="x", name="x")
    mended = decoded("ab\nc\xe9".encode() + b"\xe9\n", source="x", name="x")
    assert (mended.text, mended.notes) == (
        "ab\nc\xe9\ufffd\n",
        ("Line 2: 1 of its characters could not be decoded and became U+FFFD.",),
    )
    with pytest.raises(PresetImportError, match="not text"):
        decoded(b"\0\1\xff\xfe\0\1\2\3", source="x", name="x")
    with pytest.raises(PresetImportError, match="cannot be read"):
        read_source(str(tmp_path / "missing"))
    with pytest.raises(PresetImportError, match="cannot be read"):
        read_source("a\0b")
