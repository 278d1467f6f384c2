"""The models page: what there is, downloads, adding and removing, memory, load settings, base or instruct."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from pydantic import Field

from playground.errors import PlaygroundError
from playground.models.catalog import ModelEntry
from playground.models.hub import list_repository
from playground.models.kind import KindVerdict, judge_name, template_note
from playground.services import Workbench
from playground.services.load_settings import load_settings
from playground.services.memory_plan import MemoryPlan
from playground.services.model_facts import Inspected
from playground.services.model_shelf import Added, ModelShelf, is_repository, reads_as_repository
from playground.services.verification import Verifications
from playground.ui.api.binding import Call
from playground.ui.api.model_list import model_list, source_of
from playground.ui.strings import Strings
from playground.ui.wire_format import Incoming, NameIn

_Kind = Literal["base", "instruct"]


class KindIn(Incoming):
    """What a person says that a model is."""

    name: str
    kind: _Kind


class RenameIn(Incoming):
    """A model's new name and title; an empty one stays as it is."""

    name: str
    pair: Annotated[str, Field(max_length=80)] = ""
    title: Annotated[str, Field(max_length=200)] = ""


class RemoveIn(Incoming):
    """What goes: the downloaded files, or the entry in the person's own catalog."""

    name: str
    what: Literal["files", "entry"]


class SettingsIn(Incoming):
    """How a model is to be loaded, as ``LoadSettings`` says it."""

    name: str
    settings: dict[str, int | str | None]


class AddIn(Incoming):
    """A model for the person's catalog: a path, or ``owner/name`` and a file there (or its safetensors)."""

    source: Annotated[str, Field(min_length=1, max_length=4096)]
    pair: Annotated[str, Field(max_length=200)]
    kind: _Kind
    file: Annotated[str, Field(max_length=300)] = ""


class LookIn(Incoming):
    """A model that may be added; ``name`` is what another program calls it, where it calls it otherwise."""

    source: Annotated[str, Field(min_length=1, max_length=4096)]
    name: Annotated[str, Field(max_length=300)] = ""


class ModelCalls:
    """The calls of the models page."""

    def __init__(self, workbench: Workbench, strings: Strings, *, looks_at_paths: bool = True) -> None:
        self._bench = workbench
        self._strings = strings
        self._looks_at_paths = looks_at_paths
        self._shelf = workbench.shelf
        self._checks = Verifications(workbench.shelf)

    def calls(self) -> list[Call]:
        """``shelf``, what is asked and done about one model, ``pull`` and its kin."""
        bench = self._bench
        return [
            Call.of("shelf", NameIn, lambda _: model_list(bench, self._checks.states())),
            Call.of("shelf_details", NameIn, self.details),
            Call.of("shelf_partners", NameIn, self.partners),
            Call.of("shelf_memory", SettingsIn, self.memory),
            Call.of("shelf_settings", SettingsIn, self.keep_settings),
            Call.of("shelf_kind", KindIn, self.change_kind),
            Call.of("shelf_rename", RenameIn, self.rename),
            Call.of("shelf_verify", NameIn, lambda query: self._checks.start(query.name)),
            Call.of("shelf_remove", RemoveIn, self.remove),
            Call.of("shelf_found", NameIn, lambda _: self.found()),
            Call.of("shelf_look", LookIn, self.look),
            Call.of("shelf_add", AddIn, self.add),
            Call.of("pull", NameIn, self.pull),
            Call.of("pull_pause", NameIn, lambda query: bench.downloads.pause(query.name)),
            Call.of("pull_resume", NameIn, lambda query: bench.downloads.resume(query.name)),
            Call.of("pull_cancel", NameIn, lambda query: bench.downloads.cancel(query.name)),
            Call.of("unload_model", NameIn, lambda query: bench.unload(query.name)),
        ]

    def details(self, query: NameIn) -> object:
        """What a model on this machine says of itself, and how it is to be loaded."""
        entry = self._bench.catalog.get(query.name)
        kept = msgspec.to_builtins(self._bench.load_settings.get(entry.id))
        inspected = self._inspected(entry)
        if inspected is None:
            return {"reading": None, "settings": kept}
        reading = _reading_json(inspected) | {"note": template_note(inspected.facts, entry.kind)}
        return {"reading": reading, "settings": kept}

    def partners(self, query: NameIn) -> object:
        """Models that may be the other half of a pair with this one."""
        entry = self._bench.catalog.get(query.name)
        inspected = self._inspected(entry)
        return [] if inspected is None else self._partners(inspected, entry.id)

    def memory(self, query: SettingsIn) -> object:
        """What a model will take with each context; null where that is not known before it is loaded."""
        plan = self._bench.memory_plan(query.name, settings=load_settings(query.settings))
        return None if plan is None else _plan_json(plan)

    def keep_settings(self, query: SettingsIn) -> object:
        """Keep how a model is to be loaded the next time."""
        entry = self._bench.catalog.get(query.name)
        self._bench.load_settings.set(entry.id, load_settings(query.settings))
        return msgspec.to_builtins(self._bench.load_settings.get(entry.id))

    def change_kind(self, query: KindIn) -> object:
        """Say that a base model is an instruct one, or the reverse; what it is called from then on."""
        kept = self._bench.load_settings.get(query.name)
        self._bench.unload(query.name)
        name = self._shelf.change_kind(query.name, query.kind)
        self._bench.load_settings.set(name, kept)
        return name

    def rename(self, query: RenameIn) -> object:
        """Give a model of the person's catalog another name or title; what it is called from then on."""
        entry = self._bench.catalog.get(query.name)
        if query.pair.strip().removesuffix(f"/{entry.kind}") not in ("", entry.pair):
            self._bench.unload(entry.id)
            self._checks.forget(entry.id)
        return self._shelf.rename(entry.id, query.pair, query.title)

    def remove(self, query: RemoveIn) -> None:
        """Delete what was downloaded for a model, or take it out of the person's catalog."""
        self._bench.unload(query.name)
        self._checks.forget(query.name)
        if query.what == "files":
            self._shelf.delete_files(query.name)
        else:
            self._shelf.remove(query.name)

    def pull(self, query: NameIn) -> None:
        """Begin to download a model."""
        for pull in self._shelf.pulls(query.name, engine=self._bench.settings.engine):
            self._bench.downloads.pull(pull.title, pull.reference)

    def found(self) -> object:
        """Models of other programs on this machine, and what they are listed as already."""
        if not self._looks_at_paths:
            return []
        listed = {Path(source.path): e.id for e in self._bench.catalog.entries() for source in e.sources}
        return [
            {
                "owner": model.owner,
                "name": model.name,
                "path": str(model.path),
                "size_bytes": model.size_bytes,
                "listed": listed.get(model.path, ""),
            }
            for model in self._shelf.found()
        ]

    def look(self, query: LookIn) -> object:
        """What a path or ``owner/name`` holds, before anything is added."""
        if self._is_repository(query.source):
            return {"repository": _repository_json(query.source, self._shelf)}
        inspected = self._shelf.inspector.inspect(Path(query.source).expanduser())
        naming = self._shelf.naming(query.name or inspected.path.resolve().name, inspected.facts.own_name)
        return {"model": _reading_json(inspected), "pair": naming.pair, "partners": self._partners(inspected)}

    def add(self, query: AddIn) -> object:
        """Put a model into the person's catalog, and begin to download it where it has to be."""
        added = self._shelf.add(
            query.source,
            pair=query.pair,
            kind=query.kind,
            file=query.file,
            replace=False,
            repository=self._is_repository(query.source),
        )
        if added.pull is not None:
            self._bench.downloads.pull(added.pull.title, added.pull.reference)
        return _added_json(added)

    def _is_repository(self, source: str) -> bool:
        """Whether a repository is meant; a path is one that may be looked at and can be read.

        Raises:
            PlaygroundError: It is a path, and others reach this page; or nothing can be read there.
        """
        if not self._looks_at_paths:
            if reads_as_repository(source):
                return True
            raise PlaygroundError(self._strings("models.no_paths"))
        if is_repository(source):
            return True
        path = Path(source).expanduser()
        # A missing file and one that may not be read get the same answer.
        try:
            readable = os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))
        except (OSError, ValueError):
            readable = False
        if not readable:
            raise PlaygroundError(self._strings("models.nothing_readable", path=source))
        return False

    def _inspected(self, entry: ModelEntry) -> Inspected | None:
        source = source_of(self._bench, entry)
        if not entry.present or source.engine == "server":
            return None
        return self._shelf.inspector.inspect(Path(source.path))

    def _partners(self, inspected: Inspected, besides: str = "") -> list[dict[str, str]]:
        return [
            {"model": model, "pair": model.rpartition("/")[0], "why": one.reason, "warning": one.warning}
            for model, one in self._shelf.partners(inspected, besides)
        ]


