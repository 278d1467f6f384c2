"""Stage two: the base model becomes the instruct model; only replies are learnt."""

from __future__ import annotations

from pathlib import Path

import torch

from models.wren.batches import BatchMaker
from models.wren.conversations import conversation
from models.wren.network import Llama
from models.wren.recipe import Recipe
from models.wren.tokenizer import load_or_train
from models.wren.training import train
from models.wren.world import load_world


def load_base(recipe: Recipe, folder: Path, checkpoint: Path | None = None) -> Llama:
    """The base model from its newest checkpoint, or from the one named."""
    path = checkpoint or folder / f"{recipe.pretraining.name}.pt"
    model = Llama(recipe.shape)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=False)["model"])
    return model


def tune(
    recipe: Recipe,
    base: Llama,
    folder: Path,
    *,
    device: str = "cpu",
    compiled: bool = True,
    workers: int = 0,
) -> Llama:
    """The instruct model: `base` tuned in place, with checkpoints in `folder`."""
    torch.manual_seed(recipe.seed)
    tokenizer = load_or_train(folder, recipe.seed, recipe.shape.vocabulary)
    maker = BatchMaker(tokenizer, load_world(), conversation, recipe.seed + 1)
    return train(
        base,
        maker,
        recipe.tuning,
        folder,
        device=device,
        compiled=compiled,
        workers=workers,
    )
