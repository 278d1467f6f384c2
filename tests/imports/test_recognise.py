"""Every format that is read, told by its content, with what it becomes and what has no place."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from playground.chat.assistant import preset_renderer
from playground.errors import PresetError
from playground.imports.recognise import import_text
from playground.imports.result import Imported
from playground.presets.link import encode_link
from playground.presets.preset import Preset, PresetExample, PresetTemplate
from playground.types import Message

FIXTURES = Path(__file__).parent / "fixtures"
TALK = [Message("system", "S"), Message("user", "q"), Message("assistant", "a"), Message("user", "r")]


def _import(path: str) -> tuple[Imported, ...]:
    file = FIXTURES / path
    return import_text(file.read_text(encoding="utf-8"), name=file.stem, source=file.name)


def _one(path: str) -> Imported:
    (found,) = _import(path)
    return found


def _prompt(preset: Preset) -> str:
    return preset_renderer(preset).render(TALK).text


def _notes(imported: Imported) -> str:
    return "\n".join(imported.notes)


def test_mikupad() -> None:
    garden, marked = _import("tools/mikupad.json")
    assert (garden.format, garden.kind, garden.preset.name) == ("mikupad", "template", "Garden talk")
    talk = "### Setting:\nS\n\n### Gardener:\nq\n\n### Helper:\na\n\n### Gardener:\nr\n\n### Helper:\n"
    assert _prompt(garden.preset) == talk
    assert _prompt(marked.preset) == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na"
        "<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n"
    )
    assert marked.preset.stop == ("<|im_end|>",)
    assert "fimTemplate" in _notes(marked)


def test_sillytavern_instruct() -> None:
    imported = _one("tools/sillytavern_instruct.json")
    preset = imported.preset
    assert preset.name == "Garden -wrapped"
    assert preset.title == "Garden (wrapped)"
    assert _prompt(preset) == (
        "### Setting:\nS\n\n### Gardener:\nq\n\n### Helper:\na\n\n### Gardener:\nr\n\n### Helper:\n"
    )
    assert preset.stop == ("### Gardener:",)
    for word in ("last_output_sequence", "names_behavior", "cannot be a file's name"):
        assert word in _notes(imported)


def test_sillytavern_context_and_whole() -> None:
    context = _one("tools/sillytavern_context.json")
    assert _prompt(context.preset).startswith("<setting>\nS</setting>\n\nUser: q\nAssistant: a\n")
    for word in ("wiBefore", "persona", "example_separator", "User:"):
        assert word in _notes(context)
    whole = _one("tools/sillytavern_master.json")
    assert whole.kind == "structured"
    assert whole.preset.system == "You help User in the garden."
    assert whole.preset.sampling.repetition_penalty == 1.1
    assert whole.preset.sampling.max_tokens == 300
    prompt = "<|setting|>S<|end|><|user|>q<|end|><|helper|>a<|end|><|user|>r<|end|><|helper|>"
    assert _prompt(whole.preset) == prompt
    for word in ("tfs", "{{user}}", "reasoning"):
        assert word in _notes(whole)
    assert "typical_p" not in _notes(whole)  # at the value at which it does nothing


def test_text_generation_webui_templates() -> None:
    jinja = _one("tools/webui_template.yaml")
    assert jinja.preset.system == "A gardener asks, a helper replies."
    assert _prompt(jinja.preset) == (
        "S\n\n### Gardener:\nq\n\n### Helper:\na\n\n### Gardener:\nr\n\n### Helper:\n"
    )
    older = _one("tools/webui_older.yaml")
    assert older.preset.system == "A gardener asks, a helper replies."
    assert _prompt(older.preset) == "S\n\nGARDENER: q HELPER: a</s>GARDENER: r HELPER:"


def test_text_generation_webui_sampler() -> None:
    imported = _one("tools/webui_sampler.yaml")
    sampling = imported.preset.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.7, 0.9, 20)
    assert sampling.repetition_penalty == 1.15
    assert "mirostat_mode" in _notes(imported)
    assert "typical_p" not in _notes(imported)


@pytest.mark.parametrize(
    ("path", "pairs", "words"),
    [
        (
            "rows/alpaca.json",
            [("Name a spring flower.", "The snowdrop."), ("Translate.\n\ngarden", "花园")],
            ["alpaca"],
        ),
        (
            "rows/messages.jsonl",
            [("When to water?", "In the morning."), ("How much?", "Little.")],
            ["messages", "one turn each", "Row 2"],
        ),
        ("rows/sharegpt.json", [("When to prune?", "In winter.")], ["sharegpt"]),
        (
            "rows/columns.csv",
            [("When to sow, and how?", "In spring, thinly."), ("What eats aphids?", "Ladybirds do.")],
            ["columns"],
        ),
    ],
)
def test_rows_are_examples(path: str, pairs: list[tuple[str, str]], words: list[str]) -> None:
    imported = _one(path)
    assert [(e.query, e.answer) for e in imported.preset.examples] == pairs
    for word in words:
        assert word in _notes(imported)


def test_rows_without_answers_are_questions() -> None:
    assert _one("rows/alpaca.json").preset.questions == ("Name a tree.",)
    assert _one("rows/messages.jsonl").preset.system == "You garden."


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("transcripts/one_line.txt", "plain"),
        ("transcripts/human_ai.txt", "custom"),
        ("transcripts/instruction.txt", "alpaca"),
        ("transcripts/marked.txt", "chatml"),
    ],
)
def test_transcripts_that_a_template_renders(path: str, template: str) -> None:
    imported = _one(path)
    kept = imported.preset.template
    assert (kept if isinstance(kept, str) else kept.name) == template
    assert (imported.format, imported.kind) == ("transcript", "structured")
    text = (FIXTURES / path).read_text(encoding="utf-8")
    assert preset_renderer(imported.preset).render([]).text == text


def test_an_uneven_transcript_is_kept_verbatim() -> None:
    imported = _one("transcripts/uneven.txt")
    text = (FIXTURES / "transcripts/uneven.txt").read_text(encoding="utf-8")
    assert imported.kind == "verbatim"
    assert imported.preset.prefix == text
    assert [(e.query, e.answer) for e in imported.preset.examples] == [
        ("When do I sow?", "In spring."),
        ("How deep?", "A finger deep."),
    ]
    assert imported.normalised is not None
    assert imported.normalised.prefix is None


def test_prompt_files_are_told_from_transcripts() -> None:
    assert _one("urial/block_fences.txt").format == "urial"
    assert _one("urial/basechat.txt").format == "basechat"
    tight = "User:\nhi\n\nAssistant:\nhello\n\nUser:\nbye\n\nAssistant:\nciao\n"
    (found,) = import_text(tight, name="x")
    assert (found.format, found.kind) == ("transcript", "structured")


def test_our_own_files_and_links() -> None:
    preset = Preset(
        name="mine",
        template=PresetTemplate(turn="Q {query} A {answer}"),
        examples=(PresetExample(query="q", answer="a"),),
    )
    for text in (preset.to_yaml(), "# kept\n" + preset.to_yaml(), encode_link(preset)):
        (found,) = import_text(text, name="other")
        assert found.preset == preset
    (found,) = import_text(f"http://127.0.0.1:7860/{encode_link(preset)}\n", name="other")
    assert found.preset == preset
    shown = {**preset.model_dump(mode="json", by_alias=True), "content_hash": preset.content_hash()}
    import json

    (found,) = import_text(json.dumps(shown), name="other")
    assert found.preset == preset


def test_prose_stands_in_front_of_the_conversation() -> None:
    (found,) = import_text("A garden in spring.\n", name="x")
    assert (found.format, found.kind, found.preset.system) == ("text", "structured", "A garden in spring.")
    (found,) = import_text("A garden in spring.", name="x")
    assert found.preset.prefix == "A garden in spring."


@pytest.mark.parametrize(
    ("text", "source", "words"),
    [
        ("", "x", ["empty"]),
        ("\ufeff \n", "x", ["empty"]),
        ("a\nb\0", "x", ["NUL", "line 2"]),
        ("<!DOCTYPE html><html></html>", "x", ["web page", "raw"]),
        ('{"a": 1,\n "b": }', "x.json", ["line 2, column 7"]),
        ('[{"a": 1},\n {]', "x", ["line 2, column 3"]),
        ("schema: 2\nname: x\nsytem: y\n", "x.yaml", ["line 3, column 1", "unknown key 'sytem'"]),
        ("schema: 2\nname: [", "x.yaml", ["line 2, column"]),
        ("a: 1\nb: 2\n", "x.yaml", ["YAML of no known kind"]),
        ('{"a": 1}', "x.json", ["no column for the question"]),
        ("temperature: warm\ntop_p: 1\n", "x.yaml", ["'temperature' is 'warm'"]),
        ("temperature: -5\ntop_p: 1\n", "x.yaml", ["temperature", "no sampler"]),
        ('{"x": {"instPre": "{query}", "instSuf": ""}}', "x", ["holds {query}"]),
        (
            '{"input_sequence": "a", "output_sequence": "b", "wrap": true, "input_suffix": 3}',
            "x",
            ["input_suffix"],
        ),
        ("instruction_template: x\n", "x.yaml", ["never looks at the messages"]),
        ("instruction_template: '{{ messages[0].content }}'\n", "x.yaml", ["leaves messages out"]),
        ("instruction_template: '{{ messages|length }} {% if %}'\n", "x.yaml", ["cannot be rendered"]),
        ("turn_template: '<|user|> <|bot|>'\n", "x.yaml", ["{query} and {answer} once each"]),
        ("x" * 2_000_001, "x", ["larger than 2 MB"]),
    ],
)
def test_what_cannot_be_imported_is_one_clear_sentence(text: str, source: str, words: list[str]) -> None:
    with pytest.raises(PresetError) as caught:
        import_text(text, name="x", source=source)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages }}{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ messages[0].content * 900000000 }}",
        "{{ messages|string|center(2000000000) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ messages and f() }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{% include '/etc/passwd' %}{{ messages }}",
        "{{ cycler.__init__.__globals__.os.system('touch /tmp/gotcha') }}{{ messages }}",
    ],
    ids=["loop", "repeat", "center", "recursion", "classes", "include", "globals"],
)
def test_a_hostile_chat_template_ends_with_its_own_process(template: str) -> None:
    started = time.monotonic()
    with pytest.raises(PresetError, match="cannot be rendered"):
        import_text(f"instruction_template: |-\n  {template}\n", name="x")
    assert time.monotonic() - started < 10  # the limit is one second of CPU; a busy machine takes its time
    assert not Path("/tmp/gotcha").exists()


def _webui(template: str) -> Preset:
    lines = "".join(f"  {line}\n" for line in template.split("\n"))
    (imported,) = import_text(f"instruction_template: |-\n{lines}", name="x")
    return imported.preset


def test_an_instruction_template_with_a_date_takes_a_system_text() -> None:
    preset = _webui(
        "{%- for message in messages %}"
        "{%- if message.role == 'system' %}{{- 'Date: ' + strftime_now('%Y') + message.content + '\\n' }}"
        "{%- elif message.role == 'user' %}{{- 'Q: ' + message.content + '\\n' }}"
        "{%- else %}{{- 'A: ' + message.content + '\\n' }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- 'A: ' }}{%- endif %}"
    )
    own = preset.own_template()
    assert own is not None
    assert re.fullmatch(r"Date: \d{4}\{system\}\n", own.system)
    assert own.turn == "Q: {query}\nA:{answer}\n"


@pytest.mark.parametrize(
    "content",
    [
        "{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}",
        "{% generation %}{{ m.content }}{% endgeneration %}",
        "{{ m.content }}{% if false %}{{ raise_exception('no') }}{% endif %}{{ tools or documents or '' }}",
    ],
    ids=["typed content", "generation", "tools"],
)
def test_an_instruction_template_may_use_what_chat_templates_use(content: str) -> None:
    preset = _webui(
        "{% for m in messages %}[{{ m.role }}] " + content + "{{ '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    own = preset.own_template()
    assert own is not None
    assert own.turn == "[user] {query}\n[assistant]{answer}\n"
    assert own.system == "[system] {system}\n"
