"""From nothing to the two models: `python -m models.wren [--size small] [--device cpu]`.

Checkpoints lie in the user's cache folder; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch

from models.wren.recipe import RECIPES, SEED


def cache_folder() -> Path:
    """Where checkpoints are kept: `$WREN_CACHE`, else below the user's cache folder."""
    named = os.environ.get("WREN_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "icl-playground" / "wren"


def main() -> None:
    """Run the steps that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m models.wren", description=__doc__)
    parser.add_argument("--size", choices=sorted(RECIPES), default="small")
    parser.add_argument("--seed", type=int, default=SEED, help="of corpus, tokenizer and weights")
    parser.add_argument("--steps", type=int, help="of the pretraining, in place of the size's own")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 lets torch choose")
    parser.add_argument("--workers", type=int, default=0, help="processes that write documents")
    parser.add_argument("--no-compile", action="store_true", help="do without a C++ compiler")
    parser.add_argument("--only", choices=("pretrain", "tune", "export"), help="one step alone")
    parser.add_argument("--out", type=Path, help="where the weights go; default: this folder")
    parser.add_argument("--checkpoint", type=Path, help="base weights other than the newest")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = replace(RECIPES[options.size], seed=options.seed)
    if options.steps:
        recipe = replace(recipe, pretraining=replace(recipe.pretraining, steps=options.steps))
    folder = cache_folder() / (options.size if options.seed == SEED else f"{options.size}-{options.seed}")
    compiled = not options.no_compile
    if options.only in (None, "pretrain"):
        from models.wren.pretrain import pretrain

        pretrain(
            recipe,
            folder,
            device=options.device,
            compiled=compiled,
            workers=options.workers,
        )
    if options.only in (None, "tune"):
        from models.wren.tune import load_base, tune

        tune(
            recipe,
            load_base(recipe, folder, options.checkpoint),
            folder,
            device=options.device,
            compiled=compiled,
            workers=options.workers,
        )
    if options.only in (None, "export"):
        from models.wren.export import export_pair
        from models.wren.picture import draw_losses

        out = options.out or Path(__file__).parent
        export_pair(recipe, folder, out, base_checkpoint=options.checkpoint)
        draw_losses(folder, out / "loss.png")


if __name__ == "__main__":
    main()
