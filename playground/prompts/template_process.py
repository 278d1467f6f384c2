"""A process of its own for untrusted Jinja templates: rendered there, bounded in time, memory and length.

A template comes with a model file or from anywhere. The sandbox that it runs in stops code, not loops: one
that takes too long or too much ends its process, the next text begins another, and nothing else notices.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from playground.errors import TemplateError
from playground.types import TemplateOption

RENDER_S = 8.0
"""Longest that one text may take by the wall clock."""
CPU_S = 4
"""Longest that it may take of a core, where the platform can bound that; also when nobody waits any more."""
_OUT_OF_TIME = -24  # of a core: SIGXCPU, which Windows has not
_PATIENCE_S = 2.0
_CHILD = Path(__file__).with_name("template_child.py")

RenderProblem = Literal["syntax", "refused", "limit", "failed"]
Run = tuple[int, int | None]
"""A number of characters, and the message that they come from: None for the template, -1 if not known."""


class RenderError(TemplateError):
    """A template that gives no text; ``kind`` says whose decision that was.

    ``syntax``: it cannot be parsed. ``refused``: its own ``raise_exception``. ``limit``: time, memory or
    length. ``failed``: anything else, such as a variable that it lacks.
    """

    def __init__(self, message: str, kind: RenderProblem = "failed") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class TracedRender:
    """A template's text and where it came from, in order; the runs' characters add up to the text's."""

    text: str
    runs: tuple[Run, ...]


def traced(*parts: tuple[str, int]) -> dict[str, list[tuple[str, int]]]:
    """A variable of a template that is a person's text, in parts that each come from a numbered message."""
    return {"$traced": list(parts)}


class TemplateProcess:
    """Renders templates, one at a time. Thread-safe. Started when first asked; ``close`` ends it.

    Args:
        render_s: Longest that one text may take.
    """

    def __init__(self, render_s: float = RENDER_S) -> None:
        self._render_s = render_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._owner = 0
        self._reader: threading.Thread | None = None

    def render(self, source: str, variables: Mapping[str, object]) -> str:
        """The template's text with these variables, which are values that JSON knows.

        Raises:
            RenderError: It cannot be parsed, refuses the variables, fails, or takes too long or too much.
        """
        return self.render_traced(source, variables).text

    def render_traced(self, source: str, variables: Mapping[str, object]) -> TracedRender:
        """The template's text, and which of it came from the variables that ``traced`` made.

        Raises:
            RenderError: As ``render`` does.
        """
        answer = self._ask({"source": source, "variables": dict(variables)})
        text, runs = str(answer["text"]), answer["runs"]
        if runs is None:
            return TracedRender(text, ((len(text), None),) if text else ())
        return TracedRender(text, tuple((length, origin) for length, origin in runs))

    def inspect(self, source: str) -> tuple[TemplateOption, ...]:
        """The named arguments that a template reads, in the order in which it does.

        Raises:
            RenderError: It cannot be parsed, or takes too long to.
        """
        found = self._ask({"source": source, "inspect": True})["options"]
        return tuple(
            TemplateOption(option["name"], option["kind"], tuple(option["choices"]), option["default"])
            for option in found
        )

    def _ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        asked = json.dumps(request) + "\n"
        with self._lock:
            line = self._answer(asked)
            if line == "":  # it was ended from outside, or broke; once more shows which
                line = self._answer(asked)
        answer: dict[str, Any] = (
            json.loads(line) if line else {"error": "it takes too long or too much memory", "kind": "limit"}
        )
        if "error" in answer:
            raise RenderError(str(answer["error"]), answer["kind"])
        return answer

    def close(self) -> None:
        """End the process; the next text starts another."""
        with self._lock:
            self._end()

    def _answer(self, asked: str) -> str | None:
        """The answer's line; empty where the process is gone, None where it went beyond a limit."""
        child = self._running()
        assert child.stdin is not None
        try:
            child.stdin.write(asked)
            child.stdin.flush()
            line = self._lines.get(timeout=self._render_s)
        except queue.Empty:
            self._end()
            return None
        except OSError:
            line = ""
        if not line:
            self._end()
            return None if child.returncode == _OUT_OF_TIME else ""
        return line

    def _running(self) -> subprocess.Popen[str]:
        if self._owner != os.getpid():  # a forked process has its parent's pipes and must not use them
            self._child = None
        if self._child is None or self._child.poll() is not None:
            self._end()
            self._owner = os.getpid()
            self._lines = queue.SimpleQueue()
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", str(_CHILD), str(CPU_S)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl+C is for who started it
            )
            self._reader = threading.Thread(
                target=_read, args=(self._child, self._lines), name="template-lines", daemon=True
            )
            self._reader.start()
            self._lines.get()  # it is ready, or it has ended
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        assert child.stdin is not None
        with contextlib.suppress(OSError):
            child.stdin.close()
        if self._reader is not None:
            self._reader.join(_PATIENCE_S)  # it closes the other pipe


def _read(child: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Pass a process's lines on; an empty one says that it has ended."""
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            lines.put(line)
    lines.put("")


@lru_cache(maxsize=1)
def template_process() -> TemplateProcess:
    """The one that all renderers of this program share; it ends with the program."""
    process = TemplateProcess()
    atexit.register(process.close)
    return process
