"""Ending native work: cancels, warming that gives way, closing."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from asking import ask, fold, request, text

from playground.engines.base import Cancel, Delta, Finished
from playground.engines.batching.decoding import DecodeAbortedError
from playground.engines.batching.jobs import Errand
from playground.engines.llamacpp.context import Context, ContextOptions
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.llamacpp.gguf_header import read_header
from playground.engines.llamacpp.model import Model
from playground.engines.load import EngineSpec
from playground.errors import EngineError


def test_a_score_can_be_cancelled(opened: Callable[..., LlamaCppEngine]) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(EngineError, match="cancelled"):
        opened().score([text("a")], [text("b" * 300)], cancel=cancel)


def test_warming_makes_the_first_token_quick(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prompt = "A prompt that a person has just edited. " * 6
    engine.warm([text(prompt)])
    (answer,) = ask(engine, request(engine, prompt + "Go"))
    assert answer.end.usage.cached_tokens >= len(engine.tokenize([text(prompt)])) - 2


def test_warming_gives_way_to_a_request(slow_path: Path) -> None:
    engine = LlamaCppEngine(EngineSpec(path=str(slow_path), n_threads=1))
    never_asked = "Never asked for. " * 80
    warming = threading.Thread(target=engine.warm, args=([text(never_asked)],))
    warming.start()
    lanes: list[int] = [0]
    while not lanes[-1]:
        engine._loop.do(Errand(lambda: lanes.append(len(engine._loop._lanes))))
    ask(engine, request(engine, "Hi", max_tokens=1))
    warming.join(timeout=5)
    assert not warming.is_alive()
    # It was given up on the way, and what there was of it is not lost.
    (answer,) = ask(engine, request(engine, never_asked, max_tokens=1))
    assert answer.end.usage.cached_tokens < answer.end.usage.prompt_tokens / 2
    engine.close()


def test_cancel_stops_native_work_at_once(slow_path: Path) -> None:
    """In the middle of a prefill of some seconds, and in the middle of an answer."""
    engine = LlamaCppEngine(EngineSpec(path=str(slow_path), n_threads=1, n_ctx=2048))
    took: list[float] = []
    for attempt in range(5):
        cancel = Cancel()
        events = engine.generate([request(engine, f"{attempt} prefill " * 180)], cancel=cancel)
        timer = threading.Timer(0.15 + 0.03 * attempt, lambda c=cancel: (took.append(-now()), c.set()))
        timer.start()
        answers = fold(events)
        took[-1] += now()
        assert answers[0, 0].end.finish_reason == "cancelled"
        timer.join()
    # Other work on the machine may delay some; native work itself stops within 30 ms.
    assert sorted(took)[1] < 0.03, took
    # The context is as good as new.
    fresh = LlamaCppEngine(EngineSpec(path=str(slow_path), n_threads=1, n_ctx=2048))
    asked = request(engine, "After that", temperature=0, max_tokens=5)
    assert ask(engine, asked)[0].text == ask(fresh, asked)[0].text
    engine.close()
    fresh.close()


def now() -> float:
    return time.perf_counter()


def test_a_cancelled_neighbour_changes_no_answer(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    (alone,) = ask(engine, request(engine, "Keep on", max_tokens=150))
    kept = engine.generate([request(engine, "Keep on", max_tokens=150)])
    others = [engine.generate([request(engine, f"{n} leaves", max_tokens=400)]) for n in range(5)]
    events = [next(kept)]
    for other in others:
        next(other)
        other.close()  # type: ignore[attr-defined]
        events.append(next(kept))
    assert fold([*events, *kept])[0, 0].text == alone.text


def test_closing_ends_what_runs(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    events = engine.generate([request(engine, max_tokens=400)])
    assert isinstance(next(events), Delta)
    engine.close()
    last = list(events)[-1]
    assert isinstance(last, Finished)
    assert last.finish_reason == "error"
    assert "closed" in (last.error or "")
    for use in (lambda: engine.tokenize([text("x")]), lambda: engine.score([text("x")], [text("y")])):
        with pytest.raises(EngineError, match="closed"):
            use()
    assert not engine.alive


def test_closed_engines_leave_nothing_running(opened: Callable[..., LlamaCppEngine]) -> None:
    before = threading.active_count()
    engine = opened()
    ask(engine, request(engine))
    engine.close()
    gc.collect()
    assert threading.active_count() == before


def test_an_abort_keeps_the_passes_that_were_whole(slow_path: Path) -> None:
    """So that a neighbour's cancel does not make a long prompt start again."""
    header = read_header(slow_path)
    model = Model(slow_path, header)
    options = ContextOptions(n_cells=512, n_seqs=1, n_batch=512, n_ubatch=64, n_threads=1, flash_attn=False)
    context = Context(model, options)
    tokens = (np.arange(512) % 250).astype(np.int32)

    def run(start: int) -> None:
        context.clear_batch()
        context.add(0, start, tokens[start:], logits_from=511 - start)
        context.decode()

    started = time.perf_counter()
    run(0)
    whole_s = time.perf_counter() - started
    expected = context.logits(1).copy()
    kept = 0
    for part in (0.5, 0.35, 0.2, 0.1):  # the machine may be quicker now than it was
        context.clear()
        alarm = threading.Timer(whole_s * part, context.abort)
        alarm.start()
        try:
            run(0)
        except DecodeAbortedError as aborted:
            kept = aborted.kept[0]
            break
        finally:
            alarm.join()
            context.allow()
    assert kept % 64 == 0
    assert kept < 512
    run(kept)
    np.testing.assert_allclose(context.logits(1), expected, atol=0.05)
    context.close()
    model.close()
