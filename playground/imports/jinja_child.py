"""A throw-away process that renders one untrusted Jinja template and ends.

The sandbox keeps a template from Python's objects, not from loops without end or texts without bound; limits
on CPU time and memory of this process do. JSON in on standard input, JSON out. Run by ``jinja_pattern``.
"""

from __future__ import annotations

import json
import sys
from typing import NoReturn

CPU_S = 1
MEMORY_BYTES = 180_000_000


def main() -> int:
    """Render ``source`` with each of ``conversations``; prints ``{"texts": [...]}`` or ``{"error": ...}``.

    The text of a conversation that the template refuses is null.
    """
    asked = json.load(sys.stdin)
    from jinja2.exceptions import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    _limit()
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.globals["raise_exception"] = _raise
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(
        value, ensure_ascii=False, indent=indent
    )
    try:
        template = environment.from_string(asked["source"])
        texts: list[str | None] = []
        for messages in asked["conversations"]:
            try:
                text = template.render(
                    messages=messages,
                    add_generation_prompt=messages[-1]["role"] == "user",
                    bos_token="",
                    eos_token="",
                    tools=None,
                    name1="User",
                    name2="Assistant",
                )
            except TemplateError:
                if not texts:
                    raise
                text = None
            texts.append(text)
        length = sum(len(text or "") for text in texts)
        answer = {"texts": texts} if length < 1_000_000 else {"error": "its text is too long"}
    except TemplateError as error:
        answer = {"error": " ".join(str(error).split())[:200]}
    except (MemoryError, RecursionError):
        answer = {"error": "it takes too much memory"}
    except Exception as error:  # noqa: BLE001  (whatever a template does is told, not raised)
        answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
    sys.stdout.write(json.dumps(answer))
    return 0


def _raise(message: str) -> NoReturn:
    from jinja2.exceptions import TemplateError

    raise TemplateError(message)


def _limit() -> None:
    """Bound CPU time and memory where the platform can; who started this process bounds the wall clock."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
