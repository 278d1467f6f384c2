"""What is behind a file, an address or standard input; real servers on loopback."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from playground.imports import source
from playground.imports.addresses import is_public
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


@pytest.mark.parametrize(
    "ip",
    [
        # Forms that carry an IPv4 address of this machine or of a private network.
        *("::127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a00:1"),
        *("64:ff9b:1::1", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:808:808::1", "2001:0:7f00:1::"),
        # Special purposes of their own.
        *("192.0.0.192", "192.88.99.1", "192.0.0.9", "192.0.2.1", "198.18.0.1", "203.0.113.9", "0.1.2.3"),
        *("240.0.0.1", "255.255.255.255", "100.127.255.255", "172.31.0.1", "::", "::1", "100::1", "fc00::1"),
        *("fec0::1", "fe80::1", "ff02::1", "2001:db8::1", "3fff::1", "2001:20::1", "5f00::1", "4000::1"),
    ],
)
def test_special_addresses_are_not_public(ip: str) -> None:
    assert not is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize(
    "ip",
    [
        *("8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.0.1.1"),
        *("192.88.98.1", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e"),
        *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860:4860::8888", "2001:200::1"),
    ],
)
def test_addresses_of_servers_are_public(ip: str) -> None:
    assert is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize(
    "host",
    [
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "192.0.0.192",
        "192.88.99.1",
    ],
)
def test_an_address_in_numbers_is_judged_before_it_is_connected_to(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> socket.socket:
        raise AssertionError("it was connected to")

    monkeypatch.setattr(socket, "create_connection", never)
    with pytest.raises(PresetImportError, match="private network"):
        fetch(f"http://{host}/x")


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "192.168.0.1", "2002:7f00:1::"]
)
def test_a_name_that_resolves_to_this_machine_is_refused_also_behind_a_redirect(
    inside: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host's name stands for a public address, and the one it leads to for one inside."""
    port = int(address.rpartition(":")[2])
    asked: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        ip = inside if host == "inside.example" else "93.184.216.34"
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (ip, port))]

    connected: list[str] = []

    class Loopback(socket.socket):
        """Connects to the server of this test, whatever public address it is given."""

        def connect(self, place: tuple[str, int]) -> None:  # type: ignore[override]
            connected.append(place[0])
            super().connect(("127.0.0.1", port))

    def connect(place: tuple[str, int], timeout: float) -> socket.socket:
        made = Loopback(socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(timeout)
        made.connect(place)
        return made

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(PresetImportError, match="private network"):
        fetch(f"http://inside.example:{port}/prompt.txt")
    assert connected == []
    with pytest.raises(PresetImportError, match="private network"):
        fetch(f"http://outside.example:{port}/to/http://inside.example:{port}/prompt.txt")
    assert asked[-2:] == ["outside.example", "inside.example"]
    assert connected == ["93.184.216.34"], "nothing inside is connected to"


def test_a_name_with_one_public_and_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(PresetImportError, match="private network"):
        fetch("http://both.example/x")


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
