"""Downloads files of a repository into a folder: each is there whole and checked, or not at all.

Run as ``python -m`` this module in a process of its own, with an order as JSON on the first line of stdin:
ending the process pauses the download, and a process killed at any byte leaves a part that the next one
continues. It ends when stdin does. Plain HTTP with ranges, because huggingface_hub keeps nothing of a
download that broke (2.x); a part is appended to, checked against the Hub's checksum, and only then renamed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from playground import __version__
from playground.errors import DownloadError, PlaygroundError
from playground.models.hub import HubFile, explained, list_repository, wanted_files
from playground.models.places import HubReference

MANIFEST = ".download.json"
_PARTS = ".parts"
_CHUNK = 1 << 20
_ROOM_TO_SPARE = 64 << 20
_REPORT_S = 0.1


class Order(msgspec.Struct, frozen=True):
    """What to download where."""

    reference: HubReference
    folder: str


class Planned(msgspec.Struct, frozen=True, tag=True):
    """Which files there are, where what is missing is gathered, and how many bytes are here already."""

    files: list[str]
    parts: list[str]
    commit: str
    total_bytes: int
    done_bytes: int


class Waiting(msgspec.Struct, frozen=True, tag=True):
    """Another process downloads into this folder."""


class Progress(msgspec.Struct, frozen=True, tag=True):
    """Bytes here so far. ``checking``: all of a file came, and its checksum is computed."""

    done_bytes: int
    checking: bool = False


class Completed(msgspec.Struct, frozen=True, tag=True):
    """Every file is here and right. ``path`` is the one to open: a GGUF, or the folder."""

    path: str


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """It could not be done; ``sentence`` says why and what to do."""

    sentence: str


Report = Planned | Waiting | Progress | Completed | Stopped


class KnownFile(msgspec.Struct, frozen=True):
    """A file in the manifest: what it must be; ``checksum`` as in ``expected``."""

    size_bytes: int
    checksum: str


class Manifest(msgspec.Struct, frozen=True):
    """What lies in a download's folder, written before each file appears there."""

    repository: str
    commit: str
    files: dict[str, KnownFile]


def fetch(order: Order, report: Callable[[Report], None]) -> Path:
    """Download what is missing, check it, and put it in place; returns the path to open.

    Raises:
        DownloadError: With one sentence. What came is kept for the next try, unless it was wrong.
    """
    folder = Path(order.folder)
    name = order.reference.repository
    with explained(name):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _PARTS).mkdir(exist_ok=True)
        with _alone(folder / ".lock", lambda: report(Waiting())):
            repository = list_repository(name, order.reference.revision)
            files = wanted_files(repository, order.reference)
            missing = [file for file in files if not _is_here(folder, file)]
            total = sum(file.size_bytes for file in files)
            parts = {file.name: _part(folder, file) for file in missing}
            here = total - sum(file.size_bytes - _length(parts[file.name]) for file in missing)
            gathered = [str(part) for part in parts.values()]
            report(Planned([file.name for file in files], gathered, repository.commit, total, here))
            _check_space(folder, total - here)
            bar = _Bar(report, here)
            try:
                for file in missing:
                    _fetch_file(folder, name, repository.commit, file, bar)
            finally:
                bar.close()
            _tidy(folder / _PARTS)
    return folder / files[-1].name if order.reference.is_gguf else folder


def read_manifest(folder: Path) -> Manifest | None:
    """What was downloaded into ``folder``, or None where nothing was."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def checksum(path: Path, like: str, tick: Callable[[int], None] = lambda _: None) -> str:
    """The file's checksum, of the kind of ``like``: SHA-256 in hex, or git's SHA-1 of a blob."""
    if len(like) == 40:
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            tick(len(chunk))
    return digest.hexdigest()


def expected(file: HubFile) -> str:
    """The checksum that the Hub states for a file; empty where it states none."""
    return file.sha256 or file.blob_id


def _part(folder: Path, file: HubFile) -> Path:
    """Where a file's bytes are gathered. Another content has another name, and begins anew."""
    key = hashlib.sha256(f"{file.name}\0{expected(file)}\0{file.size_bytes}".encode()).hexdigest()
    return folder / _PARTS / f"{key[:24]}.part"


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _tidy(parts: Path) -> None:
    """Remove the folder of parts, unless another download of the same repository left some."""
    with suppress(OSError):
        parts.rmdir()


def _is_here(folder: Path, file: HubFile) -> bool:
    """Whether the file is in place. Files appear there only after they were checked."""
    path = folder / file.name
    manifest = read_manifest(folder)
    known = manifest.files.get(file.name) if manifest is not None else None
    if not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    if known is not None:
        return known.checksum == expected(file)
    return bool(expected(file)) and checksum(path, expected(file)) == expected(file)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + _ROOM_TO_SPARE > free and needed:
        raise DownloadError(
            f"The disk has {free / 1e9:.1f} GB free and the download needs {needed / 1e9:.1f} GB more; make "
            f"room where {folder} lies, then resume."
        )


