"""The loaded models of one process, shared by everyone who asks for them.

A model is loaded once however many ask, in the background if they like; one that failed is tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from playground.engines.base import Engine, EngineInfo
from playground.errors import EngineError, PlaygroundError
from playground.models.catalog import Catalog, ModelEntry

ModelStatus = Literal["missing", "unloaded", "loading", "ready", "failed", "died"]


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model in a list, cheap enough to be polled. ``detail`` is a sentence where something is wrong."""

    id: str
    title: str
    kind: Literal["base", "instruct"]
    status: ModelStatus
    detail: str = ""
    load_s: float = 0.0
    info: EngineInfo | None = None

    def facts(self) -> dict[str, object]:
        """What its engine says of itself, as JSON; nothing is known of a model that was not loaded.

        ``device`` and ``dtype`` as in ``EngineInfo``; ``lacks`` says why for each capability that it has not;
        ``estimated_counts`` is whether its token counts are only estimates.
        """
        info = self.info
        return {
            "device": info.device if info else "",
            "dtype": info.dtype if info else "",
            "lacks": dict(info.lacks) if info else {},
            "estimated_counts": info.counts_estimated if info else False,
        }


class _Slot:
    """A model that was asked for: being loaded, loaded, or why not."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.engine: Engine | None = None
        self.error: PlaygroundError | None = None
        self.load_s = 0.0
        self.unwanted = False


class ModelPool:
    """Loads, keeps and frees models by their names. Thread-safe."""

    def __init__(self, catalog: Catalog, opener: Callable[[ModelEntry], Engine]) -> None:
        self._catalog = catalog
        self._opener = opener
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()
        self._closed = False

    def states(self) -> list[ModelState]:
        """Every model of the catalog and every other one that was loaded by its path."""
        entries = {entry.id: entry for entry in self._catalog.entries()}
        with self._lock:
            slots = dict(self._slots)
        for name in slots.keys() - entries.keys():
            try:
                entries[name] = self._catalog.get(name)
            except PlaygroundError:
                continue
        return [_state(entry, slots.get(name)) for name, entry in entries.items()]

    def load(self, model: str) -> None:
        """Start loading a model in the background; ``states`` tells how it went."""

        def work() -> None:
            try:
                self.engine(model)
            except PlaygroundError:
                return  # kept in the slot, where states finds it

        threading.Thread(target=work, name=f"load-{model}", daemon=True).start()

    def loaded(self, model: str) -> Engine | None:
        """The model if it is there and alive, without waiting or loading."""
        with self._lock:
            slot = self._slots.get(model)
        return slot.engine if slot is not None and slot.engine is not None and slot.engine.alive else None

    def engine(self, model: str) -> Engine:
        """The loaded model, loading it first if it must; calls from several threads load it once.

        Raises:
            ModelNotFoundError: No such model.
            EngineError: It cannot be loaded, or was unloaded meanwhile.
        """
        with self._lock:
            if self._closed:
                raise EngineError("The program is closing; start it again.")
            slot = self._slots.get(model)
            # One that failed is tried again: the file may be there now.
            if slot is None or (slot.done.is_set() and slot.error is not None):
                slot = self._slots[model] = _Slot()
                mine = True
            else:
                mine = False
        if mine:
            self._fill(slot, model)
        slot.done.wait()
        if slot.error is not None:
            raise slot.error
        assert slot.engine is not None
        return slot.engine

    def unload(self, model: str) -> None:
        """Free a model, also one that is still being loaded. Asking for it again loads it again."""
        with self._lock:
            slot = self._slots.pop(model, None)
            engine = self._give_up(slot)
        if engine is not None:
            engine.close()

    def close(self) -> None:
        """Free every model; calling it again does nothing."""
        with self._lock:
            self._closed = True
            slots, self._slots = self._slots, {}
            engines = [self._give_up(slot) for slot in slots.values()]
        for engine in engines:
            if engine is not None:
                engine.close()
        for slot in slots.values():
            slot.done.wait()

    def _give_up(self, slot: _Slot | None) -> Engine | None:
        """Mark a slot as unwanted; its engine, if it is there already. Called under the lock."""
        if slot is None:
            return None
        slot.unwanted = True
        return slot.engine

    def _fill(self, slot: _Slot, model: str) -> None:
        started = time.perf_counter()
        try:
            engine = self._opener(self._catalog.get(model))
            with self._lock:
                unwanted = slot.unwanted
                slot.engine = engine
            if unwanted:
                engine.close()
                slot.error = EngineError(f"{model} was unloaded while it was loading; ask again to load it.")
        except PlaygroundError as error:
            slot.error = error
        except Exception as error:  # noqa: BLE001  (whatever it is, who waits must be told)
            slot.error = EngineError(f"The model could not be loaded: {error}.")
        finally:
            slot.load_s = time.perf_counter() - started
            slot.done.set()


def _state(entry: ModelEntry, slot: _Slot | None) -> ModelState:
    if slot is None:
        status: ModelStatus = "unloaded" if entry.present else "missing"
        detail = "" if entry.present else f"There is no file {entry.path.name}."
        return ModelState(entry.id, entry.title, entry.kind, status, detail)
    if not slot.done.is_set():
        return ModelState(entry.id, entry.title, entry.kind, "loading")
    if slot.error is not None:
        return ModelState(entry.id, entry.title, entry.kind, "failed", str(slot.error), slot.load_s)
    assert slot.engine is not None
    alive = slot.engine.alive
    return ModelState(
        entry.id,
        entry.title,
        entry.kind,
        "ready" if alive else "died",
        "" if alive else "Its process ended; the next message loads it again.",
        slot.load_s,
        slot.engine.info,
    )
