"""A program that goes on with a run over the fake engine, to be killed: ``asker.py FOLDER N DELAY_S``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hosts import PlainHost, questions

from playground.engines.base import Cancel, Engine, Event, GenerateRequest
from playground.engines.fake import FakeEngine, FakeReply
from playground.experiments.assistants import AssistantSpec
from playground.experiments.run import Run
from playground.experiments.run_files import Plan
from playground.presets.preset import Preset, PresetExample, PresetSampling

PRESET = Preset(
    name="p",
    examples=(PresetExample(query="q", answer="a"),),
    sampling=PresetSampling(temperature=1.0, max_tokens=24),
)


class Lanes(FakeEngine):
    """Eight answers at a time, as an engine with eight lanes gives them; a kill loses those."""

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        for start in range(0, len(requests), 8):
            for event in super().generate(requests[start : start + 8], cancel=cancel):
                yield replace(event, request=event.request + start)


def host(delay_s: float) -> PlainHost:
    """Engines whose answers depend on prompt, turn and seed alone, a letter at a time."""

    def play(prompt: str, sample: int) -> FakeReply:
        asked = prompt.rsplit("question ", 1)[1].split("\n")[0]
        return FakeReply((f"to {asked}: ", *"abcdefgh"), delay_s=delay_s)

    def engine() -> Engine:
        return Lanes(play)

    return PlainHost(a=engine, b=engine)


def plan(n: int) -> Plan:
    """Two assistants and ``n`` questions of two turns."""
    specs = (AssistantSpec("bare", "a"), AssistantSpec("styled", "b", PRESET))
    return Plan("evaluate", specs, questions(n, turns=2), ("exact_match",), seed=3)


def main(folder: Path, n: int, delay_s: float) -> None:
    """Begin the run, or go on with it."""
    there = (folder / "manifest.json").is_file()
    made = host(delay_s)
    with Run.resume(folder, made) if there else Run.create(folder, plan(n), made) as run:
        run.ask(run.plan.assistants, run.plan.questions.questions)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
