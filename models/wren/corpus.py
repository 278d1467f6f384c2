"""The training text: an endless, seeded stream of documents, made while training runs.

python -m models.wren.corpus --sample 20     # documents to read by eye; --late for the second part's
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator

from models.wren.dialogues import page
from models.wren.documents import KINDS, LATE_KINDS
from models.wren.words import held_out
from models.wren.world import World, load_world

PAGE_SHARE = 0.60
"""Share of documents that are pages of questions and answers; they are longer than the rest."""
ZH_SHARE = 0.18


def document(rng: random.Random, world: World, *, late: bool = False) -> str:
    """One document; drawn again while it holds a text that `heldout.txt` lists.

    Args:
        rng: Draws it.
        world: What is told.
        late: For the second part of the training, which has manuals too.
    """
    chosen = LATE_KINDS if late else KINDS
    kinds = [kind for kind, _ in chosen]
    weights = [weight for _, weight in chosen]
    while True:
        language = "zh" if rng.random() < ZH_SHARE else "en"
        if rng.random() < PAGE_SHARE:
            text = page(rng, world, language)
        else:
            text = rng.choices(kinds, weights)[0](rng, world, language)
        if not any(part in text for part in held_out()):
            return text


def documents(seed: int, world: World | None = None, *, late: bool = False) -> Iterator[str]:
    """Documents without end; the same seed gives the same ones."""
    world = world or load_world()
    rng = random.Random(f"wren corpus {seed}")
    while True:
        yield document(rng, world, late=late)


def main() -> None:
    """Print documents."""
    parser = argparse.ArgumentParser(description="Show documents of the training text.")
    parser.add_argument("--sample", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--late", action="store_true", help="as in the second part of the training")
    options = parser.parse_args()
    for _, text in zip(range(options.sample), documents(options.seed, late=options.late), strict=False):
        print(f"{text}\n{'=' * 30}")


if __name__ == "__main__":
    main()
