"""Models as a person handles them: what a name means, what is on the disk, adding, removing and checking.

Holds the catalog, the queue of downloads and the reader of files, and wires them to one another.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

from playground.engines.spec import EngineSpec
from playground.errors import DownloadError, ModelNotFoundError, PlaygroundError
from playground.models.catalog import Catalog, ModelEntry, ModelKind
from playground.models.catalog_file import GgufOnHub
from playground.models.fetch import KnownFile, checksum, read_manifest
from playground.models.found import FoundModel, find_models
from playground.models.kind import KindVerdict, ModelFacts, Pairing, judge_name, suggest_partners
from playground.models.naming import Naming, naming_of
from playground.models.own import change_kind, remove_entry, rename_entry, write_entry
from playground.models.places import HubReference, repository_folder, shards
from playground.services.load_settings import LoadSettingsStore
from playground.services.memory_plan import MemoryPlanner
from playground.services.model_facts import Inspected, Inspector
from playground.settings import Settings


@dataclass(frozen=True, slots=True)
class Pull:
    """Something to download, and what a person calls it."""

    title: str
    reference: HubReference


@dataclass(frozen=True, slots=True)
class Added:
    """A model that was put into the person's catalog, and what is to be said of it."""

    id: str
    verdict: KindVerdict
    overridden: bool
    partners: tuple[tuple[str, Pairing], ...] = ()
    pull: Pull | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A downloaded file against the checksum that the Hub stated."""

    path: Path
    right: bool
    sentence: str = ""


class ModelShelf:
    """The person's models.

    Args:
        settings: Folders.
        catalog: What is listed.
        inspector: Reads files.
    """

    def __init__(self, settings: Settings, catalog: Catalog, inspector: Inspector | None = None) -> None:
        self._settings = settings
        self._catalog = catalog
        self.inspector = inspector or Inspector()

    def pulls(self, name: str, *, file: str = "", revision: str = "", engine: str = "") -> list[Pull]:
        """What ``name`` means as downloads: a model, both models of a pair, or a file of ``owner/name``.

        Raises:
            DownloadError: Nothing that can be downloaded goes by that name.
        """
        entries = [e for e in self._catalog.entries() if name in (e.id, e.pair)]
        if not entries and name.count("/") == 1 and not name.endswith(".gguf"):
            # Of a repository, a GGUF where one is named; else the whole of its safetensors, if asked for.
            if file or engine == "transformers":
                return [Pull(f"{name} {file}".strip(), HubReference(name, file=file, revision=revision))]
            raise DownloadError(
                f"Say which file of {name} is wanted with --file ('playground models info {name}' lists "
                "them), or take its safetensors with --engine transformers."
            )
        if not entries:
            raise DownloadError(
                f"There is no model '{name}' to download; 'playground models list' shows them. "
                "A repository is written OWNER/NAME."
            )
        return [Pull(entry.id, self._reference(entry, engine)) for entry in entries]

    def add(
        self,
        source: str,
        *,
        pair: str = "",
        kind: ModelKind | None = None,
        file: str = "",
        revision: str = "",
        replace: bool = True,
        repository: bool | None = None,
    ) -> Added:
        """Put a GGUF, a folder of safetensors, or a file of ``owner/name`` into the person's catalog.

        Args:
            source: A path, or ``owner/name``.
            pair: The pair's name; made of the file's name where it is left out.
            kind: In place of what the file says of itself.
            file: Of a repository: which GGUF; empty for its safetensors.
            revision: Of a repository.
            replace: Whether it may take the place of a model that goes by that name already.
            repository: Whether ``source`` is ``owner/name``; None looks at the disk where it could be either.

        Raises:
            PlaygroundError: It is no usable model, the name is taken, or the catalog cannot be written.
        """
        path = Path(source).expanduser()
        if is_repository(source) if repository is None else repository:
            return self._add_repository(source, pair, kind, file, revision, replace)
        inspected = self.inspector.inspect(path)
        chosen = kind or inspected.verdict.kind
        name, titles = _named(pair, self.naming(path.resolve().name, inspected.facts.own_name))
        model = self._free_name(name, chosen, replace)
        if path.is_dir():
            write_entry(self._settings.models_dir, name, chosen, transformers=str(path.absolute()), **titles)
        else:
            write_entry(self._settings.models_dir, name, chosen, gguf=path, **titles)
        return Added(
            model,
            inspected.verdict,
            _differs(kind, inspected.verdict),
            tuple(self.partners(inspected, model)),
        )

    def change_kind(self, name: str, kind: ModelKind) -> str:
        """Make a base model an instruct one, or the reverse; returns what it is called from then on.

        A person's own entry is changed. Of one that ships, the same files are added as another pair.

        Raises:
            PlaygroundError: The name is taken, or the catalog cannot be written.
        """
        entry = self._catalog.get(name)
        if entry.kind == kind:
            return entry.id
        if self.is_own(entry):
            return change_kind(entry, kind)
        source = entry.source()
        pair = f"{entry.pair}-as-{kind}"
        model = self._free_name(pair, kind, replace=False)
        gguf: Path | GgufOnHub | None = None
        if source.engine == "llama.cpp":
            hub = asdict(source.hub) if source.hub else {}
            hub.pop("gated", None)
            gguf = GgufOnHub(**hub) if hub else Path(source.path)
        elif source.engine == "server":
            raise PlaygroundError(f"{entry.id} is a server's model; change its kind in its catalog entry.")
        folder = (source.hub.repository if source.hub else source.path) if gguf is None else ""
        title = f"{entry.pair_title} as {kind}"
        write_entry(self._settings.models_dir, pair, kind, gguf=gguf, transformers=folder, title=title)
        return model

    def naming(self, name: str, own_name: str = "") -> Naming:
        """What a new model is called: by its file's name and its metadata, and unlike any pair that ships."""
        found = naming_of(name, own_name)
        shipped = {entry.pair for entry in self._catalog.entries() if not self.is_own(entry)}
        return dataclasses.replace(found, pair=f"{found.pair}-2") if found.pair in shipped else found

    def rename(self, name: str, pair: str = "", title: str = "") -> str:
        """Give a person's own model another name, another title, or both; returns its name.

        Its former name still finds it, and its load settings stay with it.

        Args:
            name: The model.
            pair: The new name: of the pair alone, or with ``/base`` or ``/instruct``. Empty keeps it.
            title: The new title; empty keeps it.

        Raises:
            PlaygroundError: It is no own model, the name is taken, or nothing was given.
        """
        entry = self._catalog.get(name)
        pair, title = pair.strip().removesuffix(f"/{entry.kind}"), " ".join(title.split())
        if not pair and not title:
            raise PlaygroundError("Give the model's new name, a new title, or both.")
        model = f"{pair or entry.pair}/{entry.kind}"
        if model != entry.id:
            self._free_name(pair, entry.kind, replace=False)
        store = LoadSettingsStore.of(self._settings)
        kept = store.get(entry.id)
        renamed = rename_entry(self._settings.models_dir, entry, pair or entry.pair, title[:200])
        store.set(renamed, kept)
        return renamed

    def is_own(self, entry: ModelEntry) -> bool:
        """Whether the person's own catalog lists it."""
        return entry.listed_in is not None and entry.listed_in.parent == self._settings.models_dir

    def partners(self, inspected: Inspected, besides: str = "") -> Iterator[tuple[str, Pairing]]:
        """Models on this machine that may be the other half of a pair with this one, the best first."""
        others: list[tuple[str, ModelFacts, ModelKind]] = []
        for entry in self._catalog.entries():
            if entry.present and entry.id != besides and entry.sources[0].engine != "server":
                try:
                    others.append((entry.id, self.inspector.inspect(entry.path).facts, entry.kind))
                except PlaygroundError:
                    continue
        known = [(facts, kind) for _, facts, kind in others]
        for pairing in suggest_partners(inspected.facts, inspected.verdict.kind, known):
            yield others[pairing.index][0], pairing

    def entry(self, name: str) -> ModelEntry:
        """The model of that name or path.

        Raises:
            ModelNotFoundError: There is none.
        """
        return self._catalog.get(name)

    def describe(self, entry: ModelEntry) -> dict[str, object]:
        """What the catalog says of a model, for a table or as JSON."""
        return {
            "id": entry.id,
            "title": entry.title,
            "kind": entry.kind,
            "description": entry.description,
            "license": entry.license,
            "gated": entry.gated or None,
            "languages": list(entry.languages),
            "parameters": entry.parameters or None,
            "context": entry.context or None,
            "default_preset": entry.default_preset,
            "sampling": entry.sampling_source,
            "tried": entry.tried,
            "architecture": entry.architecture,
            "historic": entry.historic or None,
            "suggested": entry.suggested or None,
            "template_defaults": dict(entry.template_options) or None,
            "evidence": list(entry.evidence),
            "present": entry.present,
            "path": str(entry.path),
            "repository": entry.hub.repository if entry.hub else None,
        }

    def memory(self, entry: ModelEntry, n_ctx: int | None = None) -> dict[str, int] | None:
        """Bytes that a GGUF takes once it is loaded by its kept settings; None for what is no GGUF.

        ``fitting_gpu_layers`` says how many layers fit on the GPUs, where there are any.

        Raises:
            ModelLoadError: It is no usable GGUF.
        """
        source = entry.sources[0]
        header = self.inspector.inspect(Path(source.path)).header if source.engine == "llama.cpp" else None
        if header is None:
            return None
        spec = EngineSpec(
            path=source.path, n_ctx=entry.n_ctx, cache_dir=str(self._settings.cache_dir / "engines")
        )
        spec = LoadSettingsStore.of(self._settings).get(entry.id).applied(spec)
        plan = MemoryPlanner().plan(spec, header, [n_ctx] if n_ctx else [])
        (found,) = plan.estimates
        fitting = {"fitting_gpu_layers": plan.gpu_layers[0]} if plan.gpu_layers else {}
        return {**asdict(found), "total_bytes": found.total_bytes, **fitting}

    def remove(self, name: str) -> Path:
        """Take a model out of the person's catalog and return its catalog file; the model's files stay."""
        return remove_entry(self._settings.models_dir, self._catalog.get(name))

    def delete_files(self, name: str) -> Path:
        """Delete what was downloaded for a model, and return the folder that held it.

        Raises:
            ModelNotFoundError: Nothing of it was downloaded by this program.
        """
        for source in self._catalog.get(name).sources:
            if source.hub is None:
                continue
            folder = repository_folder(self._settings.downloads_dir, source.hub.repository)
            path = Path(source.path)
            if source.hub.is_gguf and path.is_file() and path.is_relative_to(folder):
                for part in shards(path.name):
                    path.with_name(part).unlink(missing_ok=True)
                return folder
            if not source.hub.is_gguf and folder.is_dir():
                shutil.rmtree(folder)
                return folder
        raise ModelNotFoundError(
            f"Nothing of {name} was downloaded by this program. Files of other programs are left to them."
        )

    def was_downloaded(self, entry: ModelEntry) -> bool:
        """Whether files of a model lie where this program puts what it downloads."""
        places = [Path(source.path) for source in entry.sources if source.hub is not None]
        return any(p.is_relative_to(self._settings.downloads_dir) and p.exists() for p in places)

    def bytes_to_verify(self, name: str = "") -> int:
        """How much ``verify`` will read."""
        return sum(path.stat().st_size for path, _ in self._downloaded(name))

    def verify(self, name: str = "", tick: Callable[[int], None] = lambda _: None) -> Iterator[Checked]:
        """Each downloaded file of a model, or of all, against its checksum; read from the disk in full.

        Args:
            name: A model; empty for all that was downloaded.
            tick: Called with the number of bytes that were just read.
        """
        for path, known in self._downloaded(name):
            right = path.stat().st_size == known.size_bytes and (
                not known.checksum or checksum(path, known.checksum, tick) == known.checksum
            )
            again = "" if right else f"{path.name} is not what was downloaded; delete it and pull it again."
            yield Checked(path, right, again)

    def _downloaded(self, name: str) -> Iterator[tuple[Path, KnownFile]]:
        """Files that were downloaded for a model, or all, and what they must be."""
        folders = sorted(self._settings.downloads_dir.glob("*--*"))
        if name:
            hubs = [source.hub for source in self._catalog.get(name).sources if source.hub]
            folders = [repository_folder(self._settings.downloads_dir, hub.repository) for hub in hubs]
        for folder in folders:
            manifest = read_manifest(folder)
            for file, known in (manifest.files if manifest is not None else {}).items():
                if (folder / file).exists():
                    yield folder / file, known

    @staticmethod
    def found() -> list[FoundModel]:
        """Models that other programs keep on this machine."""
        return find_models()

    def _reference(self, entry: ModelEntry, engine: str) -> HubReference:
        source = entry.source(engine)
        if source.hub is None:
            raise DownloadError(f"{entry.id} needs no download: it lies at {entry.path}.")
        return source.hub

    def _free_name(self, pair: str, kind: ModelKind, replace: bool) -> str:
        """What a model will be called, if nothing else is."""
        model = f"{pair}/{kind}"
        if not replace and any(entry.id == model for entry in self._catalog.entries()):
            raise PlaygroundError(f"There is a model {model} already; choose another name for the pair.")
        return model

    def _add_repository(
        self, source: str, pair: str, kind: ModelKind | None, file: str, revision: str, replace: bool
    ) -> Added:
        verdict = judge_name(file or source)
        chosen = kind or verdict.kind
        name, titles = _named(pair, self.naming(file or source))
        model = self._free_name(name, chosen, replace)
        hub = GgufOnHub(repository=source, file=file, revision=revision) if file else None
        folder = "" if file else source
        write_entry(self._settings.models_dir, name, chosen, gguf=hub, transformers=folder, **titles)
        reference = HubReference(source, file=file, revision=revision)
        return Added(model, verdict, _differs(kind, verdict), pull=Pull(model, reference))


def is_repository(source: str) -> bool:
    """Whether a person means ``owner/name`` on the Hub, and no path."""
    return reads_as_repository(source) and not Path(source).exists()


def reads_as_repository(source: str) -> bool:
    """Whether a text reads like ``owner/name``; the disk is not asked."""
    return (
        source.count("/") == 1
        and not source.startswith((".", "~", "/"))
        and not source.lower().endswith(".gguf")
    )


class _Titles(TypedDict, total=False):
    title: str
    pair_title: str


def _named(pair: str, suggested: Naming) -> tuple[str, _Titles]:
    """A pair's name and its titles; a name that a person chose is its own title."""
    if pair and pair != suggested.pair:
        return pair, {}
    return suggested.pair, {"title": suggested.title, "pair_title": suggested.title}


def _differs(kind: ModelKind | None, verdict: KindVerdict) -> bool:
    return kind is not None and kind != verdict.kind
