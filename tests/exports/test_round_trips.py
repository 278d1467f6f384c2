"""A preset to each format and back by our own import: the same bytes wherever the format can hold them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.chat.assistant import preset_renderer
from playground.errors import PresetError
from playground.exports.formats import export_preset
from playground.imports.recognise import import_text
from playground.imports.result import Imported
from playground.presets.library import read_preset
from playground.presets.modelfile import parse_modelfile, quote_value
from playground.presets.preset import Preset, PresetExample, PresetTemplate
from playground.prompts.templates import BUILT_IN
from playground.settings import Settings
from playground.types import Message

TALK = (Message("user", "hi"), Message("assistant", "Hello!\n\nWhat now?"), Message("user", "Write `x`."))
SHIPPED = sorted(Settings.load().shipped_presets.glob("*.yaml"))
WHOLE = ("yaml", "ollama")
TURNS = ("sillytavern", "mikupad")


def prompts(preset: Preset) -> list[str]:
    """The prompt of a conversation that grows by one message at a time."""
    renderer = preset_renderer(preset)
    return [renderer.render(TALK[:n]).text for n in (1, 3)]


def back(preset: Preset, to: str) -> tuple[Imported, tuple[str, ...]]:
    exported = export_preset(preset, to)
    (imported,) = import_text(exported.text, name="back", source=f"x{exported.suffix}")
    return imported, exported.lost


@pytest.mark.parametrize("to", WHOLE)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_formats_that_hold_the_whole_prompt_give_it_back(path: Path, to: str) -> None:
    preset = read_preset(path)
    imported, lost = back(preset, to)
    if any("taken off" in said for said in lost):
        return  # line breaks around a message, which the format cannot take off
    assert prompts(imported.preset) == prompts(preset)
    assert imported.preset.sampling.temperature == preset.sampling.temperature


@pytest.mark.parametrize("to", ["webui-template"])
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_chat_template_gives_the_prompt_back(path: Path, to: str) -> None:
    preset = read_preset(path)
    imported, lost = back(preset, to)
    if not any("taken off" in said for said in lost):
        assert prompts(imported.preset) == prompts(preset)


@pytest.mark.parametrize("to", TURNS)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_formats_of_turns_give_system_text_and_turns_back(path: Path, to: str) -> None:
    preset = read_preset(path).model_copy(update={"examples": ()})
    if preset.prefix is not None:
        with pytest.raises(PresetError, match="verbatim text"):
            back(preset, to)
        return
    imported, lost = back(preset, to)
    found = imported.preset.model_copy(update={"system": preset.system})
    assert to != "sillytavern" or imported.preset.system == preset.system or "{{" in preset.system
    if not any("must do so itself" in said or "taken off" in said for said in lost):
        assert prompts(found) == prompts(preset)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_prompt_files_come_back_with_the_template_that_their_program_would_use(path: Path) -> None:
    preset = read_preset(path)
    to = {"basechat": "basechat", "plain": "transcript"}.get(str(preset.template), "urial")
    if preset.prefix is not None or (to == "urial" and preset.template not in BUILT_IN):
        return
    exported = export_preset(preset, to)
    (imported,) = import_text(exported.text, name="back")
    as_exported = preset
    if to == "urial" and not str(preset.template).startswith("urial"):
        as_exported = preset.model_copy(update={"template": "urial_backticks"})
    if imported.kind == "structured" and imported.preset.template == as_exported.template:
        assert prompts(imported.preset) == prompts(as_exported)
    else:
        assert preset_renderer(imported.preset).render([]).text.rstrip("\n") in exported.text


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0"), max_size=12)
MARK = st.text(st.sampled_from(list('#<|>:\n "{}`\\冰\u3000a')), max_size=8)


@settings(max_examples=max(100, settings().max_examples // 10))
@given(system=TEXT, query=TEXT, answer=TEXT, before=MARK, between=MARK, after=MARK)
def test_any_preset_comes_back_from_a_modelfile(
    system: str, query: str, answer: str, before: str, between: str, after: str
) -> None:
    before, between, after = (text.replace("{", "(") for text in (before, between, after))
    turn = f"Q{before}{{query}}{between}:{{answer}}{after}."
    preset = Preset(
        name="x",
        system=system,
        template=PresetTemplate(turn=turn),
        examples=(PresetExample(query=query, answer=answer),),
    )
    imported, _ = back(preset, "ollama")
    if isinstance(imported.preset.template, str):
        assert "cannot be kept as one turn pattern" in " ".join(imported.notes)
        return
    assert prompts(imported.preset) == prompts(preset)


@pytest.mark.parametrize("answer", ["{\x1f", "{", '{"', "a{\u200b{", "{{"])
def test_a_brace_does_not_become_part_of_the_action_behind_it(answer: str) -> None:
    preset = Preset(
        name="x",
        template=PresetTemplate(turn="Q{query}:{answer}."),
        examples=(PresetExample(query="a{", answer=answer),),
    )
    imported, _ = back(preset, "ollama")
    assert prompts(imported.preset) == prompts(preset)


@given(TEXT | MARK)
def test_a_quoted_value_is_read_back_as_it_was(value: str) -> None:
    quoted = quote_value(value)
    if quoted is not None:
        assert parse_modelfile(f"FROM x\nPARAMETER stop {quoted}\nSYSTEM y")[1].value == value


def test_exports_have_what_the_other_programs_readers_ask_for() -> None:
    preset = read_preset(SHIPPED[0].with_name("friendly.yaml"))
    # SillyTavern public/scripts/preset-manager.js, ``isPossibly...Data`` of each section of a master import.
    parts = json.loads(export_preset(preset, "sillytavern").text)
    asked = {
        "instruct": {"name", "input_sequence", "output_sequence"},
        "context": {"name", "story_string"},
        "sysprompt": {"name", "content"},
        "preset": {"temp", "top_k", "top_p", "rep_pen"},
    }
    for section, keys in asked.items():
        assert keys <= parts[section].keys()
    # public/scripts/instruct-mode.js splits the stop sequence into lines and drops blank ones.
    assert [line for line in parts["instruct"]["stop_sequence"].split("\n") if line.strip()] == [
        '"""',
        "# Query:",
    ]
    # mikupad.html, ``replacePlaceholders``: backslash and n become a line break, and nothing else does.
    (template,) = json.loads(export_preset(preset, "mikupad").text).values()
    assert set(template) == {"sysPre", "sysSuf", "instPre", "instSuf"}
    affixes = {key: text.replace("\\n", "\n") for key, text in template.items()}
    turn = affixes["instPre"] + "hi" + affixes["instSuf"]
    bare = preset.model_copy(update={"system": "", "examples": ()})
    assert turn.endswith(preset_renderer(bare).render([Message("user", "hi")]).text)
    # text-generation-webui reads both with yaml.safe_load: a template, and a mapping of sampling parameters.
    assert yaml.safe_load(export_preset(preset, "webui-template").text).keys() == {"instruction_template"}
    sampler = yaml.safe_load(export_preset(preset, "webui-sampler").text)
    assert sampler["max_new_tokens"] == preset.sampling.max_tokens
    assert all(isinstance(value, (int, float)) for value in sampler.values())
