"""Each way in which a model's process can end has its own message; the processes here really end so."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from asking import ask, request, text

from playground.engines import crashes
from playground.engines.base import GenerateRequest
from playground.engines.client import WorkerEngine
from playground.engines.crashes import MemoryFacts, explain
from playground.engines.fake import FakeReply, FakeScript
from playground.engines.load import EngineSpec, open_engine
from playground.engines.memory import load_failure
from playground.errors import EngineDiedError, EngineError, ModelLoadError
from playground.types import SamplingParams

BROKEN_BUILD = Path(__file__).parent / "broken_build"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the processes end by Linux's signals")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tiny_path: Path) -> Iterator[BrokenWorker]:
    """Opens a worker whose llama.cpp ends in a way that is named."""
    workers = BrokenWorker(monkeypatch, tiny_path)
    yield workers
    workers.close()


class BrokenWorker:
    """Workers whose native code ends the process while it decodes a prompt."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self._monkeypatch = monkeypatch
        self._path = path
        self._engines: list[WorkerEngine] = []

    def __call__(self, how: str) -> WorkerEngine:
        self._monkeypatch.setenv("PYTHONPATH", str(BROKEN_BUILD))
        self._monkeypatch.setenv("BROKEN_BUILD", how)
        engine = open_engine(EngineSpec(path=str(self._path), n_threads=1))
        assert isinstance(engine, WorkerEngine)
        self._engines.append(engine)
        return engine

    def close(self) -> None:
        for engine in self._engines:
            engine.close()


def died(engine: WorkerEngine) -> str:
    """The error of an answer that the process did not survive."""
    (answer,) = ask(engine, request(engine, max_tokens=3))
    assert answer.end.finish_reason == "error"
    assert answer.end.error is not None
    return answer.end.error


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("abort", ["llama.cpp stopped itself (SIGABRT)", "GGML_ASSERT(n_tokens_all <= cparams.n_batch)"]),
        ("segv", ["llama.cpp crashed with an invalid memory access (SIGSEGV)"]),
        ("bus", ["could not read a part of the model file", "(SIGBUS)"]),
        ("exit", ["ended with exit code 3: error: no such device"]),
        ("close", ["closed its connection without ending"]),
        ("memory", ["ran out of memory (exit code 1)", "Its weights take", "was free", "smaller n_ctx"]),
    ],
)
def test_each_end_of_a_process_is_told_apart(broken: BrokenWorker, how: str, expected: list[str]) -> None:
    error = died(broken(how))
    for words in expected:
        assert words in error
    assert "damaged" not in error
    assert "ownload" not in error


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (signal.SIGILL, "executed an instruction that this CPU does not run (SIGILL)"),
        (signal.SIGKILL, "was killed (SIGKILL)"),
        (signal.SIGABRT, "stopped itself (SIGABRT)"),
        (signal.SIGSEGV, "invalid memory access (SIGSEGV)"),
        (signal.SIGBUS, "mapped into memory (SIGBUS)"),
        (signal.SIGTERM, "was ended by SIGTERM"),
    ],
)
def test_a_process_that_dies_while_it_loads_is_not_called_damaged(
    number: signal.Signals, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playground.engines import connection

    class Dying(connection.Connection):
        def send(self, request: object) -> None:
            super().send(request)  # type: ignore[arg-type]
            psutil.Process(self.pid).send_signal(number)

    monkeypatch.setattr("playground.engines.client.Connection", Dying)
    with pytest.raises(ModelLoadError) as caught:
        open_engine(EngineSpec(kind="fake", script=FakeScript(load_s=30.0)))
    message = str(caught.value)
    assert expected in message
    assert "damaged" not in message
    assert "ownload" not in message


def test_a_kill_that_the_kernel_counted_is_called_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashes, "oom_kills", lambda: 8)
    facts = MemoryFacts(weights_bytes=4_200_000_000, free_bytes=3_100_000_000, oom_kills=7)
    crash = explain(-signal.SIGKILL, memory=facts)
    assert crash.cause == "memory"
    assert crash.sentence == (
        "The model's process ran out of memory (SIGKILL). Its weights take 4.2 GB, its context comes on top; "
        "3.1 GB was free when it started. Choose a smaller model or a smaller n_ctx, or unload another model."
    )
    assert explain(-signal.SIGKILL, memory=MemoryFacts(oom_kills=8)).cause == "killed"


