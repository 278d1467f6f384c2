"""The memory estimate against real workers on three random models of real sizes. Run by ``make soak``."""

from __future__ import annotations

from pathlib import Path

import pytest
from growing import SLACK_BYTES, growth

from playground.engines.inspection import inspect_memory
from playground.engines.load import EngineSpec
from playground.experiments.bench_model import SMALL, WIDE, ModelShape, write_random_model

MIDDLE = ModelShape("360M", 32, 960, 15, 5, 2560, 49_152, "F16")


@pytest.mark.parametrize("shape", [SMALL, MIDDLE, WIDE], ids=lambda shape: shape.name)
def test_the_estimate_is_within_a_tenth_or_20_mb(shape: ModelShape, tmp_path: Path) -> None:
    path = write_random_model(tmp_path / f"{shape.name}.gguf", shape)
    spec = EngineSpec(
        path=str(path), use_mmap=False, n_threads=1, n_ctx=512, kv_cells=512, check_tensors=False
    )
    (estimate,) = inspect_memory(spec)
    grown = growth(spec, "x" * 500)
    print(f"{shape.name}: {estimate.total_bytes:,} estimated, {grown:,} taken")
    assert abs(estimate.total_bytes - grown) < max(SLACK_BYTES, 0.1 * grown)
