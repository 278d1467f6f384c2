"""Exports: what comes back when they are imported again, what is said to be lost, and scripts that run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from playground.chat.assistant import preset_renderer
from playground.errors import PresetError
from playground.exports.formats import FORMATS, export_preset
from playground.imports.recognise import import_text
from playground.presets.library import read_preset
from playground.presets.modelfile import parse_modelfile, quote_value
from playground.presets.preset import Preset, PresetExample, PresetSampling, PresetTemplate
from playground.prompts.templates import BUILT_IN
from playground.settings import Settings
from playground.types import Message

TALK = [Message("user", "q 'one'\n"), Message("assistant", 'a "two" \\n'), Message("user", "r {{ x }}")]
FULL = Preset(
    name="garden",
    title="Garden",
    description="A talk.",
    system='You garden.\n\nIt\'s "spring".',
    examples=(
        PresetExample(query="When?", answer="In spring.\n```\ncode\n```"),
        PresetExample(query="off", answer="off", enabled=False),
    ),
    sampling=PresetSampling(temperature=0.5, repetition_penalty=1.1, max_tokens=99),
    stop=("The end",),
    questions=("How?",),
)
# Formats whose file holds the whole prompt and its template.
WHOLE = ["yaml", "webui-template", "python"]
SHIPPED = sorted(Settings.load().shipped_presets.glob("*.yaml"))


def _prompt(preset: Preset, talk: list[Message] = TALK) -> str:
    return preset_renderer(preset).render(talk).text


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_preset_is_exported_to_every_format_or_says_why_not(path: Path, to: str) -> None:
    preset = read_preset(path)
    try:
        exported = export_preset(preset, to)
    except PresetError:
        assert to in ("messages", "sharegpt", "alpaca")
        assert not any(one.enabled for one in preset.examples)
        return
    assert exported.text.endswith("\n")
    assert exported.suffix.startswith(".")
    assert (to == "yaml") == (exported.lost == ())
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in exported.lost)


@pytest.mark.parametrize(
    "template", ["urial_backticks", "urial_v4", "urial_v5", "urial_v6", "basechat", "plain"]
)
def test_a_prompt_file_is_imported_again_as_the_same_prompt(template: str) -> None:
    preset = FULL.model_copy(update={"template": template, "examples": FULL.examples[:1]})
    to = "basechat" if template == "basechat" else "transcript" if template == "plain" else "urial"
    (again,) = import_text(export_preset(preset, to).text, name="x")
    assert again.kind == "structured"
    assert again.preset.template == template
    assert _prompt(again.preset) == _prompt(preset)


def test_a_verbatim_prompt_is_exported_as_its_bytes() -> None:
    preset = Preset(name="x", template="urial_backticks", prefix="odd \n\n \nbytes\n")
    assert export_preset(preset, "urial").text == "odd \n\n \nbytes\n"
    assert export_preset(preset, "text").text == "odd \n\n \nbytes\n"
    for to in ("mikupad", "sillytavern", "alpaca"):
        with pytest.raises(PresetError, match="'x'"):
            export_preset(preset, to)


def test_what_is_lost_is_said() -> None:
    said = {to: " ".join(export_preset(FULL, to).lost) for to in FORMATS}
    assert said["yaml"] == ""
    for word in (
        "decoding (temperature, repetition_penalty, max_tokens)",
        "1 stops",
        "description, questions",
        "switched off",
    ):
        assert word in said["text"]
    assert "fences of backticks" in said["urial"]
    assert "system text" in said["alpaca"]
    assert "examples" in said["mikupad"]
    assert "examples" in said["sillytavern"]
    assert "custom stopping strings" in said["webui-template"]
    assert "the prompt" in said["webui-sampler"]
    assert "does not replace the preset's system text" in said["ollama"]
    assert "repeat_penalty" in said["python"]


@pytest.mark.parametrize("to", ["messages", "sharegpt", "alpaca"])
def test_rows_come_back_as_examples(to: str) -> None:
    (again,) = import_text(export_preset(FULL, to).text, name="x")
    assert [(e.query, e.answer) for e in again.preset.examples] == [("When?", "In spring.\n```\ncode\n```")]
    assert again.preset.system == ("" if to == "alpaca" else FULL.system)


def test_samplers_come_back() -> None:
    (again,) = import_text(export_preset(FULL, "webui-sampler").text, name="x", source="x.yaml")
    assert again.preset.sampling == FULL.sampling


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - {"raw", "urial_v6"}))
def test_turns_come_back_from_other_programs_templates(name: str) -> None:
    preset = Preset(name="x", template=name, system="S")
    (silly,) = import_text(export_preset(preset, "sillytavern").text, name="x")
    assert _prompt(silly.preset) == _prompt(preset)
    assert silly.preset.stop
    exported = export_preset(preset, "mikupad")
    (mikupad,) = import_text(exported.text, name="x")
    found = _prompt(mikupad.preset.model_copy(update={"system": "S"}))
    assert (found == _prompt(preset)) == (not any("must do so itself" in s for s in exported.lost))


TEXT = st.text(alphabet="ab '\"\\{}%\n#中🙂", max_size=15)


def _rendered(source: str, talk: list[Message]) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    messages = [{"role": m.role, "content": m.content} for m in talk]
    return environment.from_string(source).render(messages=messages, add_generation_prompt=True)


@settings(max_examples=150)
@example(system="", query="", answer="", prefix=None, name="raw")
@example(system="\\", query="", answer="", prefix=None, name="raw")
@given(
    system=TEXT,
    query=TEXT,
    answer=TEXT,
    prefix=st.none() | TEXT,
    name=st.sampled_from(sorted(set(BUILT_IN) - {"urial_v6"})),
)
def test_scripts_and_templates_build_the_same_prompts(
    system: str, query: str, answer: str, prefix: str | None, name: str
) -> None:
    examples = (PresetExample(query=query, answer=answer),)
    preset = Preset(name="x", template=name, system=system, examples=examples, prefix=prefix)
    talk = [Message("user", query), Message("assistant", answer), Message("user", "中 {{ 1 }}")]
    wanted = _prompt(preset, talk)
    space: dict[str, object] = {"__name__": "exported"}
    exec(compile(export_preset(preset, "python").text, "exported.py", "exec"), space)
    build = space["prompt"]
    assert callable(build)
    assert build([(query, answer)], "中 {{ 1 }}") == wanted
    (jinja,) = re.findall(
        r"instruction_template: (.*)", export_preset(preset, "webui-template").text, re.S
    ) or [""]
    from playground.presets.yaml_text import read_yaml

    loaded = read_yaml(f"t: {jinja}", source="x").value
    assert isinstance(loaded, dict)
    assert _rendered(loaded["t"], talk) == wanted
    if prefix is None:
        told = [Message("system", "S2"), *talk]
        assert _rendered(loaded["t"], told) == _prompt(preset, told)


def test_the_script_of_urial_v6_strips_as_its_template_does() -> None:
    preset = Preset(name="x", template="urial_v6", system="S")
    space: dict[str, object] = {"__name__": "exported"}
    exec(compile(export_preset(preset, "python").text, "exported.py", "exec"), space)
    assert space["prompt"]([("\nq\n", "a\n")], "\nr") == _prompt(  # type: ignore[operator]
        preset, [Message("user", "\nq\n"), Message("assistant", "a\n"), Message("user", "\nr")]
    )


class _Completions(BaseHTTPRequestHandler):
    bodies: list[dict[str, object]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = json.dumps({"choices": [{"text": " An answer. "}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    _Completions.bodies.clear()
    running = HTTPServer(("127.0.0.1", 0), _Completions)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    thread.join()
    running.server_close()


def test_the_script_runs_alone(server: str, tmp_path: Path) -> None:
    path = tmp_path / "garden.py"
    path.write_text(
        export_preset(FULL, "python").text.replace("http://127.0.0.1:8080", server), encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-I", str(path), "When", "now?"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "An answer.\n"
    (body,) = _Completions.bodies
    assert body["prompt"] == _prompt(FULL, [Message("user", "When now?")])
    assert body["stop"] == ['\n"""', "\n# Query:", "The end"]
    assert (body["temperature"], body["max_tokens"], body["repetition_penalty"]) == (0.5, 99, 1.1)


