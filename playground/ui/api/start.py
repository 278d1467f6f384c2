"""Start: what the page needs to draw itself, and how the models do."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from playground.presets.preset import MAX_BYTES
from playground.prompts.templates import BUILT_IN
from playground.services import DRAFT, NO_PRESET, ModelState, Workbench
from playground.ui.api.binding import Call
from playground.ui.api.presets import draft_json, library_json
from playground.ui.gate import Gate
from playground.ui.wire_format import Incoming, NameIn


class NewsIn(Incoming):
    """Ask how the models do, and for notices of a number above ``after``."""

    after: int


class StartCalls:
    """The first call, and those about models."""

    def __init__(self, workbench: Workbench, gate: Gate) -> None:
        self._bench = workbench
        self._gate = gate

    def calls(self) -> list[Call]:
        """``boot``, ``models`` and ``load_model``."""
        return [
            Call.of("boot", NameIn, self.boot),
            Call.of("models", NewsIn, self.news),
            Call.of("load_model", NameIn, self.load_model),
        ]

    def boot(self, query: NameIn) -> object:
        """Everything the page needs to draw itself for the first time; ``name`` is the preset to open."""
        models = self._bench.model_states()
        library = library_json(self._bench)
        usable = [entry.name for entry in self._bench.presets.entries() if entry.error is None]
        wanted = query.name if query.name in usable else next(iter(usable), None)
        return {
            "version": _version(),
            **library,
            "models": [_state_json(state) for state in models],
            "templates": list(BUILT_IN),
            "max_preset_bytes": MAX_BYTES,
            "draft": None if wanted is None else draft_json(self._bench.presets.load(wanted)),
            "sides": default_sides(models),
            "noticed": max((notice.number for notice in self._bench.notices()), default=0),
            "space": self._gate.facts(),
        }

    def models(self) -> object:
        """Every model and how it does."""
        return [_state_json(state) for state in self._bench.model_states()]

    def news(self, query: NewsIn) -> object:
        """Every model and how it does, and what was done by itself meanwhile."""
        notices = self._bench.notices(query.after)
        return {"models": self.models(), "notices": [[one.number, one.text] for one in notices]}

    def load_model(self, query: NameIn) -> object:
        """Start loading a model."""
        self._bench.load(query.name)
        return self.models()


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


def _state_json(state: ModelState) -> dict[str, object]:
    info = state.info
    return {
        "id": state.id,
        "title": state.title,
        "kind": state.kind,
        "status": state.status,
        "detail": state.detail,
        "former": list(state.former),
        "load_s": round(state.load_s, 2),
        "parameters": info.parameters if info else 0,
        "n_ctx": info.n_ctx if info else 0,
        **state.facts(),
    }


def _version() -> str:
    try:
        return version("icl-playground")
    except PackageNotFoundError:
        return ""
