"""The engine in a process of its own: it may die, and nothing but the answer in the making is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from asking import ask, fold, letters_only, request, text

from playground.engines.base import Cancel, Delta, Finished, GenerateRequest
from playground.engines.client import WorkerEngine
from playground.engines.fake import FakeReply, FakeScript
from playground.engines.load import EngineSpec, open_engine
from playground.engines.protocol import Answer, Failed, Generate, Progressed, Request
from playground.errors import EngineDiedError, EngineError, ModelLoadError
from playground.types import Alternative, SamplingParams, Token

Open = Callable[..., WorkerEngine]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens workers, closes them, and sees that no process is left."""
    engines: list[WorkerEngine] = []

    def open_one(spec: EngineSpec) -> WorkerEngine:
        engine = open_engine(spec)
        assert isinstance(engine, WorkerEngine)
        engines.append(engine)
        return engine

    yield open_one
    for engine in engines:
        engine.close()
    assert not psutil.Process().children(recursive=True)


def fake(*replies: tuple[str, FakeReply], **options: object) -> EngineSpec:
    """A fake that plays ``replies``."""
    return EngineSpec(kind="fake", script=FakeScript(replies, **options))  # type: ignore[arg-type]


def kill(engine: WorkerEngine) -> None:
    """``kill -9``, or its like."""
    assert engine.pid is not None
    psutil.Process(engine.pid).kill()


def test_kill_in_mid_answer(opened: Open, slow_path: Path) -> None:
    engine = opened(EngineSpec(path=str(slow_path), n_threads=1))
    events = engine.generate([request(engine, n=2, max_tokens=500)])
    written = ""
    for event in events:
        assert isinstance(event, Delta)
        written += event.text
        if len(written) > 3:
            break
    first = engine.pid
    kill(engine)
    started = time.perf_counter()
    rest = fold(events)
    assert time.perf_counter() - started < 1
    for answer in rest.values():
        assert answer.end.finish_reason == "error"
        assert answer.end.error is not None
        assert "The model's process was killed (SIGKILL)" in answer.end.error
        assert "Its weights take " in answer.end.error
        assert answer.end.error.endswith("The next message loads the model again.")
    assert not engine.alive
    (again,) = ask(engine, request(engine, max_tokens=3))
    assert again.end.finish_reason == "length"
    assert engine.alive
    assert engine.pid != first


def test_every_open_call_is_told_of_the_death(opened: Open) -> None:
    endless = FakeReply(("word ",), delay_s=0.01, repeat=True)
    engine = opened(fake(("", endless)))
    ends: list[Finished] = []
    going = threading.Barrier(4)

    def listen() -> None:
        asked = GenerateRequest((text("x"),), SamplingParams(max_tokens=10**6))
        events = engine.generate([asked])
        next(events)
        going.wait()
        ends.extend(event for event in events if isinstance(event, Finished))

    threads = [threading.Thread(target=listen) for _ in range(3)]
    for thread in threads:
        thread.start()
    going.wait()
    kill(engine)
    for thread in threads:
        thread.join(timeout=2)
    assert [end.finish_reason for end in ends] == ["error"] * 3
    assert all(end.usage.completion_tokens > 0 for end in ends)


def test_a_reply_that_kills_its_process(opened: Open) -> None:
    engine = opened(fake(("die", FakeReply(("one ", "two "), die_at=1)), ("", FakeReply(("fine",)))))
    (dead,) = ask(engine, GenerateRequest((text("die"),)))
    assert dead.text == "one "
    assert dead.end.finish_reason == "error"
    assert "was killed (SIGKILL)" in (dead.end.error or "")
    (alive,) = ask(engine, GenerateRequest((text("live"),)))
    assert alive.text == "fine"


