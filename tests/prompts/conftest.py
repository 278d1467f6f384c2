"""Tokenizers to count control tokens with: the bundled pair's, and SmolLM2's where its file is at hand."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.spec import EngineSpec
from playground.studio.chat_template_check import Tokenizer, tokenizer_of
from tests.real.fetch import real_model


def _load_helper(name: str) -> None:
    """A helper module beside this file; importlib mode puts no test folder on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


_load_helper("own_templates")


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
    path = real_model("SmolLM2-135M-Instruct.Q4_1.gguf")
    engine = LlamaCppEngine(EngineSpec(path=str(path), n_ctx=512, n_threads=1))
    yield tokenizer_of("SmolLM2", engine)
    engine.close()
