"""Is a model base or instruct, and which two belong together: read from what it says of itself and its name.

Opens no file. A verdict comes with its reason, and a person's word stands above it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ModelKind = Literal["base", "instruct"]
Certainty = Literal["sure", "likely", "guess"]
_INSTRUCT_WORDS = frozenset(
    {
        "instruct",
        "instruction",
        "chat",
        "it",
        "sft",
        "dpo",
        "orpo",
        "rlhf",
        "rlvr",
        "assistant",
        "zephyr",
        "vicuna",
        "alpaca",
        "tulu",
        "hermes",
        "openhermes",
        "wizardlm",
        "dolphin",
        "openchat",
        "starling",
        "thinking",
        "reasoning",
        "reasoner",
        "thinker",
        "openthinker",
        "openthinker2",
        "openthinker3",
        "qwq",
        "qvq",
        "abliterated",
    }
)
_BASE_WORDS = frozenset({"base", "pt", "pretrain", "pretrained", "foundation"})
# How a model was made: tuned on another one's answers, or by rewards. Less than what a name calls itself.
_MADE_BY = frozenset({"distill", "distilled", "r1", "rl", "grpo", "ppo", "kto", "simpo", "cot", "think"})
# What a name without a suffix means in families whose base models carry a template too: Qwen1.5 to 2.5 name
# the tuned ones "Instruct" or "Chat", Qwen3 and later name the bare ones "Base".
_FAMILIES: tuple[tuple[re.Pattern[str], str, ModelKind], ...] = (
    (re.compile(r"qwen(1|2)?"), "qwen2", "base"),
    (re.compile(r"qwen3"), "qwen3", "instruct"),
)
# Words that a family itself puts into its models' names.
_FAMILY_WORDS = re.compile(r"^(\d+(x\d+)?b?|\d+m|a\d+b|b|m|x|coder|math|vl|audio|omni|moe|next)$")
# Whoever converted a file, and names that say nothing.
_CONVERTED_BY = frozenset(
    {
        "mradermacher",
        "bartowski",
        "thebloke",
        "quantfactory",
        "unsloth",
        "lmstudio",
        "community",
        "ggml",
        "org",
    }
    | {"org", "i1", "imatrix", "model", "models", "main", "sha256", "snapshot", "weights", "quantized", "ud"}
)
_DIGEST = re.compile(r"^[0-9a-f]{16,}$")
# Precisions, sizes and formats say nothing of the kind, nor of which model it is.
_NOISE = re.compile(r"^(i?q\d\w*|f16|f32|bf16|gguf|ggml|fp16|imat|\d{5}|of|k|m|s|l|xl|xs|xxs|0|1|hf)$")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model says of itself.

    Attributes:
        name: The file's or folder's name. own_name: the one in its metadata.
        architecture: E.g. ``llama``.
        finetune: What it was tuned for, in its own words (GGUF's ``general.finetune``).
        base_models: Names of the models that it was made from.
        chat_template: The Jinja source that it carries, or None.
        tokenizer_hash: Equal for two models with the same tokenizer; empty where it is not known.
        parameters, n_ctx_train: 0 where not known.
    """

    name: str
    own_name: str = ""
    architecture: str = ""
    finetune: str = ""
    base_models: tuple[str, ...] = ()
    chat_template: str | None = None
    tokenizer_hash: str = ""
    parameters: int = 0
    n_ctx_train: int = 0


@dataclass(frozen=True, slots=True)
class KindVerdict:
    """Base or instruct, how sure, why, and what a person should know besides."""

    kind: ModelKind
    certainty: Certainty
    reason: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pairing:
    """A model that may be the other half of a pair; ``warning`` where the two do not fit well."""

    index: int
    reason: str
    warning: str = ""


def judge(facts: ModelFacts) -> KindVerdict:
    """Whether a model continues text or answers messages.

    Its own metadata counts most, then its name, then that it carries a chat template (some base models do).
    """
    kind, certainty, reason = _judge(facts)
    return KindVerdict(kind, certainty, reason, template_note(facts, kind))


def judge_name(name: str) -> KindVerdict:
    """The same of a file that is not here yet, by its name alone."""
    if _words(name) & (_INSTRUCT_WORDS | _BASE_WORDS | _MADE_BY) or _family((name,)):
        verdict = judge(ModelFacts(name))
        return KindVerdict(verdict.kind, verdict.certainty, verdict.reason)
    return KindVerdict("base", "guess", "its name does not say that it was tuned")


def template_note(facts: ModelFacts, kind: ModelKind) -> str:
    """What a person should know of a chat template that is there, or is not, in a model of that kind."""
    if kind == "base" and facts.chat_template:
        return (
            "It carries a chat template, which it is not given: as a base model it is prompted by a preset. "
            "If it was tuned for chat after all, add it as instruct."
        )
    if kind == "instruct" and facts.chat_template is None:
        return "It carries no chat template, so that it can only be prompted as a base model, by a preset."
    return ""


