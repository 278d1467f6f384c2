"""Ollama's Modelfiles: system text, earlier messages, template, parameters.

Source: ollama/ollama ``docs/modelfile.md``. The syntax is in ``presets.modelfile``, templates are read by
``go_template``.
"""

from __future__ import annotations

import re

from playground.errors import PlaygroundError
from playground.imports.given import Given
from playground.imports.go_template import GoTemplate
from playground.imports.result import Imported, PresetImportError, make_name, preset_examples, unused
from playground.imports.samplers import NAMES, read_sampler
from playground.presets.modelfile import COMMANDS, Command, parse_modelfile
from playground.presets.preset import Preset, PresetTemplate
from playground.types import Example, Template

_FROM = re.compile(r"^[ \t]*FROM[ \t]+\S", re.IGNORECASE | re.MULTILINE)
_GO = re.compile(r"\{\{-?[^{}]{0,80}\.(?:Prompt|Messages|Response|System)\b")
_MARK = re.compile("\ue000([a-z][0-9])\ue001")


def is_modelfile(given: Given) -> bool:
    """Whether a text is a Modelfile: it starts with a command and has a FROM line."""
    if given.value is not None or _FROM.search(given.text) is None:
        return False
    lines = (line.strip() for line in given.text[:20_000].split("\n"))
    first = next((line for line in lines if line and not line.startswith("#")), "")
    word, _, rest = first.replace("\t", " ").partition(" ")
    python = word == "from" and " import " in rest
    return word.lower() in COMMANDS and bool(rest.strip()) and not python


def is_go_template(given: Given) -> bool:
    """Whether a text is a template of Ollama's by itself."""
    return given.value is None and _GO.search(given.text) is not None


def read_go_template(given: Given) -> tuple[Imported, ...]:
    """The preset of a template: how turns are written, without words of its own.

    Raises:
        PresetImportError: It does not write every turn alike.
    """
    notes: list[str] = []
    try:
        template, head = go_pattern(given.text)
        own = PresetTemplate(
            name=given.name[:80] or "ollama",
            system=template.system,
            turn=template.turn,
            separator="",
            lead=template.lead,
        )
    except ValueError as error:
        raise PresetImportError(
            f"The Go template cannot be used: {str(error).splitlines()[-1][:120]}."
        ) from error
    except PresetImportError as error:
        raise PresetImportError(f"The Go template cannot be kept as one turn pattern: {error}") from error
    preset = Preset(name=make_name(given.name, notes), template=own, prefix=head or None)
    return (Imported(preset, "modelfile", "verbatim" if head else "template", tuple(notes)),)


def read_modelfile(given: Given) -> tuple[Imported, ...]:
    """The preset of a Modelfile.

    Raises:
        PresetError: It is broken; says the line.
    """
    commands = parse_modelfile(given.text)
    notes: list[str] = []
    values: dict[str, list[str]] = {}
    for command in commands:
        values.setdefault(
            command.key or command.name if command.name == "parameter" else command.name, []
        ).append(command.value)
    parameters = {c.key: c.value for c in commands if c.name == "parameter" and c.key != "stop"}
    sampling, lost, changed = read_sampler({k: v for k, v in parameters.items() if k in NAMES})
    notes += changed
    lost += [k for k in parameters if k not in NAMES and (k, parameters[k]) != ("repeat_last_n", "-1")]
    unused(lost, notes, of="the Modelfile")
    stops = tuple(dict.fromkeys(c.value for c in commands if c.name == "parameter" and c.key == "stop"))
    system, examples, questions = _messages(commands)
    system = system or (values["system"][-1] if "system" in values else "")
    models = tuple(values["from"][-1:])
    update: dict[str, object] = {
        "sampling": sampling,
        "stop": tuple(stop for stop in stops if stop.strip()),
        "questions": questions,
        "models": models,
        "license": (values.get("license") or [""])[0][:200],
    }
    unused(
        [c.name.upper() for c in commands if c.name in ("adapter", "draft", "renderer", "parser")],
        notes,
        of="it",
    )
    name = make_name(given.name if given.name.lower() != "modelfile" else models[0].split("/")[-1], notes)
    preset = Preset(name=name, template="plain", system=system)
    kind = "structured"
    if "template" in values:
        preset, verbatim = _with_template(preset, values["template"][-1], notes)
        kind = "verbatim" if verbatim else "structured"
    else:
        notes.append("Turns are written by the model's own template there; here they are 'User:' lines.")
    if examples:
        update["examples"] = preset_examples(examples, notes)
    preset = preset.model_copy(update=update)
    return (Imported(preset, "modelfile", "verbatim" if kind == "verbatim" else "structured", tuple(notes)),)


