"""Downloads from a server on the loopback that speaks the Hub's protocol: whole and right, or absent."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hub_server import COMMIT, DATA, FILE, REPOSITORY, Hosted, HubServer

from playground.errors import DownloadError
from playground.models import fetch as fetching
from playground.models.fetch import Completed, Order, Planned, Report, Stopped, Waiting, read_manifest
from playground.models.hub import HubFile, explained, list_repository
from playground.models.places import HubReference

GGUF = HubReference(REPOSITORY, file=FILE)


class Fetching:
    """A download in a process of its own, as the program runs it."""

    def __init__(self, folder: Path, reference: HubReference = GGUF, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "playground.models.fetch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(Order(reference, str(folder))) + b"\n")
        self.process.stdin.flush()

    def reports(self) -> Iterator[Report]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield msgspec.json.decode(line, type=Report)

    def end(self) -> Report:
        """What it said last; the process is collected."""
        *_, last = self.reports()
        self.close()
        return last

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def _stopped(report: Report) -> str:
    assert isinstance(report, Stopped), report
    return report.sentence


def test_a_file_arrives_whole_and_is_on_record(hub: HubServer, tmp_path: Path) -> None:
    assert Fetching(tmp_path / "d").end() == Completed(str(tmp_path / "d" / FILE))
    assert (tmp_path / "d" / FILE).read_bytes() == DATA
    manifest = read_manifest(tmp_path / "d")
    assert manifest is not None
    assert (manifest.commit, manifest.files[FILE].checksum) == (COMMIT, hashlib.sha256(DATA).hexdigest())
    before = len(hub.requests)
    assert Fetching(tmp_path / "d").end() == Completed(str(tmp_path / "d" / FILE))
    assert not [request for request in hub.requests[before:] if "resolve" in request[1]]
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == [".download.json", ".lock", FILE]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class Killer:
    """Kills a download with SIGKILL once ``at`` bytes were sent, and all but the last have arrived."""

    def __init__(self, part: Path, at: int) -> None:
        self.part = part
        self.at = at
        self.pid = 0
        self.known = threading.Event()
        self.done = False

    def __call__(self, sent: int) -> None:
        # Without this the server is done before the other side has read a byte.
        until = time.monotonic() + 60
        while not self.done and _size(self.part) < sent - 100_000 and time.monotonic() < until:
            time.sleep(0.002)
        if sent > self.at and not self.done:
            assert self.known.wait(60)
            os.kill(self.pid, signal.SIGKILL)
            self.done = True


def test_a_process_killed_at_any_byte_leaves_a_whole_file_or_none(hub: HubServer, tmp_path: Path) -> None:
    hosted = hub.repositories[REPOSITORY]
    draw = random.Random(7)
    folder = tmp_path / "d"
    part = fetching._part(folder, _as_listed(hosted))
    resumed = 0
    for number in range(20):
        have = _size(part)
        hosted.wait = killer = Killer(part, draw.randrange(have, len(DATA)))
        running = Fetching(folder)
        killer.pid = running.process.pid
        killer.known.set()
        list(running.reports())
        running.close()
        path = folder / FILE
        if path.exists():
            assert path.read_bytes() == DATA
            path.unlink()
        held = part.read_bytes() if part.exists() else b""
        assert DATA.startswith(held)
        resumed += have > 0
        if number % 3 == 2 and held:
            # A kill in the middle of a write leaves any prefix.
            os.truncate(part, draw.randrange(len(held)))
    hosted.wait = lambda sent: None
    assert resumed >= 10
    assert isinstance(Fetching(folder).end(), Completed)
    assert (folder / FILE).read_bytes() == DATA


def _as_listed(hosted: Hosted) -> HubFile:
    digest = hashlib.sha256(hosted.files[FILE]).hexdigest()
    return HubFile(FILE, len(hosted.files[FILE]), digest)


def test_a_wrong_checksum_leaves_nothing(hub: HubServer, tmp_path: Path) -> None:
    hub.repositories[REPOSITORY].sent[FILE] = DATA[:-1] + bytes([DATA[-1] ^ 1])
    sentence = _stopped(Fetching(tmp_path / "d").end())
    assert "arrived damaged" in sentence
    assert "deleted" in sentence
    assert not (tmp_path / "d" / FILE).exists()
    assert list((tmp_path / "d" / ".parts").iterdir()) == []


def test_a_part_that_was_damaged_on_the_disk_is_fetched_anew(hub: HubServer, tmp_path: Path) -> None:
    hosted = hub.repositories[REPOSITORY]
    part = fetching._part(tmp_path / "d", _as_listed(hosted))
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\0" * 500_000)
    assert isinstance(Fetching(tmp_path / "d").end(), Completed)
    assert (tmp_path / "d" / FILE).read_bytes() == DATA
    assert [r[2] for r in hub.requests if "resolve" in r[1]] == ["bytes=500000-", ""]


def test_a_checksum_of_the_catalog_is_checked_before_anything_is_sent(hub: HubServer, tmp_path: Path) -> None:
    reference = HubReference(REPOSITORY, file=FILE, sha256="0" * 64)
    assert "not the file that the catalog knows" in _stopped(Fetching(tmp_path / "d", reference).end())
    assert not [request for request in hub.requests if "resolve" in request[1]]


def test_connections_that_break_and_stall_are_taken_up_again(hub: HubServer, tmp_path: Path) -> None:
    hosted = hub.repositories[REPOSITORY]
    hosted.cut_after = [300_000]
    hosted.stall_after = [len(DATA), 300_000]
    done = Fetching(tmp_path / "d", HF_HUB_DOWNLOAD_TIMEOUT="1").end()
    assert isinstance(done, Completed)
    assert (tmp_path / "d" / FILE).read_bytes() == DATA
    starts = [r[2] for r in hub.requests if "resolve" in r[1]]
    assert len(starts) == 3
    assert starts[0] == ""
    assert all(start.startswith("bytes=") for start in starts[1:])


def test_a_server_without_ranges_is_asked_for_everything(hub: HubServer, tmp_path: Path) -> None:
    hosted = hub.repositories[REPOSITORY]
    hosted.no_ranges = True
    hosted.cut_after = [600_000]
    assert isinstance(Fetching(tmp_path / "d").end(), Completed)
    assert (tmp_path / "d" / FILE).read_bytes() == DATA


@pytest.mark.parametrize(
    ("hosted", "reference", "words"),
    [
        (Hosted({FILE: DATA}, status=401, code="GatedRepo"), GGUF, ["is gated", "accept its terms"]),
        (Hosted({FILE: DATA}, token="secret"), GGUF, ["no repository", "private", "hf auth login"]),
        (Hosted({FILE: DATA}, token="secret", gated=True), GGUF, ["is gated", "HF_TOKEN"]),
        (Hosted({FILE: DATA}, status=403), GGUF, ["refused access", "403"]),
        (Hosted({FILE: DATA}, status=404, code="EntryNotFound"), GGUF, ["is gone"]),
        (Hosted({"Far.Q8_0.gguf": DATA}), GGUF, [f"holds no file {FILE}", "It has: Far.Q8_0.gguf."]),
        (
            Hosted({"Far.Q8_0.gguf": DATA}),
            HubReference(REPOSITORY, quantization="Q4_0"),
            ["holds no GGUF in Q4_0"],
        ),
        (Hosted({FILE: DATA}), HubReference(REPOSITORY), ["holds no safetensors"]),
        (
            Hosted({FILE: DATA}),
            HubReference(REPOSITORY, file=FILE, revision="v9"),
            ["has no revision 'v9'"],
        ),
        (Hosted({FILE: DATA}, api_status=500), GGUF, ["answered 500", "kept"]),
        (Hosted({FILE: DATA}), HubReference("someone/Nope", file=FILE), ["no repository someone/Nope"]),
    ],
)
def test_a_refusal_is_one_sentence(
    hub: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hosted: Hosted,
    reference: HubReference,
    words: list[str],
) -> None:
    hub.repositories[REPOSITORY] = hosted
    from huggingface_hub import constants

    # Its settings are read when it is imported; here that was long ago.
    for name, value in (
        ("ENDPOINT", hub.url),
        ("HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"),
        ("HF_HUB_OFFLINE", False),
        ("HF_HUB_ETAG_TIMEOUT", 2),
    ):
        monkeypatch.setattr(constants, name, value)
    with pytest.raises(DownloadError) as refused:
        fetching.fetch(Order(reference, str(tmp_path / "d")), lambda report: None)
    sentence = str(refused.value)
    assert "\n" not in sentence
    for word in words:
        assert word in sentence
    assert not list((tmp_path / "d").glob("*.gguf"))


def test_a_token_opens_a_gated_repository(hub: HubServer, tmp_path: Path) -> None:
    hub.repositories[REPOSITORY] = Hosted({FILE: DATA}, token="secret", gated=True)
    assert isinstance(Fetching(tmp_path / "d", HF_TOKEN="secret").end(), Completed)


def test_a_server_that_is_not_there_is_named(hub: HubServer, tmp_path: Path) -> None:
    done = Fetching(tmp_path / "d", HF_ENDPOINT="http://127.0.0.1:9").end()
    assert "http://127.0.0.1:9 cannot be reached" in _stopped(done)


def test_offline_mode_is_named(hub: HubServer, tmp_path: Path) -> None:
    assert "HF_HUB_OFFLINE" in _stopped(Fetching(tmp_path / "d", HF_HUB_OFFLINE="1").end())


def test_two_downloads_of_one_file_share_it(hub: HubServer, tmp_path: Path) -> None:
    begun = threading.Event()
    second_waits = threading.Event()

    def hold(sent: int) -> None:
        begun.set()
        if sent > 400_000:
            assert second_waits.wait(60)

    hub.repositories[REPOSITORY].wait = hold
    first = Fetching(tmp_path / "d")
    assert begun.wait(60)
    second = Fetching(tmp_path / "d")
    reports = second.reports()
    assert next(reports) == Waiting()
    second_waits.set()
    assert isinstance(first.end(), Completed)
    rest = list(reports)
    second.close()
    assert isinstance(rest[0], Planned)
    assert rest[0].done_bytes == rest[0].total_bytes == len(DATA)
    assert isinstance(rest[-1], Completed)
    assert len([r for r in hub.requests if "resolve" in r[1]]) == 1


def test_too_little_room_is_said_before_anything_is_sent(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"has 0\.0 GB free and the download needs"):
        fetching._check_space(tmp_path, len(DATA))


def test_a_disk_that_takes_no_more_is_said_and_what_came_is_kept(hub: HubServer, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, before[1]))
    try:
        running = Fetching(tmp_path / "d")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "The disk is full" in _stopped(running.end())
    assert not (tmp_path / "d" / FILE).exists()
    assert isinstance(Fetching(tmp_path / "d").end(), Completed)
    assert (tmp_path / "d" / FILE).read_bytes() == DATA
    assert [r[2] for r in hub.requests if "resolve" in r[1]][1].startswith("bytes=")


def test_every_way_in_which_a_disk_is_full_has_the_same_sentence() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        with pytest.raises(DownloadError, match="The disk is full"), explained("a/b"):
            raise OSError(number, "x")


def test_a_folder_of_safetensors_is_a_model_when_its_configuration_is_there(
    hub: HubServer, tmp_path: Path
) -> None:
    files = {
        "README.md": b"r",
        "config.json": b"{}",
        "model.safetensors": DATA,
        "pytorch_model.bin": b"pickle",
        "tokenizer.json": b'{"a": 1}',
        "original/consolidated.safetensors": b"x",
        "modeling.py": b"print()",
    }
    small = {"config.json", "tokenizer.json", "README.md"}
    hub.repositories["someone/Far"] = Hosted(files, small=small)
    folder = tmp_path / "d"
    assert Fetching(folder, HubReference("someone/Far")).end() == Completed(str(folder))
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {"config.json", "model.safetensors", "tokenizer.json"}
    sent = [path.rpartition("/")[2] for _, path, _ in hub.requests if "resolve" in path]
    assert sent[-1] == "config.json"
    hub.repositories["someone/Far"].sent["config.json"] = b"[]"
    assert "arrived damaged" in _stopped(Fetching(tmp_path / "e", HubReference("someone/Far")).end())


def test_a_split_gguf_comes_with_all_its_parts_and_the_first_last(hub: HubServer, tmp_path: Path) -> None:
    names = [f"Far.Q8_0-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    hub.repositories[REPOSITORY] = Hosted({name: name.encode() * 100 for name in names})
    done = Fetching(tmp_path / "d", HubReference(REPOSITORY, quantization="Q8_0")).end()
    assert done == Completed(str(tmp_path / "d" / names[0]))
    sent = [path.rpartition("/")[2] for _, path, _ in hub.requests if "resolve" in path]
    assert sent == names[::-1]


def test_a_download_ends_with_the_one_who_wanted_it(hub: HubServer, tmp_path: Path) -> None:
    begun = threading.Event()

    def hold(sent: int) -> None:
        begun.set()
        hub.closing.wait(60)

    hub.repositories[REPOSITORY].wait = hold
    running = Fetching(tmp_path / "d")
    assert begun.wait(60)
    assert running.process.stdin is not None
    running.process.stdin.close()
    assert running.process.wait(60) == 1
    assert running.process.stdout is not None
    running.process.stdout.close()


def test_the_list_of_files_says_sizes_and_licence(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    found = list_repository(REPOSITORY)
    assert (found.commit, found.license, found.gated) == (COMMIT, "apache-2.0", False)
    assert [(file.name, found.size_of(file)) for file in found.models()] == [(FILE, len(DATA))]
