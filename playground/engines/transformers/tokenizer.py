"""A model's tokenizer without its weights: for counting the tokens of a model that runs elsewhere."""

from __future__ import annotations

from typing import Any

from transformers import AutoTokenizer

from playground.engines.transformers.model import find_tokenizer_folder
from playground.engines.transformers.vocab import Vocab
from playground.errors import ModelLoadError


def load_vocab(path: str) -> tuple[Vocab, str | None]:
    """The vocabulary of a folder or downloaded repository, and its chat template if it has one.

    Raises:
        ModelLoadError: There is no such folder, or no tokenizer in it.
    """
    folder = find_tokenizer_folder(path)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the library raises many kinds
        raise ModelLoadError(f"The tokenizer of {path} could not be loaded: {error}") from error
    template = tokenizer.chat_template
    return Vocab(tokenizer, len(tokenizer), []), template if isinstance(template, str) else None
