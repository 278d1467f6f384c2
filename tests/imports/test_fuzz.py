"""Whatever a file holds: a preset or one sentence, quickly, in little memory, and nothing else happens.

`make fuzz` makes ten thousand of each kind, `make test` a few hundred.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.chat.assistant import preset_renderer
from playground.errors import PlaygroundError, PresetError
from playground.exports.formats import FORMATS, export_preset
from playground.imports.recognise import import_text
from playground.imports.source import decoded
from playground.presets.library import PresetLibrary
from playground.presets.link import decode_link
from playground.presets.names import check_name
from playground.presets.preset import (
    Preset,
    PresetExample,
    PresetSampling,
    PresetTemplate,
)
from playground.prompts.templates import BUILT_IN

MANY = settings(max_examples=max(200, settings().max_examples))
FIXTURES = sorted(path for path in (Path(__file__).parent / "fixtures").rglob("*") if path.is_file())
LONGEST_CPU_S = 2.0
MOST_BYTES = 200_000_000

# What happens while a text is read, told by the interpreter itself. Switched on around each example.
_WATCH: dict[str, object] = {"on": False, "seen": []}
_FORBIDDEN = (
    *("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "os.mkdir", "os.link"),
    *("os.symlink", "socket.", "shutil.", "ctypes.", "pty.", "webbrowser."),
)


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if not _WATCH["on"]:
        return
    seen = _WATCH["seen"]
    assert isinstance(seen, list)
    if event.startswith(_FORBIDDEN):
        seen.append((event, repr(arguments)[:200]))
    elif event == "open" and arguments[0] == os.devnull:
        return  # where the renderer's process writes its complaints to
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            seen.append((event, repr(arguments)[:200]))
    elif event == "subprocess.Popen" and "template_child.py" not in repr(arguments):
        seen.append((event, repr(arguments)[:200]))


sys.addaudithook(_audit)


def _memory_bytes(of: str) -> int:
    """``VmRSS`` of this process, or ``VmHWM``, its most since ``_forget_peak``."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{of}:")[2].split()[0]) * 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # proc(5), CLEAR_REFS_MM_HIWATER_RSS


@contextmanager
def _watched() -> Iterator[None]:
    """No forbidden event, no more than the allowed time and memory.

    Memory is taken for each example: hypothesis itself keeps hundreds of megabytes over ten thousand.
    """
    seen: list[object] = []
    _WATCH["seen"] = seen
    _forget_peak()
    held = _memory_bytes("VmRSS")
    started = time.process_time()
    _WATCH["on"] = True
    try:
        yield
    finally:
        _WATCH["on"] = False
    assert seen == []
    assert time.process_time() - started < LONGEST_CPU_S
    assert _memory_bytes("VmHWM") - held < MOST_BYTES


_T = TypeVar("_T")


def _read(read: Callable[[], _T]) -> _T | None:
    """What a text is read as, watched; None where it was refused, in one sentence."""
    with _watched():
        try:
            return read()
        except PlaygroundError as error:
            said = str(error)
    assert said
    assert "\n" not in said
    return None


def _whole(preset: Preset) -> None:
    """A preset that was read can be used: its file reads back equal, and it renders."""
    assert Preset.from_yaml(preset.to_yaml()) == preset
    if not isinstance(preset.template, str) or preset.template in BUILT_IN:
        preset_renderer(preset).render([])


