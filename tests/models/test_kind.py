"""Base or instruct, with the reason; and which two are a pair."""

from __future__ import annotations

import pytest

from playground.models.kind import ModelFacts, judge, judge_name, suggest_partners

TEMPLATE = "{{ messages }}"


@pytest.mark.parametrize(
    ("facts", "kind", "certainty", "reason"),
    [
        (ModelFacts("x.gguf", finetune="Instruct"), "instruct", "sure", "tuned for 'Instruct'"),
        (ModelFacts("x-chat.gguf", finetune="Base"), "base", "sure", "calls it 'Base'"),
        (ModelFacts("SmolLM2-360M-Instruct.Q4_K_M.gguf"), "instruct", "likely", "'instruct'"),
        (ModelFacts("llama-2-7b-chat.Q4_K_M.gguf"), "instruct", "likely", "'chat'"),
        (ModelFacts("gemma-3-1b-it-Q8_0.gguf", architecture="gemma3"), "instruct", "likely", "'it'"),
        (ModelFacts("gemma-3-1b-pt-Q8_0.gguf", architecture="gemma3"), "base", "likely", "'pt'"),
        (ModelFacts("zephyr-7b-beta.gguf"), "instruct", "likely", "'zephyr'"),
        (ModelFacts("model.gguf", own_name="Mistral 7B Instruct v0.1"), "instruct", "likely", "'instruct'"),
        (
            ModelFacts("Mistral-7B-v0.1.Q4_K_M.gguf", architecture="llama"),
            "base",
            "likely",
            "no chat template",
        ),
        (
            ModelFacts("Qwen2.5-0.5B.Q4_K_M.gguf", architecture="qwen2", chat_template=TEMPLATE),
            "base",
            "likely",
            "qwen2",
        ),
        (
            ModelFacts("Qwen3-0.6B-Q8_0.gguf", architecture="qwen3", chat_template=TEMPLATE),
            "instruct",
            "likely",
            "qwen3",
        ),
        (
            ModelFacts("Qwen3-0.6B-Base.gguf", architecture="qwen3", chat_template=TEMPLATE),
            "base",
            "likely",
            "'base'",
        ),
        (
            ModelFacts("mystery.gguf", architecture="llama", chat_template=TEMPLATE),
            "instruct",
            "guess",
            "chat template",
        ),
        # "it" is a word of its own or nothing.
        (ModelFacts("Titan-Kit-1B.gguf", architecture="llama"), "base", "likely", "no chat template"),
    ],
)
def test_the_kind_is_told_with_its_reason(facts: ModelFacts, kind: str, certainty: str, reason: str) -> None:
    verdict = judge(facts)
    assert (verdict.kind, verdict.certainty) == (kind, certainty)
    assert reason in verdict.reason


def test_a_base_model_with_a_chat_template_is_said_to_have_one() -> None:
    verdict = judge(ModelFacts("Qwen2.5-0.5B.gguf", architecture="qwen2", chat_template=TEMPLATE))
    assert "not given" in verdict.note
    assert "carries no chat template" in judge(ModelFacts("x-instruct.gguf")).note
    assert judge(ModelFacts("x-instruct.gguf", chat_template=TEMPLATE)).note == ""


def test_pairs_are_suggested_by_architecture_name_size_and_tokenizer() -> None:
    one = ModelFacts(
        "SmolLM2-360M.Q8_0.gguf", architecture="llama", tokenizer_hash="a", parameters=362_000_000
    )
    others = [
        (
            ModelFacts(
                "SmolLM2-135M-Instruct.gguf", architecture="llama", tokenizer_hash="a", parameters=135_000_000
            ),
            "instruct",
        ),
        (ModelFacts("Qwen2.5-0.5B-Instruct.gguf", architecture="qwen2", tokenizer_hash="b"), "instruct"),
        (
            ModelFacts(
                "SmolLM2-360M-Instruct.Q4_K_M.gguf",
                architecture="llama",
                tokenizer_hash="c",
                parameters=362_000_000,
            ),
            "instruct",
        ),
        (
            ModelFacts(
                "smollm2-360m-instruct-q8_0.gguf",
                architecture="llama",
                tokenizer_hash="a",
                parameters=362_000_000,
            ),
            "instruct",
        ),
        (ModelFacts("SmolLM2-360M.Q4_K_M.gguf", architecture="llama", tokenizer_hash="a"), "base"),
    ]
    found = suggest_partners(one, "base", others)
    assert [pairing.index for pairing in found] == [3, 2]
    assert found[0].warning == ""
    assert "same tokenizer" in found[0].reason
    assert "tokenizers differ" in found[1].warning


def test_what_is_not_here_yet_is_judged_by_its_name_alone() -> None:
    told = judge_name("Far-Instruct.Q8_0.gguf")
    assert (told.kind, told.certainty, told.note) == ("instruct", "likely", "")
    told = judge_name("Far.Q8_0.gguf")
    assert (told.kind, told.certainty) == ("base", "guess")
    assert "template" not in told.reason
