"""What is likely to be wrong with a preset's prompt: each finding with its place, reason, and fix.

The rules here work on the text alone; those of ``lint_model`` ask the model, where one is given. A rule is a
function from what is linted to findings; ``RULES`` lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rapidfuzz import fuzz

from playground.chat.assistant import preset_renderer
from playground.engines.base import Engine
from playground.engines.stopping import StopMatcher
from playground.presets.preset import Preset
from playground.prompts.stops import derive_stops
from playground.prompts.templates import built_in, turn_parts
from playground.studio.findings import Finding, Linted, Rule, Severity, shown
from playground.studio.lint_model import (
    bos,
    chat_template_on_base,
    overflow,
    special_tokens,
    unhonoured_sampling,
)
from playground.types import Message, StopRule, Template

__all__ = ["RULES", "Finding", "Severity", "lint"]

NEAR_DUPLICATE = 0.9
_HEADER = re.compile(r"(?:#{1,6} ?|\b)[A-Z][A-Za-z]{2,20}:(?=[\s`'\"*.,;)]|$)")


def lint(preset: Preset, *, engine: Engine | None = None) -> list[Finding]:
    """Every finding, errors first and otherwise in the order of ``RULES``.

    Args:
        preset: What is linted.
        engine: The model it is for, if it is to be asked too; only its tokenizer is used.

    Raises:
        TemplateError: The preset names a template that there is not.
    """
    template = preset.own_template() or built_in(str(preset.template))
    linted = Linted(
        preset=preset,
        template=template,
        prompt=preset_renderer(preset).render([Message("user", "Hello")]),
        stops=derive_stops(template) + tuple(StopRule(text) for text in preset.stop),
        engine=engine,
    )
    findings = [finding for rule in RULES for finding in rule(linted)]
    return sorted(findings, key=lambda f: ("error", "warning", "info").index(f.severity))


def _uneven_turns(at: Linted) -> Iterator[Finding]:
    prefix = at.preset.prefix
    header = _header_lines(at.template)[0]
    if prefix is None or not header:
        return
    starts = [m.start() for m in re.finditer(rf"^{re.escape(header)}[ \t]*$", prefix, re.MULTILINE)]
    parts = turn_parts(at.template)
    turn = re.compile(
        re.escape(parts.before_query)
        + r".*?"
        + re.escape(parts.between)
        + re.escape(at.template.lead)
        + r".*?"
        + re.escape(parts.after_answer)
        + rf"(?={re.escape(at.template.separator)}{re.escape(parts.before_query)}|\Z)",
        re.DOTALL,
    )
    even = {
        m.start() + len(parts.before_query) - len(parts.before_query.lstrip()) for m in turn.finditer(prefix)
    }
    uneven = [start for start in starts if start not in even]
    if uneven:
        line = prefix.count("\n", 0, uneven[0]) + 1
        yield Finding(
            "uneven-turns",
            "warning",
            "prefix",
            f"The turn at line {line} is spaced otherwise than '{at.template.name}' writes live turns, so "
            "the model sees two formats; edit the text or choose the template that matches it.",
        )


def _fence_in_fenced_answer(at: Linted) -> Iterator[Finding]:
    closing = [rule for rule in at.stops if rule.place == "whole_line"]
    for rule in closing:
        for place, text in at.texts():
            if place.endswith(("answer", "query")) and any(
                line.strip().startswith(rule.text) for line in text.split("\n")
            ):
                yield Finding(
                    "fence-in-answer",
                    "warning",
                    place,
                    f"It holds a line that starts with {rule.text}, which '{at.template.name}' closes a "
                    "message with; a template with another fence, such as basechat, keeps them apart.",
                    _with_template(at.preset, "basechat") if rule.text != '"""' else None,
                )


def _stop_inside(at: Linted) -> Iterator[Finding]:
    for place, text in at.texts():
        if place == "prefix":
            continue
        if place.endswith("answer"):
            matcher = StopMatcher(at.stops)
            matcher.feed(text)
            matcher.finish(eos=True)
            stopped = matcher.stopped
        else:
            stopped = next((r for r in at.stops if r.place == "anywhere" and r.text in text), None)
        if stopped is not None:
            yield Finding(
                "stop-inside",
                "error",
                place,
                f"It holds {shown(stopped.text)}, which ends an answer; what follows it is never seen.",
            )


