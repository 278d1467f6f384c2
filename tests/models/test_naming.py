"""Names and titles of added models."""

from __future__ import annotations

import re

import pytest

from playground.models.catalog_file import PAIR_NAME
from playground.models.naming import Naming, naming_of


@pytest.mark.parametrize(
    ("name", "own_name", "pair", "title"),
    [
        (
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "Smollm2 135M 8k Lc100K Mix1 Ep2",
            "smollm2-135m-instruct-q4_1",
            "SmolLM2 135M Instruct (Q4_1)",
        ),
        ("gemma-3-270m-q4_k_m.gguf", "Gemma 3 270m", "gemma-3-270m-q4_k_m", "Gemma 3 270M (Q4_K_M)"),
        ("Qwen/Qwen3-0.6B-Base", "", "qwen3-0.6b-base", "Qwen3 0.6B Base"),
        ("Mixtral-8x7B-v0.1.IQ2_XXS.gguf", "", "mixtral-8x7b-v0.1-iq2_xxs", "Mixtral 8x7B v0.1 (IQ2_XXS)"),
        ("gemma-3-1b-it-BF16-00001-of-00002.gguf", "", "gemma-3-1b-it-bf16", "Gemma 3 1B it (BF16)"),
    ],
)
def test_a_name_is_lower_case_and_its_title_readable(name: str, own_name: str, pair: str, title: str) -> None:
    assert naming_of(name, own_name) == Naming(pair, title)


@pytest.mark.parametrize("name", ["model.gguf", "ggml-model-q4_0.gguf", "sha256-aabbccddeeff00112233"])
def test_a_file_whose_name_says_nothing_is_called_by_its_metadata(name: str) -> None:
    naming = naming_of(name, "Qwen3 0.6B Base")
    assert naming.pair.startswith("qwen3-0.6b-base")
    assert naming.title.startswith("Qwen3 0.6B Base")


@pytest.mark.parametrize(
    "name", ["", ".gguf", "---", "a b/ü (1).gguf", "x" * 300, "模型-7b.gguf", "../..", "Q4_K_M"]
)
def test_any_name_becomes_one_that_a_pair_may_have(name: str) -> None:
    naming = naming_of(name)
    assert re.fullmatch(PAIR_NAME, naming.pair)
    assert naming.title
