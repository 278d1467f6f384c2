"""Prefixes on disk: bit-equal when they come back, and nothing else ever comes back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import Answer, ask, request
from tiny_model import write_model

from playground.engines.batching.snapshots import SnapshotStore
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.spec import EngineSpec

PREFIX = "A preset with a long constant prefix of examples. " * 6
TOKENS = np.arange(200, dtype=np.int32)


@pytest.fixture
def session(tiny_path: Path, tmp_path: Path) -> Iterator[Callable[..., LlamaCppEngine]]:
    """Opens an engine over one cache folder, as a new session would."""
    engines: list[LlamaCppEngine] = []

    def open_one(**options: object) -> LlamaCppEngine:
        spec = EngineSpec(path=str(tiny_path), n_threads=1, cache_dir=str(tmp_path / "cache"))
        engines.append(LlamaCppEngine(replace(spec, **options)))  # type: ignore[arg-type]
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()


def use_twice(engine: LlamaCppEngine) -> list[Answer]:
    """Ask two questions behind the prefix, which makes it worth keeping."""
    asked = [request(engine, PREFIX + question, logprobs=2) for question in ("One?", "Two?")]
    return [ask(engine, one)[0] for one in asked]


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.kv"))


def test_a_prefix_outlives_its_session(session: Callable[..., LlamaCppEngine], tmp_path: Path) -> None:
    first = session()
    cold = use_twice(first)
    warm = ask(first, request(first, PREFIX + "Two?", logprobs=2))[0]
    first.close()
    assert len(files(tmp_path)) == 1
    second = session()
    found = ask(second, request(second, PREFIX + "Two?", logprobs=2))[0]
    assert found.end.usage.cached_tokens >= 250
    assert found.text == cold[1].text
    # What was read from disk is what was in memory, bit by bit.
    assert found.tokens == cold[1].tokens
    assert warm.text == found.text
    use_twice(second)
    second.close()
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("place", ["magic", "key", "tokens", "payload", "end", "longer", "empty"])
def test_a_damaged_snapshot_is_removed_and_never_loaded(
    session: Callable[..., LlamaCppEngine], tmp_path: Path, place: str
) -> None:
    first = session()
    cold = use_twice(first)
    first.close()
    (file,) = files(tmp_path)
    data = bytearray(file.read_bytes())
    at = {"magic": 3, "key": 20, "tokens": 100, "payload": len(data) // 2}.get(place)
    if at is not None:
        data[at] ^= 4
    elif place == "end":
        del data[-10:]
    elif place == "longer":
        data += b"more"
    else:
        data.clear()
    file.write_bytes(data)
    second = session()
    found = ask(second, request(second, PREFIX + "Two?", logprobs=2))[0]
    assert found.end.usage.cached_tokens == 0
    assert found.text == cold[1].text
    second.close()
    assert not file.exists()


def test_another_model_of_the_same_shape_finds_nothing(
    session: Callable[..., LlamaCppEngine], tmp_path: Path
) -> None:
    first = session()
    use_twice(first)
    first.close()
    other = session(path=str(write_model(tmp_path / "other.gguf", seed=1)))
    (answer,) = ask(other, request(other, PREFIX + "Two?"))
    assert answer.end.usage.cached_tokens == 0
    other.close()
    another_layout = session(flash_attn=True)
    (answer,) = ask(another_layout, request(another_layout, PREFIX + "Two?"))
    assert answer.end.usage.cached_tokens == 0
    assert len(files(tmp_path)) == 1


def test_nothing_is_written_without_a_folder_or_space(
    session: Callable[..., LlamaCppEngine], tmp_path: Path
) -> None:
    for options in ({"cache_dir": ""}, {"snapshot_bytes": 0}):
        engine = session(**options)
        use_twice(engine)
        engine.close()
    assert not files(tmp_path)


def test_the_folder_keeps_to_its_size(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, key="k", budget_bytes=40_000)
    for number in range(8):
        store.offer(TOKENS + 1000 * number, bytearray(os.urandom(9_000)))
    store.close()
    kept = files(tmp_path)
    assert sum(file.stat().st_size for file in kept) <= 40_000
    assert len(kept) == 4
    assert SnapshotStore(tmp_path, key="k", budget_bytes=40_000).count == 4
    # The one that was used last stays.
    last = SnapshotStore(tmp_path, key="k", budget_bytes=40_000)
    oldest = last._snapshots[0]
    for file in kept:
        os.utime(file, (1, 1))
    assert last.load(oldest) is not None
    last.offer(TOKENS + 99_000, bytearray(os.urandom(9_000)))
    last.close()
    assert oldest.path.exists()


def test_what_is_too_large_or_too_short_is_not_kept(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, key="k", budget_bytes=10_000)
    store.offer(TOKENS, bytearray(9_000))
    store.offer(TOKENS[:50], bytearray(100))
    store.close()
    assert not files(tmp_path)


def test_nearly_the_same_prefix_is_kept_once(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, key="k", budget_bytes=10_000)
    changed = TOKENS.copy()
    changed[190:] = 0
    store.offer(TOKENS, bytearray(100))
    store.offer(changed, bytearray(100))
    store.close()
    assert len(files(tmp_path)) == 1
    assert store.find(changed)[1] == 190


def test_half_written_files_are_cleared_away(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, key="k", budget_bytes=10_000)
    store.offer(TOKENS, bytearray(100))
    store.close()
    folder = files(tmp_path)[0].parent
    old, new = folder / "old.tmp", folder / "new.tmp"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    assert SnapshotStore(tmp_path, key="k", budget_bytes=10_000).count == 1
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    store = SnapshotStore(blocked, key="k", budget_bytes=10_000)
    store.offer(TOKENS, bytearray(100))
    store.close()
    assert store.count == 0
