"""The loaded models of one process, shared by everyone who asks for them.

A model is loaded once however many ask, in the background if they like; one that failed is tried again, and
loading can be cancelled. Where a model would not fit, those that were not used for longest are unloaded, and
that is said before it is done.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from playground.engines.base import Cancel, Engine, EngineInfo
from playground.engines.client import WorkerEngine
from playground.engines.memory import available_bytes, process_bytes
from playground.errors import EngineError, ModelNotFoundError, PlaygroundError
from playground.models.catalog import Catalog, ModelEntry

ModelStatus = Literal["missing", "unloaded", "loading", "ready", "failed", "died"]


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model in a list, cheap enough to be polled. ``detail`` is a sentence where something is wrong.

    ``progress`` is the fraction loaded, and ``memory_bytes`` what its process holds (0: not known).
    """

    id: str
    title: str
    kind: Literal["base", "instruct"]
    status: ModelStatus
    detail: str = ""
    load_s: float = 0.0
    info: EngineInfo | None = None
    progress: float = 0.0
    memory_bytes: int = 0
    former: tuple[str, ...] = ()

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


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the pool did by itself, for a person to know. Numbers grow by one."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Loading:
    """What a load reports to, and what ends it."""

    progress: Callable[[float], None]
    cancel: Cancel
    notify: Callable[[str], None] = lambda text: None