def test_the_command_is_one_shell_command(server: str) -> None:
    command = shlex.split(export_preset(FULL, "curl").text)
    assert command[0] == "curl"
    body = json.loads(command[command.index("-d") + 1])
    assert body["prompt"] == _prompt(FULL, [Message("user", "What is the capital of Japan?")])
    assert body["stop"] == ['\n"""', "\n# Query:", "The end"]


def test_a_modelfile_is_read_back_by_the_rules_of_ollamas_parser() -> None:
    text = export_preset(FULL, "ollama").text
    commands = parse_modelfile(text)
    (template,) = [c.value for c in commands if c.name == "template"]
    assert template.startswith('You garden.\n\nIt\'s "spring".\n\n# Query:\n{{"\\"\\"\\""}}\nWhen?')
    assert template.count("{{ end }}") == 2  # of the range, and of who speaks
    # A real line break: the parser knows no escapes.
    assert [c.value for c in commands if c.key == "stop"] == ['\n"""', "\n# Query:", "The end"]
    assert {c.key: c.value for c in commands if c.name == "parameter"}["num_predict"] == "99"
    marks = Preset(name="x", template=PresetTemplate(turn='"{query}{{x}}{answer}"'), system='"')
    assert parse_modelfile(export_preset(marks, "ollama").text)[1].name == "template"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("<|im_end|>", "<|im_end|>"),
        ("\n# Query:", '"\n# Query:"'),
        (" x", '" x"'),
        ("x ", '"x "'),
        ('"', '"""'),
        ('"""', '"' * 9),
        ('a"b', 'a"b'),
        ("a\\nb", "a\\nb"),
        ('"x"\ny', '""""x"\ny"""'),
        ("", '""'),
        ("a\u3000b", None),
    ],
)
def test_values_of_a_modelfile_are_quoted_so_that_they_are_read_back(value: str, written: str | None) -> None:
    quoted = quote_value(value)
    if written is None:
        assert quoted is None
        return
    assert quoted is not None
    assert parse_modelfile(f"FROM x\nPARAMETER stop {quoted}\nSYSTEM y")[1].value == value
    assert quoted == written or value == '"'


def test_an_unknown_format_lists_those_there_are() -> None:
    with pytest.raises(PresetError, match="urial, basechat"):
        export_preset(FULL, "docx")
