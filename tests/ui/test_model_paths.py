"""What the Models page tells of paths: nothing where others reach it, and here no more than it must."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playground.services import Workbench
from playground.settings import Settings
from playground.ui.api import PageApi
from playground.ui.streaming import Runs
from playground.ui.strings import Strings

Calls = Callable[..., dict[str, object]]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path / "home")})
    with Workbench(settings.by_name_only()) as workbench:
        yield workbench


def calls_of(bench: Workbench, *, looks_at_paths: bool) -> Calls:
    api = PageApi(bench, Runs(), Strings.load(), looks_at_paths=looks_at_paths)
    by_name = {call.__name__: call for call in api.calls()}
    return lambda name, body: json.loads(by_name[name](json.dumps(body)))


def both(calls: Calls, path: Path | str) -> list[object]:
    return [
        calls("shelf_look", {"source": str(path)})["error"],
        calls("shelf_add", {"source": str(path), "pair": "", "kind": "base"})["error"],
    ]


def test_a_page_that_others_reach_says_the_same_of_every_path(bench: Workbench, tmp_path: Path) -> None:
    there = tmp_path / "there.gguf"
    there.write_bytes(b"no model")
    (tmp_path / "owner").mkdir()
    calls = calls_of(bench, looks_at_paths=False)
    paths = [there, tmp_path, tmp_path / "nothing.gguf", "~", "/etc/shadow", "./x", "x.gguf", "a/b.gguf"]
    assert len({said for path in paths for said in both(calls, path)}) == 1
    assert calls("shelf_found", {"name": ""}) == {"value": []}


def test_a_missing_file_and_one_without_permission_get_the_same_answer(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden.gguf"
    hidden.write_bytes(b"GGUF")
    really = os.access
    # A test may run as root, who may read everything.
    monkeypatch.setattr(os, "access", lambda path, mode: "hidden" not in str(path) and really(path, mode))
    calls = calls_of(bench, looks_at_paths=True)
    answers = [
        str(said).replace("hidden", "missing")
        for path in (hidden, tmp_path / "missing.gguf")
        for said in both(calls, path)
    ]
    assert len(set(answers)) == 1
    assert "it is not there, or this program has no permission to read it" in answers[0]
    assert len(set(map(str, both(calls, "a\0b")))) == 1


def test_on_this_computer_a_readable_file_is_looked_at(bench: Workbench) -> None:
    calls = calls_of(bench, looks_at_paths=True)
    wren = bench.catalog.get("wren/base").path
    found = calls("shelf_look", {"source": str(wren)})["value"]
    assert isinstance(found, dict)
    assert found["model"]["kind"] == "base"
