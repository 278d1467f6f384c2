"""Logs of chat formats with marks around messages: ChatML, Llama 3, Gemma, Phi, Zephyr, Mistral and others.

A log that ends in an open assistant's turn gives its last question as a suggestion. Sources: the chat
templates that the models' publishers ship; ChatML is OpenAI's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from playground.imports.given import Given
from playground.imports.result import Imported, make_name, preset_examples
from playground.imports.transcript import kept_template
from playground.presets.preset import MAX_EXAMPLES, Preset
from playground.prompts.render import TemplateRenderer
from playground.prompts.templates import BUILT_IN
from playground.types import Example, Template


@dataclass(frozen=True, slots=True)
class _Format:
    """How a format marks messages.

    Attributes:
        template: The same as a template.
        block: Where a message starts, with its role as the only group.
        end: What closes a message.
        roles: The format's names for our roles.
        start: What stands once in front of everything, which the engine writes itself.
    """

    template: Template
    block: re.Pattern[str]
    end: str
    roles: Mapping[str, str]
    start: str = ""


_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "model": "assistant",
}
_ANY_ROLE = "system|developer|user|assistant|model|tool|ipython|SYSTEM|USER|CHATBOT"


def _headed(name: str, opening: str, end: str, *, model: str = "assistant", start: str = "") -> _Format:
    """A format of one opening mark with the role in it; ``@`` stands for the role."""
    system, user, assistant = (opening.replace("@", role) for role in ("system", "user", model))
    template = Template(
        name,
        system=f"{system}{{system}}{end}",
        turn=f"{user}{{query}}{end}{assistant}{{answer}}{end}",
        separator="",
    )
    if name in BUILT_IN:
        template = BUILT_IN[name]
    # The open turn at the end may lack the line breaks of its opening.
    pattern = re.escape(opening.rstrip("\n")).replace("@", f"({_ANY_ROLE})") + "\n{0,2}"
    return _Format(template, re.compile(pattern), end.rstrip("\n"), _ROLES, start)


_FORMATS: tuple[_Format, ...] = (
    _headed("chatml", "<|im_start|>@\n", "<|im_end|>\n"),
    _headed("llama-3", "<|start_header_id|>@<|end_header_id|>\n\n", "<|eot_id|>", start="<|begin_of_text|>"),
    _headed("llama-4", "<|header_start|>@<|header_end|>\n\n", "<|eot|>", start="<|begin_of_text|>"),
    _headed("gemma", "<start_of_turn>@\n", "<end_of_turn>\n", model="model", start="<bos>"),
    _headed("phi-3", "<|@|>\n", "<|end|>\n", start="<s>"),
    _headed("zephyr", "<|@|>\n", "</s>\n", start="<s>"),
    _headed("command-r", "<|START_OF_TURN_TOKEN|><|@_TOKEN|>", "<|END_OF_TURN_TOKEN|>", start="<BOS_TOKEN>"),
)
_MISTRAL_START = re.compile(r"\s*(?:<s>)?\s*\[INST\]")
_MISTRAL = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?:</s>|(?=<s>|\[INST\])|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Message:
    role: str
    text: str
    start: int
    closed: bool


def is_log(given: Given) -> bool:
    """Whether a text has the marks of a chat format around at least one message."""
    if given.value is not None:
        return False
    mistral = _MISTRAL_START.match(given.text) and "[/INST]" in given.text
    return _format_of(given.text) is not None or bool(mistral)


def read_log(given: Given) -> tuple[Imported, ...]:
    """The preset of a log: structured where the format's template gives the same bytes, else verbatim."""
    notes: list[str] = []
    format_ = _format_of(given.text)
    if format_ is None:
        return (_mistral(given, notes),)
    text = given.text
    if format_.start and text.lstrip().startswith(format_.start):
        text = text.lstrip().removeprefix(format_.start)
        notes.append(f"'{format_.start}' is left out: the engine writes it where the model wants it.")
    messages = _messages(text, format_)
    system, examples, questions, head = _sorted(text, messages, notes)
    if before := text[: messages[0].start].strip():
        system = f"{before}\n\n{system}" if system else before
    name = make_name(given.name, notes)
    built_in = BUILT_IN.get(format_.template.name)
    template = format_.template.name if built_in is not None else kept_template(format_.template)
    kept = preset_examples(examples[:MAX_EXAMPLES], notes)
    structured = Preset(name=name, template=template, system=system, examples=kept, questions=questions)
    if TemplateRenderer(format_.template, system, examples).render([]).text == head:
        notes.insert(0, f"It is a {format_.template.name} log, which its template gives byte for byte.")
        return (Imported(structured, "transcript", "structured", tuple(notes)),)
    notes.insert(
        0, f"It is a {format_.template.name} log of other spacing than its template's: kept verbatim."
    )
    verbatim = structured.model_copy(update={"system": "", "prefix": head})
    return (Imported(verbatim, "transcript", "verbatim", tuple(notes), normalised=structured),)


