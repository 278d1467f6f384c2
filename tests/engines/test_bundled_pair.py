"""The bundled pair on both engines: llama.cpp's f16 file against the float32 folder it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from asking import ask, text

from playground.engines.base import Engine, GenerateRequest
from playground.engines.load import EngineSpec, open_engine
from playground.experiments.pair_check import STYLED
from playground.presets.library import PresetLibrary
from playground.settings import Settings
from playground.types import SamplingParams

FOLDER = Path(__file__).parents[2] / "models" / "wren"


@pytest.fixture(scope="module")
def native() -> Iterator[Engine]:
    opened = open_engine(
        EngineSpec(path=str(FOLDER / "wren-base-f16.gguf"), n_ctx=512, n_threads=1), in_process=True
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def torch_engine() -> Iterator[Engine]:
    spec = EngineSpec(kind="transformers", path=str(FOLDER / "hf-base"), n_ctx=512, n_threads=1)
    opened = open_engine(spec, in_process=True)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def exchanges() -> list[str]:
    """Queries with their answers, from the presets that the pair is evaluated with: its own small world."""
    library = PresetLibrary(Settings.load().shipped_presets, Path())
    evaluated = {*STYLED, "document", "zero-shot"}
    presets = [library.load(entry.name) for entry in library.entries() if entry.name in evaluated]
    texts = [
        f"# Query:\n{example.query}\n\n# Answer:\n{example.answer}\n"
        for preset in presets
        for example in preset.examples
    ]
    return [*dict.fromkeys(texts)]


def differences(one: Engine, other: Engine, context: str, target: str) -> list[float]:
    """How far apart the two engines' logprobs of the target's tokens are."""
    pairs = zip(
        one.score([text(context)], [text(target)]).tokens,
        other.score([text(context)], [text(target)]).tokens,
        strict=True,
    )
    found = []
    for mine, theirs in pairs:
        assert mine.id == theirs.id
        if mine.logprob is not None and theirs.logprob is not None:
            found.append(abs(mine.logprob - theirs.logprob))
    return found


def prompts_of(exchanges: list[str], count: int) -> list[str]:
    """An exchange, another one's query, and how its answer may begin."""
    prompts = [
        f"{one}\n{two.split('# Answer:')[0]}# Answer:\n{start}"
        for start in ("", "The ", "A", "好")
        for one, two in permutations(exchanges, 2)
    ]
    assert len(prompts) >= count
    return prompts[:count]


def test_any_text_has_the_same_tokens(native: Engine, torch_engine: Engine, exchanges: list[str]) -> None:
    texts = [f"{one}\n{two}" for one, two in permutations(exchanges, 2)][:50]
    for content in texts:
        assert native.tokenize([text(content)]) == torch_engine.tokenize([text(content)])
    found = np.array([d for content in texts[:10] for d in differences(native, torch_engine, "", content)])
    # llama.cpp multiplies f16 weights with f16 activations; tokens that the model would never write show it.
    assert found.max() < 0.1
    assert np.quantile(found, 0.99) < 0.03


def test_fifty_answers_have_the_same_logprobs(
    native: Engine, torch_engine: Engine, exchanges: list[str]
) -> None:
    prompts = prompts_of(exchanges, 50)
    greedy = SamplingParams(temperature=0, max_tokens=32)
    answers = ask(native, *[GenerateRequest((text(prompt),), greedy) for prompt in prompts])
    found = [
        difference
        for prompt, answer in zip(prompts, answers, strict=True)
        for difference in differences(native, torch_engine, prompt, answer.text)
    ]
    assert len(found) > 300
    assert max(found) <= 0.01


def test_greedy_runs_are_equal(native: Engine, torch_engine: Engine, exchanges: list[str]) -> None:
    greedy = SamplingParams(temperature=0, max_tokens=24)
    asked = [GenerateRequest((text(prompt),), greedy) for prompt in prompts_of(exchanges, 100)]
    one = [answer.text for answer in ask(native, *asked)]
    two = [answer.text for answer in ask(torch_engine, *asked)]
    assert np.sum([a == b for a, b in zip(one, two, strict=True)]) >= 98
