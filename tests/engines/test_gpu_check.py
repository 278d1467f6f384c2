"""``make gpu-check`` runs where no GPU is, on a small shape, so that it can be relied on where one is."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_measurement_runs(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repository / "tests" / "gpu"))
    measure = importlib.import_module("measure")
    sizes = measure.Sizes(prefix=64, reply=4, questions=4, padded=2, single=8)
    rows = measure.run(device="cpu", sizes=sizes, tiny=True)
    assert [row.goal for row in rows] == [10.0, 1.5, 1.0]
    assert all(row.engine_s > 0 and row.generate_s > 0 for row in rows)


def test_what_is_missing_is_one_sentence(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repository / "tests" / "gpu"))
    check = importlib.import_module("check")
    assert check.refusal("cpu") is None
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "finds no CUDA device here; to see that the check itself runs: make" in check.refusal("cuda:0")
    monkeypatch.setattr("transformers.__version__", "4.57.1")
    assert check.refusal("cpu") == "transformers 4.57.1 is too old; 5 is needed."
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert f"{sys.executable} has no numpy, torch, transformers" in check.refusal("cpu")


def test_the_stand_in_draws_texts(repository: Path) -> None:
    """For a machine without hypothesis."""
    folder = repository / "tests" / "gpu" / "stand_ins" / "hypothesis"
    code = (
        "import hypothesis, json; from hypothesis import given, settings, strategies as st; seen = []\n"
        "@settings(max_examples=3)\n@given(content=st.text(max_size=60))\n"
        "def check(engine, content): seen.append((engine, content))\n"
        "check(engine=1); import inspect\n"
        "assert list(inspect.signature(check).parameters) == ['engine']\n"
        "assert len(set(seen)) > 20 and all(len(text.encode()) < 400 for _, text in seen)\n"
        f"assert hypothesis.__file__.startswith({str(folder)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(folder.parent)},
    )
    assert done.returncode == 0, done.stderr


def test_the_engine_needs_torch_and_transformers_alone() -> None:
    """The GPU machine has them, and not what else the program is made of."""
    others = ("llama_cpp", "msgspec", "gguf", "pydantic", "gradio", "platformdirs", "typer", "openai")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({others}));"
        "import playground.engines.load, playground.engines.batching.engine;"
        "from playground.engines.transformers import sampler, cells, cache, context, vocab, engine"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
