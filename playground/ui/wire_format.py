"""What goes over the wire between the page and Python, checked on the way in and named on the way out.

One JSON text in, one JSON text out. ``<`` is escaped on the way out, so that no answer can be taken for
markup by anything it passes through.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from playground.chat.compare import SideDelta, SideEvent, SideFinished, SideStarted
from playground.presets.preset import PresetSampling
from playground.services import SideSpec
from playground.types import Prompt, Reply
from playground.ui.token_rows import token_rows

MAX_SIDES = 8


class Incoming(BaseModel):
    """What a call takes: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SideIn(Incoming):
    """One side: an id that the conversation's replies go by, a model, and a preset (``@draft``, ``none``).

    ``options`` are named arguments of the model's chat template.
    """

    id: Annotated[str, Field(pattern=r"^\w{1,20}$")]
    model: str
    preset: str
    options: Annotated[dict[str, bool | int | float | str], Field(max_length=50)] = {}

    def spec(self) -> SideSpec:
        """The side as the workbench takes it."""
        return SideSpec(self.model, self.preset, tuple(self.options.items()))


class PreviewIn(Incoming):
    """Ask for the prompts that the sides would send for ``text``, and the draft's token counts."""

    sides: Annotated[tuple[SideIn, ...], Field(max_length=MAX_SIDES)]
    draft: Mapping[str, object]
    conversation: str
    text: str
    pieces: bool = False
    tokens: bool = False


class WarmIn(Incoming):
    """Say that a person paused: what the sides' next prompts start with may be computed now."""

    tab: Annotated[str, Field(pattern=r"^\w{1,40}$")]
    sides: Annotated[tuple[SideIn, ...], Field(max_length=MAX_SIDES)]
    draft: Mapping[str, object]
    conversation: str


class StreamIn(Incoming):
    """Ask for something that is written over a while; ``run`` is the id that stops it."""

    kind: str
    run: Annotated[str, Field(pattern=r"^\w{1,40}$")]

    def side_ids(self) -> tuple[str, ...]:
        """The ids that its events go by; each ends with exactly one ``end`` or ``cut``."""
        raise NotImplementedError


class BegunIn(Incoming):
    """What an answer goes on from: token ids, and their text for engines that take none."""

    ids: Annotated[tuple[int, ...], Field(max_length=100_000)]
    text: str


class RunIn(StreamIn):
    """Ask for answers to the conversation's open last turn.

    ``logprobs`` asks for that many alternatives of every token; ``begun`` says by side what goes before;
    ``sampling`` stands in place of each side's own.
    """

    kind: Literal["run"] = "run"
    sides: Annotated[tuple[SideIn, ...], Field(min_length=1, max_length=MAX_SIDES)]
    draft: Mapping[str, object]
    conversation: str
    logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    begun: Mapping[str, BegunIn] = {}
    sampling: PresetSampling | None = None

    def side_ids(self) -> tuple[str, ...]:
        """The sides."""
        return tuple(side.id for side in self.sides)


class NameIn(Incoming):
    """A preset's, model's or run's name."""

    name: str


class TextsIn(Incoming):
    """Texts to be rendered."""

    texts: Annotated[tuple[str, ...], Field(max_length=1_000)]


class DraftIn(Incoming):
    """A preset that the page has."""

    draft: Mapping[str, object]


class PresetRef(Incoming):
    """A preset of the library by its name, or one that is given."""

    name: str | None = None
    draft: Mapping[str, object] | None = None


def dumps(value: object) -> str:
    """JSON that holds no ``<``."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def event_json(event: SideEvent) -> str:
    """One line of the stream."""
    match event:
        case SideStarted():
            line: dict[str, object] = {
                "at": "start",
                "prompt_tokens": event.prompt_tokens,
                "dropped_turns": event.prompt.dropped_turns,
                "notes": list(event.prompt.notes),
            }
        case SideDelta():
            rows = token_rows(event.tokens)
            line = {"at": "text", "text": event.text, "tokens": len(rows), "rows": rows}
            line["thinking_chars"] = event.thinking_chars
        case SideFinished():
            line = {"at": "end", "reply": reply_json(event.reply, event.seed, event.first_token_s)}
    return dumps({"side": event.side, **line})


def reply_json(reply: Reply, seed: int, first_token_s: float | None) -> dict[str, object]:
    """A reply as the browser keeps it: all but its tokens, with the figures under it."""
    usage = reply.usage
    return {
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "error": reply.error,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "completion_tokens": usage.completion_tokens,
            "prefill_s": round(usage.prefill_s, 4),
            "decode_s": round(usage.decode_s, 4),
        },
        "seed": seed,
        "first_token_s": first_token_s,
        "thinking_chars": reply.thinking_chars,
        "thinking_tokens": reply.thinking_tokens,
        "thinking_open": reply.thinking_open,
    }


def prompt_json(prompt: Prompt, *, pieces: bool) -> dict[str, object]:
    """A prompt for the page; its text only where it is looked at."""
    shown: dict[str, object] = {"dropped_turns": prompt.dropped_turns, "notes": list(prompt.notes)}
    if pieces:
        shown["stop"] = [[rule.text, rule.place] for rule in prompt.stop]
        shown["pieces"] = [
            [piece.text, piece.origin.part, piece.origin.field, piece.origin.index] for piece in prompt.pieces
        ]
    return shown
