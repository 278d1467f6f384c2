"""As much of hypothesis as the contract suite needs, for a machine without it: random texts, a fixed seed."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as strategies

N_EXAMPLES = 25


class HealthCheck:
    """Names of checks that are not made here."""

    function_scoped_fixture = None


def settings(**_: object) -> Callable[[Any], Any]:
    """Nothing can be set."""
    return lambda test: test


def given(**drawn: Callable[[random.Random], object]) -> Callable[[Any], Any]:
    """Run the test on some examples of each argument."""

    def wrap(test: Any) -> Any:
        @functools.wraps(test)
        def run(**fixtures: object) -> None:
            draw = random.Random(0)
            for _ in range(N_EXAMPLES):
                test(**fixtures, **{name: example(draw) for name, example in drawn.items()})

        shown = inspect.signature(test)
        kept = [one for name, one in shown.parameters.items() if name not in drawn]
        run.__signature__ = shown.replace(parameters=kept)  # type: ignore[attr-defined]
        return run

    return wrap
