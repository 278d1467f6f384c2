"""What a pair's YAML file may say, checked. One file describes a base model and its instruct sibling."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from playground.errors import ModelNotFoundError
from playground.types import OptionValue, SamplingParams

_MAX_BYTES = 100_000
PAIR_NAME = r"^\w[\w.+\-]{0,60}$"
_Repository = Annotated[str, Field(pattern=r"^[\w][\w.\-]*/[\w][\w.\-]*$", max_length=200)]
_FileName = Annotated[str, Field(pattern=r"^(\w[\w.+\-]*/)*\w[\w.+\-]*$", max_length=300)]


_OptionName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,60}$")]
Architecture = Literal["", "dense", "hybrid"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GgufOnHub(_Strict):
    """A GGUF in a repository.

    Attributes:
        repository: ``owner/name``.
        file: The file's name there; empty where only its precision is known.
        quantization: Which of the repository's files is meant where ``file`` is empty, e.g. ``Q4_K_M``.
        revision: Branch, tag or commit; empty for the repository's main branch.
        sha256: Of the file, in hex, where it is known; a download that differs is refused.
        size_bytes: Of the file, where it is known.
    """

    repository: _Repository
    file: _FileName | Literal[""] = ""
    quantization: Annotated[str, Field(pattern=r"^[A-Z0-9_]{0,12}$")] = ""
    revision: Annotated[str, Field(pattern=r"^[\w.\-/]{0,80}$")] = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    size_bytes: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _names_a_file(self) -> Self:
        if not (self.file or self.quantization):
            raise ValueError("name the file or its quantization")
        return self


class PublishedSampling(_Strict):
    """Decoding that published work used with a model; ``source`` says whose."""

    source: Annotated[str, Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    repetition_penalty: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 2048

    def params(self) -> SamplingParams:
        """The same as the value that engines take."""
        return SamplingParams(**self.model_dump(exclude={"source"}))


class ModelFile(_Strict):
    """One model of a pair: where each engine finds it.

    Attributes:
        template_options: Named arguments of the model's chat template, such as ``enable_thinking``, that hold
            unless a preset or a side says otherwise. An option that the template does not read is ignored.
        former: Names that the model had before it was renamed (``PAIR/base``); they still find it.
    """

    title: str = ""
    gguf: Annotated[str, Field(min_length=1)] | GgufOnHub | None = None
    transformers: Annotated[str, Field(min_length=1)] | None = None
    server: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    served_model: str = ""
    tokenizer: str = ""
    gated: bool = False
    n_ctx: Annotated[int, Field(ge=64)] | None = None
    sampling: PublishedSampling | None = None
    template_options: Annotated[dict[_OptionName, OptionValue], Field(max_length=50)] = {}
    former: Annotated[tuple[str, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _lies_somewhere(self) -> Self:
        if not (self.gguf or self.transformers or self.server):
            raise ValueError("name a gguf file, a transformers repository or a server")
        return self


class PairFile(_Strict):
    """A pair.

    Attributes:
        parameters: Of each model, roughly, where it is known.
        context: Tokens that the models were trained for.
        tried: Whether its files were downloaded and run with this program.
        architecture: ``hybrid`` where recurrent layers stand among attention layers; empty where unknown.
        historic: Whether a newer pair of its size replaces it; kept for results that name it.
        suggested: Whether it is the suggested first download.
        evidence: Where the facts of the entry come from, one source a line.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    pair: Annotated[str, Field(pattern=PAIR_NAME)]
    title: str = ""
    description: str = ""
    license: str = ""
    languages: tuple[str, ...] = ()
    parameters: Annotated[int, Field(ge=0)] = 0
    context: Annotated[int, Field(ge=0)] = 0
    tried: bool = True
    architecture: Architecture = ""
    historic: bool = False
    suggested: bool = False
    evidence: tuple[str, ...] = ()
    default_preset: str = "friendly"
    base: ModelFile | None = None
    instruct: ModelFile | None = None


def read_pair(path: Path) -> PairFile:
    """The checked content of a pair's file.

    Raises:
        ModelNotFoundError: It cannot be read, or says what it may not; the message names the key.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelNotFoundError(f"{path.name} is a folder, a pipe or a device and not a catalog file")
        if path.stat().st_size > _MAX_BYTES:
            raise ModelNotFoundError(f"{path.name} is too large for a catalog file")
        return PairFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ModelNotFoundError(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(key) for key in problem["loc"])
        raise ModelNotFoundError(f"{path.name}: '{where}': {problem['msg'].lower()}") from error
