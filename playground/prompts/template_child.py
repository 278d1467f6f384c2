"""The process that renders untrusted Jinja templates: one JSON line in, one JSON line out, until its end.

The immutable sandbox keeps a template from Python's objects and from changing what it is given; limits of
this process keep it from loops without end and texts without bound. Started by ``template_process``, which
also bounds the wall clock. Conventions (names, white space, ``raise_exception``) are those of transformers.
"""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from jinja2 import Template

MEMORY_BYTES = 1_000_000_000
SPARE_CHARACTERS = 1_000_000
GROWTH = 4
"""A text may be so many times as long as the messages, and ``SPARE_CHARACTERS`` longer."""


def main() -> int:
    """Say ``ready``, then answer ``{"text": ...}`` or ``{"error": ...}`` to each ``{"source", "variables"}``.

    The one argument is how many seconds of a core a text may take.
    """
    cpu_s = int(sys.argv[1])
    _compiled("")  # so that what is imported for it is not counted against the first text
    _limit_memory()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        _limit_time(cpu_s)
        sys.stdout.write(json.dumps(_answer(line)) + "\n")
        sys.stdout.flush()
    return 0


def _answer(line: str) -> dict[str, str]:
    from jinja2 import TemplateError

    try:
        asked = json.loads(line)
        most = GROWTH * len(line) + SPARE_CHARACTERS
        parts, length = [], 0
        for part in _compiled(asked["source"]).generate(**asked["variables"]):
            parts.append(part)
            length += len(part)
            if length > most:
                return {"error": "it writes too long a text"}
        return {"text": "".join(parts)}
    except TemplateError as error:
        return {"error": " ".join(str(error).split())[:300]}
    except (MemoryError, RecursionError):
        return {"error": "it takes too much memory"}
    except Exception as error:  # noqa: BLE001  (whatever a template does is told, not raised)
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def _raise(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


def _tojson(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


@lru_cache(maxsize=32)
def _compiled(source: str) -> Template:
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _now
    environment.filters["tojson"] = _tojson
    return environment.from_string(source)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows: the wall clock alone is bounded, by who started this
        return
    with contextlib.suppress(ValueError, OSError):  # macOS takes no limit of addresses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _limit_time(cpu_s: int) -> None:
    """Let the next text take so much time of a core; the system ends this process where it takes more."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


if __name__ == "__main__":
    sys.exit(main())
