"""A run that is killed five times at random loses nothing, repeats nothing, and finds the same."""

from __future__ import annotations

from pathlib import Path

from asker import main
from kills import answers_of, finish_with_kills, start, texts


def test_five_kills_change_nothing(tmp_path: Path) -> None:
    n = 12
    main(tmp_path / "whole", n, 0.0)
    whole = answers_of(tmp_path / "whole")
    folder = tmp_path / "killed"
    seen, _ = finish_with_kills(folder, lambda: start(folder, n, 0.004), 4 * n, kills=5, seed=8)
    killed = answers_of(folder)
    assert len(seen) == 5
    assert seen[0] < seen[-1] < 4 * n, "the kills fell while it was at work"
    assert len(killed) == len(whole) == 4 * n, "nothing lost, nothing twice"
    assert texts(killed) == texts(whole)