def _messages(commands: tuple[Command, ...]) -> tuple[str, tuple[Example, ...], tuple[str, ...]]:
    system = ""
    examples: list[Example] = []
    query: str | None = None
    questions: list[str] = []
    for command in commands:
        if command.name != "message":
            continue
        if command.key == "system":
            system = command.value
        elif command.key == "user":
            questions += [query] if query is not None else []
            query = command.value
        elif query is not None:
            examples.append(Example(query, command.value))
            query = None
    questions += [query] if query is not None else []
    return system, tuple(examples), tuple(questions)


def _with_template(preset: Preset, source: str, notes: list[str]) -> tuple[Preset, bool]:
    """The preset with the turn pattern that a template writes, and whether text of it became a prefix."""
    try:
        template, head = go_pattern(source)
        own = PresetTemplate(
            name="ollama", system=template.system, turn=template.turn, separator="", lead=template.lead
        )
    except (PlaygroundError, ValueError) as error:
        reason = str(error).split("\n")[-1][:200].rstrip(".")
        notes.append(
            f"Its template cannot be kept as one turn pattern ({reason}); turns are 'User:' lines here."
        )
        return preset, False
    preset = preset.model_copy(update={"template": own})
    if not head:
        return preset, False
    if preset.system:
        notes.append("The template holds a text of its own, which stands in place of the system text.")
    return preset.model_copy(update={"prefix": head, "system": ""}), True


def go_pattern(source: str) -> tuple[Template, str]:
    """The turn pattern of a Go template, and the text that it always writes first.

    Raises:
        PresetImportError: It does not write every turn alike.
    """
    go = GoTemplate(source)

    def mark(talk: list[tuple[str, str]]) -> str:
        return go.render([(role, f"\ue000{name}\ue001") for role, name in talk])

    talk = [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2"), ("user", "q3")]
    first, between, gap, again, gap_again, opened = _cut(mark(talk), ["q1", "a1", "q2", "a2", "q3"])
    closing = _cut(mark(talk[:2]), ["q1", "a1"])[2]
    if (
        between.rstrip(" ") != again.rstrip(" ")
        or gap != gap_again
        or opened.rstrip(" ") != between.rstrip(" ")
    ):
        raise PresetImportError("its turns are not written alike")
    after = closing if gap.startswith(closing) else ""
    before = gap.removeprefix(after)
    if not first.endswith(before):  # what stands behind an answer there opens the next turn here
        after, before = _split(gap, first)
    head = first.removesuffix(before)
    lead = between[len(between.rstrip(" ")) :]
    turn = f"{before}{{query}}{between.rstrip(' ')}{{answer}}{after}"
    told = mark([("system", "s1"), *talk])
    system = "{system}\n"
    if _MARK.findall(told)[:1] == ["s1"]:
        around = _cut(told, ["s1", "q1", "a1", "q2", "a2", "q3"])
        if around[0].startswith(head) and around[1].endswith(before):
            system = f"{around[0].removeprefix(head)}{{system}}{around[1].removesuffix(before)}"
    return Template("ollama", system, turn, "", lead), head


def _split(gap: str, first: str) -> tuple[str, str]:
    """A text between two turns as what closes one and opens the next, by what the first turn opens with."""
    for at in range(len(gap) + 1):
        if first.endswith(gap[at:]):
            return gap[:at], gap[at:]
    return gap, ""


def _cut(text: str, marks: list[str]) -> list[str]:
    if _MARK.findall(text) != marks:
        raise PresetImportError("it leaves messages out, repeats or reorders them")
    return _MARK.split(text)[0::2]
