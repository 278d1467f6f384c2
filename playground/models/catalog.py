"""Which models there are, and where their files lie. One YAML file a pair; nothing is loaded here.

A model is named ``PAIR/base`` or ``PAIR/instruct``, or by the path of a GGUF file or a transformers folder.
A person's own entries lie in their models folder and win over shipped ones. An entry says where each engine
finds the model, so that one switch moves a pair between engines.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from playground.errors import ModelNotFoundError

EngineName = Literal["llama.cpp", "transformers", "server"]
ModelKind = Literal["base", "instruct"]
_MAX_BYTES = 100_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _ModelFile(_Strict):
    title: str = ""
    gguf: Annotated[str, Field(min_length=1)] | None = None
    transformers: Annotated[str, Field(min_length=1)] | None = None
    server: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    served_model: str = ""
    tokenizer: str = ""
    n_ctx: Annotated[int, Field(ge=64)] | None = None

    @model_validator(mode="after")
    def _lies_somewhere(self) -> Self:
        if not (self.gguf or self.transformers or self.server):
            raise ValueError("name a gguf file, a transformers repository or a server")
        return self


class _PairFile(_Strict):
    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    pair: Annotated[str, Field(pattern=r"^[\w][\w.+\-]{0,60}$")]
    title: str = ""
    description: str = ""
    license: str = ""
    languages: tuple[str, ...] = ()
    default_preset: str = "friendly"
    base: _ModelFile | None = None
    instruct: _ModelFile | None = None


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where one engine finds a model: a file, a folder or repository, or a server's address.

    ``served_model`` is the name by which a server knows it (empty: the server's first), ``tokenizer`` a
    folder or repository to count its tokens with where the server cannot.
    """

    engine: EngineName
    path: str
    served_model: str = ""
    tokenizer: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be named.

    Attributes:
        id: ``PAIR/base``, ``PAIR/instruct``, or the path it was named by.
        kind: An instruct model is prompted by its own chat template; a base model never silently is.
        path: Its file, or whatever stands for it where it has none.
        n_ctx: Context to load; None takes what the file says it was trained with.
        sources: Where each engine finds it, the preferred one first.
    """

    id: str
    pair: str
    kind: ModelKind
    title: str
    path: Path
    description: str = ""
    license: str = ""
    default_preset: str = "friendly"
    n_ctx: int | None = None
    sources: tuple[ModelSource, ...] = ()

    @property
    def present(self) -> bool:
        """Whether an engine finds the model on this machine, or need not."""
        return any(_is_there(source) for source in self.sources)

    def source(self, engine: str = "") -> ModelSource:
        """Where ``engine`` finds the model; empty for the engine that the entry prefers.

        Raises:
            ModelNotFoundError: The entry names nothing for that engine.
        """
        for source in self.sources:
            if engine in ("", source.engine):
                return source
        has = ", ".join(source.engine for source in self.sources)
        raise ModelNotFoundError(
            f"{self.title} cannot be opened with the engine '{engine}', only with: {has}. "
            "Choose that, or name the other in the model's catalog entry."
        )


@dataclass(frozen=True, slots=True)
class CatalogProblem:
    """A catalog file that could not be used, and why."""

    path: Path
    message: str


class Catalog:
    """The models of some folders, the later ones winning over the earlier."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def entries(self) -> list[ModelEntry]:
        """Every model of every readable pair file, in the folders' order and by file name."""
        return list(self._read()[0].values())

    def problems(self) -> list[CatalogProblem]:
        """The catalog files that were passed over."""
        return self._read()[1]

    def get(self, name: str) -> ModelEntry:
        """The model of that name or path.

        A path is a model of its own: ``kind`` is guessed from ``instruct`` or ``chat`` in the file's name.

        Raises:
            ModelNotFoundError: Nothing goes by that name; the message lists what there is.
        """
        entries, problems = self._read()
        if name in entries:
            return entries[name]
        path = Path(name).expanduser()
        if name.lower().endswith(".gguf"):
            if not path.is_file():
                raise ModelNotFoundError(f"There is no file {path}; check the path of the GGUF file.")
            return _named_by_path(name, path, "llama.cpp")
        if (path / "config.json").is_file():
            return _named_by_path(name, path, "transformers")
        known = ", ".join(entries) or "none"
        aside = f" ({problems[0].message})" if problems else ""
        raise ModelNotFoundError(
            f"There is no model '{name}'. Use one of: {known}, or the path of a .gguf file "
            f"or of a transformers folder.{aside}"
        )

    def _read(self) -> tuple[dict[str, ModelEntry], list[CatalogProblem]]:
        entries: dict[str, ModelEntry] = {}
        problems: list[CatalogProblem] = []
        for folder in self._folders:
            for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
                try:
                    entries |= {entry.id: entry for entry in _pair_entries(path)}
                except ModelNotFoundError as error:
                    problems.append(CatalogProblem(path, str(error)))
        return entries, problems


def _is_there(source: ModelSource) -> bool:
    """Whether a source can be opened now; for a repository, whether it was downloaded before."""
    if source.engine == "server" or Path(source.path).exists():
        return True
    if source.engine == "llama.cpp" or source.path.count("/") != 1:
        return False
    # Where huggingface_hub keeps repositories: its documentation, "Environment variables".
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    return (cache / f"models--{source.path.replace('/', '--')}").is_dir()


def _named_by_path(name: str, path: Path, engine: EngineName) -> ModelEntry:
    title = path.stem if engine == "llama.cpp" else path.resolve().name
    said = title.lower()
    kind: ModelKind = "instruct" if any(word in said for word in ("instruct", "chat", "-it")) else "base"
    return ModelEntry(name, title, kind, title, path, sources=(ModelSource(engine, str(path)),))


def _sources(file: _ModelFile, folder: Path) -> tuple[ModelSource, ...]:
    """Where each engine finds the model; what begins with ``./`` lies beside the catalog file."""
    sources: list[ModelSource] = []
    if file.gguf:
        sources.append(ModelSource("llama.cpp", str(folder / file.gguf)))
    if file.transformers:
        beside = str(folder / file.transformers) if file.transformers.startswith("./") else file.transformers
        sources.append(ModelSource("transformers", beside))
    if file.server:
        sources.append(ModelSource("server", file.server, file.served_model, file.tokenizer))
    return tuple(sources)


def _pair_entries(path: Path) -> list[ModelEntry]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelNotFoundError(f"{path.name} is too large for a catalog file")
        pair = _PairFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ModelNotFoundError(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(key) for key in problem["loc"])
        raise ModelNotFoundError(f"{path.name}: '{where}': {problem['msg'].lower()}") from error
    files: tuple[tuple[ModelKind, _ModelFile | None], ...] = (
        ("base", pair.base),
        ("instruct", pair.instruct),
    )
    return [
        ModelEntry(
            id=f"{pair.pair}/{kind}",
            pair=pair.pair,
            kind=kind,
            title=file.title or f"{pair.title or pair.pair} {kind}",
            path=path.parent / (file.gguf or file.transformers or file.served_model or kind),
            description=pair.description,
            license=pair.license,
            default_preset=pair.default_preset,
            n_ctx=file.n_ctx,
            sources=_sources(file, path.parent),
        )
        for kind, file in files
        if file is not None
    ]