def test_a_death_is_told_as_one_where_another_call_has_started_the_worker_again(opened: Open) -> None:
    """A page asks for token counts at once, which clears the dead worker away before its answer is told."""
    engine = opened(fake(("", FakeReply(("word ",), delay_s=0.01, repeat=True))))
    events = engine.generate([GenerateRequest((text("go on"),))])
    next(events)
    kill(engine)
    with contextlib.suppress(EngineDiedError):
        engine.tokenize([text("may be the one that notices")])
    engine.tokenize([text("starts it again")])
    (dead,) = fold(events).values()
    assert "was killed (SIGKILL)" in (dead.end.error or "")


def test_a_failing_reply_ends_only_itself(opened: Open) -> None:
    engine = opened(
        fake(("bad", FakeReply(("one",), fail_at=1, error="It broke.")), ("", FakeReply(("ok",))))
    )
    pid = engine.pid
    bad, good = ask(engine, GenerateRequest((text("bad"),)), GenerateRequest((text("good"),)))
    assert (bad.text, bad.end.error) == ("one", "It broke.")
    assert good.text == "ok"
    assert engine.pid == pid


def test_loading_that_fails_says_so(opened: Open) -> None:
    with pytest.raises(ModelLoadError, match="no such thing"):
        opened(EngineSpec(kind="fake", script=FakeScript(load_error="There is no such thing.")))


def test_progress_is_reported(tiny_path: Path) -> None:
    seen: list[float] = []
    engine = open_engine(EngineSpec(path=str(tiny_path), n_threads=1), progress=seen.append)
    engine.close()
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def test_one_users_cancel_leaves_the_others_alone(opened: Open) -> None:
    engine = opened(fake(("", FakeReply(("a", "b", "c", "d"), delay_s=0.05))))
    cancel = Cancel()
    mine = engine.generate([GenerateRequest((text("mine"),))], cancel=cancel)
    next(mine)
    results: list[str] = []
    other = threading.Thread(
        target=lambda: results.append(ask(engine, GenerateRequest((text("other"),)))[0].text)
    )
    other.start()
    cancel.set()
    assert fold(mine)[0, 0].end.finish_reason == "cancelled"
    other.join()
    assert results == ["abcd"]


def test_closing_gives_the_memory_back(opened: Open, slow_path: Path) -> None:
    """The process that holds the model is gone, and this one has not grown by the model."""
    here = psutil.Process()
    before = here.memory_info().rss
    engine = opened(EngineSpec(path=str(slow_path), n_threads=1))
    ask(engine, request(engine, max_tokens=2))
    assert engine.pid is not None
    worker = psutil.Process(engine.pid)
    held = worker.memory_info().rss
    engine.close()
    assert not psutil.pid_exists(worker.pid)
    assert held > engine.info.size_bytes
    assert here.memory_info().rss - before < engine.info.size_bytes / 2
    with pytest.raises(EngineError, match="was closed"):
        engine.tokenize([text("x")])
    assert not engine.alive
    engine.close()


def test_closing_in_mid_answer_ends_it(opened: Open) -> None:
    engine = opened(fake(("", FakeReply(("word ",), delay_s=0.01, repeat=True))))
    events = engine.generate([GenerateRequest((text("x"),), SamplingParams(max_tokens=10**6))])
    next(events)
    engine.close()
    last = list(events)[-1]
    assert isinstance(last, Finished)
    assert last.error == "The model was closed; open it again."


