"""Answers on their way to the page: all sides in one stream, redrawn at a fixed rate, and their ends.

Knows no Gradio: a run is an iterator of events on one side and NDJSON text on the other. The text grows,
so that a redraw that the browser skips loses nothing and Gradio sends only what was added; once it is much
longer than the answers themselves it starts afresh with what they hold so far.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from playground.chat.compare import SideDelta, SideEvent, SideFinished
from playground.engines.base import Cancel
from playground.errors import PlaygroundError
from playground.types import FinishReason
from playground.ui.token_rows import Row, token_rows
from playground.ui.wire_format import dumps, event_json

REDRAW_S = 0.05
SLACK_CHARS = 16_000
"""How much longer than the answers the stream's text may grow before it starts afresh."""
STOP_GRACE_S = 0.5
"""How long sides may take to confirm a stop before the page goes on without them."""

log = logging.getLogger(__name__)


class Runs:
    """The runs under way, by id and by browser session, so that each can be stopped. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[str, Cancel]] = {}

    def open(self, run: str, session: str) -> Cancel:
        """Note a run of a session; what is returned stops it."""
        cancel = Cancel()
        with self._lock:
            self._open[run] = (session, cancel)
        return cancel

    def close(self, run: str) -> None:
        """Stop a run, if it still goes on, and forget it."""
        with self._lock:
            kept = self._open.pop(run, None)
        if kept is not None:
            kept[1].set()

    def stop(self, run: str) -> None:
        """Stop a run; its last events still come. Does nothing where it has ended."""
        with self._lock:
            kept = self._open.get(run)
        if kept is not None:
            kept[1].set()

    def stop_session(self, session: str) -> None:
        """Stop every run of a browser tab that was closed."""
        with self._lock:
            cancels = [cancel for owner, cancel in self._open.values() if owner == session]
        for cancel in cancels:
            cancel.set()

    def stop_all(self) -> None:
        """Stop every run, because the page ends."""
        with self._lock:
            cancels = [cancel for _, cancel in self._open.values()]
        for cancel in cancels:
            cancel.set()

    def __len__(self) -> int:
        return len(self._open)


@dataclass(slots=True)
class _Inbox:
    """Events that arrived since the last redraw; a side's deltas are joined. Filled by one thread."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    events: dict[str, list[SideEvent]] = field(default_factory=dict)
    failure: str | None = None
    ended: bool = False

    def add(self, event: SideEvent) -> None:
        with self.lock:
            waiting = self.events.setdefault(event.side, [])
            last = waiting[-1] if waiting else None
            if isinstance(event, SideDelta) and isinstance(last, SideDelta):
                waiting[-1] = SideDelta(
                    event.side, last.text + event.text, last.tokens + event.tokens, event.thinking_chars
                )
            else:
                waiting.append(event)

    def end(self, failure: str | None) -> None:
        with self.lock:
            self.failure, self.ended = failure, True

    def take(self) -> tuple[list[SideEvent], bool]:
        with self.lock:
            taken = [event for waiting in self.events.values() for event in waiting]
            self.events.clear()
            return taken, self.ended


