"""``playground serve`` as a person starts it: proxies, the limit on wrong passwords, and Ctrl+C."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.ui.access import GUESSES, Guesses
from playground.ui.serving import TRUST_VARIABLE, trust_proxies
from tests.ui.conftest import START_S, free_port

PASSWORD = "correct horse"
END_S = 1.5


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def served(home: Path, *options: str, **environment: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "playground", "serve", "--no-browser", "--port", str(port), *options],
        env={**os.environ, "PLAYGROUND_HOME": str(home), **environment},
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores SIGINT, and what it starts would inherit that.
        preexec_fn=_heed_interrupts if os.name == "posix" else None,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "The playground is at" in line:
                break
        assert process.poll() is None, "it ended before it was ready"
        yield port, process
    finally:
        process.kill()
        process.wait(START_S)
        process.stderr.close()


def status(port: int, password: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given["Authorization"] = "Basic " + base64.b64encode(f"x:{password}".encode()).decode()
    try:
        connection.request("GET", "/config", headers=given)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_a_forwarded_address_from_loopback_does_not_lift_the_limit_on_wrong_passwords(tmp_path: Path) -> None:
    with served(tmp_path, PLAYGROUND_PASSWORD=PASSWORD) as (port, _):
        tried = [status(port, f"guess {n}", X_Forwarded_For=f"203.0.113.{n}") for n in range(GUESSES + 3)]
        assert tried == [401] * GUESSES + [429] * 3
        assert status(port, PASSWORD, X_Forwarded_For="198.51.100.7") == 429


def test_a_named_proxy_tells_visitors_apart(tmp_path: Path) -> None:
    with served(tmp_path, "--proxy", "127.0.0.1", PLAYGROUND_PASSWORD=PASSWORD) as (port, _):
        for n in range(GUESSES):
            assert status(port, f"guess {n}", X_Forwarded_For="203.0.113.9") == 401
        assert status(port, PASSWORD, X_Forwarded_For="203.0.113.9") == 429
        assert status(port, PASSWORD, X_Forwarded_For="203.0.113.10") == 200
        # What a visitor writes stands in front of what the proxy saw.
        assert status(port, PASSWORD, X_Forwarded_For="203.0.113.77, 203.0.113.9") == 429


def test_proxies_are_believed_only_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    trust_proxies(())
    assert os.environ[TRUST_VARIABLE] == ""
    trust_proxies(("10.0.0.1", "10.0.0.2"))
    assert os.environ[TRUST_VARIABLE] == "10.0.0.1,10.0.0.2"
    monkeypatch.setenv(TRUST_VARIABLE, "10.1.1.1")
    trust_proxies(())
    assert os.environ[TRUST_VARIABLE] == "10.1.1.1", "the variable of uvicorn names a proxy too"


def test_the_addresses_of_one_ipv6_network_guess_together() -> None:
    guesses = Guesses()
    for n in range(GUESSES):
        guesses.add(f"2001:db8:1:2::{n:x}")
    assert guesses.too_many("2001:db8:1:2:ffff::1")
    assert not guesses.too_many("2001:db8:1:3::1")
    for _ in range(GUESSES):
        guesses.add("::ffff:10.0.0.1")
    assert guesses.too_many("10.0.0.1")
    assert not guesses.too_many("10.0.0.2")


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_ends_the_server_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    from gradio_client import Client

    with served(tmp_path) as (port, process):
        page = Client(f"http://127.0.0.1:{port}", verbose=False)
        job = page.submit(
            "Count for me.", "wren/base", "none", temperature=1.0, max_tokens=100_000, api_name="/ask"
        )
        until = time.monotonic() + 60
        while not job.outputs():
            assert time.monotonic() < until
            threading.Event().wait(0.02)
        assert not job.done()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)
        assert time.monotonic() - began < END_S
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        with contextlib.suppress(Exception):
            job.cancel()


def test_the_page_of_a_shared_server_looks_at_no_path(tmp_path: Path) -> None:
    """A visitor cannot tell a file that is there from one that is not."""
    answers = {}
    with served(tmp_path, "--host", "0.0.0.0", PLAYGROUND_PASSWORD=PASSWORD) as (port, _):
        for path in ("/etc/shadow", "/etc/passwd", "/nowhere/at/all", "/", "~", str(tmp_path), "C:\\x.gguf"):
            for name in ("shelf_look", "shelf_add"):
                body = {"source": path} | ({"pair": "", "kind": "base"} if name == "shelf_add" else {})
                answers[path, name] = called(port, name, body)
        assert called(port, "shelf_found", {"name": ""}) == {"value": []}
    assert len(set(map(json.dumps, answers.values()))) == 1, answers
    assert "looks at no path" in next(iter(answers.values()))["error"]


def called(port: int, name: str, body: dict[str, object]) -> dict[str, str]:
    """What one of the page's own calls answers."""

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    given = {"Content-Type": "application/json"}
    given["Authorization"] = "Basic " + base64.b64encode(f"x:{PASSWORD}".encode()).decode()
    try:
        connection.request("GET", "/config", headers=given)
        config = json.loads(connection.getresponse().read())
        id_ = next(c["id"] for c in config["components"] if name in str(c["props"].get("server_fns", "")))
        sent = {"data": json.dumps(body), "component_id": id_, "fn_name": name, "session_hash": "x"}
        connection.request("POST", "/gradio_api/component_server", json.dumps(sent), given)
        answer = connection.getresponse().read()
        return dict(json.loads(json.loads(answer)))
    finally:
        connection.close()
