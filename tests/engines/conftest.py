"""Engines for tests: small random models, made once a session."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from playground.engines.base import Engine
from playground.engines.load import EngineSpec, open_engine


def _load_helper(name: str) -> ModuleType:
    """A helper module beside this file; importlib mode puts no test folder on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


for helper in ("tiny_model", "asking"):
    if helper not in sys.modules:
        _load_helper(helper)

from tiny_model import SLOW, write_model  # noqa: E402


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 100,000 weights with a context of 512."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="session")
def slow_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes long enough to be caught at work."""
    return write_model(tmp_path_factory.mktemp("models") / "slow.gguf", SLOW)


@pytest.fixture(scope="module", params=["fake", "fake worker", "llama.cpp", "llama.cpp worker"])
def engine(request: pytest.FixtureRequest, tiny_path: Path) -> Iterator[Engine]:
    """Each engine in turn, loaded once a module, with a context of 512."""
    kind, _, where = request.param.partition(" ")
    spec = EngineSpec(kind=kind, path="" if kind == "fake" else str(tiny_path), n_ctx=512, n_threads=1)
    opened = open_engine(spec, in_process=where != "worker")
    yield opened
    opened.close()
