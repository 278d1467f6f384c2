"""Engines for tests: small random models, made once a session."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from playground.engines.base import Engine
from playground.engines.llamacpp.engine import LlamaCppEngine
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


for helper in (
    "tiny_model",
    "tiny_folder",
    "asking",
    "growing",
    "broken_ggufs",
    "bad_server",
    "file_keyring",
    "test_contract",
):
    if helper not in sys.modules:
        _load_helper(helper)

from bad_server import BadServer, bad_server  # noqa: E402
from tiny_folder import write_folder  # noqa: E402
from tiny_model import SLOW, write_model  # noqa: E402


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 100,000 weights with a context of 512."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory, tiny_path: Path) -> Path:
    """The same model as a transformers folder."""
    return write_folder(tmp_path_factory.mktemp("folders") / "tiny", tiny_path)


@pytest.fixture(scope="session")
def slow_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes long enough to be caught at work."""
    return write_model(tmp_path_factory.mktemp("models") / "slow.gguf", SLOW)


KINDS = ("fake", "llama.cpp", "transformers")


@pytest.fixture(scope="module", params=[kind + where for kind in KINDS for where in ("", " worker")])
def engine(request: pytest.FixtureRequest, tiny_path: Path, tiny_folder: Path) -> Iterator[Engine]:
    """Each engine in turn, loaded once a module, with a context of 512."""
    kind, _, where = request.param.partition(" ")
    paths = {"fake": "", "llama.cpp": str(tiny_path), "transformers": str(tiny_folder)}
    spec = EngineSpec(kind=kind, path=paths[kind], n_ctx=512, n_threads=1)
    opened = open_engine(spec, in_process=where != "worker")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def torch_spec(tiny_folder: Path) -> EngineSpec:
    """How the transformers engine opens the tiny model."""
    return EngineSpec(kind="transformers", path=str(tiny_folder), n_ctx=512, n_threads=1)


@pytest.fixture
def opened(tiny_path: Path) -> Iterator[Callable[..., LlamaCppEngine]]:
    """Opens engines on the tiny model, and closes them."""
    engines: list[LlamaCppEngine] = []

    def open_one(**options: object) -> LlamaCppEngine:
        spec = EngineSpec(path=str(tiny_path), n_threads=1, **options)  # type: ignore[arg-type]
        engines.append(LlamaCppEngine(spec))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def bad() -> Iterator[BadServer]:
    with bad_server() as server:
        yield server
