"""Stage one: the base model learns the corpus."""

from __future__ import annotations

import random
from pathlib import Path

import torch

from models.wren.batches import BatchMaker, Segments
from models.wren.corpus import document
from models.wren.network import Llama
from models.wren.recipe import Recipe
from models.wren.tokenizer import load_or_train
from models.wren.training import train
from models.wren.world import World, load_world


def draw(rng: random.Random, world: World, late: bool) -> Segments:
    """One document, learnt whole."""
    return [(document(rng, world, late=late), True)]


def pretrain(
    recipe: Recipe, folder: Path, *, device: str = "cpu", compiled: bool = True, workers: int = 0
) -> Llama:
    """The base model, trained or read from `folder`."""
    torch.manual_seed(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = load_or_train(folder, recipe.seed, recipe.shape.vocabulary)
    maker = BatchMaker(tokenizer, load_world(), draw, recipe.seed)
    return train(
        Llama(recipe.shape),
        maker,
        recipe.pretraining,
        folder,
        device=device,
        compiled=compiled,
        workers=workers,
        keep=True,
    )