def _judge(facts: ModelFacts) -> tuple[ModelKind, Certainty, str]:
    tuned = _words(facts.finetune)
    if tuned & (_INSTRUCT_WORDS | _MADE_BY):
        return "instruct", "sure", f"its metadata says that it was tuned for '{facts.finetune}'"
    if tuned & _BASE_WORDS:
        return "base", "sure", f"its metadata calls it '{facts.finetune}'"
    for name in filter(None, (facts.name, facts.own_name)):
        said = _words(name)
        # "SmolLM2-Instruct-Base" exists nowhere; where both stand, tuning came last.
        if found := sorted(said & _INSTRUCT_WORDS):
            return "instruct", "likely", f"its name says '{found[0]}'"
        if found := sorted(said & _BASE_WORDS):
            return "base", "likely", f"its name says '{found[0]}'"
        if found := sorted(said & _MADE_BY):
            return "instruct", "likely", f"its name says '{found[0]}'"
    for base in facts.base_models:
        if _words(base) & _INSTRUCT_WORDS:
            return "instruct", "likely", f"it was made from '{base}', which is an instruct model"
    names = tuple(filter(None, (facts.name, facts.own_name)))
    if family := _family(names):
        name, kind = family
        return kind, "likely", f"models of its family ({name}) without a suffix are {kind} models"
    if facts.chat_template:
        return "instruct", "guess", "it carries a chat template, and nothing says that it is a base model"
    return "base", "likely", "it carries no chat template, and its name does not say that it was tuned"


def _family(names: Sequence[str]) -> tuple[str, ModelKind] | None:
    """The family whose own naming tells the kind, where all names that say anything are of that family.

    The architecture is no evidence: distilled, tuned and merged models share it with the base models.
    """
    found: set[tuple[str, ModelKind]] = set()
    for name in names:
        telling = [
            word
            for word in _words(re.sub(r"\.gguf$", "", name, flags=re.IGNORECASE))
            if not (_NOISE.match(word) or word in _CONVERTED_BY or _DIGEST.match(word))
        ]
        named = [
            (family, kind)
            for word in telling
            for pattern, family, kind in _FAMILIES
            if pattern.fullmatch(word)
        ]
        others = [
            word
            for word in telling
            if not _FAMILY_WORDS.match(word) and not any(p.fullmatch(word) for p, _, _ in _FAMILIES)
        ]
        if others:
            return None
        found |= set(named)
    return found.pop() if len(found) == 1 else None


def suggest_partners(
    one: ModelFacts, kind: ModelKind, others: Sequence[tuple[ModelFacts, ModelKind]]
) -> list[Pairing]:
    """Which of ``others`` may be the other half of a pair with ``one``, the best first.

    They must be of the other kind and the same architecture, and share the words of their names that tell
    models apart. Equal tokenizers and equal sizes count; unlike tokenizers are warned of.
    """
    found: list[tuple[float, Pairing]] = []
    mine = _identity(one)
    for index, (other, other_kind) in enumerate(others):
        if other_kind == kind or not one.architecture or other.architecture != one.architecture:
            continue
        theirs = _identity(other)
        alike = len(mine & theirs) / max(len(mine | theirs), 1)
        same_size = _same_size(one.parameters, other.parameters)
        if alike < 0.5 or same_size is False:
            continue
        same_tokens = bool(one.tokenizer_hash) and one.tokenizer_hash == other.tokenizer_hash
        found.append((alike + same_tokens + bool(same_size), _pairing(index, one, other, same_tokens)))
    return [pairing for _, pairing in sorted(found, key=lambda scored: -scored[0])]


def _pairing(index: int, one: ModelFacts, other: ModelFacts, same_tokens: bool) -> Pairing:
    reason = f"the same architecture ({one.architecture}) and a name alike"
    if same_tokens:
        return Pairing(index, f"{reason}, and the same tokenizer")
    if not (one.tokenizer_hash and other.tokenizer_hash):
        return Pairing(index, reason, "Whether their tokenizers agree is not known.")
    return Pairing(
        index,
        reason,
        "Their tokenizers differ: answers can be compared side by side, but not token by token (shift).",
    )


def _same_size(one: int, other: int) -> bool | None:
    """Whether two counts of weights are the same but for some tokens more; None where one is not known."""
    if not one or not other:
        return None
    return abs(one - other) <= 0.1 * max(one, other)


def _words(name: str) -> set[str]:
    return set(filter(None, re.split(r"[^a-z0-9]+", name.lower())))


def _identity(facts: ModelFacts) -> set[str]:
    """The words of a name that tell which model it is, not of which kind or precision."""
    words = _words(re.sub(r"\.gguf$", "", facts.name, flags=re.IGNORECASE))
    return {word for word in words - _INSTRUCT_WORDS - _BASE_WORDS if not _NOISE.match(word)}
