"""The queue of downloads: pause, resume, cancel, restart, and what is told meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hub_server import DATA, FILE, REPOSITORY, Hosted, HubServer

from playground.errors import DownloadError
from playground.models.places import HubReference
from playground.services.downloads import Downloads, DownloadState

GGUF = HubReference(REPOSITORY, file=FILE)


class Gate:
    """Lets the server send half of a file, then holds it back until it is opened."""

    def __init__(self, hub: HubServer, repository: str = REPOSITORY) -> None:
        self.half = threading.Event()
        self.open = threading.Event()
        self._closing = hub.closing
        hub.repositories[repository].wait = self

    def __call__(self, sent: int) -> None:
        if sent > len(DATA) // 2 and not self.open.is_set():
            self.half.set()
            while not self.open.wait(0.05) and not self._closing.is_set():
                continue


def _only(downloads: Downloads) -> DownloadState:
    (state,) = downloads.states()
    return state


def _begun(downloads: Downloads, key: str) -> DownloadState:
    """The state once bytes have arrived, and not only left the server."""
    while (state := downloads.wait(key, 0.05)).done_bytes == 0:
        assert state.status in ("queued", "running"), state
    return state


def test_a_download_tells_how_it_goes_and_where_it_lies(hub: HubServer, tmp_path: Path) -> None:
    gate = Gate(hub)
    downloads = Downloads(tmp_path)
    key = downloads.pull("far/base", GGUF)
    assert downloads.pull("far/base", GGUF) == key
    assert gate.half.wait(60)
    state = _begun(downloads, key)
    assert state.status == "running"
    assert (state.title, state.repository, state.total_bytes) == ("far/base", REPOSITORY, len(DATA))
    assert 0 < state.done_bytes < len(DATA)
    gate.open.set()
    state = downloads.wait(key, 60)
    downloads.close()
    assert (state.status, state.done_bytes, state.sentence) == ("done", len(DATA), "")
    assert Path(state.path).read_bytes() == DATA
    assert Path(state.path) == tmp_path / "someone--Far-GGUF" / FILE


def test_a_paused_download_goes_on_where_it_was(hub: HubServer, tmp_path: Path) -> None:
    gate = Gate(hub)
    downloads = Downloads(tmp_path)
    key = downloads.pull("far/base", GGUF)
    assert gate.half.wait(60)
    _begun(downloads, key)
    downloads.pause(key)
    assert downloads.wait(key, 5).status == "paused"
    gate.open.set()
    downloads.resume(key)
    assert downloads.wait(key, 60).status == "done"
    downloads.close()
    asked = [r[2] for r in hub.requests if "resolve" in r[1]]
    assert len(asked) == 2
    assert asked[1].startswith("bytes=")


def test_a_cancelled_download_leaves_nothing(hub: HubServer, tmp_path: Path) -> None:
    gate = Gate(hub)
    downloads = Downloads(tmp_path)
    key = downloads.pull("far/base", GGUF)
    assert gate.half.wait(60)
    _begun(downloads, key)
    downloads.cancel(key)
    assert downloads.states() == []
    downloads.close()
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert [path.name for path in left if path.name not in (".lock", ".downloads.lock")] == ["downloads.json"]
    with pytest.raises(DownloadError, match="no download"):
        downloads.pause(key)


def test_the_queue_survives_a_restart(hub: HubServer, tmp_path: Path) -> None:
    gate = Gate(hub)
    hub.repositories["someone/Other"] = Hosted({FILE: DATA[:1000]})
    downloads = Downloads(tmp_path, at_once=1)
    first = downloads.pull("far/base", GGUF)
    second = downloads.pull("other", HubReference("someone/Other", file=FILE))
    assert gate.half.wait(60)
    assert [state.status for state in downloads.states()] == ["running", "queued"]
    downloads.close()
    gate.open.set()
    waiting = Downloads(tmp_path, resume=False)
    assert [state.status for state in waiting.states()] == ["paused", "paused"]
    waiting.close()
    with open(tmp_path / "downloads.json") as file:
        records = json.load(file)
    assert [record["status"] for record in records] == ["paused", "paused"]
    again = Downloads(tmp_path)
    again.resume(first)
    again.resume(second)
    assert {again.wait(key, 60).status for key in (first, second)} == {"done"}
    again.close()
    assert json.loads((tmp_path / "downloads.json").read_text()) == []


def test_a_program_that_was_killed_goes_on_when_it_is_started_again(hub: HubServer, tmp_path: Path) -> None:
    gate = Gate(hub)
    code = (
        "import sys; from pathlib import Path; from playground.services.downloads import Downloads;"
        "from playground.models.places import HubReference;"
        f"d = Downloads(Path(sys.argv[1])); "
        f"d.wait(d.pull('far', HubReference({REPOSITORY!r}, file={FILE!r})))"
    )
    program = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    assert gate.half.wait(60)
    os.kill(program.pid, signal.SIGKILL)
    program.wait()
    gate.open.set()
    downloads = Downloads(tmp_path)
    key = _only(downloads).key
    assert downloads.wait(key, 60).status == "done"
    downloads.close()
    assert (tmp_path / "someone--Far-GGUF" / FILE).read_bytes() == DATA


def test_a_second_program_does_not_touch_the_queue_of_the_first(hub: HubServer, tmp_path: Path) -> None:
    first = Downloads(tmp_path)
    second = Downloads(tmp_path)
    key = second.pull("far/base", GGUF)
    assert second.wait(key, 60).status == "done"
    second.close()
    assert json.loads((tmp_path / "downloads.json").read_text()) == []
    first.close()


def test_what_failed_says_why_and_can_be_tried_again(hub: HubServer, tmp_path: Path) -> None:
    hub.repositories[REPOSITORY].status = 403
    downloads = Downloads(tmp_path)
    key = downloads.pull("far/base", GGUF)
    state = downloads.wait(key, 60)
    assert (state.status, "refused access" in state.sentence) == ("failed", True)
    hub.repositories[REPOSITORY].status = 200
    downloads.resume(key)
    assert downloads.wait(key, 60).status == "done"
    downloads.close()


def test_a_download_whose_process_dies_is_told(hub: HubServer, tmp_path: Path) -> None:
    gate = Gate(hub)
    downloads = Downloads(tmp_path)
    key = downloads.pull("far/base", GGUF)
    assert gate.half.wait(60)
    process = downloads._downloads[key].process
    assert process is not None
    process.kill()
    state = downloads.wait(key, 60)
    assert (state.status, "ended unexpectedly (-9)" in state.sentence) == ("failed", True)
    gate.open.set()
    downloads.resume(key)
    assert downloads.wait(key, 60).status == "done"
    downloads.close()


def test_a_damaged_queue_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "downloads.json").write_text("[{")
    downloads = Downloads(tmp_path)
    assert downloads.states() == []
    downloads.close()
    assert (tmp_path / "downloads.broken").read_text() == "[{"
    with pytest.raises(DownloadError, match="closing"):
        downloads.pull("far/base", GGUF)
