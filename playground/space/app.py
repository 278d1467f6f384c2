"""Runs a Space from its folder: what its ``app.py`` calls."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from starlette.middleware import Middleware

from playground.engines.base import Engine
from playground.engines.spec import EngineSpec
from playground.errors import PlaygroundError
from playground.models.catalog import Catalog, ModelEntry
from playground.models.places import cached_repository
from playground.services import Workbench
from playground.services.downloads import Downloads
from playground.settings import Settings
from playground.space.config import FILE_NAME, SpaceConfig, read_config
from playground.space.door import Door
from playground.space.gate import SpaceGate
from playground.space.powers import Powers
from playground.space.zerogpu import GpuBatch, GpuRequest, GpuWork, LentEngine, OnGpu
from playground.ui.app import launch
from playground.ui.streaming import Runs

# Pages that show a Space in a frame.
_FRAMED_BY = ("'self'", "https://huggingface.co", "https://*.huggingface.co")


class Space:
    """A Space of a folder that ``playground space export`` wrote.

    Args:
        folder: Holds ``space.toml``.
        powers: What is taken away; all of the table by default.
    """

    def __init__(self, folder: Path, *, powers: Powers | None = None) -> None:
        self.config: SpaceConfig = read_config(folder / FILE_NAME)
        self.powers = powers or Powers()
        self.gate = SpaceGate(self.powers, self.config.limits)
        self.runs = Runs()
        self._work: GpuWork | None = None

    @cached_property
    def settings(self) -> Settings:
        """Folders that hold nothing of a person's, and what is withheld."""
        own = Settings.load()
        data = own.data_dir / "space"
        return replace(
            own,
            presets_dir=data / "presets",
            models_dir=data / "models",
            data_dir=data,
            cache_dir=data / "cache",
            engine=self.config.engine,
            confined=self.powers.confinement(frozenset(self.config.models), self.config.limits),
        )

    def entries(self) -> list[ModelEntry]:
        """The catalog's entries of the listed models.

        Raises:
            ModelNotFoundError: One is not in the catalog.
        """
        settings = self.settings
        catalog = Catalog(
            settings.shipped_models,
            settings.models_dir,
            downloads=settings.downloads_dir,
            confined=settings.confined,
        )
        return [catalog.get(name) for name in self.config.models]

    def fetch_models(self, say: Callable[[str], None] = print) -> None:
        """Download listed models that are not here; nobody is let in before.

        Raises:
            PlaygroundError: One cannot be had.
        """
        missing = [entry for entry in self.entries() if not _is_here(entry, self.config.engine)]
        if not missing:
            return
        downloads = Downloads(self.settings.downloads_dir)
        try:
            for entry in missing:
                hub = entry.source(self.config.engine).hub
                if hub is None:
                    raise PlaygroundError(f"The files of {entry.id} are missing; export the Space again.")
                say(f"Downloading {entry.title} ({hub.repository}) ...")
                state = downloads.wait(downloads.pull(entry.title, hub))
                if state.status != "done":
                    raise PlaygroundError(f"{entry.id} could not be downloaded: {state.sentence}")
        finally:
            downloads.close()

    def load_weights(self) -> None:
        """Load every model into this process, where the GPU is lent to forked ones.

        Raises:
            PlaygroundError: A model cannot be had or loaded.
        """
        self.fetch_models()
        specs = {}
        for entry in self.entries():
            source = entry.source("transformers")
            specs[entry.id] = EngineSpec(
                "transformers", source.path, n_ctx=entry.n_ctx, most_n_ctx=self.config.limits.context
            )
        self._work = GpuWork(specs)

    def on_gpu(self, request: GpuRequest) -> Iterator[GpuBatch]:
        """What the platform's decorator wraps; see ``zerogpu``."""
        assert self._work is not None, "load_weights comes first"
        yield from self._work.on_gpu(request)

    def serve(
        self,
        on_gpu: OnGpu | None = None,
        *,
        host: str | None = None,
        port: int | None = None,
        on_ready: Callable[[str], None] | None = None,
        until: threading.Event | None = None,
    ) -> None:
        """Show the page until the process is ended.

        Args:
            on_gpu: The decorated ``on_gpu``, where the GPU is lent.
            host: Address to listen on; as the platform says, else this machine alone.
            port: Port to listen on; as the platform says, else 7860.
            on_ready: Called with the page's address; it is printed by default.
            until: Ends the page when it is set.

        Raises:
            PlaygroundError: A model cannot be had, or the port is taken.
        """
        if on_gpu is None:
            self.fetch_models()
        named = os.environ.get("SPACE_HOST", "")
        anywhere = "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"
        host = host or os.environ.get("GRADIO_SERVER_NAME") or anywhere
        port = int(os.environ.get("GRADIO_SERVER_PORT") or 7860) if port is None else port
        self.powers.clear_environment(os.environ)
        door = Middleware(Door, places=self.gate.places, runs=self.runs, proxied=self.config.limits.proxied)
        opener = None if on_gpu is None else self._lent(on_gpu)
        with Workbench(self.settings, opener=opener) as workbench:
            launch(
                workbench,
                host=host,
                port=port,
                open_browser=False,
                allowed_hosts=[*filter(None, [named]), *self.config.hosts],
                open_to_all=True,
                framed_by=_FRAMED_BY,
                gate=self.gate,
                runs=self.runs,
                middleware=[door],
                on_ready=on_ready or (lambda url: print(f"The Space is at {url}", flush=True)),
                until=until,
            )

    def _lent(self, on_gpu: OnGpu) -> Callable[[ModelEntry], Engine]:
        work = self._work
        assert work is not None, "load_weights comes first"
        return lambda entry: LentEngine(entry.id, work, on_gpu)


def serve(space: Space, on_gpu: OnGpu | None = None) -> None:
    """Run ``Space.serve`` from a script: what is wrong is one line on stderr, and exit code 1."""
    try:
        space.serve(on_gpu)
    except PlaygroundError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(1) from None


def _is_here(entry: ModelEntry, engine: str) -> bool:
    """Whether the files for an engine are on this machine."""
    source = entry.source(engine)
    if source.engine == "transformers" and source.hub is not None:
        return Path(source.path).exists() or cached_repository(source.hub.repository).is_dir()
    return Path(source.path).exists()
