"""The curl command, run by real shells against a server that keeps what it was sent."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from playground.studio.curl import LLAMA_SERVER, curl_command
from playground.types import SamplingParams, StopRule

STOPS = (
    StopRule("it's \"$HOME\" `id` \\ $(id) <<'JSON'", "anywhere"),
    StopRule("JSON", "line_start"),
    StopRule('"""', "whole_line"),
    StopRule("你好 <script>", "anywhere"),
)
SHELLS = [path for path in map(shutil.which, ("sh", "bash", "dash", "zsh")) if path]


@pytest.fixture
def sent() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """The address of a server, and the requests it got: path, content type, body."""
    got: list[tuple[str, str, bytes]] = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Keep)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_sends_exactly_the_ids(shell: str, sent: tuple[str, list[tuple[str, str, bytes]]]) -> None:
    assert shutil.which("curl"), "curl is needed: apt-get install curl"
    address, got = sent
    ids = list(range(100_000, 140_000))  # longer than one argument of a command may be
    sampling = SamplingParams(temperature=0.7, top_k=3, top_p=0.9, max_tokens=12, seed=5)
    command = curl_command(ids, sampling, STOPS, server=address)
    done = subprocess.run([shell], input=command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}", "")
    [(path, kind, body)] = got
    assert (path, kind) == ("/completion", "application/json")
    said = json.loads(body)
    assert said["prompt"] == ids
    assert said["stop"] == [STOPS[0].text, "\nJSON", '\n"""', STOPS[3].text]
    assert (said["temperature"], said["top_k"], said["top_p"]) == (0.7, 3, 0.9)
    assert (said["n_predict"], said["seed"]) == (12, 5)


def test_without_a_seed_the_server_draws_one() -> None:
    command = curl_command([1], SamplingParams())
    assert command.startswith(f"curl -sS {LLAMA_SERVER}/completion ")
    assert json.loads(command.splitlines()[1])["seed"] == -1
