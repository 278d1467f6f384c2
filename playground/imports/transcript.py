"""Pasted transcripts: ``User: ...`` / ``Assistant: ...`` and whatever else people write in front of messages.

Structured where a built-in template, or one read off the text's own headers and spacing, renders it byte for
byte; else verbatim.
"""

from __future__ import annotations

import re
from itertools import islice

from playground.errors import PlaygroundError
from playground.imports.result import Imported, PresetImportError, make_name, preset_examples
from playground.imports.urial import same_live
from playground.presets.preset import MAX_EXAMPLES, Preset, PresetTemplate
from playground.prompts.parse import Header, find_headers, parse_exact, split_turns
from playground.prompts.render import TemplateRenderer
from playground.prompts.templates import BUILT_IN, turn_parts
from playground.types import Message, Template

_VARIABLE = re.compile(r"\{\{?\s*[\w.]+\s*\}?\}")
MAX_MESSAGES = 2 * MAX_EXAMPLES


def is_transcript(text: str) -> bool:
    """Whether somebody asks and somebody answers in it."""
    roles: set[bool] = set()
    for header in find_headers(text):
        roles.add(header.is_user)
        if len(roles) == 2:
            return True
    return False


def import_transcript(text: str, *, name: str) -> Imported:
    """The preset of a transcript.

    Raises:
        PresetImportError: It has more messages than a preset can hold.
    """
    if sum(1 for _ in islice(find_headers(text), MAX_MESSAGES + 1)) > MAX_MESSAGES:
        raise PresetImportError(
            f"The transcript has more than {MAX_MESSAGES:,} messages; import a part of it."
        )
    notes: list[str] = []
    wish = make_name(name, notes)
    opened = open_turn(text)
    if opened is not None:
        return _open(text, *opened, wish, notes)
    for template in BUILT_IN.values():
        preset = None if template.name == "raw" else _structured(wish, template, template.name, text)
        if preset:
            notes.append(f"Template '{template.name}' renders the transcript byte for byte.")
            return Imported(preset, "transcript", "structured", tuple(notes))
    own = own_template(text)
    preset = _structured(wish, own, kept_template(own), text) if own else None
    if preset:
        notes.append("A template of its own, read off the transcript, renders it byte for byte.")
        return Imported(preset, "transcript", "structured", tuple(notes))
    found = split_turns(text)
    beside = preset_examples(found.examples, notes)
    live = kept_template(own) if own else "plain"
    notes.append(
        "No template gives the transcript's exact bytes, so it is kept verbatim as the prefix; "
        f"the {len(beside)} examples found are shown beside it."
    )
    return Imported(
        Preset(name=wish, template=live, prefix=text, examples=beside),
        "transcript",
        "verbatim",
        tuple(notes),
        normalised=Preset(name=wish, template=live, system=found.system, examples=beside),
    )


def open_turn(text: str) -> tuple[str, str] | None:
    """What stands in front of an open last turn, and its query; None where the last turn has an answer."""
    headers = list(find_headers(text))
    if len(headers) < 2 or headers[-1].is_user or not headers[-2].is_user or text[headers[-1].end :].strip():
        return None
    return text[: headers[-2].start], text[headers[-2].end : headers[-1].start]


def _open(text: str, head: str, query: str, wish: str, notes: list[str]) -> Imported:
    """The preset of a text that ends in an open turn: examples, and the open query as a question."""
    if _VARIABLE.fullmatch(query.strip()):
        notes.append(f"Its last turn is open, and {query.strip()} stands for the query.")
    else:
        notes.append("Its last turn is open: the query is suggested as a question.")
    own = own_template(text) or _first_turn(text)
    candidates = [(t, t.name) for t in BUILT_IN.values() if t.name != "raw" and text.endswith(_opening(t))]
    ways: list[tuple[Template, str | PresetTemplate]] = [*candidates, (own, kept_template(own))]
    for template, kept in ways:
        for body in (head.removesuffix(template.separator), head):
            preset = _structured(wish, template, kept, body, empty=True)
            if preset is not None and _whole(preset, template, query, text):
                notes.append("Examples and live turns are the text byte for byte.")
                asked = _asked(query)
                return Imported(
                    preset.model_copy(update={"questions": asked}),
                    "transcript",
                    "structured",
                    tuple(notes),
                )
    found = split_turns(head)
    beside = preset_examples(tuple(e for e in found.examples if e.query and e.answer), notes)
    notes.append(
        "No template gives the transcript's exact bytes, so it is kept verbatim as the prefix; "
        f"the {len(beside)} examples found are shown beside it."
    )
    live = kept_template(own)
    update = {"questions": _asked(query)}
    verbatim = Preset(name=wish, template=live, prefix=head.removesuffix(own.separator), examples=beside)
    even = Preset(name=wish, template=live, system=found.system, examples=beside)
    return Imported(
        verbatim.model_copy(update=update),
        "transcript",
        "verbatim",
        tuple(notes),
        normalised=even.model_copy(update=update),
    )


