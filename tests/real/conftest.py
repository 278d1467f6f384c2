"""The real models, for tests that need them; without `make real-models` those are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.fetch import real_model


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct in Q4_1: an instruct model with a chat template."""
    return real_model("SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture(scope="session")
def gemma() -> Path:
    """Gemma 3 270M in Q4_K_M: a base model with a sliding window and a SentencePiece vocabulary."""
    return real_model("gemma-3-270m-q4_k_m.gguf")
