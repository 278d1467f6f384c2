"""A shared folder may hold anything under a preset's name: it is named, and nothing waits or grows."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.errors import PresetError
from playground.presets.library import PresetLibrary, file_digest, read_preset
from playground.presets.preset import Preset
from tests.conftest import environment


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path is at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _unreadable(path: Path) -> None:
    path.write_text("name: x\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything: a file that refuses even root stands in
        path.unlink()
        path.symlink_to("/proc/self/mem")


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3_000_000_000)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (lambda path: os.mkfifo(path), "a pipe"),
    "endless": (lambda path: path.symlink_to("/dev/zero"), "a device"),
    "random": (lambda path: path.symlink_to("/dev/urandom"), "a device"),
    "terminal": (lambda path: path.symlink_to("/dev/tty"), "a device"),
    "socket": (_socket, "a socket"),
    "folder": (lambda path: path.mkdir(), "a folder"),
    "circle": (lambda path: path.symlink_to(path), "cannot be read"),
    "nowhere": (lambda path: path.symlink_to(path.with_name("none")), "cannot be read"),
    "unreadable": (_unreadable, ""),
    "large": (_large, "3000.0 MB"),
    "binary": (lambda path: path.write_bytes(b"\xff\xfe\0\1"), "not UTF-8"),
    "empty": (lambda path: path.write_bytes(b""), "no preset"),
    "growing": (lambda path: path.symlink_to("/proc/kallsyms"), ""),
    "link": (lambda path: path.symlink_to("/dev/null"), "a device"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "home" / "presets"
    own.mkdir(parents=True)
    for name, (make, _) in HOSTILE.items():
        make(own / f"{name}.yaml")
    (own / "good.yaml").write_text("name: good\ntitle: Good\n")
    (own / "two\nlines.yaml").write_text("name: x\n")
    Path(os.fsdecode(os.fsencode(own) + b"/\xff.yaml")).write_text("name: x\n")
    return own


def test_what_is_no_preset_is_listed_with_its_reason_and_the_others_are_read(folder: Path) -> None:
    library = PresetLibrary(folder.parent / "shipped", folder)
    entries = {entry.name: entry for entry in library.entries()}
    assert entries["good"].title == "Good"
    assert not entries["good"].error
    for name, (_, said) in HOSTILE.items():
        error = entries[name].error
        assert error, name
        assert said in error
        assert "\n" not in error
    assert library.stamp().token == library.stamp().token


@pytest.mark.parametrize("name", HOSTILE)
def test_no_call_waits_for_or_replaces_what_is_no_preset(folder: Path, name: str) -> None:
    library = PresetLibrary(folder.parent / "shipped", folder)
    path = folder / f"{name}.yaml"
    kind = os.lstat(path).st_mode
    for call in (library.load, lambda _: read_preset(path)):
        with pytest.raises(PresetError) as caught:
            call(name)
        assert "\n" not in str(caught.value)
    assert library.lost_comments(Preset(name=name)) == ()
    assert len(file_digest(path)) == (64 if name in ("binary", "empty") else 0)
    with pytest.raises(PresetError):
        library.save(Preset(name=name))
    if name not in ("binary", "empty", "unreadable", "nowhere", "circle"):  # files that may be replaced
        with pytest.raises(PresetError):
            library.save(Preset(name=name), overwrite=True)
        assert os.lstat(path).st_mode == kind


def test_the_command_lists_such_a_folder_in_little_memory(folder: Path) -> None:
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000,) * 2);"
        "from playground.cli import main; main(sys.argv[1:])"
    )
    for arguments in (["presets", "list"], ["presets", "list", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            timeout=60,
            env={**environment(folder.parent), "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.returncode == 0, done.stderr[-500:]
        for name in ("good", *HOSTILE):
            assert name in done.stdout.decode()
