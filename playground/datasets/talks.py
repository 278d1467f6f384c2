"""Lists of messages as turns: OpenAI's, ShareGPT's and other names for roles and texts, content in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ROLE_KEYS = ("role", "from", "speaker", "author", "user")
TEXT_KEYS = ("content", "value", "text", "message", "markdown")
USER = frozenset({"user", "human", "prompter", "customer", "person", "client", "instruction", "用户"})
ASSISTANT = frozenset(
    {
        "assistant",
        "gpt",
        "model",
        "chatgpt",
        "bing",
        "bard",
        "claude",
        "bot",
        "ai",
        "chatbot",
        "agent",
        "助手",
    }
)
SYSTEM = frozenset({"system", "developer", "context", "系统"})
TOOL = frozenset(
    {"tool", "function", "function_call", "tool_call", "observation", "environment", "ipython"}
    | {"function_response", "tool_response", "gpt-4-function", "code", "execution"}
)


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation; ``changed`` says what of it could not be kept, a clause each."""

    system: str
    queries: tuple[str, ...]
    answers: tuple[str, ...]
    changed: tuple[str, ...] = ()


def is_talk(value: object) -> bool:
    """Whether a value is a list of messages."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(turn, Mapping) and _role(turn) and _text_key(turn) is not None for turn in value)
    )


def read_talk(turns: object) -> Talk:
    """System text, queries and answers of a list of messages.

    An unanswered question keeps its place, so that answers stay beside their queries; messages of one side
    behind one another are joined by an empty line.

    Raises:
        ValueError: It is no list of messages, has an unknown role, or no question.
    """
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        raise ValueError("the conversation is not a list of messages")
    system: list[str] = []
    queries: list[str] = []
    answers: list[str] = []
    changed: dict[str, None] = {}
    before = ""
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, Mapping) or not (role := _role(turn)):
            raise ValueError(
                f"message {number} should be an object with 'role' and 'content', or 'from' and 'value'"
            )
        key = _text_key(turn)
        if role in TOOL or (key is None and ("tool_calls" in turn or "function_call" in turn)):
            changed["calls and results of tools are left out"] = None
            continue
        if key is None:
            raise ValueError(f"message {number} has no text under 'content' or 'value'")
        said = content_text(turn[key], changed)
        if said is None and ("tool_calls" in turn or "function_call" in turn):
            changed["calls and results of tools are left out"] = None
            continue
        if said is None:
            raise ValueError(f"'{key}' of message {number} is {turn[key]!r:.40} and should be a text")
        if role in SYSTEM:
            system += [said] if said.strip() else []
        elif role in USER:
            if not said.strip():
                raise ValueError(f"'{key}' of message {number} is empty")
            answers += [""] * (len(queries) - len(answers))
            queries.append(said)
        elif role not in ASSISTANT:
            raise ValueError(f"'{role[:40]}' is not a known role; use system, user or assistant")
        elif len(answers) < len(queries):
            answers.append(said)
        elif queries:
            answers[-1] = f"{answers[-1]}\n\n{said}" if answers[-1] else said
            if before in ASSISTANT:
                changed["answers behind one another are joined"] = None
        elif said.strip():
            changed["what the assistant says before the first question is left out"] = None
        before = role
    if not queries:
        raise ValueError("nobody asks anything in it")
    return Talk("\n\n".join(system), tuple(queries), tuple(answers), tuple(changed))


def content_text(value: object, changed: dict[str, None]) -> str | None:
    """The text of a message's content, which may be a text, parts, or nothing; None for anything else.

    Args:
        value: The content.
        changed: Gets a clause for parts that are no text.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        for key in ("text", "value", "content"):
            if isinstance(value.get(key), str):
                return str(value[key])
        return content_text(value["parts"], changed) if "parts" in value else None
    if isinstance(value, bool) or not isinstance(value, Sequence):
        return None
    texts: list[str] = []
    for part in value:
        text = part if isinstance(part, str) else None
        if isinstance(part, Mapping):
            text = next(
                (str(part[k]) for k in ("text", "value", "content") if isinstance(part.get(k), str)), None
            )
        if text is None:
            kind = str(part.get("type", "unknown")) if isinstance(part, Mapping) else type(part).__name__
            changed[f"a part of type '{kind[:40]}' is left out"] = None
        else:
            texts.append(text)
    return "\n".join(texts) if texts or not value else None


def _role(turn: Mapping[object, object]) -> str:
    for key in ROLE_KEYS:
        value = turn.get(key)
        if isinstance(value, Mapping):
            value = value.get("role")
        if isinstance(value, str) and value.strip():
            return value.strip().lower()
    return ""


def _text_key(turn: Mapping[object, object]) -> str | None:
    return next((key for key in TEXT_KEYS if key in turn), None)
