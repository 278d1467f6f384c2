"""Downloads that run, wait, pause and go on: each a process of its own, in a queue that survives a restart.

Knows what to download and where; how is ``playground.models.fetch``'s. One program at a time owns the queue's
file; another one that runs beside it downloads all the same, and only forgets its queue when it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

import playground
from playground.errors import DownloadError
from playground.models.fetch import Completed, Order, Planned, Progress, Report, Stopped, Waiting
from playground.models.places import HubReference, repository_folder

DownloadStatus = Literal["queued", "waiting", "running", "checking", "paused", "done", "failed"]
_QUEUE = "downloads.json"
_SPEED_OVER_S = 5.0
_SILENT_S = 3.0
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class DownloadState:
    """A download in a list, cheap enough to be polled.

    Attributes:
        key: What it is paused, resumed and cancelled by.
        title: What is downloaded, for a person: a model's name or a repository.
        status: ``waiting`` is for another program's download of the same; ``checking`` computes checksums.
        done_bytes, total_bytes: Over all files; the total is 0 until the server was asked.
        bytes_per_s: Over the last seconds. eta_s: None where nobody can tell.
        sentence: What is wrong or what it waits for; empty where all is well.
        path: Where it lies, once it is done.
    """

    key: str
    title: str
    repository: str
    status: DownloadStatus
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float = 0.0
    eta_s: float | None = None
    sentence: str = ""
    path: str = ""


class _Record(msgspec.Struct):
    """A download as the queue's file keeps it."""

    title: str
    reference: HubReference
    status: DownloadStatus = "queued"
    done_bytes: int = 0
    total_bytes: int = 0
    sentence: str = ""
    parts: list[str] = msgspec.field(default_factory=list)


class _Download:
    """A record and what runs for it."""

    def __init__(self, record: _Record) -> None:
        self.record = record
        self.path = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.thread: threading.Thread | None = None
        self.seen: deque[tuple[float, int]] = deque(maxlen=256)

    @property
    def active(self) -> bool:
        """Whether a process runs for it."""
        return self.process is not None


def downloads_left(folder: Path) -> bool:
    """Whether an earlier run left a queue in ``folder``, and something in it."""
    path = folder / _QUEUE
    try:
        return path.stat().st_size > len("[]")
    except OSError:
        return False


