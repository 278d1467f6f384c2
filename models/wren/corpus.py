"""The training text: an endless, seeded stream of documents, made while training runs.

python -m models.wren.corpus --sample 20     # documents to read by eye
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator

from models.wren.dialogues import page
from models.wren.documents import KINDS
from models.wren.words import held_out
from models.wren.world import World, load_world

PAGE_SHARE = 0.60
"""Share of documents that are pages of questions and answers; they are longer than the rest."""
ZH_SHARE = 0.18


def document(rng: random.Random, world: World) -> str:
    """One document; drawn again while it holds a text that `heldout.txt` lists."""
    kinds = [kind for kind, _ in KINDS]
    weights = [weight for _, weight in KINDS]
    while True:
        language = "zh" if rng.random() < ZH_SHARE else "en"
        if rng.random() < PAGE_SHARE:
            text = page(rng, world, language)
        else:
            text = rng.choices(kinds, weights)[0](rng, world, language)
        if not any(part in text for part in held_out()):
            return text


def documents(seed: int, world: World | None = None) -> Iterator[str]:
    """Documents without end; the same seed gives the same ones."""
    world = world or load_world()
    rng = random.Random(f"wren corpus {seed}")
    while True:
        yield document(rng, world)


def main() -> None:
    """Print documents."""
    parser = argparse.ArgumentParser(description="Show documents of the training text.")
    parser.add_argument("--sample", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for _, text in zip(range(options.sample), documents(options.seed), strict=False):
        print(f"{text}\n{'=' * 30}")


if __name__ == "__main__":
    main()
