"""The process that renders untrusted Jinja templates: one JSON line in, one JSON line out, until its end.

The immutable sandbox keeps a template from Python's objects and from changing what it is given; limits of
this process keep it from loops without end and texts without bound. Started by ``template_process``, which
also bounds the wall clock. Runs in Python's isolated mode, so that it cannot rely on the package being found.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

    from playground.prompts.template_environment import Compiler

MEMORY_BYTES = 1_000_000_000
SPARE_CHARACTERS = 1_000_000
GROWTH = 4
"""A text may be so many times as long as the messages, and ``SPARE_CHARACTERS`` longer."""
_MAX_MESSAGE = 300
_TRACED = "$traced"


class _TooLongError(Exception):
    """A template writes more than it may."""


def main() -> int:
    """Say ``ready``, then answer each request with one line of JSON.

    ``{"source", "variables"}`` is answered ``{"text", "runs"}``, where a variable ``{"$traced": [[text, i],
    ...]}`` is text that comes from message ``i``, and ``runs`` are pairs of a number of characters and the
    message that they come from: null for the template, -1 where it is not known; ``runs`` is null where
    nothing was traced. ``{"source", "inspect": true}`` is answered ``{"options": [...]}``, see
    ``template_options``. Anything that fails is ``{"error", "kind"}``, where the kind is ``syntax``,
    ``refused`` (by the template's own ``raise_exception``), ``limit`` or ``failed``.

    The one argument is how many seconds of a core a text may take.
    """
    cpu_s = int(sys.argv[1])
    _find_package()
    from playground.prompts.template_environment import Compiler

    compiler = Compiler()
    compiler.compiled(
        "", traced=True
    )  # so that what is imported for it is not counted against the first text
    _limit_memory()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        _limit_time(cpu_s)
        sys.stdout.write(json.dumps(_answer(line, compiler)) + "\n")
        sys.stdout.flush()
    return 0


def _find_package() -> None:
    """Let the modules of this folder be imported by their full names, and nothing else of the package."""
    here = Path(__file__).resolve().parent
    for name, folder in (("playground", here.parent), ("playground.prompts", here)):
        if name not in sys.modules:
            package = ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package


def _answer(line: str, compiler: Compiler) -> dict[str, Any]:
    from jinja2 import TemplateError, TemplateSyntaxError

    from playground.prompts.template_environment import RefusedError

    try:
        asked = json.loads(line, object_hook=_traced_value)
        if asked.get("inspect"):
            from playground.prompts.template_inspection import inspected

            return {"options": inspected(compiler.environment, asked["source"])}
        return _rendered(asked, compiler, GROWTH * len(line) + SPARE_CHARACTERS)
    except RefusedError as error:
        return _failed("refused", _short(error))
    except TemplateSyntaxError as error:
        return _failed("syntax", f"line {error.lineno}: {_short(error)}")
    except TemplateError as error:
        return _failed("failed", _short(error))
    except _TooLongError:
        return _failed("limit", "it writes too long a text")
    except (MemoryError, RecursionError):
        return _failed("limit", "it takes too much memory")
    except Exception as error:  # noqa: BLE001  (whatever a template does is told, not raised)
        return _failed("failed", f"{type(error).__name__}: {_short(error)}")


def _failed(kind: str, message: str) -> dict[str, Any]:
    return {"error": message, "kind": kind}


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:_MAX_MESSAGE]


def _rendered(asked: dict[str, Any], compiler: Compiler, most: int) -> dict[str, Any]:
    from playground.prompts.traced_text import first_origin, joined, plain, runs

    source, variables = asked["source"], asked["variables"]
    compiler.clock.stop_at_now()
    bare = _without_origins(variables)
    text = "".join(_written(compiler.compiled(source, traced=False), bare, most))
    if first_origin(variables) is None:
        return {"text": text, "runs": None}
    unknown = {"text": text, "runs": [[len(text), -1]]}
    if not compiler.is_traceable(source):
        return unknown
    # What is sent is the plain text. Where the traced one fails or differs, no origin is claimed.
    try:
        traced = joined(_written(compiler.compiled(source, traced=True), variables, most))
    except Exception:  # noqa: BLE001  (the plain render has shown that the template takes the messages)
        return unknown
    return {"text": text, "runs": runs(traced)} if plain(traced) == text else unknown


def _written(template: Template, variables: dict[str, Any], most: int) -> list[str]:
    parts: list[str] = []
    length = 0
    for part in template.generate(**variables):
        parts.append(part)
        length += len(part)
        if length > most:
            raise _TooLongError
    return parts


def _traced_value(value: dict[str, Any]) -> Any:
    if value.keys() != {_TRACED}:
        return value
    from playground.prompts.traced_text import traced

    return traced((text, origin) for text, origin in value[_TRACED])


def _without_origins(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, dict):
        return {key: _without_origins(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_origins(item) for item in value]
    return value


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