class _Bar:
    """Counts bytes for ``report``, as often as a person can see; the last count of a burst, too."""

    def __init__(self, report: Callable[[Report], None], done: int) -> None:
        self._report = report
        self._done = done
        self._lock = threading.Lock()
        self._later: threading.Timer | None = None

    def add(self, count: int) -> None:
        """Some bytes came, or were taken back."""
        with self._lock:
            self._done += count
            if self._later is None:
                self._later = threading.Timer(_REPORT_S, self._say)
                self._later.daemon = True
                self._later.start()

    def checking(self) -> None:
        """A file came whole."""
        self.close()
        self._report(Progress(self._done, checking=True))

    def close(self) -> None:
        """Say nothing more of what came so far."""
        with self._lock:
            if self._later is not None:
                self._later.cancel()
                self._later = None

    def _say(self) -> None:
        with self._lock:
            if self._later is threading.current_thread():
                self._later = None
                self._report(Progress(self._done))


def _fetch_file(folder: Path, repository: str, commit: str, file: HubFile, bar: _Bar) -> None:
    """Bring one file in: once more from its start where what was continued turns out to be wrong."""
    part = _part(folder, file)
    continued = _length(part) > 0
    _receive(part, repository, commit, file, bar)
    bar.checking()
    found = checksum(part, expected(file)) if expected(file) else ""
    if found != expected(file):
        part.unlink()
        bar.add(-file.size_bytes)
        if continued:
            _fetch_file(folder, repository, commit, file, bar)
            return
        raise DownloadError(
            f"{file.name} of {repository} arrived damaged: its checksum is {found[:12]}… and should be "
            f"{expected(file)[:12]}…. It was deleted; pull it again, or try another mirror."
        )
    manifest = read_manifest(folder)
    files = dict(manifest.files) if manifest is not None else {}
    files[file.name] = KnownFile(file.size_bytes, expected(file))
    _write_whole(folder / MANIFEST, msgspec.json.encode(Manifest(repository, commit, files)))
    place = folder / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, place)


def _receive(part: Path, repository: str, commit: str, file: HubFile, bar: _Bar) -> None:
    """Append what is missing of ``file`` to its part, and have it on the disk."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    # Small enough that progress is seen and little is lost when the process is ended.
    constants.DOWNLOAD_CHUNK_SIZE = min(constants.DOWNLOAD_CHUNK_SIZE, 64 * 1024)
    headers = build_hf_headers(library_name="icl-playground", library_version=__version__)
    headers["Accept-Encoding"] = "identity"
    if _length(part) > file.size_bytes:
        bar.add(-_length(part))
        part.unlink()
    with part.open("ab") as out:
        have = out.tell()
        if have < file.size_bytes:
            http_get(
                hf_hub_url(repository, file.name, revision=commit),
                _Counted(out, bar),  # type: ignore[arg-type]
                resume_size=have,
                headers=headers,
                expected_size=file.size_bytes,
            )
        out.flush()
        os.fsync(out.fileno())


class _Counted:
    """The part as ``http_get`` uses it: it appends, and begins again where a server knows no ranges."""

    def __init__(self, file: BinaryIO, bar: _Bar) -> None:
        self._file = file
        self._bar = bar

    def write(self, data: bytes) -> int:
        """Append; in the file at once, so that a killed process loses nothing."""
        self._file.write(data)
        self._file.flush()
        self._bar.add(len(data))
        return len(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self._file.tell()

    def seek(self, offset: int) -> int:
        """Go back to ``offset``."""
        return self._file.seek(offset)

    def truncate(self) -> int:
        """Forget what stands behind the current place."""
        before, place = os.fstat(self._file.fileno()).st_size, self._file.tell()
        self._bar.add(place - before)
        return self._file.truncate(place)


def _write_whole(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".new")
    part.write_bytes(data)
    os.replace(part, path)


@contextmanager
def _alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock that ends with the process, after saying so where another one holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def main() -> None:
    """Carry out the order on stdin; reports go to stdout, a JSON object a line."""
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

    def report(message: Report) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.buffer.flush()

    try:
        order = msgspec.json.decode(line, type=Order)
        report(Completed(str(fetch(order, report))))
    except PlaygroundError as error:
        report(Stopped(str(error)))
    except Exception as error:  # noqa: BLE001  whatever it is, the parent must hear of it
        report(Stopped(f"The download failed unexpectedly ({type(error).__name__}: {error})."))


def _end_with_stdin() -> None:
    # Not through sys.stdin, whose lock this thread would hold while the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
