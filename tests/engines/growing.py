"""What a worker takes, measured."""

from __future__ import annotations

import psutil
from asking import fold, request

from playground.engines.client import WorkerEngine
from playground.engines.load import EngineSpec, open_engine

SLACK_BYTES = 20_000_000


def growth(spec: EngineSpec, text: str) -> int:
    """How much a worker grows over an idle one by loading a model and filling its context."""
    idle = open_engine(EngineSpec(kind="fake"))
    assert isinstance(idle, WorkerEngine)
    assert idle.pid is not None
    before = psutil.Process(idle.pid).memory_info().rss
    idle.close()
    engine = open_engine(spec)
    assert isinstance(engine, WorkerEngine)
    assert engine.pid is not None
    assert fold(engine.generate([request(engine, text, max_tokens=4)]))[0, 0].end.error is None
    after = psutil.Process(engine.pid).memory_info().rss
    engine.close()
    return after - before
