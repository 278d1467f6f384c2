"""Which models an assistant's answers are measured under: those of its own pair, unless others are named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from playground.experiments.assistants import ExperimentError
from playground.experiments.run_files import METRIC_OPTIONS, Plan, asked_models
from playground.models.catalog import Catalog, ModelEntry, ModelKind
from playground.services.pool import not_downloaded


def with_metric_models(plan: Plan, catalog: Catalog) -> Plan:
    """The plan with the models named under which its answers are measured.

    Raises:
        PlaygroundError: An assistant's pair lacks one, and the plan names none for all.
    """
    if "perplexity" in plan.metrics:
        found = models_for(catalog, "perplexity", asked_models(plan), chosen=plan.scorer)
        plan = replace(plan, scorers=found, scorer="")
    if "shift" in plan.metrics:
        found = models_for(catalog, "shift", asked_models(plan), chosen=plan.shift_base)
        plan = replace(plan, shift_bases=found, shift_base="")
    return plan


def models_for(catalog: Catalog, metric: str, asked: Iterable[str], *, chosen: str = "") -> dict[str, str]:
    """By the model of an assistant, the one under which a metric of its answers is taken.

    ``perplexity`` is taken under the instruct model of the assistant's pair, ``shift`` under the base model.

    Args:
        catalog: The models that there are.
        metric: ``perplexity`` or ``shift``.
        asked: Models of assistants.
        chosen: For all of them, in place of their pairs' own.

    Raises:
        ExperimentError: A pair has no such model, or it is not on this computer.
        ModelNotFoundError: There is no model ``chosen``.
    """
    kind: ModelKind = "instruct" if metric == "perplexity" else "base"
    option = METRIC_OPTIONS[metric]
    found: dict[str, str] = {}
    for model in asked:
        other = catalog.get(chosen) if chosen else _half(catalog, catalog.get(model), kind)
        if other is None:
            raise ExperimentError(
                f"The metric {metric} is taken under the {kind} model of the assistant's pair, and the "
                f"catalog has none for {model}. Name one with {option}, or leave {metric} out."
            )
        if kind == "instruct" and other.kind == "base":
            raise ExperimentError(
                f"{other.id} is a base model, and {metric} is taken under an instruct model. "
                f"Name an instruct model with {option}."
            )
        if not other.present:
            raise ExperimentError(f"The metric {metric} needs {other.id}. {not_downloaded(other)}")
        found[model] = other.id
    return found


def shift_models(catalog: Catalog, base: str, aligned: str) -> tuple[str, str]:
    """The base and the instruct model of a token shift; one that is not named is of the other's pair.

    Raises:
        PlaygroundError: Neither is named, or the other one's pair has no such model.
    """
    kinds: tuple[tuple[str, str, ModelKind, str], ...] = (
        (base, aligned, "base", "--base"),
        (aligned, base, "instruct", "--aligned"),
    )
    found = []
    for named, other, kind, option in kinds:
        if named:
            found.append(named)
            continue
        entry = catalog.get(other)
        half = None if entry.kind == kind else _half(catalog, entry, kind)
        if half is None:
            raise ExperimentError(
                f"{other} has no {kind} model beside it in the catalog. Name one with {option}."
            )
        found.append(half.id)
    return found[0], found[1]


def _half(catalog: Catalog, entry: ModelEntry, kind: ModelKind) -> ModelEntry | None:
    """The model of that kind of an entry's pair, which may be the entry itself; None where there is none."""
    if entry.kind == kind:
        return entry
    if entry.listed_in is None:
        return None  # named by its path: its name says nothing of a pair
    wanted = f"{entry.pair}/{kind}"
    return next((other for other in catalog.entries() if other.id == wanted), None)
