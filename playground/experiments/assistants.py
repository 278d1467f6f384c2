"""What an experiment asks: a model, a preset and how tokens are drawn, as data that can be stored.

``Host`` is what an experiment needs of the rest of the program: a model by its name, and a way of prompting
it. Nothing here loads or runs anything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Protocol, get_args

import msgspec

from playground.chat.assistant import Assistant
from playground.engines.base import Engine
from playground.errors import PlaygroundError
from playground.presets.preset import Preset
from playground.types import Example, SamplingParams

Tag = str | int | float | bool
RetrievedBy = Literal["bm25", "likelihood"]
RETRIEVED_BY: tuple[RetrievedBy, ...] = get_args(RetrievedBy)


class ExperimentError(PlaygroundError):
    """An experiment that cannot be started, resumed or read as asked."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Examples chosen per question: the ``k`` of ``pool`` that are nearest to its first turn.

    The nearest stands last, beside the question. They replace the preset's own examples. Nearness is BM25's,
    or how likely the model itself finds the question behind the example (see ``retrieve``).
    """

    k: int
    pool: tuple[Example, ...]
    by: RetrievedBy = "bm25"


@dataclass(frozen=True, slots=True)
class AssistantSpec:
    """An assistant of an experiment; its name is its key in the run.

    Attributes:
        name: Unique in a run, shown to people.
        model: As in the catalog, or a path.
        preset: How it is prompted; None for the bare model, or the instruct model's own template alone.
        sampling: In place of the preset's own; None keeps that.
        retrieval: Examples chosen per question.
        tags: What a report groups by: ``{"axis": "k", "value": 3, "seed": 1}``.
    """

    name: str
    model: str
    preset: Preset | None = None
    sampling: SamplingParams | None = None
    retrieval: Retrieval | None = None
    tags: Mapping[str, Tag] = field(default_factory=dict)

    def params(self) -> SamplingParams:
        """How tokens are drawn."""
        if self.sampling is not None:
            return self.sampling
        return self.preset.sampling.params() if self.preset else SamplingParams()

    def content_hash(self) -> str:
        """64 hex digits over what shapes its answers; not over name, tags, or the preset's name."""
        content = [
            self.model,
            self.preset.content_hash() if self.preset else "",
            asdict(self.params()),
            self._retrieval_content(),
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _retrieval_content(self) -> dict[str, object] | None:
        if self.retrieval is None:
            return None
        content = asdict(self.retrieval)
        if self.retrieval.by == "bm25":
            del content["by"]  # so that runs begun before there was another way are known again
        return content

    def as_dict(self) -> dict[str, object]:
        """The spec as plain JSON values, with the hash of its content."""
        return {
            "name": self.name,
            "model": self.model,
            "preset": self.preset.model_dump(mode="json", by_alias=True) if self.preset else None,
            "preset_hash": self.preset.content_hash() if self.preset else None,
            "sampling": asdict(self.sampling) if self.sampling else None,
            "params": asdict(self.params()),
            "retrieval": asdict(self.retrieval) if self.retrieval else None,
            "tags": dict(self.tags),
            "hash": self.content_hash(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> AssistantSpec:
        """What ``as_dict`` gave.

        Raises:
            ExperimentError: It is not.
        """
        try:
            preset = value["preset"]
            retrieval = value.get("retrieval")
            spec = cls(
                str(value["name"]),
                str(value["model"]),
                None if preset is None else Preset.checked(preset, source="the run's preset"),
                msgspec.convert(value["sampling"], SamplingParams | None),
                None if retrieval is None else msgspec.convert(retrieval, Retrieval),
                msgspec.convert(value["tags"], dict[str, Tag]),
            )
            told = value["hash"]
        except (KeyError, msgspec.MsgspecError) as error:
            raise ExperimentError(f"The run's manifest holds no assistant as expected: {error}.") from error
        if spec.content_hash() != told:
            raise ExperimentError(
                f"The assistant '{spec.name}' of the run was changed after it was started; start a new run."
            )
        return spec

    def named(self, name: str, **tags: Tag) -> AssistantSpec:
        """The same under another name, with more tags."""
        return replace(self, name=name, tags={**self.tags, **tags})


class Host(Protocol):
    """What an experiment needs of the program. Thread-safe."""

    def engine(self, model: str) -> Engine:
        """The loaded model, loading it first if it must.

        Raises:
            PlaygroundError: No such model, or it cannot be loaded.
        """
        ...

    def assistant(self, model: str, preset: Preset | None) -> Assistant:
        """A model prompted with a preset.

        Raises:
            PlaygroundError: No such model, or an instruct model without a chat template.
        """
        ...

    def model_facts(self, model: str) -> Mapping[str, Tag]:
        """What tells a model from every other: file name, size, fingerprint, engine, context ..."""
        ...


def model_label(model: str) -> str:
    """A model's name for files that are passed on: a path becomes the name of its file or folder."""
    if re.fullmatch(r"[\w.+-]+/(?:base|instruct)", model):
        return model
    return re.sub(r"(?i)\.gguf$", "", re.split(r"[\\/]", model.rstrip("\\/"))[-1]) or model


def unique_names(specs: tuple[AssistantSpec, ...]) -> None:
    """Refuse two assistants of one name.

    Raises:
        ExperimentError: There are two, or none at all.
    """
    names = [spec.name for spec in specs]
    if not names:
        raise ExperimentError("There is no assistant to ask; name one, as in --assistant wren/base:friendly.")
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise ExperimentError(f"Two assistants are called '{double}'; ask for each once.")
