"""Prompts: what each side would send now, what it takes of the context, and work ahead of the question."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from itertools import groupby
from typing import Literal

from playground.chat.conversation import Conversation
from playground.errors import ContextLengthError, PlaygroundError
from playground.presets.preset import Preset
from playground.services import DRAFT, ModelState, PromptView, SideSpec, TokenCounts, Workbench
from playground.services.token_view import view_tokens
from playground.studio.curl import curl_command
from playground.types import Message, TemplateOption
from playground.ui.api.binding import Call
from playground.ui.strings import Strings
from playground.ui.wire_format import Incoming, PreviewIn, SideIn, WarmIn, dumps, prompt_json


class CopyIn(Incoming):
    """Ask for a side's prompt in a form for other programs."""

    side: SideIn
    draft: Mapping[str, object]
    conversation: str
    text: str
    form: Literal["ids", "curl"]


class PromptCalls:
    """The exact prompts of the sides."""

    def __init__(self, workbench: Workbench, strings: Strings) -> None:
        self._bench = workbench
        self._strings = strings

    def calls(self) -> list[Call]:
        """``preview``, ``copy_prompt`` and ``warm``."""
        return [
            Call.of("preview", PreviewIn, self.preview),
            Call.of("copy_prompt", CopyIn, self.copy_prompt),
            Call.of("warm", WarmIn, self.warm),
        ]

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
                shown, of_side = self._preview(side, draft, messages, query, ready=ready)
            except PlaygroundError as error:
                shown, of_side = {"error": str(error)}, None
            views[side.id] = shown
            if counts is None and side.preset == DRAFT:
                counts = of_side
        if counts is None:
            counts = self._draft_counts(query, draft, states)
        return {"sides": views, "counts": None if counts is None else _counts_json(counts)}

    def copy_prompt(self, query: CopyIn) -> object:
        """One side's prompt for another program: its token ids, or a command that sends them."""
        side = query.side.spec()
        draft = Preset.checked(query.draft)
        conversation = Conversation.from_json(query.conversation)
        messages = (*conversation.messages(query.side.id), Message("user", query.text))
        view = self._bench.preview(side, draft, messages)
        if view.counts is None:
            raise ContextLengthError(view.error or "")
        if self._bench.engine(side.model).info.counts_estimated:
            raise PlaygroundError(self._strings("prompt.no_tokenizer"))
        if query.form == "ids":
            return dumps(view.ids)
        sampling = self._bench.assistant(side, draft).sampling
        return curl_command(view.ids, sampling, view.prompt.stop)

    def _tokens(self, side: SideIn, view: PromptView) -> object:
        engine = self._bench.engine(side.model)
        if engine.info.counts_estimated:
            return {"error": self._strings("prompt.no_tokenizer")}
        tokens = view_tokens(engine, view.prompt.pieces, view.ids)
        return {
            "ids": tokens.ids,
            "sizes": tokens.sizes,
            "bytes": b64encode(tokens.data).decode("ascii"),
            "runs": [(piece, sum(1 for _ in run)) for piece, run in groupby(tokens.pieces)],
            "special": tokens.special,
        }

    def warm(self, query: WarmIn) -> object:
        """Begin to compute what the next prompts start with; answers at once."""
        self._bench.warm(
            query.tab,
            [(side.id, side.spec()) for side in query.sides],
            Preset.checked(query.draft),
            Conversation.from_json(query.conversation),
        )
        return None

    def _preview(
        self,
        side: SideIn,
        draft: Preset,
        messages: tuple[Message, ...],
        query: PreviewIn,
        *,
        ready: bool,
    ) -> tuple[dict[str, object], TokenCounts | None]:
        spec = side.spec()
        if ready:
            view = self._bench.preview(spec, draft, messages)
            shown = prompt_json(view.prompt, pieces=query.pieces) | {"error": view.error}
            shown["options"] = _options_json(self._bench.template_options(side.model))
            if view.counts is None:
                return shown | {"counts": None}, None
            if query.tokens:
                shown["tokens"] = self._tokens(side, view)
            return shown | {"counts": _counts_json(view.counts)}, view.counts
        if self._bench.catalog.get(side.model).kind == "base":  # needs no model to be rendered
            prompt = self._bench.assistant(spec, draft).renderer.render(messages)
            return prompt_json(prompt, pieces=query.pieces) | {"error": None, "counts": None}, None
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


def _options_json(options: tuple[TemplateOption, ...]) -> list[dict[str, object]]:
    return [
        {"name": one.name, "kind": one.kind, "choices": list(one.choices), "default": one.default}
        for one in options
    ]


def _counts_json(counts: TokenCounts) -> dict[str, object]:
    return {
        "total": counts.total,
        "system": counts.system,
        "examples": counts.examples,
        "history": counts.history,
        "turn": counts.turn,
        "n_ctx": counts.n_ctx,
    }