def _format_of(text: str) -> _Format | None:
    for format_ in _FORMATS:
        found = format_.block.search(text)
        if found and found[1].lower().removesuffix("_token") in {*_ROLES, "chatbot"} and format_.end in text:
            return format_
    return None


def _messages(text: str, format_: _Format) -> list[_Message]:
    starts = list(format_.block.finditer(text))
    found: list[_Message] = []
    for mark, end in zip(starts, [*(m.start() for m in starts[1:]), len(text)], strict=True):
        said = text[mark.end() : end]
        said, closed, _ = said.partition(format_.end)
        role = mark[1].lower().removesuffix("_token")
        found.append(
            _Message(
                _ROLES.get(role, "assistant" if role == "chatbot" else role), said, mark.start(), bool(closed)
            )
        )
    return found


def _sorted(
    text: str, messages: Sequence[_Message], notes: list[str]
) -> tuple[str, tuple[Example, ...], tuple[str, ...], str]:
    """System text, answered turns, open questions, and the text up to the open turn."""
    system = ""
    examples: list[Example] = []
    query: _Message | None = None
    questions: list[str] = []
    head = len(text)
    for message in messages:
        if message.role == "system":
            system = f"{system}\n\n{message.text}" if system else message.text
        elif message.role == "user":
            questions += [query.text] if query is not None else []
            query = message
        elif message.role == "assistant" and query is not None:
            if message.closed:
                examples.append(Example(query.text, message.text))
            else:
                questions.append(query.text)
                head = query.start
                if message.text.strip():
                    notes.append(f"The answer that was started ('{message.text.strip()[:40]}') is left out.")
            query = None
        else:
            notes.append(f"A message of role '{message.role[:20]}' is left out.")
    if query is not None:
        questions.append(query.text)
        head = query.start
    if questions:
        notes.append("A question without an answer is suggested as a question.")
    return system, tuple(examples), tuple(q for q in questions if q.strip()), text[:head]


def _mistral(given: Given, notes: list[str]) -> Imported:
    """Mistral's and Llama 2's logs, whose system text stands inside the first turn."""
    system = ""
    examples: list[Example] = []
    questions: list[str] = []
    for match in _MISTRAL.finditer(given.text):
        query, answer = match[1].strip(), match[2].strip()
        inner = re.match(r"<<SYS>>\n?(.*?)\n?<</SYS>>\s*", query, re.DOTALL)
        if inner:
            system, query = inner[1], query[inner.end() :]
            notes.append("Its system text stands inside the first turn there; here it stands in front.")
        if answer:
            examples.append(Example(query, answer))
        else:
            questions.append(query)
    notes.append(
        "It is a Mistral or Llama 2 log; the beginning and end of sequence are the engine's to write."
    )
    template = Template("mistral", "{system}\n\n", "[INST] {query} [/INST]{answer}</s>", "", " ")
    preset = Preset(
        name=make_name(given.name, notes),
        system=system,
        template=kept_template(template),
        examples=preset_examples(tuple(examples), notes),
        questions=tuple(q for q in questions if q.strip()),
    )
    return Imported(preset, "transcript", "structured", tuple(dict.fromkeys(notes)))
