"""What the page can ask Python for: small calls from one JSON text to another.

Each call is one call of the library; nothing is rendered, stored or decided here. What goes wrong comes
back as ``{"error": sentence}``, never as an HTTP error, so that the page can say it where it belongs.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from playground.chat.conversation import Conversation
from playground.errors import PlaygroundError, PresetError
from playground.presets.library import PresetEntry
from playground.presets.preset import MAX_BYTES, Preset
from playground.prompts.templates import BUILT_IN
from playground.services import DRAFT, NO_PRESET, ModelState, SideSpec, TokenCounts, Workbench
from playground.types import Message
from playground.ui.markdown import MarkdownRenderer
from playground.ui.streaming import Runs
from playground.ui.strings import Strings
from playground.ui.wire_format import (
    DraftIn,
    NameIn,
    PreviewIn,
    SaveIn,
    SideIn,
    TextsIn,
    WarmIn,
    YamlIn,
    dumps,
    prompt_json,
)

log = logging.getLogger(__name__)
_In = TypeVar("_In", bound=BaseModel)


class PageApi:
    """The page's calls. Holds no session: whatever belongs to a tab comes with each call."""

    def __init__(self, workbench: Workbench, runs: Runs, strings: Strings) -> None:
        self._bench = workbench
        self._runs = runs
        self._strings = strings
        self._markdown = MarkdownRenderer()

    def calls(self) -> list[Callable[[str], str]]:
        """The functions by the names that the JavaScript uses."""
        return [
            self._call("boot", NameIn, self.boot),
            self._call("models", NameIn, lambda _: self.models()),
            self._call("load_model", NameIn, self.load_model),
            self._call("preview", PreviewIn, self.preview),
            self._call("warm", WarmIn, self.warm),
            self._call("markdown", TextsIn, self.markdown),
            self._call("stop", NameIn, self.stop),
            self._call("open_preset", NameIn, self.open_preset),
            self._call("save_preset", SaveIn, self.save_preset),
            self._call("delete_preset", NameIn, self.delete_preset),
            self._call("read_yaml", YamlIn, self.read_yaml),
            self._call("write_yaml", DraftIn, self.write_yaml),
        ]

    def boot(self, query: NameIn) -> object:
        """Everything the page needs to draw itself for the first time; ``name`` is the preset to open."""
        models = self._bench.model_states()
        entries = self._bench.presets.entries()
        usable = [entry.name for entry in entries if entry.error is None]
        wanted = query.name if query.name in usable else next(iter(usable), None)
        return {
            "version": _version(),
            "presets": [_entry_json(entry) for entry in entries],
            "models": [_state_json(state) for state in models],
            "templates": list(BUILT_IN),
            "max_preset_bytes": MAX_BYTES,
            "draft": None if wanted is None else _draft_json(self._bench.presets.load(wanted)),
            "sides": default_sides(models),
        }

    def models(self) -> object:
        """Every model and how it does."""
        return [_state_json(state) for state in self._bench.model_states()]

    def load_model(self, query: NameIn) -> object:
        """Start loading a model."""
        self._bench.load(query.name)
        return self.models()

    def preview(self, query: PreviewIn) -> object:
        """Each side's prompt for the text, and the token counts of the draft."""
        draft = Preset.checked(query.draft)
        conversation = Conversation.from_json(query.conversation)
        states = {state.id: state for state in self._bench.model_states()}
        views: dict[str, object] = {}
        counts: TokenCounts | None = None
        for side in query.sides:
            ready = side.model in states and states[side.model].status == "ready"
            messages = (*conversation.messages(side.id), Message("user", query.text))
            try:
                shown, of_side = self._preview(side, draft, messages, ready=ready, pieces=query.pieces)
            except PlaygroundError as error:
                shown, of_side = {"error": str(error)}, None
            views[side.id] = shown
            if counts is None and side.preset == DRAFT:
                counts = of_side
        if counts is None:
            counts = self._draft_counts(query, draft, states)
        return {"sides": views, "counts": None if counts is None else _counts_json(counts)}

    def warm(self, query: WarmIn) -> object:
        """Begin to compute what the next prompts start with; answers at once."""
        self._bench.warm(
            query.tab,
            [(side.id, SideSpec(side.model, side.preset)) for side in query.sides],
            Preset.checked(query.draft),
            Conversation.from_json(query.conversation),
        )
        return None

    def _preview(
        self,
        side: SideIn,
        draft: Preset,
        messages: tuple[Message, ...],
        *,
        ready: bool,
        pieces: bool,
    ) -> tuple[dict[str, object], TokenCounts | None]:
        spec = SideSpec(side.model, side.preset)
        if ready:
            view = self._bench.preview(spec, draft, messages)
            shown = prompt_json(view.prompt, pieces=pieces) | {"error": view.error}
            return shown | {"counts": _counts_json(view.counts)}, view.counts
        if self._bench.catalog.get(side.model).kind == "base":  # needs no model to be rendered
            prompt = self._bench.assistant(spec, draft).renderer.render(messages)
            return prompt_json(prompt, pieces=pieces) | {"error": None, "counts": None}, None
        return {"error": None, "counts": None, "waiting": True}, None

    def _draft_counts(
        self, query: PreviewIn, draft: Preset, states: Mapping[str, ModelState]
    ) -> TokenCounts | None:
        """The draft's counts where no side uses it: by the first model that is there to count."""
        for side in query.sides:
            if side.model in states and states[side.model].status == "ready":
                spec = SideSpec(side.model, DRAFT)
                return self._bench.preview(spec, draft, (Message("user", query.text),)).counts
        return None

    def markdown(self, query: TextsIn) -> object:
        """Each text as safe HTML."""
        return [self._markdown.html(text) for text in query.texts]

    def stop(self, query: NameIn) -> object:
        """Stop a run."""
        self._runs.stop(query.name)
        return None

    def open_preset(self, query: NameIn) -> object:
        """A preset of the library, by name only: a page must not read files by their path."""
        if query.name not in {entry.name for entry in self._bench.presets.entries()}:
            raise PresetError(self._strings("preset.gone", name=query.name))
        return _draft_json(self._bench.presets.load(query.name))

    def save_preset(self, query: SaveIn) -> object:
        """Keep a preset; the list as it is then."""
        self._bench.presets.save(Preset.checked(query.draft), overwrite=query.overwrite)
        return self._presets()

    def delete_preset(self, query: NameIn) -> object:
        """Delete a preset of one's own; the list as it is then."""
        self._bench.presets.delete(query.name)
        return self._presets()

    def read_yaml(self, query: YamlIn) -> object:
        """The preset in a file that a person chose."""
        return _draft_json(Preset.from_yaml(query.text, source=query.source))

    def write_yaml(self, query: DraftIn) -> object:
        """The file of a preset."""
        return Preset.checked(query.draft).to_yaml()

    def _presets(self) -> object:
        return [_entry_json(entry) for entry in self._bench.presets.entries()]

    def _call(self, name: str, incoming: type[_In], work: Callable[[_In], object]) -> Callable[[str], str]:
        @functools.wraps(work, assigned=("__doc__",), updated=())
        def call(text: str) -> str:
            try:
                return dumps({"value": work(incoming.model_validate_json(text))})
            except PlaygroundError as error:
                return dumps({"error": str(error)})
            except ValidationError as error:
                log.warning("a call of %s could not be read: %s", name, error)
                return dumps({"error": self._strings("server.bad_request")})
            except Exception:
                log.exception("the call %s failed", name)
                return dumps({"error": self._strings("server.unexpected")})

        call.__name__ = name
        return call


