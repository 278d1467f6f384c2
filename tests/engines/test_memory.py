"""A model that cannot fit is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.engines import memory
from playground.engines.llamacpp import plan
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.memory import available_bytes, fit_refusal
from playground.engines.spec import EngineSpec
from playground.errors import ModelLoadError


def test_free_memory_is_a_sensible_figure() -> None:
    free = available_bytes()
    assert free is not None
    assert 2**26 < free < 2**50


def test_what_does_not_fit_is_refused_with_the_figures(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "available_bytes", lambda: 200_000)
    with pytest.raises(ModelLoadError, match=r"tiny.gguf needs about .* GB .* is free; choose a smaller"):
        LlamaCppEngine(EngineSpec(path=str(tiny_path)))


def test_where_nobody_can_tell_it_is_tried() -> None:
    sizes = {"weights_bytes": 8 * 10**9, "context_bytes": 10**9}
    assert fit_refusal("m", **sizes, available=None, n_ctx=4096) is None
    assert fit_refusal("m", **sizes, available=9 * 10**9, n_ctx=4096) is None
    assert fit_refusal("m", **sizes, available=9 * 10**9 - 1, n_ctx=4096) == (
        "m needs about 9.0 GB of memory (8.0 GB for its weights, 1.0 GB for a context of 4,096 tokens) and "
        "9.0 GB is free; choose a smaller model or n_ctx, or unload another one."
    )


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory._cgroup_left() is None
    for name, content in (
        ("memory.max", "1000"),
        ("memory.current", "700"),
        ("memory.stat", "anon 400\nfile 300"),
    ):
        (tmp_path / name).write_text(content)
    assert memory._cgroup_left() == 600
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._cgroup_left() is None
