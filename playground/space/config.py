"""What a Space is told about itself: one file, ``space.toml``, with its models and all of its limits."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from playground.errors import PlaygroundError

FILE_NAME = "space.toml"
_Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Limits(BaseModel):
    """How much a visitor may have; the defaults suit two cores and a small model.

    Attributes:
        tokens: Most tokens of one answer.
        context: Most tokens of prompt and answer together.
        samples: Most answers drawn at once; also most sides of one message.
        requests_per_minute: Of one visitor: messages, continuations, samples, scores.
        calls_per_minute: Of one visitor: everything smaller, such as counting tokens while they type.
        runs_per_visitor: Requests of one visitor that run or wait at a time.
        running: Requests of all visitors that run at a time.
        queue: Requests that wait for one of those places; whoever comes then is asked to try again.
        sessions: Browser tabs and programs that may be connected at a time.
        idle_minutes: After so long without a request a tab gives up its place when others want it.
        seconds: Longest time that one request may run.
        proxied: Whether a proxy in front names the visitor's address, as on Hugging Face.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: _Count = 256
    context: Annotated[int, Field(ge=64, le=1_000_000)] = 2048
    samples: Annotated[int, Field(ge=2, le=32)] = 8
    requests_per_minute: _Count = 20
    calls_per_minute: _Count = 600
    runs_per_visitor: _Count = 2
    running: _Count = 16
    queue: _Count = 32
    sessions: _Count = 100
    idle_minutes: Annotated[float, Field(gt=0)] = 15
    seconds: Annotated[float, Field(gt=0)] = 120
    proxied: bool = True


class SpaceConfig(BaseModel):
    """A Space's models, engine and limits; ``hosts`` are names that it goes by besides the Hub's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = "ICL Playground"
    hosts: tuple[str, ...] = ()
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    engine: Literal["llama.cpp", "transformers"] = "llama.cpp"
    limits: Limits = Limits()


def read_config(path: Path) -> SpaceConfig:
    """The Space that a file describes.

    Raises:
        PlaygroundError: It cannot be read, or says something that means nothing.
    """
    try:
        return SpaceConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PlaygroundError(f"{path.name} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlaygroundError(f"{path.name} is no TOML file: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PlaygroundError(f"{path.name}: {place}: {first['msg']}.") from error


_SAID = {
    "tokens": "most tokens of one answer",
    "context": "most tokens of prompt and answer together",
    "samples": "most answers drawn at once, and most sides of one message",
    "requests_per_minute": "of one visitor: messages, continuations, samples, scores",
    "calls_per_minute": "of one visitor: everything smaller, such as counting tokens while they type",
    "runs_per_visitor": "requests of one visitor that run or wait at a time",
    "running": "requests of all visitors that run at a time",
    "queue": "requests that wait for one of those places",
    "sessions": "tabs and programs that may be connected at a time",
    "idle_minutes": "after so long without a request a tab gives up its place when others want it",
    "seconds": "longest time that one request may run",
    "proxied": "whether a proxy in front names the visitor's address, as on Hugging Face",
}


def config_text(config: SpaceConfig) -> str:
    """The file of a Space, every limit with a line that says what it is."""
    models = ", ".join(_quoted(name) for name in config.models)
    lines = [
        f"title = {_quoted(config.title)}",
        f"hosts = [{', '.join(_quoted(name) for name in config.hosts)}]",
        f"models = [{models}]",
        f"engine = {_quoted(config.engine)}",
        "",
        "[limits]",
    ]
    for name, said in _SAID.items():
        lines += [f"# {said}", f"{name} = {_number(getattr(config.limits, name))}"]
    return "\n".join(lines) + "\n"


def _number(value: float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    # A TOML basic string takes JSON's escapes.
    return json.dumps(text, ensure_ascii=False)
