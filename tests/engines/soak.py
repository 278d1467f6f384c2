"""Two thousand requests leave the worker's memory where it was. Run by ``make soak``, not with the tests.

Requests of every kind: short and long, with several samples, scored, cancelled, refused, from eight threads.
"""

from __future__ import annotations

import random
import threading
from pathlib import Path

import psutil
from asking import fold, request, text

from playground.engines.base import Cancel, Engine
from playground.engines.client import WorkerEngine
from playground.engines.load import EngineSpec, open_engine

REQUESTS = 2000
WARM_UP = 400
THREADS = 8
# What the allocator may keep for itself.
SLACK_BYTES = 24 * 2**20


def one(engine: Engine, number: int) -> None:
    """One request, of a kind that its number decides."""
    draw = random.Random(number)
    prompt = f"Preset {number % 5}. " * draw.randint(1, 20) + f"Question {number}?"
    if number % 7 == 0:
        engine.score([text(prompt)], [text("And an answer.")], top=3)
    elif number % 11 == 0:
        cancel = Cancel()
        for event in engine.generate([request(engine, prompt, max_tokens=200)], cancel=cancel):
            cancel.set()
            assert event
    elif number % 13 == 0:
        answers = fold(engine.generate([request(engine, "x" * 5000)]))
        assert answers[0, 0].end.finish_reason == "error"
    else:
        asked = request(engine, prompt, n=draw.randint(1, 3), max_tokens=draw.randint(1, 30), logprobs=2)
        assert fold(engine.generate([asked]))


def many(engine: Engine, numbers: range) -> None:
    """Requests from several threads at once."""
    threads = [
        threading.Thread(target=lambda start=start: [one(engine, n) for n in numbers[start::THREADS]])
        for start in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_thousand_requests_leave_memory_where_it_was(tiny_path: Path, tmp_path: Path) -> None:
    spec = EngineSpec(path=str(tiny_path), n_threads=1, cache_dir=str(tmp_path))
    engine = open_engine(spec)
    assert isinstance(engine, WorkerEngine)
    assert engine.pid is not None
    worker, here = psutil.Process(engine.pid), psutil.Process()
    many(engine, range(WARM_UP))
    before = worker.memory_info().rss, here.memory_info().rss, worker.num_threads(), worker.num_fds()
    many(engine, range(WARM_UP, WARM_UP + REQUESTS))
    after = worker.memory_info().rss, here.memory_info().rss, worker.num_threads(), worker.num_fds()
    engine.close()
    names = ("worker's bytes", "bytes here", "worker's threads", "worker's files")
    for name, one_before, one_after in zip(names, before, after, strict=True):
        print(f"{name}: {one_before:,} before, {one_after:,} after {REQUESTS:,} requests")
    assert after[0] - before[0] < SLACK_BYTES
    assert after[1] - before[1] < SLACK_BYTES
    assert after[2] <= before[2] + 1
    assert after[3] <= before[3]
