"""The one place that wires things together: settings, presets, models and engines behind one object.

The page, the command line and experiments all hold a ``Workbench`` and nothing heavier; there are no module
globals. Models load in the background and are shared by everyone who asks for them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Literal, Self

from playground.chat.assistant import Assistant, bare_renderer, fit, preset_renderer
from playground.chat.compare import SideEvent, SideRun, compare
from playground.chat.conversation import Conversation
from playground.engines.base import Cancel, Engine, EngineInfo
from playground.engines.load import open_engine
from playground.engines.spec import EngineSpec
from playground.errors import ContextLengthError, EngineError, ModelLoadError, PlaygroundError
from playground.models.catalog import DEFAULT_PAIR, Catalog, ModelEntry
from playground.presets.library import PresetLibrary
from playground.presets.preset import Preset
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.prompts.render import Renderer
from playground.settings import Settings
from playground.types import Message, Piece, Prompt, SamplingParams

ModelStatus = Literal["missing", "unloaded", "loading", "ready", "failed", "died"]
DRAFT = "@draft"
NO_PRESET = "none"


@dataclass(frozen=True, slots=True)
class SideSpec:
    """A side as a person chose it: a model's name, and a preset's name, ``@draft`` or ``none``."""

    model: str
    preset: str = DRAFT


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


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens by origin; a token belongs to the part that holds its first byte.

    ``examples`` follows the preset's list, disabled ones counted as 0. ``total`` includes a BOS.
    """

    total: int
    system: int
    examples: tuple[int, ...]
    history: int
    turn: int
    n_ctx: int


@dataclass(frozen=True, slots=True)
class PromptView:
    """What a side would send now; ``error`` says why it could not be, and it is shown all the same."""

    prompt: Prompt
    ids: tuple[int, ...]
    counts: TokenCounts
    error: str | None = None


