"""A page that is watched: every file that its processes open and every host that they ask is noted."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import START_S, Server, fake_home, free_port, open_tab

__all__ = ["open_tab"]

ROOT = Path(__file__).parent.parent.parent
CANARY = "canary-7f3a91-must-not-be-seen"
SECRET = "sk-secret-4242424242"


@dataclass
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Watched(Server):
    """A running page, the folders around it, and the notes of what it opened and asked."""

    place: Path
    notes: Path
    log: Path

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request; ``body`` goes as JSON, bytes go as they are."""
        host, _, port = self.url.removeprefix("http://").rstrip("/").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if body is not None else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, sent, given)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
        finally:
            connection.close()

    def config(self) -> dict[str, Any]:
        """What the page says of itself."""
        found: dict[str, Any] = json.loads(self.ask("GET", "/config").text)
        return found

    def wire(self) -> tuple[int, list[str]]:
        """The component that carries the page's own calls, and their names."""
        for component in self.config()["components"]:
            if component["props"].get("elem_id") == "wire":
                return component["id"], component["props"]["server_fns"]
        raise AssertionError("the page has no wire")

    def call(self, name: str, argument: object, component: int | None = None) -> dict[str, Any]:
        """One of the page's own calls; a text goes as it is, all else as JSON."""
        text = argument if isinstance(argument, str) else json.dumps(argument)
        body = {
            "data": text,
            "component_id": self.wire()[0] if component is None else component,
            "session_hash": "hostile",
            "fn_name": name,
        }
        answer = self.ask("POST", "/gradio_api/component_server/", body)
        assert answer.status == 200, (name, argument, answer)
        said: dict[str, Any] = json.loads(json.loads(answer.text))
        return said

    def events(self, start: int = 0) -> list[tuple[str, list[str]]]:
        """What was noted since byte ``start``."""
        with self.notes.open("rb") as file:
            file.seek(start)
            return [(event, told) for event, told, _ in map(json.loads, file.read().splitlines())]


def start(command: list[str], place: Path, home: Path, **more: str) -> Iterator[Watched]:
    """Run a command that prints the page's address, in folders of its own around which secrets lie."""
    person, cwd, temporary = place / "person", place / "cwd", place / "tmp"
    for folder in (person / ".ssh", cwd, temporary):
        folder.mkdir(parents=True)
    for secret in (person / ".ssh" / "id_rsa", cwd / "secret.txt", place / "secret.txt", home / "secret.txt"):
        secret.write_text(CANARY)
    for secret in (person / "secret.yaml", cwd / "secret.yaml", place / "secret.yaml", home / "secret.yaml"):
        secret.write_text(f"name: secret\nsystem: {CANARY}\n")
    notes, log = place / "notes", place / "log"
    notes.touch()
    kept = {key: value for key, value in os.environ.items() if not key.upper().endswith("_PROXY")}
    environment = {
        **kept,
        "PLAYGROUND_HOME": str(home),
        "HOME": str(person),
        "TMPDIR": str(temporary),
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent / "watch"), str(ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WATCH_LOG": str(notes),
        "OPENAI_API_KEY": SECRET,
        "HF_TOKEN": SECRET,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        **more,
    }
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=cwd)
    try:
        deadline = time.monotonic() + START_S
        while not (found := re.search(r"http://[\d.:]+/?(?=\s)", log.read_text())):
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.05)
        yield Watched(found[0], home, process, place, notes, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The page over fake engines, watched."""
    place = tmp_path_factory.mktemp("watched")
    home = fake_home(place / "home")
    script = ROOT / "tests" / "ui" / "fake_page.py"
    yield from start([sys.executable, str(script), str(free_port()), str(home)], place, home)


class Recorder:
    """A proxy that lets nobody through and remembers who came."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    self.seen.append(connection.recv(4096).decode("latin-1").partition("\r\n")[0])
                except OSError:
                    self.seen.append("?")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="session")
def recorder() -> Iterator[Recorder]:
    """A recording proxy, which the environment of the real page names."""
    made = Recorder()
    yield made
    made.close()


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[Watched]:
    """The page as a person starts it, over the bundled pair, with tools; watched, its proxy recording."""
    place = tmp_path_factory.mktemp("real")
    schemes = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    proxies = dict.fromkeys(schemes, recorder.address)
    command = [
        sys.executable,
        "-m",
        "playground",
        "serve",
        "--no-browser",
        "--port",
        str(free_port()),
        "--mcp",
    ]
    (place / "home").mkdir()
    yield from start(command, place, place / "home", HF_HUB_OFFLINE="0", HF_ENDPOINT="", **proxies)
