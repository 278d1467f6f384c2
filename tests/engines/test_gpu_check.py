"""``make gpu-check`` runs where no GPU is, on a small shape, so that it can be relied on where one is."""

from __future__ import annotations

import importlib
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
