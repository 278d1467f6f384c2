"""URIAL's, EPFL's and BaseChat's prompt files: a text that a live conversation is appended to.

Formats: Re-Align/URIAL ``urial_prompts/*.txt`` and ``src/fastchat_conversation.py``, tml-epfl/icl-alignment
``urial_prompts/``, allenai's BaseChat demo. Split on headers and never on fences: answers hold fences.
"""

from __future__ import annotations

import re

from playground.chat.assistant import preset_renderer
from playground.errors import PresetError
from playground.imports.result import Format, Imported, make_name, preset_examples
from playground.presets.preset import MAX_EXAMPLES, Preset
from playground.prompts.parse import Parsed, find_headers, parse_exact
from playground.prompts.templates import BUILT_IN
from playground.types import Example, Message

HEADERS: dict[str, tuple[str, str]] = {
    "urial_backticks": ("# Query:", "# Answer:"),
    "basechat": ("# Query:", "# Answer:"),
    "urial_v4": ("User:", "Assistant:"),
    "urial_v5": ("# User:", "# Assistant:"),
    "urial_v6": ("# User:", "# Assistant:"),
}
_ALONE = re.compile(r"^(# Query:|# User:|User:)[ \t\r]*$", re.MULTILINE)
_INSTRUCTION = re.compile(r"\s*# Instructions?[ \t]*:?[ \t]*\n", re.IGNORECASE)
_STARTS = re.compile(r"^(# Query:|# User:|User:)", re.MULTILINE)
_DECODING = (
    "The file says nothing about decoding, which published runs set to temperature 0 and repetition penalty "
    "1.15, 2048 tokens."
)


def is_prompt_file(text: str) -> bool:
    """Whether a text has headers of these files on lines of their own, or is one without examples."""
    return _ALONE.search(text) is not None or is_without_examples(text)


def is_without_examples(text: str) -> bool:
    """Whether a text is an instruction alone (``inst_only``), which names the marks of its turns."""
    heading = _INSTRUCTION.match(text)
    if next(find_headers(text[heading.end() :] if heading else text), None) is not None:
        return False
    return heading is not None or ("# Query:" in text and "# Answer:" in text)


def rendering_of(text: str) -> str:
    """Which of the projects' renderings a file gets, by its headers: the name of a built-in template."""
    found = _ALONE.search(text) or _STARTS.search(text)
    if found is None:
        return "urial_backticks"
    below = text[found.end() :].partition("\n")[2]
    if found[1] == "User:":
        return "urial_v4"
    first = below.partition("\n")[0].strip()
    if found[1] == "# User:":
        return "urial_v6" if first else "urial_v5"
    return "basechat" if first.startswith('"""') else "urial_backticks"


def import_prompt_file(text: str, *, name: str) -> Imported:
    """The preset of a prompt file: structured where its template gives the same bytes, else verbatim.

    Args:
        text: The file's text, byte for byte.
        name: A wish for the preset's name.

    Raises:
        PresetError: The text is blank.
    """
    if not text.strip():
        raise PresetError("The prompt file is empty; choose another one.")
    notes: list[str] = []
    style = rendering_of(text)
    family: Format = "basechat" if style == "basechat" else "urial"
    wish = make_name(name, notes)
    parsed = parse_exact(text, BUILT_IN[style])
    headed = _STARTS.search(text) is not None
    if parsed is not None and len(parsed.examples) <= MAX_EXAMPLES and headed == bool(parsed.examples):
        examples = preset_examples(parsed.examples, [])
        if all(example.enabled for example in examples):
            preset = Preset(name=wish, template=style, system=parsed.system, examples=examples)
            if same_live(preset, text):
                notes.append(f"Template '{style}' renders the file byte for byte.")
                return Imported(preset, family, "structured", (*notes, _DECODING))
    found = split_on_headers(text, style)
    beside = preset_examples(found.examples, notes)
    preset = Preset(name=wish, template=style, prefix=text, examples=beside)
    notes.append(
        f"Template '{style}' does not give the file's exact bytes, so its text is kept verbatim as the "
        f"prefix; the {len(beside)} examples found are shown beside it."
    )
    if "\r" in text or text.startswith("\ufeff"):
        notes.append("It has carriage returns or a byte order mark, which the prompt keeps.")
    even = Preset(name=wish, template=style, system=found.system, examples=beside)
    return Imported(preset, family, "verbatim", (*notes, _DECODING), normalised=even)


def same_live(preset: Preset, text: str) -> bool:
    """Whether a structured preset and the verbatim text are one prompt, live turns included."""
    talk = [
        Message("user", "\nWhat is `this`?\n"),
        Message("assistant", "It is:\n```\ncode\n```\n"),
        Message("user", "hi"),
    ]
    verbatim = preset.model_copy(update={"system": "", "examples": (), "prefix": text})
    renderers = preset_renderer(preset), preset_renderer(verbatim)
    return all(
        renderers[0].render(talk[:n]).text == renderers[1].render(talk[:n]).text for n in range(len(talk) + 1)
    )


def split_on_headers(text: str, style: str) -> Parsed:
    """System text and examples of a file of irregular spacing; what looks like a fence around them is off.

    A query without an answer has an empty one, an answer to nothing an empty query.
    """
    user, assistant = HEADERS[style]
    marks = list(re.finditer(rf"^({re.escape(user)}|{re.escape(assistant)})", text, re.MULTILINE))
    if not marks:
        return Parsed(text.strip(), ())
    examples: list[Example] = []
    query: str | None = None
    for mark, end in zip(marks, [*(m.start() for m in marks[1:]), len(text)], strict=True):
        said = _unfenced(text[mark.end() : end])
        if mark[1] == user:
            if query is not None:
                examples.append(Example(query, ""))
            query = said
        else:
            examples.append(Example(query or "", said))
            query = None
    if query is not None:
        examples.append(Example(query, ""))
    return Parsed(text[: marks[0].start()].strip(), tuple(examples))


def _unfenced(text: str) -> str:
    said = text.strip()
    for fence in ("```", '"""'):
        if said.startswith(fence) and said.endswith(fence) and len(said) >= 2 * len(fence):
            return said[len(fence) : -len(fence)].strip("\n")
    return said
