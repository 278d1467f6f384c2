"""Rendered text back to system and examples: the inverse of ``render``, exact or not at all; and a loose one.

``parse_exact`` succeeds only where rendering its result gives the same bytes again. ``split_turns`` reads
what people paste: transcripts with headers of many kinds. Both split on headers and never on fences, since
an answer may hold fences of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from playground.prompts.render import TemplateRenderer
from playground.prompts.templates import system_parts, turn_parts
from playground.types import Example, Template

_USER = (
    "user|human|query|question|instruction|input|person|me|q|customer|student"
    "|用户|提问者|提问|问题|问|人类|学生|客户|顾客|我|用戶|使用者|提問|問題|問|ユーザー|質問|사용자|질문"
)
_ASSISTANT = (
    "assistant|answer|response|output|ai|bot|model|gpt|a|agent|teacher|chatbot|chatgpt|claude"
    "|助手|助理|回答|答案|答|机器人|人工智能|老师|客服|模型|機器人|アシスタント|어시스턴트|답변"
)
_HEADER = re.compile(
    rf"^[ \t]*(?P<mark>#{{1,6}}[ \t]*|\*\*|<\|im_start\|>|\[|【)?(?P<role>{_USER}|{_ASSISTANT})(?:[ \t]*\d+)?"
    r"(?P<end>\*\*|\]|】)?[ \t]*(?P<colon>[:：])?(?P<end2>\*\*|\]|】)?(?P<rest>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r'`{3,}|~{3,}|"""')


@dataclass(frozen=True, slots=True)
class Header:
    """A line of a transcript that starts a message: ``text[start:end]`` is the header, then it is said."""

    start: int
    end: int
    is_user: bool


@dataclass(frozen=True, slots=True)
class Parsed:
    """The system text and the examples that a text holds."""

    system: str
    examples: tuple[Example, ...]


def parse_exact(text: str, template: Template) -> Parsed | None:
    """What renders back to ``text`` byte for byte under ``template``, or None.

    An empty system text is one that is not there. Text without a single turn is all system text.
    """
    parts = turn_parts(template)
    if not parts.before_query.strip():
        return None
    starts = [
        match.start()
        for match in re.finditer(re.escape(parts.before_query), text)
        if match.start() == 0 or text.endswith(template.separator or "", 0, match.start())
    ]
    head = text[: starts[0]].removesuffix(template.separator) if starts else text
    before, after = system_parts(template)
    if head and not (
        head.startswith(before) and head.endswith(after) and len(head) > len(before) + len(after)
    ):
        return None
    system = head[len(before) : len(head) - len(after)] if head else ""
    examples: list[Example] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        turn = text[start:end] if end == len(text) else text[start:end].removesuffix(template.separator)
        query, between, rest = turn.removeprefix(parts.before_query).partition(parts.between)
        if not between or not rest.endswith(parts.after_answer):
            return None
        answer = rest[: len(rest) - len(parts.after_answer)] if parts.after_answer else rest
        if not answer.startswith(template.lead):
            return None
        examples.append(Example(query, answer.removeprefix(template.lead)))
    parsed = Parsed(system, tuple(examples))
    rendered = TemplateRenderer(template, system, parsed.examples).render([]).text
    return parsed if rendered == text else None


def find_headers(text: str) -> Iterator[Header]:
    """The headers of a pasted transcript, of many kinds, in order, without the blanks behind them."""
    for match in _HEADER.finditer(text):
        if _is_header(match):
            is_user = bool(re.fullmatch(_USER, match["role"], re.IGNORECASE))
            yield Header(match.start(), match.start("rest"), is_user)


def split_turns(text: str) -> Parsed:
    """Examples found in a pasted transcript, leniently: headers of many kinds, fences around messages.

    Text before the first header is taken for the system text. A question without an answer is kept with an
    empty one, so that nothing that was pasted is lost. Text without any header is one query.
    """
    headers = [match for match in _HEADER.finditer(text) if _is_header(match)]
    if not headers:
        return Parsed("", (Example(text.strip(), ""),) if text.strip() else ())
    system = text[: headers[0].start()].strip()
    examples: list[Example] = []
    query: str | None = None
    for match, end in zip(headers, [*(m.start() for m in headers[1:]), len(text)], strict=True):
        said = _unfenced(match["rest"] + text[match.end() : end])
        if re.fullmatch(_USER, match["role"], re.IGNORECASE):
            if query is not None:
                examples.append(Example(query, ""))
            query = said
        elif query is not None:
            examples.append(Example(query, said))
            query = None
        elif examples:
            last = examples.pop()
            examples.append(Example(last.query, f"{last.answer}\n\n{said}"))
        else:
            examples.append(Example("", said))
    if query is not None:
        examples.append(Example(query, ""))
    return Parsed(system, tuple(examples))


def _is_header(match: re.Match[str]) -> bool:
    """A role needs a colon or a mark around it to be a header and not a word that starts a line."""
    marked = match["mark"] and (match["mark"].startswith(("#", "<")) or match["end"] or match["end2"])
    if match["colon"]:
        return True
    return bool(marked) and not match["rest"].strip()


def _unfenced(text: str) -> str:
    said = text.strip().removesuffix("<|im_end|>").strip()
    opening = _FENCE.match(said)
    if opening is None:
        return said
    fence = opening.group()
    body = said.partition("\n")[2]
    if not body.endswith("\n" + fence):
        return said
    body = body.removesuffix("\n" + fence)
    return said if any(line.startswith(fence) for line in body.split("\n")) else body
