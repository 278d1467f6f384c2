"""Which metrics there are, which suit a question set, and what each can be used for. Computes none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from playground.errors import PlaygroundError
from playground.experiments.metrics import METRICS
from playground.experiments.model_metrics import LIKELIHOOD, MODEL_METRICS
from playground.experiments.questions import Asked
from playground.experiments.statistics import UNIT
from playground.extras import install_command, is_usable


def check_metrics(names: Iterable[str]) -> None:
    """Refuse a name that no metric has, and a metric whose package is not installed.

    Raises:
        PlaygroundError: Says which metrics there are, or what installs the package.
    """
    for name in names:
        if name not in METRICS and name not in MODEL_METRICS:
            known = ", ".join((*METRICS, *MODEL_METRICS))
            raise PlaygroundError(f"There is no metric '{name}'. Use some of: {known}.")
        reason = unavailable(name)
        if reason:
            raise PlaygroundError(reason)


def check_goal(name: str) -> None:
    """Refuse to optimise a metric of which neither high nor low values are better.

    Raises:
        PlaygroundError: There is no such metric, it cannot be computed here, or it has no direction.
    """
    check_metrics([name])
    if _better(name) is None:
        usable = ", ".join(n for n in (*METRICS, *MODEL_METRICS) if _better(n) is not None)
        raise PlaygroundError(
            f"'{name}' cannot be optimised: neither a high nor a low value of it is better. "
            f"Use one of: {usable}."
        )


def check_measurable(name: str, turns: Sequence[Asked]) -> None:
    """Refuse to optimise a metric that says nothing of any of these questions, before one is asked.

    Raises:
        PlaygroundError: The metric compares with references or values, and the questions have none.
    """
    has = _COMPARES_WITH.get(name)
    if has is not None and not any(has(turn) for turn in turns):
        usable = ", ".join(n for n in METRICS if n not in _COMPARES_WITH and _better(n) is not None)
        raise PlaygroundError(
            f"The metric {name} compares an answer with what the question set says of a right one, and no "
            f"question of this set says it. Use a set with reference answers, or one of: {usable}."
        )


_COMPARES_WITH: Mapping[str, Callable[[Asked], bool]] = {
    "right": lambda asked: bool(asked.values),
    "contains": lambda asked: bool(asked.values or asked.reference),
    "exact_match": lambda asked: bool(asked.reference or asked.sentences or len(asked.values) == 1),
    "rouge_l": lambda asked: bool(asked.reference or asked.sentences),
    LIKELIHOOD: lambda asked: bool(asked.reference),
}


def direction(name: str) -> int:
    """-1 where a low value of the metric is better, else 1; see ``check_goal``."""
    return -1 if _better(name) == "lower" else 1


def limits(name: str) -> tuple[float, float] | None:
    """The least and the greatest value that a metric can have, where both are known."""
    unit = METRICS[name].unit if name in METRICS else MODEL_METRICS[name][1]
    return UNIT if unit in ("share", "score") else None


def unavailable(name: str) -> str:
    """Why a metric cannot be computed in this installation, as a sentence; empty where it can."""
    module = METRICS[name].needs if name in METRICS else ""
    if not module or is_usable(module):
        return ""
    package = module.partition(".")[0].replace("_", "-")
    return (
        f"The metric {name} needs the package {package}, which cannot be imported; "
        f"install it with: {install_command('experiments')}"
    )


def default_metrics(turns: Sequence[Asked]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What can be told of these questions without a model, and a note for each metric that is left out.

    A metric is left out where its package is not installed; the others are measured all the same.
    """
    chosen = ["rouge_l", "length_ratio"] if any(turn.reference for turn in turns) else []
    if any(turn.values for turn in turns):
        chosen = ["right", *chosen]
    wanted = (*chosen, "in_style", "tokens", "stopped", "role_leaked")
    reasons = {name: unavailable(name) for name in wanted}
    return (
        tuple(name for name in wanted if not reasons[name]),
        tuple(f"{name} is left out. {reason}" for name, reason in reasons.items() if reason),
    )


def _better(name: str) -> str | None:
    return METRICS[name].better if name in METRICS else MODEL_METRICS[name][2]
