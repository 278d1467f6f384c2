"""Work that the benchmark measures in the same way on every engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from playground.engines.base import Engine
from playground.experiments.bench_report import Row, median_row
from playground.experiments.bench_work import Baseline, BenchOptions, Material, first_token_s, piece, text_of


def known_texts(
    options: BenchOptions, engine: Engine, other: Baseline, *, goals: tuple[float | None, float | None]
) -> Iterator[Row]:
    """Switching between known presets, and between known conversations.

    The conversations have a preset of their own: behind one of A, the next question to A would be no switch
    for a library that keeps what it computed last.
    """
    material = Material(options)
    *presets, talked = (material.preset(name) for name in "ABC")
    names = [f"Talk {number} so far" for number in range(options.rounds + 1)]
    talks = [talked + text_of(name, options.history) for name in names]
    for text in (*presets, *talks):
        first_token_s(engine, text + material.question())
    other.first_token_s(other.tokens(talked))
    switch: tuple[list[float], list[float]] = ([], [])
    again: tuple[list[float], list[float]] = ([], [])
    for number in range(options.rounds):
        for preset in presets:
            text = preset + material.question()
            switch[0].append(first_token_s(engine, text))
            switch[1].append(other.first_token_s(other.tokens(text)))
        first_token_s(engine, talks[-1] + material.question())
        other.first_token_s(other.tokens(talks[-1]))
        # The very text that was asked before: all but its last token is known.
        again[0].append(first_token_s(engine, talks[number]))
        again[1].append(other.first_token_s(other.tokens(talks[number])))
    against = other.name
    yield median_row("switch to a known preset, first token", "s", *switch, goals[0], against=against)
    yield median_row("ask again in a known conversation, first token", "s", *again, goals[1], against=against)


def edited_text(options: BenchOptions, engine: Engine) -> Iterator[Row]:
    """The first token after an edit of the last example, warmed in the pause."""
    material = Material(options)
    preset = material.preset("A")
    first_token_s(engine, preset + material.question())
    edited_s: list[float] = []
    plain_s: list[float] = []
    for number in range(options.rounds):
        plain_s.append(first_token_s(engine, preset + material.question()))
        edited = preset[:-32] + text_of(f"{number} edited", 32)
        warming = threading.Thread(target=engine.warm, args=([piece(edited)],))
        warming.start()
        warming.join(timeout=1.5)
        edited_s.append(first_token_s(engine, edited + material.question()))
        warming.join()
    against = "without an edit"
    yield median_row(
        "first token after an edit and a pause", "s", edited_s, plain_s, 1 / 1.2, against=against
    )
