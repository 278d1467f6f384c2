"""promptfoo's configurations and prompts: a preset for each prompt, the tests' inputs as questions.

Source: promptfoo/promptfoo ``site/docs/configuration``: ``prompts`` are texts or lists of messages with
``{{variables}}``, ``tests`` give the variables. Files of prompts beside a configuration are read too.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from playground.datasets.talks import is_talk, read_talk
from playground.errors import PresetError
from playground.imports.given import Given
from playground.imports.result import Imported, PresetImportError, make_name, preset_examples
from playground.presets.preset import Preset, PresetTemplate
from playground.types import Example

_VARIABLE = re.compile(r"\{\{-?\s*([A-Za-z_][\w.]*)\s*-?\}\}")
_DASHES = re.compile(r"^---[ \t]*$", re.MULTILINE)
_MACROS = frozenset({"user", "char", "bot", "original", "trim", "newline", "system", "persona", "scenario"})


def is_config(given: Given) -> bool:
    """Whether it is a configuration, or messages with variables."""
    value = given.mapping
    if isinstance(value.get("prompts"), (list, str)) and any(
        key in value for key in ("providers", "tests", "targets")
    ):
        return True
    return is_talk(given.value) and bool(_VARIABLE.search(given.text))


def is_prompt(given: Given) -> bool:
    """Whether it is a prompt by itself: a text with a variable, and without statements of a template."""
    if given.value is not None or "{%" in given.text or len(given.text) > 200_000:
        return False
    return any(name.lower() not in _MACROS for name in _VARIABLE.findall(given.text))


def is_prompt_list(given: Given) -> bool:
    """Whether it is several such prompts, which lines of three dashes stand between."""
    return is_prompt(given) and _DASHES.search(given.text.strip()) is not None


def read_prompts(given: Given) -> tuple[Imported, ...]:
    """A preset for each prompt of a text; lines of three dashes stand between prompts."""
    texts = [text.strip("\n") for text in _DASHES.split(given.text)]
    texts = [text for text in texts if text.strip()]
    names = [given.name] if len(texts) == 1 else [f"{given.name}-{n}" for n in range(1, len(texts) + 1)]
    return tuple(_one(text, name, {}) for text, name in zip(texts, names, strict=True))


def read_config(given: Given) -> tuple[Imported, ...]:
    """A preset for each prompt.

    Raises:
        PresetImportError: No prompt of it stands in the file itself.
    """
    prompts = given.mapping.get("prompts") if given.mapping else [given.value]
    listed = prompts if isinstance(prompts, list) else [prompts]
    asked = _inputs(given.mapping)
    found: list[Imported] = []
    left: list[str] = []
    for number, prompt in enumerate(listed, 1):
        label = str(prompt.get("label") or prompt.get("id") or "") if isinstance(prompt, Mapping) else ""
        raw = (
            prompt.get("raw", prompt.get("content", prompt.get("id")))
            if isinstance(prompt, Mapping)
            else prompt
        )
        if isinstance(raw, str) and (
            raw.startswith(("file://", "http")) or re.fullmatch(r"\S+\.\w{2,5}", raw)
        ):
            path = given.beside(raw.removeprefix("file://"))
            read = _of_file(path) if path is not None else ()
            found += [_with_questions(one, asked) for one in read]
            left += [] if read else [raw]
            continue
        wish = label or (given.name if len(listed) == 1 else f"{given.name}-{number}")
        found.append(_one(raw, wish, asked))
    if not found:
        raise PresetImportError(
            f"The prompts of {given.source} are in other files ({', '.join(left)[:120]}); import those."
        )
    if left:
        first = found[0]
        said = f"Prompts in other files were not read: {', '.join(left)[:200]}."
        found[0] = Imported(first.preset, first.format, first.kind, (*first.notes, said), first.normalised)
    return tuple(found)


def _of_file(path: Path) -> tuple[Imported, ...]:
    """The presets of a file of prompts beside the configuration; none where it cannot be read as prompts."""
    from playground.imports.recognise import import_text

    if path.suffix.lower() not in (".txt", ".json", ".md", ".yaml", ".yml", ".prompt"):
        return ()
    try:
        text = path.read_text(encoding="utf-8-sig")
        return import_text(text, name=path.stem, source=path.name)
    except (OSError, UnicodeDecodeError, PresetError):
        return ()


def _with_questions(imported: Imported, asked: Mapping[str, tuple[str, ...]]) -> Imported:
    """A prompt of another file with the inputs of the tests as questions, where there is one input."""
    if len(asked) != 1 or imported.preset.questions:
        return imported
    (questions,) = asked.values()
    preset = imported.preset.model_copy(update={"questions": questions})
    return Imported(preset, "promptfoo", imported.kind, imported.notes, imported.normalised)


def _one(raw: object, wish: str, asked: Mapping[str, tuple[str, ...]]) -> Imported:
    notes: list[str] = []
    name = make_name(wish, notes)
    if isinstance(raw, str) and raw.lstrip().startswith("["):
        with contextlib.suppress(ValueError, RecursionError):  # a text that happens to start with a bracket
            raw = json.loads(raw)
    system, query = "", str(raw)
    examples: tuple[Example, ...] = ()
    if is_talk(raw):
        assert isinstance(raw, Sequence)
        try:
            talk = read_talk(raw)
        except ValueError as error:
            raise PresetImportError(f"A prompt cannot be read: {error}.") from error
        system, query = talk.system, talk.queries[-1]
        examples = tuple(Example(q, a) for q, a in zip(talk.queries[:-1], talk.answers, strict=False))
    else:
        at = query.rfind("\n", 0, found.start()) + 1 if (found := _VARIABLE.search(query)) else 0
        system, query = query[:at], query[at:]
    behind = system[len(system.rstrip("\n")) :] or "\n\n"
    system = system.rstrip("\n")
    variables = list(dict.fromkeys(_VARIABLE.findall(query)))
    others = [v for v in dict.fromkeys(_VARIABLE.findall(system)) if v not in variables]
    if others:
        notes.append(f"Variables of the text are not filled in: {', '.join(others)}.")
    if len(variables) > 1:
        notes.append(
            f"A turn has one input: '{variables[0]}' is the query, {', '.join(variables[1:])} stay as text."
        )
    if not variables:
        notes.append("It has no variable: all of it stands in front of the conversation.")
        preset = Preset(name=name, system=f"{system}{behind}{query}".strip())
        return Imported(preset, "promptfoo", "structured", tuple(notes))
    match = next(m for m in _VARIABLE.finditer(query))
    before, after = query[: match.start()], query[match.end() :]
    template: str | PresetTemplate = "plain"
    if not is_talk(raw) or before.strip() or after.strip():
        closing = after if after.strip() else "\n"
        lead = " " if closing.rstrip(" ") and not closing.endswith("\n") else ""
        turn = f"{_literal(before)}{{query}}{_literal(closing.rstrip(' '))}{{answer}}\n\n"
        template = PresetTemplate(
            name="promptfoo", system=f"{{system}}{behind}", turn=turn, separator="", lead=lead
        )
    questions = asked.get(variables[0], ())
    preset = Preset(
        name=name,
        system=system,
        template=template,
        examples=preset_examples(examples, notes),
        questions=questions,
    )
    if any(asked.values()):
        notes.append(
            "What the tests check has no place in a preset; their inputs are suggested as questions."
        )
    return Imported(preset, "promptfoo", "structured", tuple(notes))


def _inputs(config: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """The values of each variable over the tests."""
    tests = config.get("tests")
    found: dict[str, list[str]] = {}
    for test in tests if isinstance(tests, list) else []:
        given = test.get("vars") if isinstance(test, Mapping) else None
        for key, value in given.items() if isinstance(given, Mapping) else ():
            values = value if isinstance(value, list) else [value]
            found.setdefault(str(key), []).extend(str(v) for v in values if str(v).strip())
    return {key: tuple(dict.fromkeys(values))[:200] for key, values in found.items()}


def _literal(text: str) -> str:
    """A text as part of a turn pattern, which holds no field of its own."""
    return text.replace("{query}", "(query)").replace("{answer}", "(answer)")
