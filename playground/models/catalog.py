"""Which models there are, and where their files lie. One YAML file a pair; nothing is loaded here.

A model is named ``PAIR/base`` or ``PAIR/instruct``, or by the path of a GGUF file or a transformers folder.
A person's own entries lie in their models folder and win over shipped ones. An entry says where each engine
finds the model, so that one switch moves a pair between engines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from playground.errors import ModelNotFoundError
from playground.models.catalog_file import Architecture, ModelFile, PairFile, read_pair
from playground.models.kind import ModelKind as ModelKind
from playground.models.kind import judge_name
from playground.models.places import HubReference, cached_repository, find_gguf, find_transformers
from playground.models.places import repository_folder as _folder_of
from playground.settings import Confinement
from playground.types import OptionValue, SamplingParams

EngineName = Literal["llama.cpp", "transformers", "server"]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where one engine finds a model: a file, a folder or repository, or a server's address.

    ``served_model`` is the name by which a server knows it (empty: the server's first), ``tokenizer`` a
    folder or repository to count its tokens with where the server cannot. ``hub`` says where it can be
    downloaded from, if anywhere.
    """

    engine: EngineName
    path: str
    served_model: str = ""
    tokenizer: str = ""
    hub: HubReference | None = None

    @property
    def present(self) -> bool:
        """Whether it can be opened now; for a repository, whether it was downloaded before."""
        if self.engine == "server" or Path(self.path).exists():
            return True
        if self.engine != "transformers" or self.path.count("/") != 1:
            return False
        return cached_repository(self.path).is_dir()


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be named.

    Attributes:
        id: ``PAIR/base``, ``PAIR/instruct``, or the path it was named by.
        kind: An instruct model is prompted by its own chat template; a base model never silently is.
        pair_title: What the pair is called by people.
        path: Its file, or whatever stands for it where it has none.
        n_ctx: Context to load; None takes what the file says it was trained with.
        sources: Where each engine finds it, the preferred one first.
        parameters: Roughly, 0 where unknown. context: tokens that it was trained for, 0 where unknown.
        sampling: How published work decoded it, and ``sampling_source`` whose work.
        tried: Whether it was downloaded and run with this program.
        architecture: ``dense``, ``hybrid``, or empty where unknown.
        historic: Whether a newer pair replaces it. suggested: Whether it is the suggested first download.
        evidence: Where the facts of the entry come from.
        template_options: Named arguments of its chat template that hold unless others are given.
        former: Names that it had before it was renamed.
        listed_in: The catalog file that lists it; None for one that was named by its path.
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
    languages: tuple[str, ...] = ()
    parameters: int = 0
    context: int = 0
    gated: bool = False
    sampling: SamplingParams | None = None
    sampling_source: str = ""
    tried: bool = True
    listed_in: Path | None = None
    pair_title: str = ""
    architecture: Architecture = ""
    historic: bool = False
    suggested: bool = False
    evidence: tuple[str, ...] = ()
    template_options: tuple[tuple[str, OptionValue], ...] = ()
    former: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        """Whether an engine finds the model on this machine, or need not."""
        return any(source.present for source in self.sources)

    @property
    def hub(self) -> HubReference | None:
        """Where the preferred engine's files can be downloaded, if anywhere."""
        return self.sources[0].hub if self.sources else None

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
    """The models of some folders, the later ones winning over the earlier.

    Args:
        folders: Where catalog files lie.
        downloads: Where this program puts what it downloads.
        confined: Which models may be named, and whether by their paths and on servers.
    """

    def __init__(
        self, *folders: Path, downloads: Path | None = None, confined: Confinement | None = None
    ) -> None:
        self._folders = folders
        self._downloads = downloads
        self._confined = confined or Confinement()
        # By file: when it was written, its size, and what it said. A list is polled; parsing is slow.
        self._parsed: dict[Path, tuple[tuple[int, int], PairFile]] = {}

    def entries(self) -> list[ModelEntry]:
        """Every model of every readable pair file, in the order in which lists show them.

        First what needs no download; then the suggested first download, the current pairs by size, and the
        historic ones by size.
        """
        return sorted(self._read()[0].values(), key=_place_in_list)

    def problems(self) -> list[CatalogProblem]:
        """The catalog files that were passed over."""
        return self._read()[1]

    def get(self, name: str) -> ModelEntry:
        """The model of that name or path; a name that a model had before it was renamed finds it too.

        A path is a model of its own: ``kind`` is read from the file's name, as ``kind.judge_name`` does.

        Raises:
            ModelNotFoundError: Nothing goes by that name; the message lists what there is.
        """
        entries, problems = self._read()
        renamed = _renamed(entries, name)
        if renamed is not None:
            return renamed
        if not self._confined.paths:
            raise ModelNotFoundError(
                f"There is no model '{name[:80]}' here. Use one of: {', '.join(entries) or 'none'}."
            )
        path = Path(name).expanduser()
        if name.lower().endswith(".gguf"):
            if not path.is_file():
                raise ModelNotFoundError(f"There is no file {path}; check the path of the GGUF file.")
            return _named_by_path(name, path, "llama.cpp")
        if (path / "config.json").is_file():
            return _named_by_path(name, path, "transformers")
        known = ", ".join(entry.id for entry in self.entries() if entry.present) or "none"
        aside = f" ({problems[0].message})" if problems else ""
        raise ModelNotFoundError(
            f"There is no model '{name}'. Use one of: {known}, or the path of a .gguf file or of a "
            f"transformers folder; 'playground models list' shows those that can be downloaded.{aside}"
        )

    def current_name(self, name: str) -> str:
        """What a model is called now; ``name`` itself where nothing in the catalog is or was called so."""
        entry = _renamed(self._read()[0], name)
        return entry.id if entry is not None else name

    def _read(self) -> tuple[dict[str, ModelEntry], list[CatalogProblem]]:
        entries: dict[str, ModelEntry] = {}
        problems: list[CatalogProblem] = []
        for folder in self._folders:
            for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
                try:
                    entries |= {entry.id: entry for entry in self._allowed(self._pair_entries(path))}
                except ModelNotFoundError as error:
                    problems.append(CatalogProblem(path, str(error)))
        return entries, problems

    def _allowed(self, entries: Iterable[ModelEntry]) -> Iterator[ModelEntry]:
        """The entries that may be named, without the sources that may not be used."""
        for entry in entries:
            if self._confined.models is not None and entry.id not in self._confined.models:
                continue
            if not self._confined.servers:
                entry = replace(entry, sources=tuple(s for s in entry.sources if s.engine != "server"))
            if entry.sources:
                yield entry

    def _pair_entries(self, path: Path) -> list[ModelEntry]:
        try:
            stat = path.stat()
        except OSError as error:
            raise ModelNotFoundError(f"{path.name} cannot be read: {error}") from error
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._parsed.get(path)
        pair = known[1] if known is not None and known[0] == stamp else read_pair(path)
        self._parsed[path] = (stamp, pair)
        files: tuple[tuple[ModelKind, ModelFile | None], ...] = (
            ("base", pair.base),
            ("instruct", pair.instruct),
        )
        return [self._entry(path, pair, kind, file) for kind, file in files if file is not None]

    def _entry(self, path: Path, pair: PairFile, kind: ModelKind, file: ModelFile) -> ModelEntry:
        sources = _sources(file, path.parent, self._downloads)
        local = sources[0].path if sources[0].engine != "server" else file.served_model or kind
        return ModelEntry(
            id=f"{pair.pair}/{kind}",
            pair=pair.pair,
            kind=kind,
            title=file.title or f"{pair.title or pair.pair} {kind}",
            path=Path(local),
            description=pair.description,
            license=pair.license,
            default_preset=pair.default_preset,
            n_ctx=file.n_ctx,
            sources=sources,
            languages=pair.languages,
            parameters=pair.parameters,
            context=pair.context,
            gated=file.gated,
            sampling=file.sampling.params() if file.sampling else None,
            sampling_source=file.sampling.source if file.sampling else "",
            tried=pair.tried,
            listed_in=path,
            pair_title=pair.title or pair.pair,
            architecture=pair.architecture,
            historic=pair.historic,
            suggested=pair.suggested,
            evidence=pair.evidence,
            template_options=tuple(file.template_options.items()),
            former=file.former,
        )


