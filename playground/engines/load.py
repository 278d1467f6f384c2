"""Opens engines: the one place that knows which kinds there are."""

from __future__ import annotations

from collections.abc import Callable

from playground.engines.base import Cancel, Engine
from playground.engines.cores import CoreShare
from playground.engines.fake import FakeEngine
from playground.engines.spec import EngineKind, EngineSpec
from playground.errors import EngineMissingError, ModelLoadError
from playground.extras import install_command

__all__ = ["EngineKind", "EngineSpec", "open_engine", "open_in_process"]


def open_engine(
    spec: EngineSpec,
    *,
    in_process: bool = False,
    progress: Callable[[float], None] | None = None,
    cores: CoreShare | None = None,
    cancel: Cancel | None = None,
) -> Engine:
    """A loaded engine, in a worker process of its own unless ``in_process``.

    Args:
        spec: What to load.
        in_process: Run it here; a crash of native code is then a crash of this process.
        progress: Called with the fraction loaded, 0 to 1, from another thread.
        cores: Shared with other engines; without it the engine keeps the threads that the spec gives it.
        cancel: Ends loading in a worker, which raises ``EngineError``.

    Raises:
        ModelLoadError: The file is missing, corrupt or no model, or does not fit.
        EngineMissingError: The engine's package is not installed.
    """
    repair = None
    if spec.kind == "llama.cpp":
        from playground.engines.llamacpp import selftest

        spec, repair = selftest.prepared(spec), selftest.ExtraBuffersRepair()
    if in_process or spec.kind == "server":
        # A server is a process of its own already.
        return open_in_process(spec, progress=progress)
    from playground.engines.client import WorkerEngine

    return WorkerEngine(spec, progress=progress, cores=cores, cancel=cancel, repair=repair)


def open_in_process(
    spec: EngineSpec,
    *,
    progress: Callable[[float], None] | None = None,
    die: Callable[[], None] | None = None,
) -> Engine:
    """A loaded engine in this process; ``die`` is what a fake's script may call to end it."""
    if spec.kind == "fake":
        return _open_fake(spec, die)
    if spec.kind == "transformers":
        return _open_transformers(spec, progress)
    if spec.kind == "server":
        return _open_server(spec)
    try:
        from playground.engines.llamacpp.engine import LlamaCppEngine
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "llama_cpp":
            raise
        raise EngineMissingError(
            "llama.cpp is not installed; install it with: pip install llama-cpp-python"
        ) from error
    return LlamaCppEngine(spec, progress=progress)


def _open_transformers(spec: EngineSpec, progress: Callable[[float], None] | None) -> Engine:
    try:
        from playground.engines.transformers.engine import TransformersEngine
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("torch", "transformers", "tokenizers", "safetensors"):
            raise
        raise EngineMissingError(
            f"The transformers engine needs {missing}, which is not installed; "
            f"install it with: {install_command('torch')}"
        ) from error
    return TransformersEngine(spec, progress=progress)


def _open_server(spec: EngineSpec) -> Engine:
    try:
        from playground.engines.server.engine import ServerEngine
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "openai":
            raise
        raise EngineMissingError(
            "Speaking to a server needs openai, which is not installed; "
            f"install it with: {install_command('server')}"
        ) from error
    return ServerEngine(spec)


def _open_fake(spec: EngineSpec, die: Callable[[], None] | None) -> FakeEngine:
    script = spec.script
    if script.load_s:
        script.pause()
    if script.load_error:
        raise ModelLoadError(script.load_error)
    player = script if script.replies else None
    n_ctx = spec.n_ctx or 65_536
    return FakeEngine(player, n_ctx=n_ctx) if die is None else FakeEngine(player, n_ctx=n_ctx, die=die)
