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
        (ModelFacts("x.gguf", finetune="Distill-Qwen"), "instruct", "sure", "tuned for 'Distill-Qwen'"),
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


@pytest.mark.parametrize(
    ("name", "own_name", "architecture", "kind"),
    [
        ("DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf", "DeepSeek R1 Distill Qwen 1.5B", "qwen2", "instruct"),
        ("DeepSeek-R1-Distill-Llama-8B-Q4_K_M.gguf", "", "llama", "instruct"),
        ("DeepSeek-R1-0528-Qwen3-8B-Q4_K_M.gguf", "", "qwen3", "instruct"),
        ("qwq-32b-q4_k_m.gguf", "QwQ 32B", "qwen2", "instruct"),
        ("QVQ-72B-Preview.gguf", "", "qwen2vl", "instruct"),
        ("OpenThinker-7B.Q4_K_M.gguf", "OpenThinker 7B", "qwen2", "instruct"),
        ("OpenThinker2-32B.gguf", "", "qwen2", "instruct"),
        ("s1.1-32B.gguf", "S1.1 32B", "qwen2", "instruct"),
        ("Sky-T1-32B-Flash.gguf", "", "qwen2", "instruct"),
        ("Marco-o1-Q8_0.gguf", "", "qwen2", "instruct"),
        ("Rombos-LLM-V2.5-Qwen-7b.gguf", "", "qwen2", "instruct"),
        ("Qwen2.5-Lumen-14B.gguf", "", "qwen2", "instruct"),
        ("Qwen2.5-7B-slerp-merge.gguf", "", "qwen2", "instruct"),
        ("model.gguf", "OpenThinker 7B", "qwen2", "instruct"),
        ("Qwen2.5-7B.gguf", "Sky T1 32B", "qwen2", "instruct"),
        ("Qwen2.5-Coder-1.5B.Q4_K_M.gguf", "Qwen2.5 Coder 1.5B", "qwen2", "base"),
        ("Qwen2.5-Math-7B-Q8_0.gguf", "", "qwen2", "base"),
        ("mradermacher_Qwen2.5-0.5B.i1-Q4_K_M.gguf", "", "qwen2", "base"),
        ("Qwen1.5-4B.gguf", "", "qwen2", "base"),
        ("Qwen3-30B-A3B-Q4_K_M.gguf", "", "qwen3moe", "instruct"),
        ("Qwen3.5-4B-Q4_K_M.gguf", "", "qwen35", "instruct"),
        ("Qwen3.5-4B-Base-Q4_K_M.gguf", "", "qwen35", "base"),
        ("model.gguf", "Qwen2.5 0.5B", "qwen2", "base"),
    ],
)
def test_the_names_family_counts_and_not_the_architecture_alone(
    name: str, own_name: str, architecture: str, kind: str
) -> None:
    facts = ModelFacts(name, own_name=own_name, architecture=architecture, chat_template=TEMPLATE)
    assert judge(facts).kind == kind


def test_a_model_made_from_an_instruct_model_is_one() -> None:
    facts = ModelFacts("Nova-7B.gguf", architecture="qwen2", base_models=("Qwen2.5 7B Instruct",))
    assert judge(facts).kind == "instruct"
    assert "made from 'Qwen2.5 7B Instruct'" in judge(facts).reason


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("QwQ-32B-Q4_K_M.gguf", "instruct"),
        ("DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf", "instruct"),
        ("Qwen3-8B-Q4_K_M.gguf", "instruct"),
        ("Qwen2.5-7B-Q4_K_M.gguf", "base"),
        ("OLMo-2-0425-1B.Q4_K_M.gguf", "base"),
    ],
)
def test_the_family_is_told_of_a_file_that_is_not_here_yet(name: str, kind: str) -> None:
    assert judge_name(name).kind == kind