class Downloads:
    """The queue. Thread-safe. Close it to end its processes; what came is kept.

    Args:
        folder: Where repositories' folders are put, and the queue's file.
        at_once: How many run beside each other.
        resume: Go on with what an earlier run left queued or running; else it waits to be resumed.
    """

    def __init__(self, folder: Path, *, at_once: int = 2, resume: bool = True) -> None:
        self._folder = folder
        self._at_once = at_once
        self._changed = threading.Condition()
        self._closed = False
        self._file = _QueueFile(folder)
        self._downloads = {download_key(record.reference): _Download(record) for record in self._file.read()}
        for download in self._downloads.values():
            if download.record.status in ("queued", "waiting", "running", "checking"):
                download.record.status = "queued" if resume else "paused"
        with self._changed:
            self._start_next()

    def states(self) -> list[DownloadState]:
        """Every download, oldest first."""
        now = time.monotonic()
        with self._changed:
            return [_state(key, download, now) for key, download in self._downloads.items()]

    def pull(self, title: str, reference: HubReference) -> str:
        """Queue a download and return its key; one that is queued already is not queued twice.

        Raises:
            DownloadError: The program is closing.
        """
        key = download_key(reference)
        with self._changed:
            if self._closed:
                raise DownloadError("The program is closing; start it again.")
            download = self._downloads.get(key)
            if download is None:
                self._downloads[key] = _Download(_Record(title, reference))
            elif not download.active:
                download.record.status, download.record.sentence = "queued", ""
            self._start_next()
        return key

    def pause(self, key: str) -> None:
        """Stop a download; its bytes are kept. One that is not running stays as it is."""
        with self._changed:
            download = self._known(key)
            if download.active or download.record.status == "queued":
                self._end(download, "paused")
                self._start_next()

    def resume(self, key: str) -> None:
        """Go on with a download that was paused or failed."""
        with self._changed:
            download = self._known(key)
            if download.record.status in ("paused", "failed"):
                download.record.status, download.record.sentence = "queued", ""
                self._start_next()

    def cancel(self, key: str) -> None:
        """Stop a download and delete what came of it; one that is done is only taken off the list."""
        with self._changed:
            download = self._known(key)
            self._end(download, "paused")
            del self._downloads[key]
            for part in download.record.parts:
                with suppress(OSError):
                    Path(part).unlink(missing_ok=True)
            with suppress(OSError, IndexError):
                Path(download.record.parts[0]).parent.rmdir()
            self._start_next()

    def wait(self, key: str, timeout_s: float | None = None) -> DownloadState:
        """Wait until a download neither runs nor is queued, or the time is up; how it stands then."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while True:
                download = self._known(key)
                left = None if until is None else until - time.monotonic()
                resting = not download.active and download.record.status != "queued"
                if resting or self._closed or (left is not None and left <= 0):
                    return _state(key, download, time.monotonic())
                self._changed.wait(left)

    def close(self) -> None:
        """End every process; the queue stays for the next run. Again does nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            running = [download for download in self._downloads.values() if download.active]
            for download in running:
                self._end(download, "queued")
            self._save()
            self._changed.notify_all()
        for download in running:
            if download.thread is not None:
                download.thread.join(_PATIENCE_S)
        self._file.close()

    def _known(self, key: str) -> _Download:
        download = self._downloads.get(key)
        if download is None:
            raise DownloadError(f"There is no download '{key}' any more; pull the model again.")
        return download

    def _start_next(self) -> None:
        """Start what is queued, as many as may run. Called under the lock, after every change."""
        if not self._closed:
            free = self._at_once - sum(download.active for download in self._downloads.values())
            queued = [d for d in self._downloads.values() if d.record.status == "queued" and not d.active]
            for download in queued[: max(free, 0)]:
                self._start(download)
        self._save()
        self._changed.notify_all()

    def _start(self, download: _Download) -> None:
        reference = download.record.reference
        order = Order(reference, str(repository_folder(self._folder, reference.repository)))
        try:
            process = _fetching(order)
        except OSError as error:
            download.record.status = "failed"
            download.record.sentence = f"The download could not be started: {error.strerror}; try again."
            return
        download.record.status = "running"
        download.process = process
        download.seen.clear()
        download.thread = threading.Thread(
            target=self._listen, args=(download, process), name="download", daemon=True
        )
        download.thread.start()

    def _end(self, download: _Download, status: DownloadStatus) -> None:
        """End its process, if there is one. Called under the lock."""
        process, download.process = download.process, None
        if process is not None:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
        if download.record.status != "done":
            download.record.status, download.record.sentence = status, ""

    def _listen(self, download: _Download, process: subprocess.Popen[bytes]) -> None:
        """Take in what the process reports, until it ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            for line in process.stdout:
                try:
                    report = msgspec.json.decode(line, type=Report)
                except msgspec.DecodeError:
                    continue  # half a line of one that was killed
                with self._changed:
                    if download.process is process:
                        self._take(download, report)
        code = process.wait()
        with self._changed:
            if download.process is not process:
                return  # paused or cancelled by us
            download.process = None
            if download.record.status not in ("done", "failed"):
                download.record.status = "failed"
                download.record.sentence = (
                    f"The download's process ended unexpectedly ({code}); what came is kept: resume it."
                )
            self._start_next()

    def _take(self, download: _Download, report: Report) -> None:
        record = download.record
        match report:
            case Waiting():
                record.status = "waiting"
                record.sentence = "Another program downloads from this repository; this waits for it."
            case Planned():
                record.status, record.sentence = "running", ""
                record.total_bytes, record.done_bytes = report.total_bytes, report.done_bytes
                record.parts = report.parts
                self._save()
            case Progress():
                record.status = "checking" if report.checking else "running"
                record.done_bytes = report.done_bytes
            case Completed():
                record.status, record.done_bytes = "done", record.total_bytes
                download.path = report.path
            case Stopped():
                record.status, record.sentence = "failed", report.sentence
        download.seen.append((time.monotonic(), record.done_bytes))
        self._changed.notify_all()

    def _save(self) -> None:
        kept = [d.record for d in self._downloads.values() if d.record.status != "done"]
        self._file.write(kept)


class _QueueFile:
    """The queue on the disk; owned by the first program that opens it, and only remembered by that one."""

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock, Timeout

        self._path = folder / _QUEUE
        self._lock = FileLock(folder / ".downloads.lock", thread_local=False)
        self._mine = False
        with suppress(OSError, Timeout):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            self._mine = True

    def read(self) -> list[_Record]:
        """What an earlier run left; a damaged file is put aside."""
        if not self._mine:
            return []
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[_Record])
        except msgspec.DecodeError:
            with suppress(OSError):
                os.replace(self._path, self._path.with_suffix(".broken"))
            return []
        except OSError:
            return []

    def write(self, records: list[_Record]) -> None:
        """Keep the queue; where the disk refuses, downloads go on and are only not remembered."""
        if not self._mine:
            return
        part = self._path.with_suffix(".new")
        try:
            part.write_bytes(msgspec.json.encode(records))
            os.replace(part, self._path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another program own it."""
        self._lock.release()
        self._mine = False


def download_key(reference: HubReference) -> str:
    """Names a download: the same files of the same repository have the same."""
    what = reference.file or reference.quantization or "safetensors"
    return f"{reference.repository}:{what}" + (f"@{reference.revision}" if reference.revision else "")


def _fetching(order: Order) -> subprocess.Popen[bytes]:
    """The process of a download; it ends when its stdin does, and so with this one."""
    found_in = str(Path(playground.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), found_in]))
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.models.fetch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        process.stdin.flush()
    return process


def _state(key: str, download: _Download, now: float) -> DownloadState:
    record = download.record
    speed = _speed(download.seen, now) if record.status == "running" else 0.0
    left = record.total_bytes - record.done_bytes
    sentence = record.sentence
    if record.status == "running" and download.seen and now - download.seen[-1][0] > _SILENT_S:
        sentence = f"Nothing has come for {now - download.seen[-1][0]:.0f} s; it is tried again by itself."
    return DownloadState(
        key,
        record.title,
        record.reference.repository,
        record.status,
        record.done_bytes,
        record.total_bytes,
        speed,
        left / speed if speed > 0 else None,
        sentence,
        download.path,
    )


def _speed(seen: deque[tuple[float, int]], now: float) -> float:
    """Bytes a second over the last seconds."""
    recent = [(at, done) for at, done in seen if now - at <= _SPEED_OVER_S]
    if len(recent) < 2:
        return 0.0
    (start, first), (_, last) = recent[0], recent[-1]
    return max(last - first, 0) / max(now - start, 1e-3)
