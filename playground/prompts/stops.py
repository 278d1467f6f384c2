"""The stops of an answer, derived from its template, so that renderer and stops cannot disagree."""

from __future__ import annotations

from playground.prompts.templates import turn_parts
from playground.types import StopRule, Template


def derive_stops(template: Template) -> tuple[StopRule, ...]:
    """What ends an answer that was opened by this template.

    The text right behind ``{answer}`` ends it: on the answer's own line it counts anywhere (ChatML's
    ``<|im_end|>``), on the next line only as a whole line (a closing fence). The first line of the next
    query's header counts at the start of a line. White space alone is never a stop.
    """
    parts = turn_parts(template)
    rules: list[StopRule] = []
    own_line, newline, below = parts.after_answer.partition("\n")
    if own_line.strip():
        rules.append(StopRule(own_line.rstrip(), "anywhere"))
    elif newline:
        closing = _first_line(below)
        if closing:
            rules.append(StopRule(closing, "whole_line"))
    header = _first_line(parts.before_query)
    if header and header not in {rule.text for rule in rules}:
        rules.append(StopRule(header, "line_start"))
    return tuple(rules)


def _first_line(text: str) -> str:
    """The first line that is not blank, without trailing blanks; empty if there is none."""
    return next((line.rstrip() for line in text.split("\n") if line.strip()), "")
