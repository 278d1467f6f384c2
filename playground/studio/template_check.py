"""A template that is being edited: what is wrong with it, by field, and whether its text can be read back."""

from __future__ import annotations

from dataclasses import dataclass, fields

from playground.errors import TemplateError
from playground.prompts.parse import parse_exact
from playground.prompts.render import TemplateRenderer
from playground.prompts.stops import derive_stops
from playground.prompts.templates import system_parts, turn_parts
from playground.types import Example, Message, StopRule, Template

_SAMPLE = (Example("First question?", "First answer."), Example("Second\nquestion?", "Second\n\nanswer."))
_SAMPLE_SYSTEM = "The system text."
_QUESTION = "The next question?"


@dataclass(frozen=True, slots=True)
class TemplateCheck:
    """What a template does.

    Attributes:
        problems: A sentence for each field that is wrong.
        stop: The stops that derive from it; none while a field is wrong.
        warnings: What works and is likely not meant: no stop, or text that cannot be read back.
        sample: A prompt in it, with its system text, two turns and an open one; empty while a field is wrong.
    """

    problems: dict[str, str]
    stop: tuple[StopRule, ...] = ()
    warnings: tuple[str, ...] = ()
    sample: str = ""


def check_fields(template: Template) -> TemplateCheck:
    """What is wrong with a template, and if nothing is, what it does."""
    problems: dict[str, str] = {}
    for field, check in (("system", system_parts), ("turn", turn_parts)):
        try:
            check(template)
        except TemplateError as error:
            problems[field] = str(error)
    if not template.name.strip():
        problems["name"] = "A template of one's own needs a name; write one."
    if problems:
        return TemplateCheck(problems)
    stop = derive_stops(template)
    warnings = [text for text in (_unstopped(stop), round_trip(template)) if text]
    renderer = TemplateRenderer(template, _SAMPLE_SYSTEM, _SAMPLE)
    return TemplateCheck({}, stop, tuple(warnings), renderer.render([Message("user", _QUESTION)]).text)


def round_trip(
    template: Template, system: str = _SAMPLE_SYSTEM, examples: tuple[Example, ...] = _SAMPLE
) -> str | None:
    """Why text written in this template cannot be read back into its parts, or None where it can.

    It is rendered and parsed; what comes back must be what went in.
    """
    if not turn_parts(template).before_query.strip():
        return "Nothing stands before {query}, so a text in this template cannot be split into turns again."
    if not turn_parts(template).between:
        return "Nothing stands between {query} and {answer}, so the two cannot be told apart again."
    parsed = parse_exact(TemplateRenderer(template, system, examples).render([]).text, template)
    if parsed is None:
        return "A text in this template cannot be split into its turns again: a header is not unmistakable."
    if parsed.system != system or parsed.examples != examples:
        return "A text in this template is split into other turns than those it was made of."
    return None


def _unstopped(stop: tuple[StopRule, ...]) -> str | None:
    if stop:
        return None
    return "No stop follows from this template, so answers go on to the end of text or the length limit."


def template_json(template: Template) -> dict[str, str | bool]:
    """The fields by name, as a preset's file says them."""
    return {field.name: getattr(template, field.name) for field in fields(template)}