class _Slot:
    """A model that was asked for: being loaded, loaded, or why not."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.engine: Engine | None = None
        self.error: PlaygroundError | None = None
        self.load_s = 0.0


class Workbench:
    """Presets, models and loaded engines of one process. Thread-safe. Close it to free the models."""

    def __init__(
        self, settings: Settings | None = None, *, opener: Callable[[ModelEntry], Engine] | None = None
    ) -> None:
        """Wire things together; nothing is loaded yet.

        Args:
            settings: Folders; those of the environment by default.
            opener: Loads a model of the catalog, in place of llama.cpp in a worker process. For tests.
        """
        self.settings = settings or Settings.load()
        self.presets = PresetLibrary(self.settings.shipped_presets, self.settings.presets_dir)
        self.catalog = Catalog(self.settings.shipped_models, self.settings.models_dir)
        self._opener = opener or self._open
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        """The workbench itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    # Models

    def model_states(self) -> list[ModelState]:
        """Every model of the catalog and every other one that was loaded by its path."""
        entries = {entry.id: entry for entry in self.catalog.entries()}
        with self._lock:
            slots = dict(self._slots)
        for name in slots.keys() - entries.keys():
            try:
                entries[name] = self.catalog.get(name)
            except PlaygroundError:
                continue
        return [_state(entry, slots.get(name)) for name, entry in entries.items()]

    def load(self, model: str) -> None:
        """Start loading a model in the background; ``model_states`` tells how it went."""
        threading.Thread(target=self._load_quietly, args=(model,), name=f"load-{model}", daemon=True).start()

    def unload(self, model: str) -> None:
        """Free a model. A running generation on it ends; asking it again loads it again."""
        with self._lock:
            slot = self._slots.pop(model, None)
        if slot is not None and slot.engine is not None:
            slot.engine.close()

    def engine(self, model: str) -> Engine:
        """The loaded model, loading it first if it must; calls from several threads load it once.

        Raises:
            ModelNotFoundError: No such model.
            EngineError: It cannot be loaded.
        """
        with self._lock:
            if self._closed:
                raise EngineError("The program is closing; start it again.")
            slot = self._slots.get(model)
            # One that failed is tried again: the file may be there now.
            mine = slot is None or (slot.done.is_set() and slot.error is not None)
            if mine:
                slot = self._slots[model] = _Slot()
        assert slot is not None
        if mine:
            self._fill(slot, model)
        slot.done.wait()
        if slot.error is not None:
            raise slot.error
        assert slot.engine is not None
        return slot.engine

    def close(self) -> None:
        """Free every model; calling it again does nothing."""
        with self._lock:
            self._closed = True
            slots, self._slots = self._slots, {}
        for slot in slots.values():
            slot.done.wait()
            if slot.engine is not None:
                slot.engine.close()

    # Prompts

    def assistant(self, side: SideSpec, draft: Preset | None = None) -> Assistant:
        """What answers on a side.

        A base model is prompted by its preset's template, or given the bare words. An instruct model is
        prompted by its own chat template, with the preset's system text and examples as chat turns; that
        needs the model loaded.

        Raises:
            PlaygroundError: No such model or preset, or an instruct model without a chat template.
        """
        entry = self.catalog.get(side.model)
        preset = self._preset(side.preset, draft)
        sampling = preset.sampling.params() if preset else self._bare_sampling(draft)
        if entry.kind == "base":
            renderer: Renderer = preset_renderer(preset) if preset else bare_renderer()
        else:
            renderer = self._chat_renderer(entry, preset)
        shown = preset.title or preset.name if preset else ""
        name = f"{entry.title} · {shown}" if shown else entry.title
        return Assistant(name, entry.id, renderer, sampling, preset.name if preset else "")

    def preview(self, side: SideSpec, draft: Preset | None, messages: Sequence[Message]) -> PromptView:
        """The exact prompt of a side and its token counts. No model runs, only its tokenizer.

        Raises:
            PlaygroundError: The side's model or preset cannot be had.
        """
        engine = self.engine(side.model)
        assistant = self.assistant(side, draft)
        preset = self._preset(side.preset, draft)
        n_examples = len(preset.examples) if preset else 0
        n_ctx = engine.info.n_ctx
        encoded: dict[tuple[Piece, ...], tuple[int, ...]] = {}

        def encode(prompt: Prompt) -> tuple[int, ...]:
            if prompt.pieces not in encoded:
                encoded[prompt.pieces] = tuple(engine.tokenize(prompt.pieces))
            return encoded[prompt.pieces]

        error = None
        try:
            prompt, _ = fit(
                assistant.renderer,
                messages,
                count=lambda p: len(encode(p)),
                n_ctx=n_ctx,
                max_tokens=assistant.sampling.max_tokens,
            )
        except ContextLengthError as reason:
            prompt, error = assistant.renderer.render(messages), str(reason)
        ids = encode(prompt)
        counts = count_by_part(engine, prompt.pieces, ids, n_examples=n_examples, n_ctx=n_ctx)
        return PromptView(prompt, ids, counts, error)

    def run(
        self,
        sides: Sequence[tuple[str, SideSpec]],
        draft: Preset | None,
        conversation: Conversation,
        *,
        cancel: Cancel | None = None,
        logprobs: int | None = None,
        sampling: SamplingParams | None = None,
    ) -> Iterator[SideEvent]:
        """Answer the conversation's last query on every side at once; see ``chat.compare``.

        Args:
            sides: Pairs ``(side id, spec)``.
            draft: What ``@draft`` stands for.
            conversation: Its head is the turn to be answered.
            cancel: Ends every side.
            logprobs: As in ``GenerateRequest``.
            sampling: In place of each preset's own.
        """

        def prepared(spec: SideSpec) -> tuple[Assistant, Engine]:
            assistant = self.assistant(spec, draft)
            if sampling is not None:
                assistant = replace(assistant, sampling=sampling)
            return assistant, self.engine(spec.model)

        runs = [
            SideRun(side, partial(prepared, spec), conversation.messages(side), logprobs)
            for side, spec in sides
        ]
        return compare(runs, cancel=cancel)

    def _preset(self, name: str, draft: Preset | None) -> Preset | None:
        if name == NO_PRESET:
            return None
        if name == DRAFT:
            return draft
        return self.presets.load(name)

    def _bare_sampling(self, draft: Preset | None) -> SamplingParams:
        # Without a preset of its own a side is compared under the same decoding as its neighbour.
        return draft.sampling.params() if draft else SamplingParams()

    def _chat_renderer(self, entry: ModelEntry, preset: Preset | None) -> ChatTemplateRenderer:
        info = self.engine(entry.id).info
        if not info.chat_template:
            raise ModelLoadError(
                f"{entry.title} carries no chat template; use it as a base model with a preset's template."
            )
        return ChatTemplateRenderer(
            info.chat_template,
            info.bos_text,
            info.eos_text,
            # A verbatim prefix is for base models; an instruct model is shown it as its system text.
            system=(preset.system if preset.prefix is None else preset.prefix) if preset else "",
            examples=preset.turn_examples() if preset and preset.prefix is None else (),
            extra_stop=preset.stop if preset else (),
        )

    def _load_quietly(self, model: str) -> None:
        try:
            self.engine(model)
        except PlaygroundError:
            return  # kept in the slot, where model_states finds it

    def _open(self, entry: ModelEntry) -> Engine:
        source = entry.source(self.settings.engine)
        spec = EngineSpec(
            kind=source.engine,
            path=source.path,
            n_ctx=entry.n_ctx,
            n_threads=threads_per_model(),
            served_model=source.served_model,
            tokenizer=source.tokenizer,
        )
        return open_engine(spec, in_process=self.settings.in_process)

    def _fill(self, slot: _Slot, model: str) -> None:
        started = time.perf_counter()
        try:
            slot.engine = self._opener(self.catalog.get(model))
        except PlaygroundError as error:
            slot.error = error
        except Exception as error:  # noqa: BLE001  (whatever it is, who waits must be told)
            slot.error = EngineError(f"The model could not be loaded: {error}.")
        finally:
            slot.load_s = time.perf_counter() - started
            slot.done.set()


def threads_per_model() -> int:
    """Threads for one model: the cores that this process may use, shared by the two models of a pair."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable, 16) // 2)


def default_side() -> SideSpec:
    """The default pair's base model with the draft preset."""
    return SideSpec(f"{DEFAULT_PAIR}/base", DRAFT)


def count_by_part(
    engine: Engine, pieces: Sequence[Piece], ids: Sequence[int], *, n_examples: int, n_ctx: int
) -> TokenCounts:
    """Tokens of each part of a prompt; a token belongs to the part that holds its first byte."""
    counts = {"prefix": 0, "system": 0, "history": 0, "turn": 0}
    examples = [0] * n_examples
    ends: list[tuple[int, Piece]] = []
    at = 0
    for piece in pieces:
        at += len(piece.text.encode())
        ends.append((at, piece))
    sizes = engine.token_sizes(ids)
    # A BOS that the engine put in front stands for no text of ours.
    start = 0 if sum(sizes) == at else -(sum(sizes) - at)
    current = 0
    for size in sizes:
        while current < len(ends) - 1 and start >= ends[current][0]:
            current += 1
        if ends and start >= 0:
            origin = ends[current][1].origin
            if origin.part == "example":
                examples[origin.index] += 1
            else:
                counts[origin.part] += 1
        start += size
    return TokenCounts(
        total=len(ids),
        system=counts["system"] + counts["prefix"],
        examples=tuple(examples),
        history=counts["history"],
        turn=counts["turn"],
        n_ctx=n_ctx,
    )


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