def test_windows_codes_are_the_same_causes() -> None:
    assert explain(0xC000001D).cause == "illegal instruction"
    assert explain(0xC0000005 - 2**32 & 0xFFFFFFFF).cause == "segmentation fault"
    assert explain(0xC0000409).cause == "abort"


def test_a_limit_on_memory_is_named_while_a_model_loads(
    slow_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under ``ulimit -v``: the library cannot have the memory, and says so."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if any('worker' in part for part in sys.orig_argv):\n"
        "    import resource, llama_cpp.llama_cpp, playground.engines.llamacpp.engine\n"
        "    used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used + 12 * 2**20, used + 12 * 2**20))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineError) as caught:
        open_engine(EngineSpec(path=str(slow_path), n_threads=1)).close()
    message = str(caught.value)
    assert "memory" in message
    assert "onvert" not in message


@pytest.mark.parametrize(
    ("reason", "expected", "absent"),
    [
        ("mmap failed: Cannot allocate memory", "memory could not be had", "onvert"),
        ("unknown model architecture: 'qwen9'", "--upgrade llama-cpp-python", "onvert"),
        (
            "tensor 'output.weight' data is not within the file bounds",
            "Download or convert it again",
            "upgrade",
        ),
    ],
)
def test_the_advice_follows_the_librarys_reason(reason: str, expected: str, absent: str) -> None:
    message = load_failure("m.gguf", reason, 10**9)
    assert expected in message
    assert absent not in message


def test_three_deaths_in_a_row_end_the_offer_to_load_again() -> None:
    dying = FakeReply(("one ",), die_at=0)
    engine = open_engine(
        EngineSpec(kind="fake", script=FakeScript((("die", dying), ("", FakeReply(("fine",))))))
    )
    assert isinstance(engine, WorkerEngine)
    die, live = GenerateRequest((text("die"),)), GenerateRequest((text("live"),))
    try:
        for _ in range(2):
            (answer,) = ask(engine, die)
            assert (answer.end.error or "").endswith("The next message loads the model again.")
        (answer,) = ask(engine, live)
        assert answer.text == "fine"
        errors = []
        for _ in range(3):
            (answer,) = ask(engine, die)
            errors.append(answer.end.error or "")
        assert [error.endswith("loads the model again.") for error in errors] == [True, True, False]
        assert "ended 3 times in a row" in errors[-1]
        assert engine.gave_up
        with pytest.raises(EngineDiedError, match="3 times in a row"):
            engine.tokenize([text("x")])
    finally:
        engine.close()


def test_half_a_surrogate_pair_is_the_error_of_its_request_alone() -> None:
    engine = open_engine(EngineSpec(kind="fake", script=FakeScript((("", FakeReply(("fine",))),))))
    assert isinstance(engine, WorkerEngine)
    try:
        pid = engine.pid
        bad = GenerateRequest((text("What is ice? \ud83d"),), SamplingParams(seed=5))
        answers = ask(engine, bad, GenerateRequest((text("b"),)))
        assert [answer.end.finish_reason for answer in answers] == ["error", "stop"]
        assert answers[0].end.error == (
            "The text holds U+D83D, half of a surrogate pair (character 14); no tokenizer takes it. "
            "Remove it."
        )
        assert answers[1].text == "fine"
        with pytest.raises(EngineError, match="half of a surrogate pair"):
            engine.tokenize([text("\udc00")])
        with pytest.raises(EngineError, match="the byte 0xE9, which is not UTF-8"):
            engine.tokenize([text(os.fsdecode(b"caf\xe9"))])
        with pytest.raises(EngineError, match="half of a surrogate pair"):
            engine.score([text("a")], [text("\ud800")])
        (large,) = ask(engine, GenerateRequest((text("x"),), SamplingParams(seed=2**70)))
        assert "cannot be sent" in (large.end.error or "")
        assert engine.pid == pid
    finally:
        engine.close()


def test_half_a_surrogate_pair_is_refused_in_this_process_too(tiny_path: Path) -> None:
    engine = open_engine(EngineSpec(path=str(tiny_path), n_threads=1), in_process=True)
    try:
        answers = ask(
            engine,
            GenerateRequest((text("\ud83d"),)),
            GenerateRequest((text("a"),), SamplingParams(max_tokens=2)),
        )
        assert [answer.end.finish_reason for answer in answers] == ["error", "length"]
        assert "half of a surrogate pair" in (answers[0].end.error or "")
    finally:
        engine.close()
