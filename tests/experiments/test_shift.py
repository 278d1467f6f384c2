"""Token shift: the paper's classes, and the same ranks and divergences as a plain uncached loop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from playground.engines.base import Engine
from playground.engines.load import EngineSpec, open_engine
from playground.experiments.shift import (
    AlignedAnswer,
    ContextShift,
    Position,
    aligned_answer,
    bare_context,
    fade,
    leave_one_out,
    measure_shift,
    most_shifted,
    preset_context,
    shift_of,
)
from playground.presets.library import PresetLibrary
from playground.presets.preset import Preset, PresetExample
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.settings import Settings
from playground.types import Message, Token

WREN = Path(__file__).parents[2] / "models" / "wren"
QUESTIONS = [
    f"What is the capital of {country}?"
    for country in ("Japan", "Peru", "Spain", "Italy", "Norway", "Egypt", "Kenya", "Cuba", "Chile", "Poland")
] + [
    f"What does a {animal} eat?"
    for animal in ("cow", "panda", "bee", "shark", "goat", "duck", "lion", "frog", "wolf", "pig")
]


def _open(kind: str, name: str) -> Engine:
    if kind == "llama.cpp":
        return open_engine(EngineSpec(path=str(WREN / f"wren-{name}-f16.gguf"), n_threads=1), in_process=True)
    spec = EngineSpec(kind="transformers", path=str(WREN / f"hf-{name}"), dtype="float32", n_threads=1)
    return open_engine(spec, in_process=True)


@pytest.fixture(scope="module")
def native() -> Iterator[tuple[Engine, Engine]]:
    engines = _open("llama.cpp", "base"), _open("llama.cpp", "instruct")
    yield engines
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def in_torch() -> Iterator[tuple[Engine, Engine]]:
    engines = _open("transformers", "base"), _open("transformers", "instruct")
    yield engines
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def friendly() -> Preset:
    return PresetLibrary(Settings.load().shipped_presets, Path()).load("friendly")


def _answer(engine: Engine, question: str, *, full: bool = False) -> AlignedAnswer:
    info = engine.info
    assert info.chat_template
    renderer = ChatTemplateRenderer(info.chat_template, info.bos_text, info.eos_text)
    return aligned_answer(engine, renderer, question, max_tokens=60, full=full)


def _position(rank: int | None, text: bytes = b"x") -> Position:
    return Position(Token(1, text, -1.0, rank, 1.0), None if rank is None else shift_of(rank))


def test_the_papers_classes() -> None:
    assert [shift_of(rank) for rank in (1, 2, 3, 4, 100)] == [
        "unshifted",
        "marginal",
        "marginal",
        "shifted",
        "shifted",
    ]


def test_ratios_count_what_has_a_rank() -> None:
    context = ContextShift("c", tuple(_position(rank) for rank in (None, 1, 1, 2, 9)))
    assert context.ratio("unshifted") == 0.5
    assert context.ratio("marginal") == context.ratio("shifted") == 0.25
    assert ContextShift("c", ()).ratio("shifted") == 0.0


def test_the_curve_and_the_table() -> None:
    first = ContextShift("c", tuple(_position(rank, b"Hi") for rank in (9, 9, 1, 1)))
    assert fade([first, first], bins=2) == [1.0, 0.0]
    assert math.isnan(fade([ContextShift("c", (_position(1),))], bins=2)[1])
    assert most_shifted([first, first]) == [("Hi", 4, 8)]


@torch.inference_mode()
def test_ranks_entropies_and_divergences_equal_a_plain_uncached_loop(
    in_torch: tuple[Engine, Engine], friendly: Preset
) -> None:
    base, instruct = in_torch
    plain = {
        name: AutoModelForCausalLM.from_pretrained(WREN / f"hf-{name}", dtype=torch.float32).eval()
        for name in ("base", "instruct")
    }

    def next_logprobs(name: str, ids: list[int]) -> torch.Tensor:
        return torch.log_softmax(plain[name](torch.tensor([ids])).logits[0, -1].double(), dim=-1)

    positions = 0
    info = instruct.info
    assert info.chat_template
    for n, question in enumerate(QUESTIONS):
        answer = _answer(instruct, question, full=True)
        contexts = {"bare": bare_context(question)}
        if n < 4:
            contexts["friendly"] = preset_context(friendly, question)
        report = measure_shift(base, answer, contexts)
        chat = ChatTemplateRenderer(info.chat_template, info.bos_text, info.eos_text)
        own = instruct.tokenize(chat.render([Message("user", question)]).pieces)
        for context in report.contexts:
            ids = base.tokenize(contexts[context.name].pieces)
            said: list[int] = []
            for position in context.positions:
                logprobs = next_logprobs("base", ids + said)
                token = position.token
                assert token.rank == 1 + int((logprobs > logprobs[token.id]).sum())
                assert token.entropy == pytest.approx(float(-(logprobs.exp() * logprobs).sum()), abs=1e-4)
                if position.kl is not None:
                    aligned = next_logprobs("instruct", own + said)
                    kl = float((aligned.exp() * (aligned - logprobs)).sum())
                    assert position.kl == pytest.approx(kl, abs=1e-4)
                said.append(token.id)
                positions += 1
    assert positions > 300


def test_llama_cpp_gives_the_same_picture(
    native: tuple[Engine, Engine], in_torch: tuple[Engine, Engine]
) -> None:
    """In exact mode within 0.01, and ranks equal wherever the log-probabilities around them differ by more.

    Beside other work the KV is in f16, which costs up to 0.0135: in f32 greedy answers would depend on their
    company. Exact mode has none.
    """
    differences: list[float] = []
    for question in QUESTIONS:
        answer = _answer(in_torch[1], question)
        contexts = {"bare": bare_context(question)}
        ours = measure_shift(native[0], answer, contexts, top=5, exact=True).contexts[0].positions
        theirs = measure_shift(in_torch[0], answer, contexts, top=5).contexts[0].positions
        for a, b in zip(ours, theirs, strict=True):
            assert a.token.id == b.token.id
            assert a.token.logprob is not None
            assert b.token.logprob is not None
            differences.append(abs(a.token.logprob - b.token.logprob))
            gaps = [abs(x.logprob - b.token.logprob) for x in b.token.alternatives if x.id != b.token.id]
            if b.token.rank is not None and b.token.rank <= 4 and min(gaps) > 0.02:
                assert a.token.rank == b.token.rank
    assert len(differences) > 400
    assert max(differences) < 0.01


def test_examples_in_the_aligned_models_own_manner_take_its_shift_over(
    native: tuple[Engine, Engine], friendly: Preset
) -> None:
    """Behind a preset of another manner the greeting stays shifted; behind its own it does not."""
    shown = ["What is the capital of France?", "What does a horse eat?", "What color is a lemon?"]
    own = friendly.model_copy(
        update={"examples": tuple(PresetExample(query=q, answer=_answer(native[1], q).text) for q in shown)}
    )
    ratios: dict[str, list[float]] = {"bare": [], "friendly": [], "own": []}
    for question in QUESTIONS:
        contexts = {
            "bare": bare_context(question),
            "friendly": preset_context(friendly, question),
            "own": preset_context(own, question),
        }
        report = measure_shift(native[0], _answer(native[1], question), contexts)
        for name, values in ratios.items():
            values.append(report.context(name).ratio("shifted"))
    assert np.mean(ratios["own"]) < 0.5 * np.mean(ratios["bare"])
    assert np.mean(ratios["own"]) < 0.5 * np.mean(ratios["friendly"])


def test_leaving_an_example_out_gives_one_context_each(
    native: tuple[Engine, Engine], friendly: Preset
) -> None:
    off = friendly.examples[1].model_copy(update={"enabled": False})
    preset = friendly.model_copy(update={"examples": (friendly.examples[0], off, friendly.examples[2])})
    answer = _answer(native[1], QUESTIONS[0])
    left_out = leave_one_out(native[0], answer, preset)
    assert set(left_out) == {0, 2}
    assert len(left_out[0].positions) == len(answer.scores.tokens)
