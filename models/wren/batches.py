"""Batches of token ids, each a function of the seed and the step: nothing to store or resume.

Every row starts at the start of a document, as every prompt does, and holds as many documents
as fit; the last one is cut. A document is a list of segments, text and whether it is learnt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.wren.tokenizer import EOT_ID
from models.wren.world import World

Segments = list[tuple[str, bool]]
Draw = Callable[[random.Random, World, bool], Segments]


@dataclass(frozen=True, slots=True)
class Job:
    """The size of one batch: `rows` of `length` predicted tokens; `late` if in a stage's second part."""

    step: int
    rows: int
    length: int
    late: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids and which of them are learnt, both `[rows, length + 1]`."""

    ids: NDArray[np.int64]
    learnt: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BatchMaker:
    """Makes the batch of a job; a value, so that worker processes can hold a copy."""

    tokenizer: Tokenizer
    world: World
    draw: Draw
    seed: int

    def __call__(self, job: Job) -> Batch:
        """The batch of `job`."""
        rng = random.Random(f"wren {self.seed} {job.step}")
        ids = np.zeros((job.rows, job.length + 1), dtype=np.int64)
        learnt = np.zeros((job.rows, job.length + 1), dtype=np.float32)
        for row in range(job.rows):
            filled = 0
            while filled <= job.length:
                for text, learn in [*self.draw(rng, self.world, job.late), ("", True)]:
                    piece = self.tokenizer.encode(text).ids if text else [EOT_ID]
                    piece = piece[: job.length + 1 - filled]
                    ids[row, filled : filled + len(piece)] = piece
                    learnt[row, filled : filled + len(piece)] = learn
                    filled += len(piece)
        return Batch(ids, learnt)


def batches(maker: BatchMaker, jobs: list[Job], *, workers: int = 0) -> Iterator[Batch]:
    """The batches of `jobs` in order, made ahead by `workers` processes (0: made here)."""
    if workers == 0:
        yield from map(maker, jobs)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(maker, jobs, chunksize=4)