def _renamed(entries: Mapping[str, ModelEntry], name: str) -> ModelEntry | None:
    """The model that is called so, or else was."""
    if name in entries:
        return entries[name]
    return next((entry for entry in entries.values() if name in entry.former), None)


def _place_in_list(entry: ModelEntry) -> tuple[bool, bool, bool, int]:
    return entry.hub is not None, entry.historic, not entry.suggested, entry.parameters


def _named_by_path(name: str, path: Path, engine: EngineName) -> ModelEntry:
    title = path.stem if engine == "llama.cpp" else path.resolve().name
    said = title.lower()
    is_instruct = any(word in said for word in ("instruct", "chat", "-it")) and "base" not in said
    kind: ModelKind = "instruct" if is_instruct else judge_name(title).kind
    return ModelEntry(name, title, kind, title, path, sources=(ModelSource(engine, str(path)),))


def _sources(file: ModelFile, folder: Path, downloads: Path | None) -> tuple[ModelSource, ...]:
    """Where each engine finds the model; what begins with ``./`` lies beside the catalog file."""
    sources: list[ModelSource] = []
    if isinstance(file.gguf, str):
        sources.append(ModelSource("llama.cpp", str(folder / Path(file.gguf).expanduser())))
    elif file.gguf is not None:
        hub = HubReference(**file.gguf.model_dump())
        found = find_gguf(hub, downloads)
        wanted = hub.file or f"{hub.quantization}.gguf"
        path = found or _folder_of(downloads or folder, hub.repository) / wanted
        sources.append(ModelSource("llama.cpp", str(path), hub=hub))
    if file.transformers:
        sources.append(_transformers_source(file, folder, downloads))
    if file.server:
        sources.append(ModelSource("server", file.server, file.served_model, file.tokenizer))
    return tuple(sources)


def _transformers_source(file: ModelFile, folder: Path, downloads: Path | None) -> ModelSource:
    name = file.transformers or ""
    if name.startswith(("./", "/", "~")):
        return ModelSource("transformers", str(folder / Path(name).expanduser()))
    hub = HubReference(name, gated=file.gated) if name.count("/") == 1 else None
    return ModelSource("transformers", str(find_transformers(name, downloads) or name), hub=hub)
