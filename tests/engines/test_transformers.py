"""The transformers engine beyond the contract: sharing, batching, exactness."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asking import ask, request, text
from transformers import AutoModelForCausalLM, MistralConfig, Qwen2Config

from playground.engines.base import GenerateRequest
from playground.engines.batching.jobs import Errand
from playground.engines.load import EngineSpec, open_engine
from playground.engines.transformers.context import TorchContext, TorchOptions
from playground.engines.transformers.engine import TransformersEngine, check_batching
from playground.engines.transformers.model import TorchModel
from playground.errors import ModelLoadError
from playground.types import SamplingParams

PROMPT = "in the other one and the other " * 6


@pytest.fixture(scope="module")
def engine(torch_spec: EngineSpec) -> Iterator[TransformersEngine]:
    opened = TransformersEngine(torch_spec)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def plain(tiny_folder: Path) -> Any:
    """The same model as transformers itself runs it."""
    return AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32).eval()


def plain_logprobs(model: Any, ids: list[int]) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        rows = model(torch.tensor([ids]), use_cache=False).logits[0]
    return torch.log_softmax(rows.double(), -1).numpy()


def test_a_prefix_is_computed_once(torch_spec: EngineSpec) -> None:
    opened = TransformersEngine(torch_spec)
    (first,) = ask(opened, request(opened, PROMPT + "one", max_tokens=4))
    (second,) = ask(opened, request(opened, PROMPT + "two", max_tokens=4))
    usage = second.end.usage
    assert first.end.usage.cached_tokens == 0
    assert usage.prompt_tokens - usage.cached_tokens <= 4
    opened.close()


def test_samples_share_one_prefill(engine: TransformersEngine) -> None:
    answers = ask(engine, request(engine, "Samples " + PROMPT, n=6, max_tokens=4))
    prompt = answers[0].end.usage.prompt_tokens
    assert [answer.end.usage.cached_tokens for answer in answers[1:]] == [prompt] * 5


def test_a_full_cache_makes_lanes_wait_their_turn(torch_spec: EngineSpec, engine: TransformersEngine) -> None:
    small = TransformersEngine(replace(torch_spec, n_ctx=128, kv_cells=160))
    asked = [request(small, f"Number {i} " * 3, seed=i, max_tokens=30) for i in range(8)]
    together = ask(small, *asked)
    assert [a.text for a in together] == [ask(engine, one)[0].text for one in asked]
    small.close()


def test_batches_give_what_the_model_gives_alone(engine: TransformersEngine, plain: Any) -> None:
    ids = engine.tokenize([text("Hello" + PROMPT)])
    expected = plain_logprobs(plain, ids)
    scores = engine.score([text("Hello")], [text(PROMPT)], full=True)
    assert scores.full is not None
    known = expected[len(ids) - len(scores.tokens) - 1 : -1]
    np.testing.assert_allclose(scores.full, known, atol=2e-4)


def test_greedy_is_generates_greedy(engine: TransformersEngine, plain: Any) -> None:
    ids = engine.tokenize([text("Hello there")])
    with torch.inference_mode():
        whole = plain.generate(
            torch.tensor([ids]), do_sample=False, max_new_tokens=24, eos_token_id=None, pad_token_id=0
        )[0]
    asked = GenerateRequest((text("Hello there"),), SamplingParams(max_tokens=24), logprobs=0)
    (answer,) = ask(engine, asked)
    mine = [token.id for token in answer.tokens]
    assert mine == whole[len(ids) : len(ids) + len(mine)].tolist()
    assert len(mine) > 5


def test_exact_mode_gives_the_same_floats_in_any_company(torch_spec: EngineSpec) -> None:
    opened = TransformersEngine(torch_spec)
    asked = replace(request(opened, PROMPT, temperature=0, logprobs=2, max_tokens=12), exact=True)
    (cold,) = ask(opened, asked)
    (warm,) = ask(opened, asked)
    company = [request(opened, "Other " * i, seed=i) for i in range(1, 6)]
    crowded = ask(opened, *company, asked)[-1]
    assert cold.tokens == warm.tokens == crowded.tokens
    one = opened.score([text(PROMPT)], [text(PROMPT)], exact=True)
    assert opened.score([text(PROMPT)], [text(PROMPT)], exact=True).tokens == one.tokens
    opened.close()


def random_folder(config: Any, tiny_folder: Path, target: Path) -> tuple[Path, Any]:
    """A model of another family with random weights and the tiny model's tokenizer."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(target)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_folder / name, target / name)
    return target, model


SMALL = {
    "vocab_size": 271,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 268,
    "eos_token_id": 269,
}


@pytest.mark.parametrize(
    "config",
    [
        MistralConfig(**SMALL, sliding_window=9),
        Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=7, max_window_layers=2),
    ],
    ids=["all layers slide", "some layers slide"],
)
def test_sliding_windows(config: Any, torch_spec: EngineSpec, tiny_folder: Path, tmp_path: Path) -> None:
    folder, model = random_folder(config, tiny_folder, tmp_path / "sliding")
    opened = TransformersEngine(replace(torch_spec, path=str(folder)))
    ids = opened.tokenize([text(PROMPT)])
    scores = opened.score([], [text(PROMPT)], full=True)
    assert scores.full is not None
    expected = plain_logprobs(model, ids)[len(ids) - len(scores.tokens) - 1 : -1]
    np.testing.assert_allclose(scores.full[-len(expected) :], expected, atol=5e-4)
    opened.close()


def test_a_model_that_answers_otherwise_in_a_batch_is_refused(torch_spec: EngineSpec) -> None:
    model = TorchModel(torch_spec)
    options = TorchOptions(n_cells=64, n_seqs=4, n_batch=64, n_layers=model.n_layers, n_vocab=model.n_vocab)
    check_batching(model, TorchContext(model.model, options))
    with pytest.raises(ModelLoadError, match="other answers in a batch"):
        check_batching(model, TorchContext(model.model, replace(options, sliding=2)))


def test_threads_can_be_changed_while_it_runs(torch_spec: EngineSpec) -> None:
    opened = TransformersEngine(torch_spec)
    seen: list[int] = []
    # Torch keeps the number for each thread that asks.
    opened.set_threads(2)
    for exact in (False, True):
        ask(opened, replace(request(opened, max_tokens=2), exact=exact))
        opened._loop.do(Errand(lambda: seen.append(torch.get_num_threads())))
    assert seen == [2, 1]
    opened.close()


def test_both_engines_agree_number_by_number(engine: TransformersEngine, tiny_path: Path) -> None:
    """The same weights: f16 in llama.cpp, float32 here."""
    other = open_engine(EngineSpec(path=str(tiny_path), n_ctx=512, n_threads=1), in_process=True)
    for content in ("Hello there, in the other", "日本 é 😀 <|turn|> \n\n  x", PROMPT):
        assert engine.tokenize([text(content)]) == other.tokenize([text(content)])
        mine = engine.score([text("A")], [text(content)], full=True)
        theirs = other.score([text("A")], [text(content)], full=True)
        assert mine.full is not None
        assert theirs.full is not None
        np.testing.assert_allclose(mine.full, theirs.full, atol=0.02)
    (one,), (two,) = (ask(e, request(e, temperature=0, max_tokens=60)) for e in (engine, other))
    assert one.text == two.text
    other.close()
