"""What sharing a prefix is worth: the engine against what its users would do otherwise, on this machine.

Speed does not depend on the weights, so that random ones of real sizes do. Each row is one kind of work that
the program is made of; ``Row.goal`` is what it must reach.
"""

from __future__ import annotations

from collections.abc import Iterator

from playground.errors import PlaygroundError
from playground.experiments.bench_report import LeftOut, Row, json_line, table
from playground.experiments.bench_work import BenchOptions

__all__ = ["BenchOptions", "LeftOut", "Row", "json_line", "run_bench", "table"]


def run_bench(options: BenchOptions, *, only: tuple[str, ...] = ()) -> Iterator[Row | LeftOut]:
    """Measure row after row.

    Args:
        options: What, and how large.
        only: Names of groups; all without it: preset, stream, questions, score, disk, edit, worker, peer.

    Raises:
        EngineMissingError: The engine's package is not installed.
        PlaygroundError: There is no group of that name.
    """
    if options.engine == "transformers":
        from playground.experiments.bench_torch import groups
    else:
        from playground.experiments.bench_llamacpp import groups
    with groups(options) as known:
        unknown = [name for name in only if name not in known]
        if unknown:
            raise PlaygroundError(f"There are no rows named '{unknown[0]}'; choose from: {', '.join(known)}.")
        for name, rows in known.items():
            if not only or name in only:
                yield from rows()
