"""Stage one: the base model learns the corpus."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import torch

from models.wren.batches import BatchMaker, Segments
from models.wren.corpus import document
from models.wren.network import Llama
from models.wren.recipe import SEED, Recipe
from models.wren.tokenizer import load_or_train
from models.wren.training import train
from models.wren.world import World, load_world


def draw(rng: random.Random, world: World) -> Segments:
    """One document, learnt whole."""
    return [(document(rng, world), True)]


def pretrain(
    recipe: Recipe, folder: Path, *, device: str = "cpu", compiled: bool = True, workers: int = 0
) -> Llama:
    """The base model, trained or read from `folder`."""
    torch.manual_seed(SEED)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = load_or_train(folder, SEED, recipe.shape.vocabulary)
    maker = BatchMaker(tokenizer, load_world(), draw, SEED)
    model = Llama(recipe.shape)
    for plan in (recipe.pretraining, recipe.annealing):
        # Another seed for the second stage, or it would start with the documents of the first.
        stage = replace(maker, seed=SEED + (1000 if plan is recipe.annealing else 0))
        model = train(
            model,
            stage,
            plan,
            folder,
            device=device,
            compiled=compiled,
            workers=workers,
            keep=True,
        )
    return model
