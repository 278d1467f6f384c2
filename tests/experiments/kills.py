"""Killing a run at random places and going on with it; used by the suite and, larger, by ``make soak``."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from playground.experiments.journal import read_journal
from playground.experiments.run_files import Answer

ASKER = Path(__file__).with_name("asker.py")


def finish_with_kills(
    folder: Path, begin: Callable[[], subprocess.Popen[bytes]], total: int, *, kills: int, seed: int
) -> tuple[list[int], list[float]]:
    """Kill what ``begin`` starts ``kills`` times, each after some more lines.

    Each kill falls in the middle of whatever is done when a drawn number of the ``total`` lines is reached.

    Returns:
        Lines on disk at each kill, and for each start seconds until it had answered something.
    """
    draw = random.Random(seed)
    places = sorted(draw.sample(range(1, total - 1), kills))
    journal = folder / "answers.jsonl"
    seen: list[int] = []
    starts: list[float] = []
    for place in places:
        process = begin()
        try:
            starts.append(_wait_for(journal, _lines(journal) + 1, process))
            _wait_for(journal, place, process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        seen.append(_lines(journal))
        # What a kill in the middle of a write leaves behind.
        with journal.open("ab") as file:
            file.write(b'{"assistant":"styled","question":"q0","turn":0,"sa'[: draw.randrange(1, 40)])
    process = begin()
    starts.append(_wait_for(journal, _lines(journal) + 1, process))
    assert process.wait(timeout=600) == 0
    return seen, starts


def answers_of(folder: Path) -> list[Answer]:
    """Every line of the run's answers; a broken one fails."""
    lines, problems = read_journal(folder / "answers.jsonl", Answer)
    assert problems == []
    return lines


def texts(lines: list[Answer]) -> dict[tuple[str, str, int, int], tuple[str, int, str]]:
    """What was said under each key, without what depends on the clock."""
    return {line.key: (line.text, line.seed, line.finish_reason) for line in lines}


def start(folder: Path, n: int, delay_s: float) -> subprocess.Popen[bytes]:
    """The asker at work."""
    return subprocess.Popen([sys.executable, str(ASKER), str(folder), str(n), str(delay_s)])


def _wait_for(journal: Path, place: int, process: subprocess.Popen[bytes]) -> float:
    """Seconds until so many lines are there, or the process ended."""
    began = time.monotonic()
    there, deadline = -1, 0.0
    while (now := _lines(journal)) < place and process.poll() is None:
        if now > there:
            there, deadline = now, time.monotonic() + 120
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.002)
    return time.monotonic() - began


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0
