"""The long form of ``test_kills.py``, for ``make soak``: 500 questions, two assistants, time and memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from asker import host, plan
from kills import answers_of, finish_with_kills, start, texts

from playground.experiments.run import Run

N = 500
KILLS = 5


def survive(tmp_path: Path, begin: Callable[[Path], subprocess.Popen[bytes]], seed: int) -> None:
    """A run that is killed ends with the answers of one that is not, in little more time."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    started = time.perf_counter()
    assert begin(whole).wait() == 0
    whole_s = time.perf_counter() - started
    expected = answers_of(whole)
    started = time.perf_counter()
    seen, starts = finish_with_kills(killed, lambda: begin(killed), len(expected), kills=KILLS, seed=seed)
    killed_s = time.perf_counter() - started
    found = answers_of(killed)
    again_s = sum(starts[1:])
    print(
        f"\n{len(expected)} answers in {whole_s:.1f} s; killed at {seen} in {killed_s:.1f} s, of which "
        f"{again_s:.1f} s until the {KILLS} new starts had answered something: "
        f"{(killed_s - again_s) / whole_s:.2f} times without them"
    )
    assert texts(found) == texts(expected)
    assert len(found) == len(expected) >= 2 * N
    assert seen[-1] < len(expected)
    assert killed_s - again_s <= 1.1 * whole_s


def test_500_questions_survive_five_kills(tmp_path: Path) -> None:
    """Eight answers at a time, each token after 4 ms: what is lost is what was in flight."""
    survive(tmp_path, lambda folder: start(folder, N, 0.004), seed=8)


def test_500_questions_of_the_bundled_pair_survive_five_kills(tmp_path: Path) -> None:
    """The command itself, with its models' processes, in exact mode: base and instruct."""

    def begin(folder: Path) -> subprocess.Popen[bytes]:
        asked = ["--questions", "wren", "--limit", str(N), "--metrics", "right", "--seed", "7", "--exact"]
        asked += ["--assistant", "wren/base:friendly", "--assistant", "wren/instruct", "--out", str(folder)]
        there = (folder / "manifest.json").is_file()
        options = ["--resume", str(folder)] if there else asked
        return subprocess.Popen(
            [sys.executable, "-m", "playground", "evaluate", *options], stdout=subprocess.DEVNULL
        )

    survive(tmp_path, begin, seed=9)


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


def test_memory_stays_flat(tmp_path: Path) -> None:
    _, few = _finish(tmp_path / "few", 100)
    _, many = _finish(tmp_path / "many", 1_000)
    print(f"\nmost memory: {few / 1e6:.0f} MB at 100 questions, {many / 1e6:.0f} MB at 1,000")
    # The answers themselves are kept, some 1 KB each.
    assert many - few < 4 * 1_000 * 4_096