def _trailing_space(at: Linted) -> Iterator[Finding]:
    text = at.prompt.text
    if text != text.rstrip(" \t"):
        own = at.preset.template if not isinstance(at.preset.template, str) else None
        fix = None
        if own is not None:
            before, _, after = own.turn.partition("{answer}")
            blanks = before[len(before.rstrip(" \t")) :]
            turn = before.rstrip(" \t") + "{answer}" + after
            mended = own.model_copy(update={"turn": turn, "lead": blanks + own.lead})
            fix = at.preset.model_copy(update={"template": mended})
        yield Finding(
            "trailing-space",
            "warning",
            "template",
            "The open turn ends in a space, which most tokenizers join to the next word; move it to the "
            "template's lead, where the model writes it itself.",
            fix,
        )


def _unanswered(at: Linted) -> Iterator[Finding]:
    for i, example in enumerate(at.preset.examples):
        if example.enabled and not (example.query.strip() and example.answer.strip()):
            what = "answer" if example.query.strip() else "query"
            changed = [
                e if j != i else e.model_copy(update={"enabled": False})
                for j, e in enumerate(at.preset.examples)
            ]
            yield Finding(
                "empty-example",
                "error",
                f"examples.{i}.{what}",
                f"The example has no {what}, so the model learns to write none; fill it in or switch it off.",
                at.preset.model_copy(update={"examples": tuple(changed)}),
            )


@lru_cache(maxsize=1 << 17)  # every pair of five hundred examples, of which a keystroke changes few
def _alike(text: str, other: str) -> bool:
    return fuzz.ratio(text, other, score_cutoff=100 * NEAR_DUPLICATE) > 0


def _near_duplicates(at: Linted) -> Iterator[Finding]:
    live = [(i, f"{e.query}\n{e.answer}") for i, e in enumerate(at.preset.examples) if e.enabled]
    for position, (i, text) in enumerate(live):
        for j, other in live[:position]:
            if _alike(text, other):
                rest = tuple(e for k, e in enumerate(at.preset.examples) if k != i)
                yield Finding(
                    "near-duplicate",
                    "warning",
                    f"examples.{i}",
                    f"It is nearly the same as example {j + 1}; another one would teach more.",
                    at.preset.model_copy(update={"examples": rest}),
                )
                break


def _promised_header(at: Linted) -> Iterator[Finding]:
    used = {header for header in _header_lines(at.template) if header}
    if at.preset.prefix is not None or not used:
        return
    marked = any(header.startswith("#") for header in used)
    for header in dict.fromkeys(m.group().strip() for m in _HEADER.finditer(at.preset.system)):
        promised = header.startswith("#") or (
            not marked and header in ("User:", "Assistant:", "Query:", "Answer:")
        )
        if promised and header not in used:
            yield Finding(
                "promised-header",
                "warning",
                "system",
                f"The system text speaks of {shown(header)}, and template '{at.template.name}' writes "
                f"{' and '.join(shown(h) for h in sorted(used))}; name the same headers in both.",
            )


def _empty_system(at: Linted) -> Iterator[Finding]:
    if at.preset.prefix is None and not at.preset.system.strip() and at.template.name != "raw":
        yield Finding(
            "empty-system", "info", "system", "There is no system text; the examples must say it all."
        )


RULES: tuple[Rule, ...] = (
    _unanswered,
    _stop_inside,
    bos,
    overflow,
    unhonoured_sampling,
    _uneven_turns,
    _fence_in_fenced_answer,
    _trailing_space,
    _near_duplicates,
    _promised_header,
    special_tokens,
    chat_template_on_base,
    _empty_system,
)


def _header_lines(template: Template) -> tuple[str, str]:
    """The first lines of text before the query and before the answer; empty where there is none."""
    parts = turn_parts(template)
    lines = [
        next((line.strip() for line in text.split("\n") if line.strip().endswith(":")), "")
        for text in (parts.before_query, parts.between)
    ]
    return lines[0], lines[1]


def _with_template(preset: Preset, name: str) -> Preset:
    return preset.model_copy(update={"template": name})
