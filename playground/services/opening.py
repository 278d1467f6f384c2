"""How a model of the catalog is opened: with which engine, by whose settings, and whether it will fit."""

from __future__ import annotations

from pathlib import Path

from playground.engines.base import Engine
from playground.engines.cores import CoreShare
from playground.engines.inspection import inspect_memory
from playground.engines.llamacpp import selftest
from playground.engines.llamacpp.build import rebuild_command
from playground.engines.load import open_engine
from playground.engines.memory import available_bytes
from playground.engines.spec import EngineSpec
from playground.errors import ModelNotFoundError
from playground.models.catalog import ModelEntry, ModelSource
from playground.models.places import size_on_disk
from playground.services.load_settings import LoadSettings, LoadSettingsStore
from playground.services.pool import Loading, not_downloaded
from playground.settings import Settings

# Where so much is free beyond a model's weights, its memory need not be known exactly.
_AMPLE_BYTES = 3 * 10**9


class ModelOpener:
    """Opens models. Thread-safe.

    Args:
        settings: Folders, and the engine that is chosen for all.
        cores: Shared among the engines that are at work.
        chosen: How a person wants each model loaded.
    """

    def __init__(self, settings: Settings, cores: CoreShare, chosen: LoadSettingsStore) -> None:
        self._settings = settings
        self._cores = cores
        self._chosen = chosen

    def spec(self, entry: ModelEntry, settings: LoadSettings | None = None) -> EngineSpec:
        """What is loaded for ``entry``, and how.

        Args:
            entry: A model of the catalog.
            settings: In place of those that are kept for it.

        Raises:
            ModelNotFoundError: The entry names nothing for the engine that is chosen.
        """
        source = entry.source(self._settings.engine)
        spec = EngineSpec(
            kind=source.engine,
            path=source.path,
            n_ctx=entry.n_ctx,
            most_n_ctx=self._settings.confined.n_ctx,
            cache_dir=str(self._settings.cache_dir / "engines") if self._settings.confined.writes else "",
            served_model=source.served_model,
            tokenizer=source.tokenizer,
        )
        return (settings or self._chosen.get(entry.id)).applied(spec)

    def open(self, entry: ModelEntry, loading: Loading) -> Engine:
        """The loaded model.

        Raises:
            ModelNotFoundError: It has to be downloaded first.
            EngineError: It cannot be loaded, or loading was cancelled.
        """
        if entry.hub is not None and not entry.present:
            raise ModelNotFoundError(not_downloaded(entry))
        source = entry.source(self._settings.engine)
        if source is not entry.sources[0] and not source.present and source.hub is None:
            folder = entry.listed_in.parent if entry.listed_in is not None else None
            shipped = folder == self._settings.shipped_models
            raise ModelNotFoundError(_missing_files(entry, source, shipped=shipped))
        spec = self.spec(entry)
        # Who chose a number of threads has them, whoever else is at work.
        cores = self._cores if self._chosen.get(entry.id).n_threads is None else None
        engine = open_engine(
            spec,
            in_process=self._settings.in_process,
            progress=loading.progress,
            cores=cores,
            cancel=loading.cancel,
        )
        if spec.kind == "llama.cpp" and spec.cache_dir:
            found = selftest.say_once(Path(spec.cache_dir))
            if found is not None:
                loading.notify(selftest.notice(found, rebuild_command(found.version)))
        return engine

    def needs(self, entry: ModelEntry) -> int:
        """Bytes of the machine's memory that a model takes; 0 where there is ample room for it.

        Raises:
            ModelLoadError: It is no usable GGUF.
        """
        source = entry.source(self._settings.engine)
        path = Path(source.path)
        if source.engine == "server" or not path.exists():
            return 0
        weights = size_on_disk(path)
        free = available_bytes()
        if free is None or weights + _AMPLE_BYTES < free:
            return 0
        if source.engine != "llama.cpp":
            return weights
        (estimate,) = inspect_memory(self.spec(entry))
        return estimate.main_bytes


def _missing_files(entry: ModelEntry, source: ModelSource, *, shipped: bool) -> str:
    """Why the engine that was chosen cannot open a model that another engine can."""
    others = ", ".join(f"--engine {other.engine}" for other in entry.sources if other.present)
    where = (
        "An installed copy holds the GGUF files alone; a checkout of the program's repository holds both."
        if shipped
        else f"Its catalog entry names {source.path}; correct that, or put the files there."
    )
    use = f" Use {others} instead." if others else ""
    return f"The files of {entry.title} for the engine {source.engine} are not here.{use} {where}"