class _Transcript:
    """The stream's text: lines since the last fresh start, and what it takes to start afresh."""

    def __init__(self, run: str) -> None:
        self._run, self._part = run, 0
        self._starts: list[str] = []
        self._ends: list[str] = []
        # By side: its text, tokens and characters of thinking so far.
        self._written: dict[str, tuple[str, list[Row], int]] = {}
        self.text = ""
        self._begin()

    def add(self, event: SideEvent) -> None:
        """Say an event."""
        line = event_json(event) + "\n"
        if isinstance(event, SideDelta):
            text, rows, _ = self._written.get(event.side, ("", [], 0))
            rows += token_rows(event.tokens)
            self._written[event.side] = (text + event.text, rows, event.thinking_chars)
        elif isinstance(event, SideFinished):
            self.end(event.side, line)
            return
        else:
            self._starts.append(line)
        self._say(line)

    def end(self, side: str, line: str) -> None:
        """Say the last line of a side."""
        self._ends.append(line)
        self._say(line)
        if '"at":"end"' in line and side in self._written:  # it holds the whole text, but no tokens
            self._written[side] = ("", self._written[side][1], 0)

    def _say(self, line: str) -> None:
        self.text += line
        if len(self.text) > 2 * self._fresh_chars + SLACK_CHARS:
            self._part += 1
            self._begin()

    def _begin(self) -> None:
        opening = dumps({"run": self._run, "part": self._part, "at": "open"}) + "\n"
        so_far = (
            dumps(
                {
                    "side": side,
                    "at": "all",
                    "text": text,
                    "tokens": len(rows),
                    "rows": rows,
                    "thinking_chars": thinking,
                }
            )
            + "\n"
            for side, (text, rows, thinking) in self._written.items()
        )
        self.text = "".join([opening, *self._starts, *so_far, *self._ends])
        self._fresh_chars = len(self.text)


async def ndjson(
    start: Callable[[Cancel], Iterator[SideEvent]],
    *,
    run: str,
    sides: Sequence[str],
    cancel: Cancel,
    unexpected: str,
    sentence: Callable[[str], str] = str,
) -> AsyncIterator[str]:
    """Everything the run has said so far, as lines of JSON, again at each redraw.

    The first line names the run and how often the text started afresh; then come each side's ``start``,
    ``text`` (or ``all`` so far) and one ``end`` (or ``cut``).

    A side that does not end by itself, because the run failed or did not confirm a stop in time, is
    ended here. Closing the iterator stops the run.

    Args:
        start: Begins the run; called and read in a thread of its own.
        run: Its id.
        sides: Ids of all sides.
        cancel: Stops the run; also set by whoever wants to.
        unexpected: What to say where something failed that is no ``PlaygroundError``.
        sentence: From an error's sentence to the one that is shown.
    """
    loop = asyncio.get_running_loop()
    inbox, woken = _Inbox(), asyncio.Event()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(woken.set)

    def pump() -> None:
        failure: str | None = None
        try:
            for event in start(cancel):
                inbox.add(event)
                wake()
        except PlaygroundError as error:
            failure = sentence(str(error))
        except Exception:
            log.exception("a run failed")
            failure = unexpected
        inbox.end(failure)
        wake()

    # In the context of the request: where a platform lends its devices, it asks whose request it is.
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(pump,), name="page-run", daemon=True).start()
    cancel.on_set(wake)
    said = _Transcript(run)
    open_sides, give_up_at = set(sides), float("inf")
    try:
        while open_sides:
            wait_s = min(1.0, max(0.0, give_up_at - time.monotonic()))
            await _wait(woken, wait_s)
            if cancel.is_set() and give_up_at == float("inf"):
                give_up_at = time.monotonic() + STOP_GRACE_S
            events, ended = inbox.take()
            open_sides -= {event.side for event in events if isinstance(event, SideFinished)}
            for event in events:
                said.add(event)
            if cut := open_sides if ended or time.monotonic() >= give_up_at else set():
                for side in filter(cut.__contains__, sides):
                    said.end(side, _cut(side, inbox.failure))
                open_sides = set()
            if events or cut:
                yield said.text
                if open_sides and not cancel.is_set():
                    await asyncio.sleep(REDRAW_S)
    finally:
        cancel.set()


async def _wait(woken: asyncio.Event, wait_s: float) -> None:
    try:
        await asyncio.wait_for(woken.wait(), wait_s)
    except TimeoutError:
        return
    woken.clear()


def _cut(side: str, failure: str | None) -> str:
    """The last line of a side that brought none; the page keeps the text it has."""
    reason: FinishReason = "error" if failure else "cancelled"
    return dumps({"side": side, "at": "cut", "finish_reason": reason, "error": failure}) + "\n"