@pytest.mark.parametrize("how", ["os._exit(0)", "os.kill(os.getpid(), 9)", "raise SystemExit"])
@pytest.mark.parametrize("busy", [False, True])
def test_the_worker_ends_with_its_parent(how: str, busy: bool) -> None:
    if sys.platform == "win32":
        how = how.replace("os.kill(os.getpid(), 9)", "os.abort()")
    script = textwrap.dedent(f"""
        import os
        from playground.engines.base import GenerateRequest
        from playground.engines.fake import FakeReply, FakeScript
        from playground.engines.load import EngineSpec, open_engine
        from playground.types import Origin, Piece, SamplingParams
        endless = FakeReply(("word ",), delay_s=0.01, repeat=True)
        engine = open_engine(EngineSpec(kind="fake", script=FakeScript((("", endless),))))
        events = engine.generate([GenerateRequest((Piece("x", Origin("turn", "query")),),
                                                  SamplingParams(max_tokens=10**6))])
        if {busy}:
            next(events)
        print(engine.pid, flush=True)
        {how}
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    pid = int(done.stdout)
    try:
        psutil.Process(pid).wait(timeout=5)
    except psutil.NoSuchProcess:
        return


def test_the_worker_finds_the_package_from_anywhere(repository: Path, tmp_path: Path) -> None:
    """As in a checkout that is not installed, run from another folder."""
    script = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(repository)!r})
        from playground.engines.load import EngineSpec, open_engine
        print(open_engine(EngineSpec(kind="fake")).info.name)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "fake\n"


def test_native_prints_do_not_disturb_the_pipe(opened: Open) -> None:
    """What is written to descriptor 1 in the worker goes to its stderr."""
    script = textwrap.dedent("""
        import os, sys
        from playground.engines import worker
        pipe_in, pipe_out = worker._take_pipes()
        os.write(1, b"native noise")
        print("python noise", flush=True)
        pipe_out.write(b"clean")
        pipe_out.flush()
        assert os.read(0, 1) == b""
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], input=b"request", capture_output=True, timeout=30, check=True
    )
    assert done.stdout == b"clean"
    assert b"native noise" in done.stderr


def test_ctrl_c_is_the_parents_business(opened: Open) -> None:
    engine = opened(fake(("", FakeReply(("fine",)))))
    assert engine.pid is not None
    if sys.platform != "win32":  # where a console's Ctrl-C cannot be sent to one process
        os.kill(engine.pid, signal.SIGINT)
    (answer,) = ask(engine, GenerateRequest((text("still there?"),)))
    assert answer.text == "fine"


def test_a_closed_iterator_is_a_cancel(opened: Open, slow_path: Path) -> None:
    engine = opened(EngineSpec(path=str(slow_path), n_threads=1, n_lanes=1))
    events = engine.generate([request(engine, max_tokens=2000)])
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert engine.pid is not None
    # The worker is idle again: it uses no processor time.
    process = psutil.Process(engine.pid)
    for _ in range(50):
        used = sum(process.cpu_times()[:2])
        time.sleep(0.05)  # the measure itself: time in which it must do nothing
        if sum(process.cpu_times()[:2]) == used:
            return
    pytest.fail("the worker went on")


def test_unknown_errors_become_engine_errors() -> None:
    assert type(Failed(1, "ModelLoadError", "x").error()) is ModelLoadError
    assert type(Failed(1, "os", "x").error()) is EngineError
    assert "ZeroDivisionError" in Failed.of(1, ZeroDivisionError("by zero")).message


def test_messages_survive_the_pipe() -> None:
    asked = GenerateRequest(
        (text("x", special=True),), SamplingParams(logit_bias=((1, 2.0),)), n=2, logprobs=3
    )

    sent: Request = Generate(4, (asked,))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=Request) == sent
    delta = Delta(0, 1, "é", (Token(5, b"\xc3", -1.0, 2, 0.5, (Alternative(6, b"\xff", -2.0),)),))
    answer: Answer = Progressed(4, delta)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Answer) == answer


def test_letters_through_the_worker(opened: Open, tiny_path: Path) -> None:
    engine = opened(EngineSpec(path=str(tiny_path), n_threads=1))
    here = open_engine(EngineSpec(path=str(tiny_path), n_threads=1), in_process=True)
    assert letters_only(engine) == letters_only(here)
    assert engine.info.special_tokens == here.info.special_tokens
    asked = request(engine, n=3, logprobs=2)
    assert [a.text for a in ask(engine, asked)] == [a.text for a in ask(here, asked)]
    here.close()
