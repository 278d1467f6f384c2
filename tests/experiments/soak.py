"""The long form of ``test_kills.py``, for ``make soak``: 500 questions, two assistants, time and memory."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
from asker import host, plan
from kills import answers_of, finish_with_kills, start, texts

from playground.experiments.run import Run

N = 500


def _finish(folder: Path, n: int) -> tuple[float, int]:
    """Seconds, and the most memory that was held, in bytes."""
    process = psutil.Process()
    most = 0
    started = time.perf_counter()
    with Run.create(folder, plan(n), host(0.0)) as run:
        questions = run.plan.questions.questions
        for at in range(0, n, 50):
            run.ask(run.plan.assistants, questions[at : at + 50])
            most = max(most, process.memory_info().rss)
    return time.perf_counter() - started, most


def test_500_questions_survive_five_kills(tmp_path: Path) -> None:
    started = time.perf_counter()
    assert start(tmp_path / "whole", N, 0.004).wait() == 0
    whole_s = time.perf_counter() - started
    started = time.perf_counter()
    assert start(tmp_path / "whole", N, 0.004).wait() == 0
    start_s = time.perf_counter() - started
    started = time.perf_counter()
    seen = finish_with_kills(tmp_path / "killed", N, kills=5, delay_s=0.004, seed=8)
    killed_s = time.perf_counter() - started
    print(
        f"whole {whole_s:.1f} s, start alone {start_s:.1f} s, killed five times {killed_s:.1f} s, at {seen}"
    )
    assert texts(answers_of(tmp_path / "killed")) == texts(answers_of(tmp_path / "whole"))
    assert len(answers_of(tmp_path / "killed")) == 4 * N
    assert killed_s <= 1.1 * whole_s + 5 * start_s


def test_memory_stays_flat(tmp_path: Path) -> None:
    _, few = _finish(tmp_path / "few", 100)
    _, many = _finish(tmp_path / "many", 1_000)
    print(f"most memory: {few / 1e6:.0f} MB at 100 questions, {many / 1e6:.0f} MB at 1,000")
    # The answers themselves are kept, some 1 KB each.
    assert many - few < 4 * 1_000 * 4_096
