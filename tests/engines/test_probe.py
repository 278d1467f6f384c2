"""The tuning of a context: measured once, remembered, and left alone where a person has decided."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.engines.llamacpp import plan, probe
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.llamacpp.fingerprint import file_fingerprint, machine
from playground.engines.llamacpp.gguf_header import read_header
from playground.engines.llamacpp.model import Model
from playground.engines.llamacpp.probe import Tuning, Wishes, tune
from playground.engines.spec import EngineSpec


@pytest.fixture
def model(tiny_path: Path) -> Iterator[Model]:
    opened = Model(tiny_path, read_header(tiny_path))
    yield opened
    opened.close()


def test_a_tuning_is_measured_once(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep" / "tuning.json"
    first = tune(model, Wishes(n_threads=1), remembered_in=file, key="k")
    assert first.n_threads == 1

    def never(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(probe, "_measure", never)
    assert tune(model, Wishes(n_threads=1), remembered_in=file, key="k") == first
    with pytest.raises(AssertionError):
        tune(model, Wishes(n_threads=1), remembered_in=file, key="another model")


def test_the_faster_one_is_taken(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(_: Model, tuning: Tuning, prompt: int, until: float) -> probe._Cost:
        slow = (not tuning.flash_attn) + (tuning.n_ubatch == 128) + tuning.n_threads / 100
        return probe._Cost(slow / 1000, slow / 1000)

    monkeypatch.setattr(probe, "_measure", cost)
    found = tune(model, Wishes(), remembered_in=tmp_path / "t.json", key="k")
    assert found.flash_attn
    assert found.n_ubatch == 512
    kept = tune(model, Wishes(flash_attn=False, n_threads=3), remembered_in=tmp_path / "t.json", key="k")
    assert not kept.flash_attn
    assert kept.n_threads == 3


def test_a_probe_ends_in_time(slow_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "LONGEST_S", 0.05)
    opened = Model(slow_path, read_header(slow_path))
    started = time.perf_counter()
    wishes = Wishes(n_threads=1)
    assert tune(opened, wishes, remembered_in=tmp_path / "t.json", key="k") == wishes.default()
    assert time.perf_counter() - started < 2
    opened.close()


def test_what_is_decided_is_not_measured(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "tuning.json"
    wishes = Wishes(flash_attn=True, n_ubatch=64, n_threads=2)
    assert tune(model, wishes, remembered_in=file, key="k") == Tuning(True, 64, 2)
    assert not file.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 0}', '{"version": 1, "tunings": {"k": 3}}'])
def test_a_damaged_memory_is_replaced(model: Model, tmp_path: Path, content: str) -> None:
    file = tmp_path / "tuning.json"
    file.write_text(content)
    tune(model, Wishes(n_threads=1), remembered_in=file, key="k")
    assert len(json.loads(file.read_text())["tunings"]) >= 1


def test_the_engine_remembers_in_its_folder(
    tiny_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LlamaCppEngine(EngineSpec(path=str(tiny_path), n_threads=1, cache_dir=str(tmp_path))).close()
    assert not (tmp_path / "tuning.json").exists()
    monkeypatch.setattr(plan, "SMALLEST_PROBED_BYTES", 0)
    for _ in range(2):
        engine = LlamaCppEngine(EngineSpec(path=str(tiny_path), n_threads=1, cache_dir=str(tmp_path)))
        engine.close()
    tunings = json.loads((tmp_path / "tuning.json").read_text())["tunings"]
    assert len(tunings) == 1
    assert machine() in next(iter(tunings))


def test_a_tiny_model_is_held_to_one_thread_unless_told(tiny_path: Path) -> None:
    for wished, given, threads in ((None, 8, 1), (4, 8, 8), (4, 0, 1)):
        engine = LlamaCppEngine(EngineSpec(path=str(tiny_path), n_threads=wished))
        assert engine._context.options.n_threads == (wished or 1)
        engine.set_threads(given)
        assert engine._context.threads == threads
        engine.close()


def test_a_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("a", "b", "c"))
    data = bytearray(range(256)) * 4096
    one.write_bytes(data)
    same.write_bytes(data)
    data[500_000] ^= 1
    other.write_bytes(data)
    assert file_fingerprint(one) == file_fingerprint(same)
    assert file_fingerprint(one) != file_fingerprint(other)
    (tmp_path / "empty").write_bytes(b"")
    assert file_fingerprint(tmp_path / "empty")