FIELDS = [field.alias or name for name, field in Preset.model_fields.items()]
MARKS = [
    "? ",
    "- ",
    ": ",
    "\n",
    "\n  ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\t",
    "<<",
    "~",
    "---",
]
ODD = ["../../x", "con", "🙂", "&a", "*a", "1e999", ".nan", "\0", "\x85", "\ufeff", "%YAML 9.9", "x" * 5000]
CODE = ["!!python/object/apply:os.system [touch /tmp/x]", "{{ x.__class__ }}", "${PATH}", "<script>"]
PATTERNS = ["query", "answer", "turn", "temperature", "{query}", "{answer}", "{system}"]
WORDS = st.sampled_from([*FIELDS, *MARKS, *ODD, *CODE, *PATTERNS])
NOISE = st.lists(WORDS | st.text(max_size=8), max_size=60).map("".join)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
KEYS = WORDS | st.text(max_size=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
NEAR_PRESETS = st.dictionaries(st.sampled_from(FIELDS) | KEYS, VALUES, max_size=6).map(
    lambda value: {"name": "x", **value}
)


@st.composite
def damaged(draw: st.DrawFn, texts: list[str]) -> str:
    """A file that is right, then cut, doubled, or with noise inside."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        end = draw(st.integers(at, min(len(text), at + 40)))
        text = text[:at] + draw(NOISE | st.just(text[at:end] * 2)) + text[end:]
    return text


FULL = Preset(
    name="x",
    system="a\nb",
    examples=(PresetExample(query="q", answer="a\nb"),),
    sampling=PresetSampling(temperature=0.5),
)
OWN = Preset(name="x", template=PresetTemplate(turn="Q {query} A {answer}"), stop=("x",)).derived("y")
PRESET_FILES = [FULL.to_yaml(), OWN.to_yaml()]
IMPORT_FILES = [path.read_bytes().decode() for path in FIXTURES if "webui_template" not in path.name]
JINJA_FILES = [path.read_bytes().decode() for path in FIXTURES if "webui_template" in path.name]


@MANY
@given(
    damaged(PRESET_FILES) | NOISE | NEAR_PRESETS.map(lambda value: yaml.safe_dump(value, allow_unicode=True))
)
def test_preset_files(text: str) -> None:
    preset = _read(lambda: Preset.from_yaml(text, source="any.yaml"))
    if preset is not None:
        _whole(preset)


@MANY
@given(damaged(IMPORT_FILES) | NOISE | VALUES.map(json.dumps) | NEAR_PRESETS.map(json.dumps))
def test_imports(text: str) -> None:
    for imported in _read(lambda: import_text(text, name="x/../y", source="any")) or ():
        assert imported.format in ("preset", "link") or check_name(imported.preset.name)
        _whole(imported.preset)


@settings(max_examples=MANY.max_examples // 10)
@given(damaged(JINJA_FILES))
def test_chat_templates(text: str) -> None:
    """A tenth as many: each is rendered several times in another process."""
    for imported in _read(lambda: import_text(text, name="x", source="any.yaml")) or ():
        _whole(imported.preset)


@MANY
@given(st.binary(max_size=300))
def test_bytes(content: bytes) -> None:
    _read(lambda: import_text(decoded(content, source="any", name="x").text, name="x", source="any"))


@MANY
@given(st.text(alphabet="#preset=1.-_AZaz09", max_size=200).map("#preset=1.".__add__))
def test_links(link: str) -> None:
    _read(lambda: decode_link(link))


@MANY
@given(
    NOISE | st.sampled_from(["../../x", "con", "COM1.yaml", "x" * 5000, "🙂", "a\0b", ".", "..", "/etc/x"])
)
def test_names_stay_in_their_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    home = tmp_path_factory.getbasetemp() / "fuzzed"
    library = PresetLibrary(home / "shipped", home / "own")
    preset = Preset.model_construct(**{**dict(Preset(name="x")), "name": name})
    try:
        path = library.save(preset, overwrite=True)
    except PresetError:
        path = None
    if path is not None:
        assert path == home / "own" / f"{check_name(name)}.yaml"
        path.unlink()
    assert [p for p in home.rglob("*") if p.is_file()] == []


@MANY
@given(NEAR_PRESETS, st.sampled_from(sorted(FORMATS)))
def test_exports(value: dict[str, object], to: str) -> None:
    try:
        preset = Preset.checked(value)
    except PresetError:
        return
    _read(lambda: export_preset(preset, to))


LARGE = {
    "headers": "User:\nAssistant:\n" * 120_000,
    "short turns": "Q: a\nA: b\n" * 200_000,
    "backticks": "User: " + "`" * 900_000 + "\n" + "`" * 900_000 + "\nAssistant: x",
    "blanks": "User" + " " * 1_900_000 + ":\nAssistant: x",
    "line breaks": "# Query:\n" + "\n" * 1_900_000,
    "urial headers": "# Query:\n```\nx\n```\n\n# Answer:\n```\ny\n```\n\n" * 40_000,
    "hashes": "#" * 1_900_000,
    "json lists": "[" * 1_900_000,
    "json objects": '{"a":' * 300_000,
    "many objects": "[" + "{}," * 600_000 + "{}]",
    "many rows": '{"instruction": "a", "output": "b"}\n' * 50_000,
    "commas": "question,answer\n" + "," * 1_900_000,
    "quotes": 'question,answer\n"' + 'x""' * 600_000,
    "yaml keys": "a: 1\n" * 350_000,
    "yaml comments": "name: x\n" + "# x\n" * 450_000,
    "yaml brackets": "name: " + "[" * 1_900_000,
    "yaml quotes": 'name: "' + "\\n" * 900_000 + '"\nsystem: x',
    "macros": '{"story_string": "' + "{{#if a}}" * 200_000 + '"}',
    "chat marks": "<|im_start|>user\n" * 100_000 + "<|im_start|>assistant\nx",
    "mistral": "[INST] " * 280_000,
    "go template": "FROM x\nTEMPLATE " + "{{ if .Prompt }}" * 100_000,
    "modelfile quotes": 'FROM x\nSYSTEM """' + "x\n" * 900_000,
    "story": '{"actions": ["' + "{{[INPUT]}}" * 150_000 + '"], "prompt": "x"}',
    "card": '{"name": "x", "description": "' + "{{user}}" * 200_000 + '", "personality": "", "scenario": ""}',
    "variables": "{{x}} " * 300_000,
    "open turns": "Q: a\nA:\n" * 200_000,
    "separators": "question" + ";" * 1_900_000 + "\n",
    "signs": "".join(map(chr, range(0x2000, 0x9000))) * 20,
    "one long line": "x" * 1_999_999,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_large_files_take_no_time_to_speak_of(text: str) -> None:
    source = "large.yaml" if text.startswith(("name", "a: ")) else "large"
    _read(lambda: import_text(text, name="x", source=source))


def _spin() -> None:
    end = time.process_time() + LONGEST_CPU_S + 0.1
    while time.process_time() < end:
        pass


def test_the_watch_sees_what_it_must(tmp_path: Path) -> None:
    for act in (
        lambda: (tmp_path / "x").write_text("x"),
        lambda: os.system("true"),
        lambda: (tmp_path / "folder").mkdir(),
        _spin,
        lambda: b"x" * (MOST_BYTES + 10_000_000),
    ):
        with pytest.raises(AssertionError), _watched():
            act()