class _Slot:
    """A model that was asked for: being loaded, loaded, or why not."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.engine: Engine | None = None
        self.error: PlaygroundError | None = None
        self.load_s = 0.0
        self.unwanted = False
        self.cancel = Cancel()
        self.progress = 0.0
        self.needed_bytes = 0
        self.used = time.monotonic()

    def advance(self, fraction: float) -> None:
        """So much is loaded."""
        self.progress = fraction


class ModelPool:
    """Loads, keeps and frees models by their names. Thread-safe.

    Args:
        catalog: What there is.
        opener: Loads a model.
        needs: Bytes of the machine's memory that a model will take, 0 where that need not be known.
        free: Bytes that are free, None where nobody can tell.
        busy: Whether an engine is at work; such a one is never unloaded to make room.
    """

    def __init__(
        self,
        catalog: Catalog,
        opener: Callable[[ModelEntry, Loading], Engine],
        *,
        needs: Callable[[ModelEntry], int] = lambda entry: 0,
        free: Callable[[], int | None] = available_bytes,
        busy: Callable[[Engine], bool] = lambda engine: False,
    ) -> None:
        self._catalog = catalog
        self._opener = opener
        self._needs = needs
        self._free = free
        self._busy = busy
        self._slots: dict[str, _Slot] = {}
        self._notices: deque[Notice] = deque(maxlen=50)
        self._said = 0
        self._lock = threading.Lock()
        self._making_room = threading.Lock()
        self._closed = False

    def notices(self, after: int = 0) -> list[Notice]:
        """What the pool did by itself, of a number above ``after``."""
        with self._lock:
            return [notice for notice in self._notices if notice.number > after]

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
        return [
            replace(_state(entry, slots.get(name)), former=entry.former) for name, entry in entries.items()
        ]

    def _name(self, model: str) -> str:
        """What a model is called now, so that its former name loads no second copy of it."""
        with self._lock:
            if model in self._slots:
                return model
        return self._catalog.current_name(model)

    def load(self, model: str) -> None:
        """Start loading a model in the background; ``states`` tells how it went."""
        self._forget_one_that_gave_up(model)

        def work() -> None:
            try:
                self.engine(model)
            except PlaygroundError:
                return  # kept in the slot, where states finds it

        threading.Thread(target=work, name=f"load-{model}", daemon=True).start()

    def _forget_one_that_gave_up(self, model: str) -> None:
        """Who asks for a load has seen that no message starts the model any more: begin anew."""
        with self._lock:
            slot = self._slots.get(model)
            gave_up = slot is not None and isinstance(slot.engine, WorkerEngine) and slot.engine.gave_up
        if gave_up:
            self.unload(model)

    def loaded(self, model: str) -> Engine | None:
        """The model if it is there and alive, without waiting or loading."""
        model = self._name(model)
        with self._lock:
            slot = self._slots.get(model)
            if slot is not None:
                slot.used = time.monotonic()
        return slot.engine if slot is not None and slot.engine is not None and slot.engine.alive else None

    def engine(self, model: str) -> Engine:
        """The loaded model, loading it first if it must; calls from several threads load it once.

        Raises:
            ModelNotFoundError: No such model.
            EngineError: It cannot be loaded, or was unloaded meanwhile.
        """
        model = self._name(model)
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
            slot.used = time.monotonic()
        if mine:
            self._fill(slot, model)
        slot.done.wait()
        if slot.error is not None:
            raise slot.error
        assert slot.engine is not None
        return slot.engine

    def unload(self, model: str) -> None:
        """Free a model, also one that is still being loaded. Asking for it again loads it again."""
        model = self._name(model)
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
        slot.cancel.set()
        return slot.engine

    def _fill(self, slot: _Slot, model: str) -> None:
        started = time.perf_counter()
        try:
            entry = self._catalog.get(model)
            self._make_room(slot, entry)
            engine = self._opener(entry, Loading(slot.advance, slot.cancel, self.notify))
            with self._lock:
                unwanted = slot.unwanted
                slot.engine = engine
            if unwanted:
                engine.close()
                slot.error = _unloaded(model)
        except PlaygroundError as error:
            # Cancelled and unloaded are the same to who waits.
            slot.error = _unloaded(model) if slot.unwanted else error
        except Exception as error:  # noqa: BLE001  (whatever it is, who waits must be told)
            slot.error = EngineError(f"The model could not be loaded: {error}.")
        finally:
            slot.load_s = time.perf_counter() - started
            slot.done.set()

    def _make_room(self, slot: _Slot, entry: ModelEntry) -> None:
        """Unload what was not used for longest, until ``entry`` fits or nothing idle is left."""
        needed = self._needs(entry)
        if not needed:
            return
        with self._making_room:
            while True:
                with self._lock:
                    # What others are taking right now is not yet gone from what is free.
                    taking = sum(one.needed_bytes for one in self._slots.values() if not one.done.is_set())
                    free = self._free()
                    idle = [
                        (one.used, name, one.engine)
                        for name, one in self._slots.items()
                        if one.engine is not None and one.engine.alive and not self._busy(one.engine)
                    ]
                    fits = free is None or needed <= free - taking
                    if fits or not idle or slot.unwanted:
                        slot.needed_bytes = needed
                        return
                    _, name, engine = min(idle, key=lambda one: one[0])
                    self._say(
                        f"{name} is unloaded to make room for {entry.id}, which needs about "
                        f"{needed / 1e9:.1f} GB of memory ({(free or 0) / 1e9:.1f} GB is free)."
                    )
                    self._give_up(self._slots.pop(name))
                engine.close()

    def notify(self, text: str) -> None:
        """Add a notice that a person sees once."""
        with self._lock:
            self._say(text)

    def _say(self, text: str) -> None:
        """Note what is about to be done. Called under the lock."""
        self._said += 1
        self._notices.append(Notice(self._said, text))


def not_downloaded(entry: ModelEntry) -> str:
    """How to get a model that has to be downloaded first."""
    return (
        f"{entry.title} is not on this machine; download it on the Models page, or with: "
        f"playground models pull {entry.id}"
    )


def _unloaded(model: str) -> EngineError:
    return EngineError(f"{model} was unloaded while it was loading; ask again to load it.")


def _state(entry: ModelEntry, slot: _Slot | None) -> ModelState:
    # One that was not there when it was asked for may have been downloaded since.
    if slot is None or isinstance(slot.error, ModelNotFoundError):
        status: ModelStatus = "unloaded" if entry.present else "missing"
        detail = "" if entry.present else f"There is no file {entry.path.name}."
        if entry.hub is not None and not entry.present:
            detail = not_downloaded(entry)
        return ModelState(entry.id, entry.title, entry.kind, status, detail)
    if not slot.done.is_set():
        return ModelState(entry.id, entry.title, entry.kind, "loading", progress=slot.progress)
    if slot.error is not None:
        return ModelState(entry.id, entry.title, entry.kind, "failed", str(slot.error), slot.load_s)
    assert slot.engine is not None
    alive = slot.engine.alive
    detail = ""
    if not alive:
        death = slot.engine.death if isinstance(slot.engine, WorkerEngine) else ""
        detail = death or "Its process ended; the next message loads it again."
    return ModelState(
        entry.id,
        entry.title,
        entry.kind,
        "ready" if alive else "died",
        detail,
        slot.load_s,
        slot.engine.info,
        progress=1.0,
        memory_bytes=_held_bytes(slot.engine),
    )


def _held_bytes(engine: Engine) -> int:
    """What the model's process holds now; 0 where it has none of its own, or nobody can tell."""
    pid = engine.pid if isinstance(engine, WorkerEngine) else None
    return (process_bytes(pid) or 0) if pid is not None else 0
