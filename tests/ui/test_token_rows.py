"""Tokens on their way to the page: short, whole, and not lost where redraws are skipped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from playground.chat.compare import SideDelta, SideEvent, SideFinished, SideStarted
from playground.engines.base import Cancel
from playground.types import Alternative, Prompt, Reply, Token
from playground.ui.streaming import ndjson
from playground.ui.token_rows import known_rows, token_rows

HALF = Token(3, b"\xe9\xb8", -1.23456, 4, 2.0, (Alternative(9, b"a", -0.5), Alternative(8, b"\xff", -2.0)))


def test_rows_are_short_and_exact() -> None:
    assert token_rows([Token(7, b"x")]) == [7]
    assert known_rows([Token(7, b"x")]) == [[7, "x", None, None, None, []]]
    assert token_rows([HALF]) == [[3, [0xE9, 0xB8], -1.2346, 4, 2.0, [9, "a", -0.5, 8, [0xFF], -2.0]]]


def test_no_row_is_lost_where_the_stream_starts_afresh() -> None:
    n = 3_000

    def events(cancel: Cancel) -> Iterator[SideEvent]:
        for side in "AB":
            yield SideStarted(side, Prompt(()), 3)
        for i in range(n):
            for side in "AB" if i < 40 else "A":
                yield SideDelta(side, "w ", (Token(i, b"w ", -0.1, 1, 0.5, (Alternative(1, b"a", -1.0),)),))
            if i == 40:
                yield SideFinished("B", Reply("w " * 40))
        yield SideFinished("A", Reply("w " * n))

    async def collect() -> list[str]:
        stream = ndjson(events, run="r", sides=("A", "B"), cancel=Cancel(), unexpected="Failed.")
        return [text async for text in stream]

    with ThreadPoolExecutor(1) as pool:  # the browser's own loop may run in this thread
        texts = pool.submit(lambda: asyncio.run(collect())).result(60)
    last = texts[-1]  # all that a browser sees that skipped every redraw before
    rows: dict[str, list[object]] = {"A": [], "B": []}
    for line in map(json.loads, last.splitlines()):
        if line.get("at") == "text":
            rows[line["side"]] += line["rows"]
        elif line.get("at") == "all":
            rows[line["side"]] = line["rows"]
    assert [row[0] for row in rows["A"]] == list(range(n))  # type: ignore[index]
    assert [row[0] for row in rows["B"]] == list(range(40))  # type: ignore[index]