def default_sides(models: list[ModelState]) -> list[dict[str, str]]:
    """A base model behind the draft beside an instruct model with its own template, if there are."""
    bases = [state for state in models if state.kind == "base"]
    instructs = [state for state in models if state.kind == "instruct"]
    sides = [(state.id, DRAFT) for state in bases[:1]] + [(s.id, NO_PRESET) for s in instructs[:1]]
    if len(sides) == 1:
        sides.append((sides[0][0], NO_PRESET))
    return [
        {"id": "ABCDEFGH"[i], "model": model, "preset": preset} for i, (model, preset) in enumerate(sides)
    ]


def _draft_json(preset: Preset) -> dict[str, object]:
    return preset.model_dump(mode="json", by_alias=True)


def _entry_json(entry: PresetEntry) -> dict[str, object]:
    return {
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "shipped": entry.shipped,
        "error": entry.error,
    }


def _state_json(state: ModelState) -> dict[str, object]:
    info = state.info
    return {
        "id": state.id,
        "title": state.title,
        "kind": state.kind,
        "status": state.status,
        "detail": state.detail,
        "load_s": round(state.load_s, 2),
        "parameters": info.parameters if info else 0,
        "n_ctx": info.n_ctx if info else 0,
    }


def _counts_json(counts: TokenCounts) -> dict[str, object]:
    return {
        "total": counts.total,
        "system": counts.system,
        "examples": counts.examples,
        "history": counts.history,
        "turn": counts.turn,
        "n_ctx": counts.n_ctx,
    }


def _version() -> str:
    try:
        return version("icl-playground")
    except PackageNotFoundError:
        return ""
