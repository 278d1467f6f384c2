"""A full disk leaves what was there, and no temporary file beside it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.engines.llamacpp import probe
from playground.errors import PlaygroundError
from playground.models.own import write_entry
from playground.services.load_settings import LoadSettings, LoadSettingsStore


@pytest.fixture(params=["write", "replace"])
def full_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the disk full: from then on a temporary file takes nothing, or cannot take its place."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill() -> None:
        if request.param == "replace":
            monkeypatch.setattr(os, "replace", refuse)
            return
        really = tempfile.NamedTemporaryFile

        def named(*args: Any, **more: Any) -> Any:
            file = really(*args, **more)
            monkeypatch.setattr(file, "write", refuse, raising=False)
            return file

        monkeypatch.setattr(tempfile, "NamedTemporaryFile", named)

    return fill


def test_a_models_entry(tmp_path: Path, full_disk: Callable[[], None]) -> None:
    gguf = tmp_path / "x.gguf"
    gguf.write_bytes(b"GGUF")
    folder = tmp_path / "models"
    path = write_entry(folder, "mine", "base", gguf=gguf)
    before = path.read_bytes()
    full_disk()
    with pytest.raises(PlaygroundError, match="No space left on device"):
        write_entry(folder, "mine", "instruct", gguf=gguf)
    assert [one.name for one in folder.iterdir()] == ["mine.yaml"]
    assert path.read_bytes() == before


def test_load_settings(tmp_path: Path, full_disk: Callable[[], None]) -> None:
    store = LoadSettingsStore(tmp_path / "load-settings.json")
    store.set("a", LoadSettings(n_ctx=512))
    full_disk()
    with pytest.raises(PlaygroundError, match="No space left on device"):
        store.set("a", LoadSettings(n_ctx=1024))
    assert [one.name for one in tmp_path.iterdir()] == ["load-settings.json"]
    assert store.get("a").n_ctx == 512


def test_what_was_measured_of_a_model(tmp_path: Path, full_disk: Callable[[], None]) -> None:
    full_disk()
    probe._write(tmp_path / "tuning.json", {"a": {"n_ubatch": 1}})
    assert list(tmp_path.iterdir()) == []
