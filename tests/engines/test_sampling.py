"""The next token's distribution after each option, against a plain numpy reference, number by number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from asking import ask, text

from playground.engines.base import GenerateRequest
from playground.engines.batching.stats import rank_of, row_stats, top_ids
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.llamacpp.sampler import native_seed, next_distribution
from playground.engines.spec import EngineSpec
from playground.engines.transformers.sampler import next_distribution as torch_distribution
from playground.types import SamplingParams

N_VOCAB = 5000
PROMPT = [3, 7, 7, 4999, 12]
OUTPUT = [7, 20, 20, 20, 31]
NEUTRAL = SamplingParams(temperature=1.0)


def reference(
    params: SamplingParams, logits: npt.NDArray[np.float32], prompt: list[int], output: list[int]
) -> npt.NDArray[np.float64]:
    """Transformers' order, written down plainly in float64: one line an option."""
    row = logits.astype(np.float64)
    for token, bias in params.logit_bias:
        row[token] += bias
    for token in set(output) | (set(prompt) if params.penalize_prompt else set()):
        penalty = params.repetition_penalty
        row[token] = row[token] * penalty if row[token] < 0 else row[token] / penalty
    for token in set(output):
        row[token] -= params.frequency_penalty * output.count(token) + params.presence_penalty
    if params.temperature == 0:
        return np.eye(len(row))[int(row.argmax())]
    row = row / params.temperature
    if params.top_k:
        row[row < np.sort(row)[-min(params.top_k, len(row))]] = -np.inf
    if params.top_p < 1:
        order = np.argsort(-row, kind="stable")
        before = np.cumsum(softmax(row)[order]) - softmax(row)[order]
        row[order[before >= params.top_p]] = -np.inf
    if params.min_p > 0:
        row[softmax(row) < params.min_p * softmax(row).max()] = -np.inf
    return softmax(row)


def softmax(row: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    weights = np.exp(row - row.max())
    return weights / weights.sum()


@pytest.mark.parametrize("distribution", [next_distribution, torch_distribution])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "params",
    [
        NEUTRAL,
        replace(NEUTRAL, temperature=0.0),
        replace(NEUTRAL, temperature=0.3),
        replace(NEUTRAL, temperature=1.7),
        replace(NEUTRAL, top_k=1),
        replace(NEUTRAL, top_k=40),
        replace(NEUTRAL, top_k=100_000),
        replace(NEUTRAL, top_p=0.5),
        replace(NEUTRAL, top_p=0.95),
        replace(NEUTRAL, min_p=0.05),
        replace(NEUTRAL, repetition_penalty=1.3),
        replace(NEUTRAL, repetition_penalty=1.3, penalize_prompt=False),
        replace(NEUTRAL, repetition_penalty=0.8),
        replace(NEUTRAL, frequency_penalty=0.7),
        replace(NEUTRAL, presence_penalty=1.1),
        replace(NEUTRAL, frequency_penalty=-0.7, presence_penalty=0.2),
        replace(NEUTRAL, logit_bias=((7, 2.0), (20, -3.0), (7, 0.5))),
        replace(NEUTRAL, temperature=0.0, repetition_penalty=5.0, logit_bias=((11, 4.0),)),
        replace(NEUTRAL, temperature=0.7, top_k=50, top_p=0.9, min_p=0.02),
        SamplingParams(
            temperature=0.8,
            top_k=200,
            top_p=0.97,
            min_p=0.01,
            repetition_penalty=1.15,
            frequency_penalty=0.3,
            presence_penalty=0.4,
            logit_bias=((7, 1.5), (4999, -2.0)),
        ),
    ],
)
def test_distribution_is_the_references(
    params: SamplingParams,
    seed: int,
    distribution: Callable[
        [SamplingParams, npt.NDArray[np.float32], list[int], list[int]], npt.NDArray[np.float32]
    ],
) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, N_VOCAB).astype(np.float32)
    unchanged = logits.copy()
    found = distribution(params, logits, PROMPT, OUTPUT)
    expected = reference(params, logits, PROMPT, OUTPUT)
    np.testing.assert_array_equal(logits, unchanged)
    assert set(np.flatnonzero(found)) == set(np.flatnonzero(expected))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-9)


def test_draws_follow_the_distribution(tiny_path: Path) -> None:
    """End to end: 2,000 first tokens drawn by the engine against the raw distribution it reports."""
    engine = LlamaCppEngine(EngineSpec(path=str(tiny_path), n_threads=1))
    sampling = SamplingParams(temperature=0.7, top_k=8, max_tokens=1, seed=0)
    answers = ask(engine, GenerateRequest((text("Hello"),), sampling, n=2000, logprobs=8))
    best = answers[0].tokens[0].alternatives if answers[0].tokens else ()
    best = best or next(a.tokens[0].alternatives for a in answers if a.tokens)
    expected = softmax(np.array([other.logprob for other in best], np.float64) / 0.7)
    drawn = [answer.tokens[0].id for answer in answers if answer.tokens]
    found = np.array([drawn.count(other.id) for other in best]) / len(answers)
    # Half a character is no token of a text, so that its draws are missing here.
    whole = [index for index, other in enumerate(best) if other.bytes.isascii()]
    assert whole
    np.testing.assert_allclose(found[whole], expected[whole], atol=0.04)
    engine.close()


def test_seeds_of_any_size_are_kept_apart() -> None:
    seeds = [0, 1, 2**31 - 1, 2**32 - 1, 2**32, 2**40, 2**63]
    folded = [native_seed(seed) for seed in seeds]
    assert len(set(folded)) == len(folded) - 1  # 1 and 2**32 fold together, as 32 bits must
    assert 0xFFFFFFFF not in folded


@pytest.mark.parametrize("size", [1, 100, 1000, 50_000, 50_001])
@pytest.mark.parametrize("top", [0, 1, 10])
def test_top_ids_are_exact(size: int, top: int) -> None:
    row = np.random.default_rng(size).integers(0, 50, size).astype(np.float32)
    expected = np.lexsort((np.arange(size), -row))[:top]
    values = row[top_ids(row, top)]
    np.testing.assert_array_equal(values, row[expected])


def test_row_stats_are_the_plain_formulas() -> None:
    row = np.random.default_rng(0).normal(0, 4, 10_000).astype(np.float32)
    p = softmax(row.astype(np.float64))
    stats = row_stats(row, 5)
    assert stats.entropy == pytest.approx(float(-(p * np.log(p)).sum()), rel=1e-5)
    assert row[17] - stats.log_sum == pytest.approx(np.log(p[17]), rel=1e-5)
    assert rank_of(row, int(row.argmax())) == 1
    assert rank_of(row, int(row.argmin())) == len(row)
    banned = row.copy()
    banned[:100] = -np.inf
    assert np.isfinite(row_stats(banned, 5).entropy)
