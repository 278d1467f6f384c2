"""Whether imported prompt files give the prompts that their own projects would build, byte for byte.

The reference is written straight from the projects' renderings, as text and not as templates, so that it can
disagree with ours. Source: Re-Align/URIAL ``src/fastchat_conversation.py`` (``urial_*``); allenai's BaseChat
demo (``basechat``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playground.chat.assistant import preset_renderer
from playground.errors import PlaygroundError, PresetError
from playground.imports.result import Kind
from playground.imports.urial import import_prompt_file, rendering_of
from playground.presets.preset import MAX_BYTES
from playground.types import Message

SUFFIXES = (".txt", ".prompt")
_TALK = (
    Message("user", "hi"),
    Message("assistant", "Hello!\n\nHow can I help?"),
    Message("user", "\nWrite code:\n```python\nprint(1)\n```"),
    Message("assistant", "```\nprint(1)\n```\n"),
    Message("user", "谢谢 🙂"),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One file: what it became, and whether prompt and live turns are the project's own bytes.

    ``difference`` says where the first differing byte lies, or why the file could not be imported.
    """

    path: Path
    rendering: str
    kind: Kind | None
    examples: int
    equal: bool
    difference: str = ""


def reference_prompt(text: str, rendering: str, messages: Sequence[Message]) -> str:
    """What the project that a file belongs to would send.

    Args:
        text: The file's text, byte for byte.
        rendering: ``urial_backticks``, ``urial_v4``, ``urial_v5``, ``urial_v6`` or ``basechat``.
        messages: The live conversation; behind a last user message the assistant's turn is opened.
    """
    prompt = text
    for message in messages:
        prompt += _finished(rendering, message)
    if messages and messages[-1].role == "user":
        prompt += _opened(rendering)
    return prompt


def _finished(rendering: str, message: Message) -> str:
    user, said = message.role == "user", message.content
    if rendering == "urial_backticks":
        return "\n" + ("# Query:" if user else "# Answer:") + "\n```\n" + said + "\n```\n"
    if rendering == "basechat":
        return "\n" + ("# Query:" if user else "# Answer:") + '\n"""\n' + said + '\n"""\n'
    if rendering == "urial_v4":
        return "\n" + ("User:" if user else "Assistant:") + "\n\n" + said + "\n\n"
    if rendering == "urial_v5":
        return "\n" + ("# User:" if user else "# Assistant:") + "\n\n" + said + "\n\n"
    return "\n\n" + ("# User:" if user else "# Assistant:") + "\n" + said.strip("\n") + "\n"


def _opened(rendering: str) -> str:
    return {
        "urial_backticks": "\n# Answer:\n```\n",
        "basechat": '\n# Answer:\n"""\n',
        "urial_v4": "\nAssistant:\n\n",
        "urial_v5": "\n# Assistant:\n\n",
        "urial_v6": "\n\n# Assistant:\n",
    }[rendering]


def check_folder(folder: Path) -> Iterator[Checked]:
    """Each text file of a folder and of those below it, in order.

    Raises:
        PresetError: It is no folder, or holds no file whose name ends as these do.
    """
    if not folder.is_dir():
        raise PresetError(f"{folder} is no folder; name one with prompt files (*.txt).")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in SUFFIXES)
    if not paths:
        raise PresetError(f"{folder} holds no prompt file (*.txt); name another folder.")
    for path in paths:
        yield check_file(path)


def check_file(path: Path) -> Checked:
    """One file, imported and held against its project's rendering."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return Checked(path, "", None, 0, False, f"larger than {MAX_BYTES // 1_000_000} MB")
        text = path.read_bytes().decode()
    except OSError as error:
        return Checked(path, "", None, 0, False, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        return Checked(path, "", None, 0, False, f"not UTF-8 text (byte {error.start})")
    rendering = rendering_of(text)
    try:
        imported = import_prompt_file(text, name=path.stem)
        # What is saved is what counts: the preset goes once through its file.
        preset = type(imported.preset).from_yaml(imported.preset.to_yaml())
        renderer = preset_renderer(preset)
    except PlaygroundError as error:
        return Checked(path, rendering, None, 0, False, str(error))
    for n in range(len(_TALK) + 1):
        ours = renderer.render(_TALK[:n]).text
        theirs = reference_prompt(text, rendering, _TALK[:n])
        if ours != theirs:
            return Checked(
                path,
                rendering,
                imported.kind,
                len(preset.examples),
                False,
                _first_difference(ours, theirs, n),
            )
    return Checked(path, rendering, imported.kind, len(preset.examples), True)


def _first_difference(ours: str, theirs: str, turns: int) -> str:
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    at = min(len(ours), len(theirs)) if at is None else at
    return f"with {turns} messages, from character {at}: {ours[at : at + 20]!r} for {theirs[at : at + 20]!r}"
