"""The thinking at the start of an answer: which markers enclose it, and where it ends.

Sources of the markers: the chat templates of DeepSeek-R1 and Qwen3 (``<think>``), QwQ and OpenThinker
(``<|begin_of_thought|>``), Mistral's Magistral (``[THINK]``), Cohere's Command A Reasoning
(``<|START_THINKING|>``), ByteDance's Seed-OSS (``<seed:think>``), OpenAI's gpt-oss (channels), Moonshot's
Kimi-VL (``◁think▷``), Swiss AI's Apertus (``<|inner_prefix|>``), and IBM's Granite 3.3 (plain sentences).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from playground.types import Prompt, Reply, ThinkingMarkers, Token

THINK = ThinkingMarkers("<think>", "</think>")
KNOWN = (
    THINK,
    ThinkingMarkers("<thinking>", "</thinking>"),
    ThinkingMarkers("<thought>", "</thought>"),
    ThinkingMarkers("<reasoning>", "</reasoning>"),
    ThinkingMarkers("<seed:think>", "</seed:think>"),
    ThinkingMarkers("[THINK]", "[/THINK]"),
    ThinkingMarkers("<|START_THINKING|>", "<|END_THINKING|>"),
    ThinkingMarkers("<|begin_of_thought|>", "<|end_of_thought|>"),
    ThinkingMarkers("<|inner_prefix|>", "<|inner_suffix|>"),
    ThinkingMarkers("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ThinkingMarkers("<|channel>thought\n", "<channel|>"),
    ThinkingMarkers("◁think▷", "◁/think▷"),
)
SENTENCES = (ThinkingMarkers("Here is my thought process:", "Here is my response:"),)
"""Markers that are ordinary text, which count only for a model whose template knows them."""
_TAG = re.compile(r"</([A-Za-z_:.-]*(?:think|thought|reason)[A-Za-z_:.-]*)>")
_OPENING_TAG = re.compile(r"\s*<([A-Za-z_:.-]*(?:think|thought|reason)[A-Za-z_:.-]*)>")
_CHANNEL = "<|channel|>"


@dataclass(frozen=True, slots=True)
class Thinking:
    """Where the thinking at the start of a text ends.

    Attributes:
        end: Characters of thinking, its markers and the white space behind them included; 0 for none.
        is_open: Whether the text ends inside it.
    """

    end: int = 0
    is_open: bool = False


def markers_of(template: str, special_tokens: Iterable[str] = ()) -> tuple[ThinkingMarkers, ...]:
    """The markers that a model's template or its tokenizer know.

    Args:
        template: Source of the chat template.
        special_tokens: Texts of the vocabulary's special tokens.
    """
    tokens = frozenset(special_tokens)
    found = [
        markers
        for markers in (*KNOWN, *SENTENCES)
        if markers.close in template
        or markers.close in tokens
        or (markers.close.startswith(_CHANNEL) and _CHANNEL in template and "analysis" in template)
    ]
    found += [ThinkingMarkers(f"<{name}>", f"</{name}>") for name in _TAG.findall(template)]
    return tuple(dict.fromkeys(found))


def is_opened_by(prompt: str, markers: Sequence[ThinkingMarkers]) -> bool:
    """Whether a prompt ends with an opening marker, so that the model starts inside its thinking."""
    end = prompt.rstrip()
    return any(end.endswith(m.open.rstrip()) for m in markers)


def find_thinking(
    text: str,
    markers: Sequence[ThinkingMarkers] | None = None,
    *,
    opened: bool = False,
    more: bool = False,
) -> Thinking:
    """The thinking at the start of an answer, finished or not.

    Args:
        text: What the model wrote.
        markers: Those that may enclose it; by default those of all known models, and any tag named
            for thinking.
        opened: Whether the prompt has opened it already.
        more: Whether the text is still growing: then a text that could become an opening marker counts as
            thinking that is not finished.
    """
    if markers is None:
        tag = _OPENING_TAG.match(text)
        markers = (*KNOWN, ThinkingMarkers(f"<{tag[1]}>", f"</{tag[1]}>")) if tag else KNOWN
    end = 0
    inside = opened and bool(markers)
    while True:
        start = end + len(text[end:]) - len(text[end:].lstrip())
        entered = [m for m in markers if text.startswith(m.open, start)]
        left = [m for m in markers if not entered and text.startswith(m.close, start)]
        if not inside and not entered and not left:
            might_enter = more and start < len(text) and any(m.open.startswith(text[start:]) for m in markers)
            return Thinking(len(text), True) if might_enter else Thinking(end)
        closings = [
            (at, m.close)
            for m in entered or left or markers
            if (at := text.find(m.close, start + (len(m.open) if entered else 0))) >= 0
        ]
        if not closings:
            return Thinking(len(text), True)
        at, close = min(closings)
        behind = text[at + len(close) :]
        end = at + len(close) + len(behind) - len(behind.lstrip())
        inside = False


class ThinkingWatch:
    """Follows a growing answer and tells how much of it is thinking; not for several threads.

    Args:
        prompt: What is being answered: it names the markers, and whether it opens the thinking itself.
    """

    def __init__(self, prompt: Prompt) -> None:
        self._markers = prompt.thinking
        self._opened = prompt.thinks
        self._text = ""
        self._found = Thinking()
        self._settled = not prompt.thinking

    def add(self, text: str) -> int:
        """Characters of thinking at the start of all of the answer so far, which now ends with ``text``."""
        if not self._settled:
            self._text += text
            self._found = find_thinking(self._text, self._markers, opened=self._opened, more=True)
            # What follows the thinking's end, or is no marker, cannot become thinking any more.
            self._settled = not self._found.is_open and len(self._text) > self._found.end
        return self._found.end


def with_thinking(reply: Reply, prompt: Prompt) -> Reply:
    """The reply with its thinking told apart, by the markers that its prompt names."""
    found = find_thinking(reply.text, prompt.thinking, opened=prompt.thinks)
    if not found.end:
        return reply
    count = tokens_within(reply.tokens, reply.text[: found.end])
    return replace(reply, thinking_chars=found.end, thinking_tokens=count, thinking_open=found.is_open)


def marked_text(reply: Reply, prompt: Prompt) -> str:
    """All that was written, with an opening marker also where that was the prompt's; for a record."""
    opens = prompt.thinks and not any(reply.text.lstrip().startswith(m.open) for m in prompt.thinking)
    return f"{prompt.thinking[0].open}\n{reply.text}" if opens else reply.text


def without_thinking(text: str) -> str:
    """What an answer says to the person, whichever model wrote it; empty where it is all thinking."""
    return text[find_thinking(text).end :]


def tokens_within(tokens: Sequence[Token], text: str) -> int:
    """How many tokens lie wholly within the first characters that ``text`` holds."""
    size, at = len(text.encode()), 0
    for count, token in enumerate(tokens):
        at += len(token.bytes)
        if at > size:
            return count
    return len(tokens)
