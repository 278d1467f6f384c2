"""Tokenizers to count control tokens with: the bundled pair's, and SmolLM2's where its file is at hand."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.spec import EngineSpec
from playground.studio.chat_template_check import Tokenizer, tokenizer_of


def _load_helper(name: str) -> None:
    """A helper module beside this file; importlib mode puts no test folder on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


_load_helper("own_templates")


def _real_models() -> Path:
    """Where downloaded models for tests are: the folder that the variable names, or the user's cache."""
    named = os.environ.get("PLAYGROUND_REAL_MODELS")
    return Path(named) if named else Path(platformdirs.user_cache_dir("icl-playground")) / "real-models"


@pytest.fixture(scope="session")
def wren(repository: Path) -> Iterator[Tokenizer]:
    """The bundled pair's tokenizer."""
    engine = LlamaCppEngine(
        EngineSpec(path=str(repository / "models/wren/wren-instruct-f16.gguf"), n_ctx=512, n_threads=1)
    )
    yield tokenizer_of("wren", engine)
    engine.close()


@pytest.fixture(scope="session")
def smollm2() -> Iterator[Tokenizer]:
    """SmolLM2's tokenizer, from its instruct model."""
    found = sorted(_real_models().rglob("SmolLM2-135M-Instruct*.gguf")) if _real_models().is_dir() else []
    if not found:
        pytest.skip("SmolLM2-135M-Instruct is not in the folder of PLAYGROUND_REAL_MODELS")
    engine = LlamaCppEngine(EngineSpec(path=str(found[0]), n_ctx=512, n_threads=1))
    yield tokenizer_of("SmolLM2", engine)
    engine.close()
