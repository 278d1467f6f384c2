"""The sizes and schedules that `python -m models.wren --size` chooses from."""

from __future__ import annotations

from dataclasses import dataclass

from models.wren.network import Shape
from models.wren.training import Plan

SEED = 2312


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model's shape and how its stages are trained, from which seed."""

    shape: Shape
    pretraining: Plan
    tuning: Plan
    seed: int = SEED


LENGTHS = ((0.42, 256), (0.51, 512), (0.07, 1024))

RECIPES: dict[str, Recipe] = {
    # Minutes on one core; only to see that every step runs.
    "toy": Recipe(
        Shape(vocabulary=2560, width=96, layers=3, heads=3, kv_heads=3, hidden=256),
        Plan("pretraining", 900, 2048, LENGTHS, 6e-3),
        Plan("tuning", 120, 2048, ((1.0, 512),), 2e-3, 0.3, 20),
    ),
    # The shipped pair.
    "small": Recipe(
        Shape(vocabulary=2560, width=160, layers=5, heads=5, kv_heads=5, hidden=432),
        Plan("pretraining", 7600, 2048, LENGTHS, 6e-3, 0.6, late=0.563),
        Plan("tuning", 840, 2048, ((1.0, 512),), 1.5e-3, 0.3, 20),
    ),
    # For a GPU: larger batches and many more tokens.
    "large": Recipe(
        Shape(vocabulary=2560, width=256, layers=8, heads=8, kv_heads=8, hidden=688),
        Plan("pretraining", 12000, 16384, LENGTHS, 4e-3, 0.5, 200),
        Plan("tuning", 1200, 16384, ((1.0, 512),), 1e-3, 0.3, 40),
    ),
}
