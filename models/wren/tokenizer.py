"""Byte-level BPE, trained on the corpus, the same for both models.

`add_prefix_space=False, use_regex=True` is what llama.cpp calls `gpt-2`; any other name there
tokenizes text differently without a word of warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from models.wren.corpus import documents

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
SPECIALS = (END_OF_TEXT, TURN_START, TURN_END)
EOT_ID, TURN_START_ID, TURN_END_ID = range(3)
TRAINING_DOCUMENTS = 24_000


def train_tokenizer(seed: int, vocabulary: int, *, documents_count: int = TRAINING_DOCUMENTS) -> Tokenizer:
    """A tokenizer of `vocabulary` tokens, the specials first."""

    def texts() -> Iterator[str]:
        yield from islice(documents(seed), documents_count)

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def load_or_train(folder: Path, seed: int, vocabulary: int) -> Tokenizer:
    """The tokenizer in `folder`, trained first if it is not there."""
    path = folder / "tokenizer.json"
    if not path.exists():
        train_tokenizer(seed, vocabulary).save(str(path))
    tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    return tokenizer