def _verdict_json(verdict: KindVerdict) -> dict[str, object]:
    return {
        "kind": verdict.kind,
        "certainty": verdict.certainty,
        "reason": verdict.reason,
        "note": verdict.note,
    }


def _reading_json(inspected: Inspected) -> dict[str, object]:
    facts = inspected.facts
    return {
        **_verdict_json(inspected.verdict),
        "architecture": facts.architecture,
        "parameters": facts.parameters,
        "context": facts.n_ctx_train,
        "chat_template": facts.chat_template is not None,
        "size_bytes": inspected.size_bytes,
    }


def _plan_json(plan: MemoryPlan) -> dict[str, object]:
    return {
        "estimates": [
            {
                "n_ctx": one.n_ctx,
                "weights": one.weights_bytes,
                "kv": one.kv_bytes,
                "kv_tokens": one.n_cells,
                "compute": one.buffer_bytes,
                "other": one.other_bytes,
                "gpu": one.gpu_bytes,
                "total": one.total_bytes,
            }
            for one in plan.estimates
        ],
        "n_layers": plan.n_layers,
        "gpu_layers": list(plan.gpu_layers),
        "free_bytes": plan.free_bytes,
        "gpus": [{"name": gpu.name, "free_bytes": gpu.free_bytes} for gpu in plan.gpus],
    }


def _repository_json(name: str, shelf: ModelShelf) -> dict[str, object]:
    """A repository's files, each with what its name says that it is."""
    found = list_repository(name)
    weights = sum(f.size_bytes for f in found.files if f.name.endswith(".safetensors") and "/" not in f.name)
    choices = [(file.name, found.size_of(file)) for file in found.models()]
    if weights and any(file.name == "config.json" for file in found.files):
        choices.append(("", weights))
    return {
        "name": found.name,
        "gated": found.gated,
        "license": found.license,
        "files": [
            {
                "file": file,
                "size_bytes": size,
                "pair": shelf.naming(file or name).pair,
                **_verdict_json(judge_name(file.rpartition("/")[2] or name)),
            }
            for file, size in choices
        ],
    }


def _added_json(added: Added) -> dict[str, object]:
    return {"id": added.id, "downloading": added.pull is not None}
