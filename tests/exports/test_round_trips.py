"""A preset to each format and back by our own import: the same bytes wherever the format can hold them."""

from __future__ import annotations

from pathlib import Path

import pytest
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


@given(TEXT | MARK)
def test_a_quoted_value_is_read_back_as_it_was(value: str) -> None:
    quoted = quote_value(value)
    if quoted is not None:
        assert parse_modelfile(f"FROM x\nPARAMETER stop {quoted}\nSYSTEM y")[1].value == value
