"""The list of the models page: pairs, and of each model how it does, what is here and what runs for it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from playground.engines.memory import available_bytes
from playground.models.catalog import ModelEntry, ModelSource
from playground.models.places import quantization_of, size_on_disk
from playground.services import ModelState, Workbench
from playground.services.downloads import DownloadState, download_key
from playground.services.verification import VerificationState


def model_list(workbench: Workbench, checks: Mapping[str, VerificationState]) -> dict[str, object]:
    """Everything that the page polls, cheap enough for that."""
    states = {state.id: state for state in workbench.model_states()}
    downloads = {state.key: state for state in workbench.downloads.states()}
    pairs: dict[str, dict[str, object]] = {}
    models: dict[str, list[dict[str, object]]] = {}
    wanted: set[str] = set()
    for entry in workbench.catalog.entries():
        hub = source_of(workbench, entry).hub
        key = download_key(hub) if hub is not None else ""
        wanted.add(key)
        pairs.setdefault(entry.pair, _pair_json(entry))
        models.setdefault(entry.pair, []).append(
            {
                **_entry_json(workbench, entry),
                **_state_json(states.get(entry.id)),
                "download": _download_json(downloads.get(key)),
                "check": _check_json(checks.get(entry.id)),
            }
        )
    return {
        "pairs": [{**pair, "models": models[name]} for name, pair in pairs.items()],
        "downloads": [
            _download_json(one)
            for key, one in downloads.items()
            if key not in wanted and one.status != "done"
        ],
        "problems": [f"{one.path.name}: {one.message}" for one in workbench.catalog.problems()],
        "free_bytes": available_bytes(),
        "free_disk_bytes": _free_disk(workbench.settings.downloads_dir),
        "folder": str(workbench.settings.models_dir),
    }


def source_of(workbench: Workbench, entry: ModelEntry) -> ModelSource:
    """Where the engine that is chosen finds a model; the entry's own choice where that finds nothing."""
    chosen = workbench.settings.engine
    return entry.source(chosen if any(one.engine == chosen for one in entry.sources) else "")


def _pair_json(entry: ModelEntry) -> dict[str, object]:
    return {
        "pair": entry.pair,
        "title": entry.pair_title or entry.pair,
        "description": entry.description,
        "license": entry.license,
        "languages": list(entry.languages),
        "parameters": entry.parameters,
        "context": entry.context,
        "tried": entry.tried,
        "architecture": entry.architecture,
        "historic": entry.historic,
        "suggested": entry.suggested,
        "evidence": list(entry.evidence),
        "gated": entry.gated,
    }


def _entry_json(workbench: Workbench, entry: ModelEntry) -> dict[str, object]:
    source = source_of(workbench, entry)
    hub = source.hub
    path = Path(source.path)
    named = hub.file or hub.quantization if hub is not None and not entry.present else path.name
    return {
        "id": entry.id,
        "kind": entry.kind,
        "title": entry.title,
        "engine": source.engine,
        "present": entry.present,
        "own": workbench.shelf.is_own(entry),
        "downloaded": workbench.shelf.was_downloaded(entry),
        "path": source.path,
        "quantization": quantization_of(named) if source.engine == "llama.cpp" else "",
        "size_bytes": _size(path) or (hub.size_bytes if hub is not None else 0),
        "repository": hub.repository if hub is not None else "",
        "gated": hub is not None and hub.gated,
        "sampling": _sampling_json(entry),
    }


def _sampling_json(entry: ModelEntry) -> dict[str, object] | None:
    """How published work decoded the model, and whose."""
    if entry.sampling is None:
        return None
    return {
        "source": entry.sampling_source,
        "temperature": entry.sampling.temperature,
        "top_p": entry.sampling.top_p,
        "repetition_penalty": entry.sampling.repetition_penalty,
    }


def _state_json(state: ModelState | None) -> dict[str, object]:
    if state is None:
        return {"status": "missing", "detail": "", "progress": 0, "memory_bytes": 0, "n_ctx": 0}
    return {
        "status": state.status,
        "detail": state.detail,
        "progress": round(state.progress, 3),
        "memory_bytes": state.memory_bytes,
        "n_ctx": state.info.n_ctx if state.info else 0,
        "load_s": round(state.load_s, 2),
        "device": state.info.device if state.info else "",
    }


def _download_json(state: DownloadState | None) -> dict[str, object] | None:
    """A download; none once it is done, for then its model is there."""
    if state is None or state.status == "done":
        return None
    return {
        "key": state.key,
        "title": state.title,
        "status": state.status,
        "done_bytes": state.done_bytes,
        "total_bytes": state.total_bytes,
        "bytes_per_s": round(state.bytes_per_s),
        "eta_s": state.eta_s,
        "sentence": state.sentence,
    }


def _check_json(state: VerificationState | None) -> dict[str, object] | None:
    if state is None:
        return None
    return {
        "status": state.status,
        "done_bytes": state.done_bytes,
        "total_bytes": state.total_bytes,
        "sentence": state.sentence,
    }


def _size(path: Path) -> int:
    try:
        return size_on_disk(path) if path.exists() else 0
    except OSError:
        return 0


def _free_disk(folder: Path) -> int | None:
    nearest = next((one for one in (folder, *folder.parents) if one.exists()), None)
    try:
        return shutil.disk_usage(nearest).free if nearest is not None else None
    except OSError:
        return None
