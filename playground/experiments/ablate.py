"""Variants of an assistant, each made by a pure function as a preset that can be opened on the page.

An ablation is an evaluation of such variants; ``tags`` say which knob was turned how far. Corruptions follow
EPFL's study (arXiv 2405.19874, section 4): the answers are moved on by one, drawn from the pool, drawn from
another domain, or left out.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from playground.experiments.assistants import AssistantSpec, ExperimentError, Tag
from playground.experiments.diversity import distance, words
from playground.experiments.questions import QuestionSet
from playground.presets.preset import Preset, PresetExample, PresetSampling
from playground.types import Example

Axis = Literal["k", "leave-one-out", "order", "corrupt", "system", "template", "decoding"]
AXES: tuple[Axis, ...] = get_args(Axis)
Order = Literal["random", "diverse", "given"]
ORDERS: tuple[Order, ...] = get_args(Order)
OUT_OF_DOMAIN = (
    "The ferry leaves at dawn and returns after the second tide.",
    "Fold the paper in half, then in half again, and press the edge flat.",
    "My neighbour keeps nine umbrellas by the door and uses none of them.",
    "Turn left at the mill and follow the wall until it ends.",
    "The meeting has been moved to Thursday because the hall is being painted.",
    "Stir the glaze until it runs off the spoon in a thin thread.",
    "Platform four is closed; trains for the coast depart from platform six.",
    "He tuned the lowest string last and then played the whole scale twice.",
    "The parcel was left behind the blue gate, under the bench.",
    "Two rows of knit, one row of purl, and repeat until the cuff is done.",
)
"""Sentences of our own that answer none of the questions anybody asks here."""
_NAME_CHARS = 80


def example_counts(
    spec: AssistantSpec,
    pool: Sequence[Example],
    counts: Sequence[int],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    order: Order = "random",
) -> list[AssistantSpec]:
    """The preset with its examples replaced by K of the pool; those of a smaller K are among a larger K's.

    Args:
        spec: The assistant; its preset's own examples are not used.
        pool: To choose from; in the order ``given`` the first K are taken.
        counts: The Ks; 0 is allowed.
        seeds: One nested family each; the orders ``given`` and ``diverse`` have a single one.
        order: ``random``; ``diverse`` takes the one farthest from those taken, by words (Gonzalez, 1985).

    Raises:
        ExperimentError: The pool is smaller than the largest K.
    """
    if max(counts, default=0) > len(pool):
        raise ExperimentError(
            f"The pool has {len(pool)} examples and {max(counts)} are asked for; use a larger pool."
        )
    families: list[tuple[int, list[Example]]] = []
    for seed in seeds if order == "random" else seeds[:1]:
        chosen = list(pool)
        if order == "random":
            random.Random(f"examples {seed}").shuffle(chosen)
        elif order == "diverse":
            chosen = _farthest_first(chosen, max(counts, default=0))
        families.append((seed, chosen))
    variants: list[AssistantSpec] = []
    for k in counts:
        # Without an example every family is the same.
        for seed, family in families if k else families[:1]:
            suffix = f"k{k}" if order == "given" or not k else f"k{k}-{order}{seed}"
            variants.append(_variant(spec, suffix, family[:k], axis="k", value=k, seed=seed, order=order))
    return variants


def leave_one_out(spec: AssistantSpec) -> list[AssistantSpec]:
    """The whole preset, and it without each enabled example in turn."""
    examples = _enabled(spec)
    variants = [_variant(spec, "whole", examples, axis="leave-one-out", value="whole")]
    for i, example in enumerate(examples):
        kept = examples[:i] + examples[i + 1 :]
        shown = " ".join(example.query.split())[:40]
        variants.append(_variant(spec, f"without-{i + 1}", kept, axis="leave-one-out", value=shown))
    return variants


def permutations(spec: AssistantSpec, *, n: int = 6, seed: int = 0) -> list[AssistantSpec]:
    """At most ``n`` distinct orders of the enabled examples, the given one first."""
    examples = _enabled(spec)
    wanted = min(n, math.factorial(len(examples)))
    found = [tuple(range(len(examples)))]
    draw = random.Random(f"orders {seed}")
    if len(examples) <= 6:
        others = [p for p in itertools.permutations(found[0]) if p != found[0]]
        found += draw.sample(others, wanted - 1)
    while len(found) < wanted:
        drawn = list(found[0])
        draw.shuffle(drawn)
        if tuple(drawn) not in found:
            found.append(tuple(drawn))
    variants = []
    for order in found:
        name = "-".join(str(i + 1) for i in order)
        variants.append(
            _variant(spec, f"order-{name}", [examples[i] for i in order], axis="order", value=name)
        )
    return variants


def corruptions(
    spec: AssistantSpec,
    pool: Sequence[Example],
    *,
    seed: int = 0,
    out_of_domain: Sequence[str] = OUT_OF_DOMAIN,
) -> list[AssistantSpec]:
    """Correct answers, then wrong ones: circular shift, random in-domain, random out-of-domain, none.

    The in-domain answers are those of other examples of the pool.

    Raises:
        ExperimentError: There are too few answers to draw from.
    """
    examples = _enabled(spec)
    n = len(examples)
    queries = {example.query for example in examples}
    right = {example.answer for example in examples}
    others = [e.answer for e in pool if e.query not in queries and e.answer not in right]
    if n < 2 or len(others) < n or len(out_of_domain) < n:
        raise ExperimentError(
            f"Wrong answers need at least two examples and as many others to draw from; there are {n} "
            f"examples and {len(others)} other answers. Name a larger pool."
        )
    draw = random.Random(f"corrupt {seed}")
    ways: dict[str, Sequence[str]] = {
        "correct": [e.answer for e in examples],
        "circular shift": [examples[(i + 1) % n].answer for i in range(n)],
        "random in-domain": draw.sample(others, n),
        "random out-of-domain": draw.sample(list(out_of_domain), n),
        "no answer": [""] * n,
    }
    return [
        _variant(
            spec,
            way.replace(" ", "-"),
            [replace(e, answer=answer) for e, answer in zip(examples, answers, strict=True)],
            axis="corrupt",
            value=way,
            seed=seed,
        )
        for way, answers in ways.items()
    ]


def without_system(spec: AssistantSpec) -> list[AssistantSpec]:
    """With and without the system text."""
    bare = _preset(spec).model_copy(update={"system": ""})
    whole = _variant(spec, "system-on", None, axis="system", value="on")
    return [whole, _variant(replace(spec, preset=bare), "system-off", None, axis="system", value="off")]


def templates(spec: AssistantSpec, names: Sequence[str]) -> list[AssistantSpec]:
    """The same system text and examples in each built-in template."""
    return [
        _variant(
            replace(spec, preset=_preset(spec).model_copy(update={"template": name})),
            f"template-{name}",
            None,
            axis="template",
            value=name,
        )
        for name in names
    ]


def decoding_grid(
    spec: AssistantSpec,
    *,
    temperatures: Sequence[float] = (0.0, 0.5, 1.0),
    repetition_penalties: Sequence[float] = (1.0, 1.15),
    top_ps: Sequence[float] = (1.0,),
) -> list[AssistantSpec]:
    """Every combination; top_p is left out where decoding is greedy."""
    variants: list[AssistantSpec] = []
    for temperature in temperatures:
        for penalty in repetition_penalties:
            for top_p in top_ps if temperature else top_ps[:1]:
                sampling = _preset(spec).sampling.model_dump()
                sampling |= {
                    "temperature": temperature,
                    "repetition_penalty": penalty,
                    "top_p": top_p if temperature else 1.0,
                }
                if spec.sampling is not None:
                    sampling["max_tokens"] = spec.sampling.max_tokens
                preset = _preset(spec).model_copy(update={"sampling": PresetSampling(**sampling)})
                value = f"t={temperature:g} rp={penalty:g}" + (f" p={top_p:g}" if len(top_ps) > 1 else "")
                variants.append(
                    _variant(
                        replace(spec, preset=preset, sampling=None),
                        value.replace(" ", "-").replace("=", ""),
                        None,
                        axis="decoding",
                        value=value,
                    )
                )
    return variants


def apart(pool: Sequence[Example], questions: QuestionSet) -> tuple[Example, ...]:
    """The pool without what is asked: an example must not hold the answer."""
    asked = {" ".join(turn.query.lower().split()) for q in questions.questions for turn in q.turns}
    return tuple(e for e in pool if " ".join(e.query.lower().split()) not in asked)


def with_examples(preset: Preset, examples: Sequence[Example], name: str) -> Preset:
    """The preset with other examples, under another name, its parent remembered."""
    made = tuple(PresetExample(query=e.query, answer=e.answer, note=e.note) for e in examples)
    return preset.derived(name[:_NAME_CHARS]).model_copy(update={"examples": made})


def _variant(
    spec: AssistantSpec, suffix: str, examples: Sequence[Example] | None, **tags: Tag
) -> AssistantSpec:
    preset = _preset(spec)
    name = f"{preset.name[:40]}-{suffix}"
    made = preset.derived(name) if examples is None else with_examples(preset, examples, name)
    return replace(spec, preset=made).named(f"{spec.model}:{name}", **tags)


def _preset(spec: AssistantSpec) -> Preset:
    if spec.preset is None:
        raise ExperimentError(
            f"{spec.name} has no preset to take apart; name one, as in {spec.model}:friendly."
        )
    if spec.preset.prefix is not None:
        raise ExperimentError(
            f"The preset '{spec.preset.name}' is one verbatim prefix; variants need its examples as a list."
        )
    return spec.preset


def _enabled(spec: AssistantSpec) -> list[Example]:
    found = [example for example in _preset(spec).turn_examples() if example.enabled]
    if not found:
        raise ExperimentError(f"The preset of {spec.name} has no enabled example; switch some on.")
    return found


def _farthest_first(pool: Sequence[Example], n: int) -> list[Example]:
    """Up to ``n`` examples, each the farthest by its words from those taken; the pool's first one begins."""
    cut = [words(example.query) for example in pool]
    taken = [0]
    nearest = [distance(cut[0], other) for other in cut]
    while len(taken) < min(n, len(pool)):
        best = max((i for i in range(len(pool)) if i not in taken), key=lambda i: (nearest[i], -i))
        taken.append(best)
        nearest = [min(old, distance(cut[best], other)) for old, other in zip(nearest, cut, strict=True)]
    return [pool[i] for i in taken]
