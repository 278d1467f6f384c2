"""Sampling and tokens of the transformers engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from asking import text
from hypothesis import HealthCheck, given, settings, strategies
from transformers.generation.logits_process import (
    LogitsProcessor,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from playground.engines.transformers.sampler import next_distribution
from playground.engines.transformers.vocab import Vocab
from playground.types import SamplingParams


@pytest.mark.parametrize(
    ("params", "steps"),
    [
        (SamplingParams(temperature=0.6), [TemperatureLogitsWarper(0.6)]),
        (SamplingParams(temperature=1, top_k=20), [TopKLogitsWarper(20)]),
        (SamplingParams(temperature=1, top_p=0.8), [TopPLogitsWarper(0.8)]),
        (SamplingParams(temperature=1, min_p=0.1), [MinPLogitsWarper(0.1)]),
        (SamplingParams(temperature=1, repetition_penalty=1.3), [RepetitionPenaltyLogitsProcessor(1.3)]),
        (
            SamplingParams(temperature=0.7, top_k=50, top_p=0.9, min_p=0.02, repetition_penalty=1.1),
            [
                RepetitionPenaltyLogitsProcessor(1.1),
                TemperatureLogitsWarper(0.7),
                TopKLogitsWarper(50),
                TopPLogitsWarper(0.9),
                MinPLogitsWarper(0.02),
            ],
        ),
    ],
)
def test_options_mean_what_transformers_means(params: SamplingParams, steps: list[LogitsProcessor]) -> None:
    logits = np.random.default_rng(5).normal(0, 3, 3000).astype(np.float32)
    prompt, output = [5, 6, 7], [7, 9]
    scores = torch.from_numpy(logits.copy())[None]
    for step in steps:
        scores = step(torch.tensor([prompt + output]), scores)
    expected = torch.softmax(scores[0].double(), -1).numpy()
    found = next_distribution(params, logits, prompt, output)
    assert set(np.flatnonzero(found)) == set(np.flatnonzero(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)


class SentencePiece:
    """As much of a Llama 2 tokenizer as the vocabulary reads."""

    bos_token_id = 1
    eos_token_id = 2

    def __init__(self) -> None:
        from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

        words = ["<unk>", "<s>", "</s>", *(f"<0x{value:02X}>" for value in range(256)), "▁", "h", "i", "▁h"]
        words += ["<", "/", "s", ">", "</", "s>"]
        vocab = {word: number for number, word in enumerate(words)}
        # Merging makes the control token of its plain text here.
        merges = [("▁", "h"), ("<", "/"), ("s", ">"), ("</", "s>")]
        model = models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
        self.backend_tokenizer = Tokenizer(model)
        self.backend_tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        self.backend_tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        special = [AddedToken(word, special=True, normalized=False) for word in ("<s>", "</s>")]
        self.backend_tokenizer.add_special_tokens(special)
        self.added_tokens_decoder = {1: special[0], 2: special[1]}

    def __call__(self, content: str) -> dict[str, list[int]]:
        return {"input_ids": [1, *self.backend_tokenizer.encode(content).ids]}


@pytest.fixture(scope="module")
def sentence_pieces() -> Vocab:
    return Vocab(SentencePiece(), 269, [2])


def test_sentence_pieces_are_bytes_and_places_too(sentence_pieces: Vocab) -> None:
    encoded = sentence_pieces.encode([text("hi hé")])
    assert encoded.ids[0] == 1
    assert sentence_pieces.decode(encoded.ids[1:]) == " hi hé".encode()
    assert encoded.starts == [-1, 0, 1, 2, 4, 5]
    assert sentence_pieces.is_end(2)
    assert sentence_pieces.bos == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=strategies.text("hi </s>.é日\n", max_size=30))
def test_plain_text_never_becomes_a_control_token(sentence_pieces: Vocab, content: str) -> None:
    ids = sentence_pieces.encode([text(content)], add_bos=False).ids
    assert not {1, 2} & set(ids)
    assert sentence_pieces.decode(ids) == (b" " if content else b"") + content.encode()
    assert sentence_pieces.encode([text("</s>", special=True)]).ids == [1, 2]