def _asked(query: str) -> tuple[str, ...]:
    """The open query as a question; none where it is empty, or a variable of another program."""
    said = query.strip()
    return (said,) if said and not _VARIABLE.fullmatch(said) else ()


def _opening(template: Template) -> str:
    """What stands right before an answer, without blanks behind it."""
    return turn_parts(template).between.rstrip()


def _whole(preset: Preset, template: Template, query: str, text: str) -> bool:
    """Whether the preset and the open query are the whole text, but for white space at its end."""
    renderer = TemplateRenderer(template, preset.system, preset.turn_examples())
    return renderer.render([Message("user", query.strip())]).text.rstrip() == text.rstrip()


def _first_turn(text: str) -> Template:
    """The template of a text without a finished turn: its headers, and what stands around the query."""
    *_, user, assistant = find_headers(text)
    query = text[user.end : assistant.start]
    before = query[: len(query) - len(query.lstrip())]
    behind = query[len(query.rstrip()) :] if query.strip() else ""
    ending = text[assistant.end :]
    opening = _header(text, assistant) + ("\n" if "\n" in ending else "")
    lead = "" if "\n" in ending else " "
    head = text[: user.start]
    around = head[len(head.rstrip()) :] if head.strip() else "\n"
    turn = f"{_header(text, user)}{before}{{query}}{behind}{opening}{{answer}}\n"
    return Template("custom", f"{{system}}{around}", turn, "\n" if not head.strip() else "", lead)


def import_plain_text(text: str, *, name: str) -> Imported:
    """The preset of a text without any header: all of it stands in front of the conversation."""
    notes: list[str] = []
    wish = make_name(name, notes)
    notes.append("It has no header of a known format: all of it is text in front of the conversation.")
    if text.endswith("\n") and text.rstrip("\n"):
        preset = Preset(name=wish, system=text[:-1])
        return Imported(preset, "text", "structured", tuple(notes))
    preset = Preset(name=wish, prefix=text)
    even = Preset(name=wish, system=text.strip())
    return Imported(preset, "text", "verbatim", tuple(notes), normalised=even)


def kept_template(template: Template) -> PresetTemplate:
    """A template as a preset carries it."""
    return PresetTemplate(
        name=template.name,
        system=template.system,
        turn=template.turn,
        separator=template.separator,
        lead=template.lead,
        strip_newlines=template.strip_newlines,
    )


def own_template(text: str) -> Template | None:
    """The template that a text's first turn and its end suggest, or None; whether it holds is not said."""
    headers = list(find_headers(text))
    start = next((i for i, header in enumerate(headers) if header.is_user), None)
    if start is None or start + 1 >= len(headers) or headers[start + 1].is_user:
        return None
    user, assistant = headers[start], headers[start + 1]
    query = text[user.end : assistant.start]
    after = headers[start + 2].start if start + 2 < len(headers) else len(text)
    answer = text[assistant.end : after]
    if not query.strip() or not answer.strip():
        return None
    last = text[headers[-1].end :]
    ending = last[len(last.rstrip()) :]
    gap = answer[len(answer.rstrip()) :] if after < len(text) else ending + "\n"
    behind = ending if gap.startswith(ending) else ""
    separator = gap[len(behind) :]
    led = answer[: len(answer) - len(answer.lstrip())]
    lead = led if "\n" not in led else ""
    turn = (
        _header(text, user)
        + query[: len(query) - len(query.lstrip())]
        + "{query}"
        + query[len(query.rstrip()) :]
        + _header(text, assistant)
        + (led if not lead else "")
        + "{answer}"
        + behind
    )
    head = text[: user.start]
    after_system = head[len(head.rstrip()) :].removesuffix(separator) if head.strip() else "\n"
    template = Template("custom", "{system}" + after_system, turn, separator, lead)
    return template if turn.count("{query}") == turn.count("{answer}") == 1 else None


def _header(text: str, header: Header) -> str:
    return text[header.start : header.end]


def _structured(
    name: str, template: Template, kept: str | PresetTemplate, text: str, *, empty: bool = False
) -> Preset | None:
    """The preset that renders to ``text``, or None; with ``empty`` it may have no example."""
    parsed = parse_exact(text, template)
    if parsed is None or len(parsed.examples) > MAX_EXAMPLES or not (parsed.examples or empty):
        return None
    examples = preset_examples(parsed.examples, [])
    if not all(example.enabled for example in examples):
        return None
    try:
        preset = Preset(name=name, template=kept, system=parsed.system, examples=examples)
        return preset if same_live(preset, text) else None
    except (PlaygroundError, ValueError):
        return None
