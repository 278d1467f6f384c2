"""How a person wants each model loaded, kept by model: context, threads, batch, GPU layers, KV precision."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

import msgspec

from playground.engines.spec import EngineSpec, KvType
from playground.errors import PlaygroundError
from playground.settings import Settings


class LoadSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is chosen for a model; None leaves it to the program.

    Attributes:
        n_ctx: Most tokens of one text.
        n_threads: Threads, instead of a share of the machine's cores.
        n_batch: Most tokens of one pass.
        n_gpu_layers: Layers that a GPU holds.
        k_type, v_type: Precision of the KV cache.
    """

    n_ctx: Annotated[int, msgspec.Meta(ge=16, le=10_000_000)] | None = None
    n_threads: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None
    n_batch: Annotated[int, msgspec.Meta(ge=32, le=16_384)] | None = None
    n_gpu_layers: Annotated[int, msgspec.Meta(ge=0, le=4096)] | None = None
    k_type: KvType = "f16"
    v_type: KvType = "f16"

    def applied(self, spec: EngineSpec) -> EngineSpec:
        """``spec`` with what is chosen here in place of its own."""
        return replace(
            spec,
            n_ctx=self.n_ctx or spec.n_ctx,
            n_threads=self.n_threads or spec.n_threads,
            n_batch=self.n_batch or spec.n_batch,
            n_gpu_layers=spec.n_gpu_layers if self.n_gpu_layers is None else self.n_gpu_layers,
            k_type=self.k_type,
            v_type=self.v_type,
        )


def load_settings(values: Mapping[str, object]) -> LoadSettings:
    """The settings that these values mean; None stands for what is left to the program.

    Raises:
        PlaygroundError: There is no such setting, or a value means nothing.
    """
    try:
        return msgspec.convert(values, LoadSettings)
    except msgspec.ValidationError as error:
        raise PlaygroundError(f"These load settings cannot be used: {error}.") from error


class LoadSettingsStore:
    """The settings of every model, in one file. Thread-safe.

    Args:
        path: The file; made when something is chosen. A damaged one is put aside.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The store of this installation and person."""
        return cls(settings.data_dir / "load-settings.json")

    def get(self, model: str) -> LoadSettings:
        """What is chosen for a model; the defaults where nothing is, or where it cannot be understood."""
        with self._lock:
            chosen = self._read().get(model, {})
        try:
            return msgspec.convert(chosen, LoadSettings)
        except msgspec.ValidationError:
            return LoadSettings()

    def set(self, model: str, settings: LoadSettings) -> None:
        """Keep what is chosen for a model, for its next load.

        Raises:
            PlaygroundError: A value means nothing, or the file cannot be written.
        """
        values = msgspec.to_builtins(settings)
        load_settings(values)
        with self._lock:
            known = self._read()
            known[model] = values
            self._write({name: one for name, one in known.items() if one})

    def _read(self) -> dict[str, object]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except OSError:
            return {}
        except ValueError:
            content = None
        if isinstance(content, dict):
            return content
        with suppress(OSError):
            os.replace(self._path, self._path.with_suffix(".broken"))
        return {}

    def _write(self, content: dict[str, object]) -> None:
        temporary = ""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, delete=False, encoding="utf-8"
            ) as file:
                temporary = file.name
                json.dump(content, file, indent=1)
            os.replace(temporary, self._path)
        except OSError as error:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            raise PlaygroundError(f"{self._path} cannot be written: {error.strerror}.") from error
