"""Cores are divided by the engines that are at work."""

from __future__ import annotations

from pathlib import Path

from asking import ask, request

from playground.engines.cores import CoreShare, usable_cores
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.load import EngineSpec, open_engine


class Recorder:
    """An engine of which only the threads matter."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def set_threads(self, count: int) -> None:
        self.threads.append(count)


def test_the_busy_ones_share() -> None:
    share = CoreShare(8)
    one, other, third = Recorder(), Recorder(), Recorder()
    with share.busy(one):
        assert one.threads == [8]
        with share.busy(other), share.busy(one):
            assert (one.threads, other.threads) == ([8, 4], [4])
            with share.busy(third):
                assert third.threads == [2]
        assert one.threads[-1] == 8
    assert third.threads == [2]


def test_nobody_gets_less_than_one() -> None:
    share = CoreShare(1)
    engines = [Recorder() for _ in range(3)]
    with share.busy(engines[0]), share.busy(engines[1]), share.busy(engines[2]):
        assert [engine.threads for engine in engines] == [[1], [1], [1]]
    assert usable_cores() >= 1


def test_answers_do_not_depend_on_the_threads(tiny_path: Path) -> None:
    engine = LlamaCppEngine(EngineSpec(path=str(tiny_path), n_threads=1))
    asked = request(engine, temperature=0)
    (one,) = ask(engine, asked)
    engine.set_threads(2)
    (two,) = ask(engine, asked)
    assert two.text == one.text
    engine.close()


def test_workers_are_told(tiny_path: Path) -> None:
    cores = CoreShare(2)
    engines = [open_engine(EngineSpec(path=str(tiny_path), n_threads=1), cores=cores) for _ in range(2)]
    streams = [engine.generate([request(engine, max_tokens=100)]) for engine in engines]
    for stream in streams:
        next(stream)
    for stream in streams:
        assert list(stream)
    for engine in engines:
        engine.close()
