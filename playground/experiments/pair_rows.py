"""One row of the evaluation's table, and how replies are asked for. Knows no question and no judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from playground.engines.base import Delta, Engine, Finished, GenerateRequest
from playground.errors import EngineError
from playground.prompts.render import Renderer
from playground.types import Message, SamplingParams

GREEDY = SamplingParams(temperature=0.0, max_tokens=96)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: What was measured.
        value: A share from 0 to 1, or a number in ``unit``.
        goal: What it should reach; None where it is only reported.
        at_most: The goal is an upper bound.
        n: Questions (or texts, or tokens) behind it.
        unit: ``share`` or the unit of a number.
        note: What else to know.
    """

    name: str
    value: float
    goal: float | None
    n: int
    at_most: bool = False
    unit: str = "share"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def as_dict(self) -> dict[str, object]:
        """The row for JSON."""
        return {**asdict(self), "met": self.met}


@dataclass(frozen=True, slots=True)
class Sample:
    """A question and what was answered, for reading by eye."""

    row: str
    question: str
    reply: str
    right: bool
    in_style: bool
    stopped: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply; ``stopped`` where the model or a stop ended it, and not the limit."""

    text: str
    stopped: bool


def answers(
    engine: Engine,
    renderer: Renderer,
    conversations: Sequence[Sequence[Message]],
    *,
    sampling: SamplingParams = GREEDY,
    n: int = 1,
) -> list[list[Answer]]:
    """``n`` replies to each conversation, in order.

    Raises:
        EngineError: A request failed.
    """
    prompts = [renderer.render(messages) for messages in conversations]
    requests = [
        GenerateRequest(prompt.pieces, sampling, prompt.stop, n=n, logprobs=None) for prompt in prompts
    ]
    texts: dict[tuple[int, int], list[str]] = {}
    stopped: dict[tuple[int, int], bool] = {}
    for event in engine.generate(requests):
        key = (event.request, event.sample)
        if isinstance(event, Delta):
            texts.setdefault(key, []).append(event.text)
        elif isinstance(event, Finished):
            if event.finish_reason == "error":
                raise EngineError(event.error or "A request of the evaluation failed.")
            stopped[key] = event.finish_reason == "stop"
    return [
        [Answer("".join(texts.get((i, k), ())).removeprefix(prompt.lead), stopped[i, k]) for k in range(n)]
        for i, prompt in enumerate(prompts)
    ]


def share(name: str, good: Sequence[bool], goal: float | None, *, at_most: bool = False) -> Row:
    """A row that counts how many of ``good`` are so."""
    return Row(name, sum(good) / max(1, len(good)), goal, len(good), at_most=at_most)
