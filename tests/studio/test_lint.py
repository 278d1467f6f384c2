"""Every rule of the linter: a preset that triggers it, and one that does not."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from playground.engines.base import EngineInfo
from playground.engines.fake import FakeEngine, FakeScript
from playground.presets.preset import Preset, PresetExample, PresetSampling, PresetTemplate
from playground.studio.lint import RULES, Finding, lint

GOOD = Preset(
    name="good",
    system="# Instruction\n\nA talk.",
    examples=(
        PresetExample(query="What is the capital of France?", answer="Paris."),
        PresetExample(query="Name three fruits.", answer="Apple, pear, plum."),
    ),
    sampling=PresetSampling(max_tokens=64),
)
F = "```"
SPACED = PresetTemplate(turn="Q: {query}\nA: {answer}\n")


def _examples(*pairs: tuple[str, str]) -> tuple[PresetExample, ...]:
    return tuple(PresetExample(query=q, answer=a) for q, a in pairs)


def _with(**update: object) -> Preset:
    return GOOD.model_copy(update=update)


ENGINE = FakeEngine(FakeScript())
EVEN = f"S\n\n# Query:\n{F}\nq\n{F}\n\n# Answer:\n{F}\na\n{F}\n"
CASES: dict[str, tuple[Preset, Preset]] = {
    "empty-example": (_with(examples=_examples(("q", " "))), GOOD),
    "stop-inside": (
        _with(template="plain", examples=_examples(("q", "a\nUser: more"))),
        _with(template="plain", examples=_examples(("q", "a User: more"))),
    ),
    "uneven-turns": (
        _with(template="urial_backticks", prefix=EVEN.replace(f"{F}\nq", f"{F} q")),
        _with(template="urial_backticks", prefix=EVEN),
    ),
    "fence-in-answer": (
        _with(template="urial_backticks", examples=_examples(("q", f"see\n{F}python\nx\n{F}\nok"))),
        _with(template="basechat", examples=_examples(("q", f"see\n{F}python\nx\n{F}\nok"))),
    ),
    "trailing-space": (
        _with(template=SPACED),
        _with(template=SPACED.model_copy(update={"turn": "Q: {query}\nA:{answer}\n", "lead": " "})),
    ),
    "near-duplicate": (
        _with(
            examples=_examples(("Name a big red fruit now", "Apple"), ("Name a big red fruit now!", "Apple"))
        ),
        GOOD,
    ),
    "promised-header": (
        _with(system="Questions are under `# User:` and answers under `# Assistant:`."),
        _with(system="Questions are under `# Query:` and answers under `# Answer:`."),
    ),
    "empty-system": (_with(system=""), GOOD),
    "special-token": (_with(system="never write <|turn|> here"), GOOD),
    "double-bos": (
        _with(system="<|bos|>A talk.", template=PresetTemplate(system="{system}\n", turn=SPACED.turn)),
        GOOD,
    ),
    "context-overflow": (_with(sampling=PresetSampling(max_tokens=1_000_000)), GOOD),
    "sampling": (
        _with(sampling=PresetSampling(min_p=1.0, max_tokens=64)),
        _with(sampling=PresetSampling(min_p=0.9, max_tokens=64)),
    ),
}


def _found(preset: Preset, rule: str) -> list[Finding]:
    return [finding for finding in lint(preset, engine=ENGINE) if finding.rule == rule]


@pytest.mark.parametrize("rule", CASES)
def test_each_rule_has_one_that_triggers_it_and_one_that_does_not(rule: str) -> None:
    bad, good = CASES[rule]
    found = _found(bad, rule)
    assert found
    assert all("\n" not in finding.message and finding.message.endswith(".") for finding in found)
    assert not _found(good, rule)


@pytest.mark.parametrize("rule", CASES)
def test_a_fix_removes_what_it_mends(rule: str) -> None:
    for finding in _found(CASES[rule][0], rule):
        if finding.fix is not None:
            assert len(_found(finding.fix, rule)) < len(_found(CASES[rule][0], rule))


class Described(FakeEngine):
    """A model that says other things of itself."""

    def __init__(self, **said: object) -> None:
        super().__init__(FakeScript())
        self._said = said

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, **self._said)  # type: ignore[arg-type]


def _rules(preset: Preset, engine: FakeEngine) -> list[str]:
    return [finding.rule for finding in lint(preset, engine=engine)]


def test_a_chat_template_on_the_model_is_said() -> None:
    assert _rules(GOOD, Described(chat_template="{{ messages }}")) == ["chat-template"]


@pytest.mark.parametrize(
    ("engine", "sampling", "said"),
    [
        ("server (openai)", PresetSampling(top_k=5, max_tokens=9), "top_k"),
        ("server (llama-server)", PresetSampling(frequency_penalty=1.0, max_tokens=9), "penalties"),
    ],
)
def test_sampling_that_a_server_cannot_honour_is_said(
    engine: str, sampling: PresetSampling, said: str
) -> None:
    found = lint(_with(sampling=sampling), engine=Described(engine=engine))
    assert [finding.rule for finding in found] == ["sampling"]
    assert said in found[0].message
    assert lint(_with(sampling=sampling), engine=ENGINE) == []
    assert lint(GOOD, engine=Described(engine=engine)) == []


def test_a_missing_bos_is_said_where_the_model_has_one_of_its_own() -> None:
    bare = Described(add_bos=False)
    bare._info = replace(bare._info, add_bos=False)
    assert _rules(GOOD, bare) == ["missing-bos"]
    begun = PresetTemplate(system="<|bos|>{system}\n", turn="Q: {query}\nA:{answer}\n")
    assert "missing-bos" not in _rules(_with(template=begun), bare)
    # GPT-2's one token is BOS and EOS at once, and its texts begin without it
    bare._said["bos_text"] = bare.info.eos_text
    assert _rules(GOOD, bare) == []


def test_a_clean_preset_has_no_findings() -> None:
    assert lint(GOOD, engine=ENGINE) == []


def test_every_rule_is_covered_here() -> None:
    assert len(RULES) == len(CASES) + 1  # the chat template; a BOS has one rule for two findings


def test_errors_come_first() -> None:
    preset = _with(system="", examples=_examples(("q", "")))
    assert [f.severity for f in lint(preset)] == ["error", "info"]


def test_fifty_long_examples_of_the_same_words_are_looked_at_while_a_person_types() -> None:
    rng = random.Random(50)
    words = [f"{a}{b}" for a in "abcd" for b in "xyz"]
    answers = [" ".join(rng.choices(words, k=230)) for _ in range(50)]
    preset = _with(examples=_examples(*((f"Question {i}?", answer) for i, answer in enumerate(answers))))
    began = time.process_time()
    assert "near-duplicate" not in {finding.rule for finding in lint(preset)}
    assert time.process_time() - began < 5, "a character by character comparison took a minute"
