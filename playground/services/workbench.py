"""The one place that wires things together: settings, presets, models and engines behind one object.

The page, the command line and experiments all hold a ``Workbench`` and nothing heavier; there are no module
globals. Models load in the background and are shared by everyone who asks for them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from playground.chat.assistant import Assistant, bare_renderer, fit, preset_renderer
from playground.chat.compare import Begun, SideEvent, SideRun, compare
from playground.chat.conversation import Conversation
from playground.engines.base import Cancel, Engine
from playground.engines.bounded import BoundedEngine
from playground.engines.cores import CoreShare
from playground.engines.limits import far_over
from playground.errors import ContextLengthError, PlaygroundError, TemplateError
from playground.models.catalog import Catalog, ModelEntry
from playground.presets.library import PresetLibrary
from playground.presets.preset import Preset
from playground.prompts.render import Renderer
from playground.services.chat_prompts import chat_renderer, model_options
from playground.services.counts import TokenCounts, count_by_part
from playground.services.downloads import Downloads, downloads_left
from playground.services.encoding import EncodingCache
from playground.services.load_settings import LoadSettings, LoadSettingsStore
from playground.services.memory_plan import MemoryPlan, MemoryPlanner, usual_contexts
from playground.services.model_shelf import ModelShelf
from playground.services.opening import ModelOpener
from playground.services.pool import ModelPool, ModelState, Notice
from playground.settings import Settings
from playground.types import Message, OptionValue, Origin, Piece, Prompt, SamplingParams, TemplateOption

DRAFT = "@draft"
NO_PRESET = "none"


@dataclass(frozen=True, slots=True)
class SideSpec:
    """A side as a person chose it: a model's name, and a preset's name, ``@draft`` or ``none``.

    ``options`` are named arguments of an instruct model's chat template; they stand before the preset's.
    """

    model: str
    preset: str = DRAFT
    options: tuple[tuple[str, OptionValue], ...] = ()


@dataclass(frozen=True, slots=True)
class PromptView:
    """What a side would send now; ``error`` says why it could not be, and it is shown all the same.

    Where the messages are so long that they were not tokenized, the prompt is empty and ``counts`` is None.
    """

    prompt: Prompt
    ids: tuple[int, ...]
    counts: TokenCounts | None
    error: str | None = None


class Workbench:
    """Presets, models and loaded engines of one process. Thread-safe. Close it to free the models."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        opener: Callable[[ModelEntry], Engine] | None = None,
        needs: Callable[[ModelEntry], int] = lambda entry: 0,
    ) -> None:
        """Wire things together; nothing is loaded yet.

        Args:
            settings: Folders; those of the environment by default.
            opener: Loads a model of the catalog, in place of llama.cpp in a worker process. For tests.
            needs: Bytes of memory that a model takes where ``opener`` loads it. For tests.
        """
        self.settings = settings or Settings.load()
        confined = self.settings.confined
        self.presets = PresetLibrary(
            self.settings.shipped_presets, self.settings.presets_dir, confined=confined
        )
        self.catalog = Catalog(
            self.settings.shipped_models,
            self.settings.models_dir,
            downloads=self.settings.downloads_dir,
            confined=confined,
        )
        self._cores = CoreShare()
        self.load_settings = LoadSettingsStore.of(self.settings)
        self.shelf = ModelShelf(self.settings, self.catalog)
        self._opener = ModelOpener(self.settings, self._cores, self.load_settings)
        self._downloads: Downloads | None = None
        self._planner = MemoryPlanner()
        self._pool = ModelPool(
            self.catalog,
            self._opener.open if opener is None else lambda entry, loading: opener(entry),
            needs=self._opener.needs if opener is None else needs,
            busy=self._cores.is_busy,
        )
        self._encodings = EncodingCache()
        self._warming: dict[str, Cancel] = {}
        self._bounded: dict[str, BoundedEngine] = {}
        self._closing: list[Callable[[], None]] = []
        self._lock = threading.Lock()

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
        return self._pool.states()

    def load(self, model: str) -> None:
        """Start loading a model in the background; ``model_states`` tells how it went."""
        self._pool.load(model)

    def unload(self, model: str) -> None:
        """Free a model. A running generation on it ends; asking it again loads it again."""
        self._pool.unload(model)

    def engine(self, model: str) -> Engine:
        """The loaded model, loading it first if it must.

        Raises:
            ModelNotFoundError: No such model.
            EngineError: It cannot be loaded.
        """
        engine = self._pool.engine(model)
        confined = self.settings.confined
        if confined.max_tokens is None and confined.samples is None:
            return engine
        with self._lock:
            bounded = self._bounded.get(model)
            if bounded is None or bounded.inner is not engine:
                bounded = BoundedEngine(engine, max_tokens=confined.max_tokens, samples=confined.samples)
                self._bounded[model] = bounded
            return bounded

    def at_close(self, work: Callable[[], None]) -> None:
        """Have something end before the models go."""
        with self._lock:
            self._closing.append(work)

    def close(self) -> None:
        """Free every model and pause every download; calling it again does nothing."""
        with self._lock:
            downloads, self._downloads = self._downloads, None
            closing, self._closing = self._closing, []
        for work in closing:
            work()
        if downloads is not None:
            downloads.close()
        self._pool.close()

    @property
    def downloads(self) -> Downloads:
        """The queue of downloads; what an earlier run left unfinished goes on with the first use."""
        if not self.settings.confined.writes:
            raise PlaygroundError("Nothing is downloaded here.")
        with self._lock:
            if self._downloads is None:
                self._downloads = Downloads(self.settings.downloads_dir)
            return self._downloads

    def notices(self, after: int = 0) -> list[Notice]:
        """What was done by itself, such as a model that was unloaded to make room; numbered from 1."""
        return self._pool.notices(after)

    def resume_downloads(self) -> None:
        """Go on with what an earlier run left unfinished, if it left anything."""
        if self.settings.confined.writes and downloads_left(self.settings.downloads_dir):
            assert self.downloads is not None

    def memory_plan(
        self, model: str, contexts: Sequence[int] = (), settings: LoadSettings | None = None
    ) -> MemoryPlan | None:
        """What a GGUF takes with each context; takes about a second, and loads nothing.

        Args:
            model: Its name.
            contexts: Tokens of one text; the usual ones where none is named.
            settings: In place of those that are kept for it.

        Returns:
            None for a model that is no GGUF.

        Raises:
            ModelNotFoundError: No such model.
            ModelLoadError: It is no usable GGUF.
        """
        entry = self.catalog.get(model)
        spec = self._opener.spec(entry, settings)
        header = self.shelf.inspector.inspect(Path(spec.path)).header if spec.kind == "llama.cpp" else None
        if header is None:
            return None
        return self._planner.plan(spec, header, contexts or usual_contexts(spec, header))

    # Prompts

    def assistant(self, side: SideSpec, draft: Preset | None = None) -> Assistant:
        """What answers on a side.

        A base model is prompted by its preset's template, or given the bare words. An instruct model is
        prompted by its own chat template, with the preset's system text and examples as chat turns; that
        needs the model loaded.

        Raises:
            PlaygroundError: No such model or preset, an instruct model without a chat template, or options
                of the side that its chat template does not read.
        """
        entry = self.catalog.get(side.model)
        preset = self._preset(side.preset, draft)
        sampling = self._bounded_sampling(self.sampling(side, draft))
        if entry.kind == "base":
            if side.options:
                raise TemplateError(
                    f"{entry.title} is prompted as a base model, by no chat template; "
                    f"leave out the template option {side.options[0][0]}."
                )
            renderer: Renderer = preset_renderer(preset) if preset else bare_renderer()
        else:
            renderer = chat_renderer(entry, self.engine(entry.id).info, preset, side.options)
        shown = preset.title or preset.name if preset else ""
        name = f"{entry.title} · {shown}" if shown else entry.title
        return Assistant(name, entry.id, renderer, sampling, preset.name if preset else "")

    def sampling(self, side: SideSpec, draft: Preset | None = None) -> SamplingParams:
        """How tokens are drawn on a side; loads no model.

        Without a preset a model is decoded by the settings that its entry names, or by the neutral ones:
        greedily, without penalties. A preset that is open in the editor has no say in it.

        Raises:
            PlaygroundError: No such model or preset.
        """
        entry = self.catalog.get(side.model)
        preset = self._preset(side.preset, draft)
        return preset.sampling.params() if preset else entry.sampling or SamplingParams()

    def preview(self, side: SideSpec, draft: Preset | None, messages: Sequence[Message]) -> PromptView:
        """The exact prompt of a side and its token counts. No model runs, only its tokenizer.

        Raises:
            PlaygroundError: The side's model or preset cannot be had.
        """
        engine = self.engine(side.model)
        assistant = self.assistant(side, draft)
        preset = self._preset(side.preset, draft)
        n_ctx = engine.info.n_ctx
        error = None
        try:
            prompt, _ = fit(
                assistant.renderer,
                messages,
                count=lambda p: len(self._encodings.encode(engine, p.pieces).ids),
                n_ctx=n_ctx,
                max_tokens=assistant.sampling.max_tokens,
            )
        except ContextLengthError as reason:
            if far_over((message.content for message in messages), n_ctx):
                return PromptView(Prompt(()), (), None, str(reason))
            prompt, error = assistant.renderer.render(messages), str(reason)
        encoded = self._encodings.encode(engine, prompt.pieces)
        counts = count_by_part(
            prompt.pieces,
            encoded.by_piece,
            total=len(encoded.ids),
            n_examples=len(preset.examples) if preset else 0,
            n_ctx=n_ctx,
        )
        return PromptView(prompt, encoded.ids, counts, error)

    def warm(
        self,
        key: str,
        sides: Sequence[tuple[str, SideSpec]],
        draft: Preset | None,
        conversation: Conversation,
    ) -> None:
        """Compute, in the background, what the next message of these sides will start with.

        Low priority: it waits for nothing, gives way to any real request, and an earlier one of the same
        ``key`` (a browser tab) is given up. Models that are not loaded stay so.
        """
        cancel = Cancel()
        with self._lock:
            previous = self._warming.get(key)
            self._warming[key] = cancel
        if previous is not None:
            previous.set()

        def work() -> None:
            for side, spec in sides:
                try:
                    pieces = self._before_the_question(spec, draft, conversation.messages(side))
                    engine = self._pool.loaded(spec.model)
                    if engine is not None and pieces and not cancel.is_set():
                        engine.warm(pieces, cancel=cancel)
                except PlaygroundError:
                    continue  # whoever sends the message is told
            with self._lock:
                if self._warming.get(key) is cancel:
                    del self._warming[key]

        threading.Thread(target=work, name="warm", daemon=True).start()

    def _before_the_question(
        self, spec: SideSpec, draft: Preset | None, messages: Sequence[Message]
    ) -> tuple[Piece, ...]:
        """The prompt up to where the next question's text will stand."""
        if self._pool.loaded(spec.model) is None:
            return ()
        prompt = self.assistant(spec, draft).renderer.render([*messages, Message("user", "?")])
        place = next(
            (i for i, p in enumerate(prompt.pieces) if p.origin == Origin("turn", "query", p.origin.index)), 0
        )
        return prompt.pieces[:place]

    def run(
        self,
        sides: Sequence[tuple[str, SideSpec]],
        draft: Preset | None,
        conversation: Conversation,
        *,
        cancel: Cancel | None = None,
        logprobs: int | None = None,
        sampling: SamplingParams | None = None,
        begun: Mapping[str, Begun] | None = None,
    ) -> Iterator[SideEvent]:
        """Answer the conversation's last query on every side at once; see ``chat.compare``.

        Args:
            sides: Pairs ``(side id, spec)``.
            draft: What ``@draft`` stands for.
            conversation: Its head is the turn to be answered.
            cancel: Ends every side.
            logprobs: As in ``GenerateRequest``.
            sampling: In place of each preset's own.
            begun: By side, what its answer goes on from.
        """
        kept = begun or {}

        def prepared(spec: SideSpec) -> tuple[Assistant, Engine]:
            assistant = self.assistant(spec, draft)
            if sampling is not None:
                assistant = replace(assistant, sampling=self._bounded_sampling(sampling))
            return assistant, self.engine(spec.model)

        runs = [
            SideRun(side, partial(prepared, spec), conversation.messages(side), logprobs, kept.get(side))
            for side, spec in sides
        ]
        return compare(runs, cancel=cancel)

    def _preset(self, name: str, draft: Preset | None) -> Preset | None:
        if name == NO_PRESET:
            return None
        if name == DRAFT:
            return draft
        return self.presets.load(name)

    def _bounded_sampling(self, sampling: SamplingParams) -> SamplingParams:
        """The sampling within the bound of this process, so that no room is kept for what is not written."""
        most = self.settings.confined.max_tokens
        if most is None:
            return sampling
        return replace(sampling, max_tokens=min(sampling.max_tokens, most))

    def template_options(self, model: str) -> tuple[TemplateOption, ...]:
        """The named arguments that a model's chat template reads; none of a base model. Loads the model.

        Raises:
            PlaygroundError: No such model, or one that cannot be loaded.
        """
        entry = self.catalog.get(model)
        return () if entry.kind == "base" else model_options(entry, self.engine(model).info)
