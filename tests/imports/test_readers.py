"""What other programs write, by format: the prompt that comes of it, and what is said of what is not kept."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import pytest

from playground.chat.assistant import preset_renderer
from playground.errors import PresetError
from playground.imports.recognise import import_text
from playground.imports.result import Imported
from playground.imports.source import decoded
from playground.presets.preset import Preset
from playground.prompts.stops import derive_stops
from playground.prompts.templates import built_in
from playground.types import Message


def only(content: object, name: str = "any", source: str = "any") -> Imported:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    (imported,) = import_text(text, name=name, source=source)
    return imported


def prompt(preset: Preset, *said: str) -> str:
    roles = ("user", "assistant")
    return preset_renderer(preset).render([Message(roles[i % 2], text) for i, text in enumerate(said)]).text


def stops(preset: Preset) -> list[str]:
    template = preset.own_template() or built_in(str(preset.template))
    return [rule.text for rule in derive_stops(template)] + list(preset.stop)


def notes(imported: Imported) -> str:
    return " ".join(imported.notes)


CHATML = {
    "input_sequence": "<|im_start|>user",
    "output_sequence": "<|im_start|>assistant",
    "system_sequence": "<|im_start|>system",
    "stop_sequence": "<|im_end|>",
    "input_suffix": "<|im_end|>\n",
    "output_suffix": "<|im_end|>\n",
    "wrap": True,
    "name": "ChatML",
}
STORY = "{{#if system}}{{system}}\n{{/if}}{{trim}}"
CHATML_PROMPT = (
    "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
    "<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n"
)


@pytest.mark.parametrize(
    ("instruct", "story"),
    [
        ({"story_string_prefix": "<|im_start|>system", "story_string_suffix": "<|im_end|>\n"}, STORY),
        ({"story_string_prefix": "<|im_start|>system", "story_string_suffix": "<|im_end|>\n"}, None),
        (
            {"story_string_prefix": "<|im_start|>system\n", "story_string_suffix": "<|im_end|>\n", "wrap": 0},
            STORY,
        ),
        ({"system_suffix": "<|im_end|>\n"}, None),
        ({}, "<|im_start|>system\n{{#if system}}{{system}}\n{{/if}}{{trim}}<|im_end|>"),
        (
            {"system_sequence_prefix": "<|im_start|>system", "system_sequence_suffix": "<|im_end|>"},
            "{{system}}",
        ),
        (
            {"story_string_prefix": "<|im_start|>system", "story_string_suffix": "<|im_end|>\n"},
            "{{~#if system}}{{system}}{{else}}none{{/if}}",
        ),
    ],
)
def test_the_system_text_of_sillytavern_stands_where_its_sequences_say(
    instruct: dict[str, object], story: str | None
) -> None:
    if instruct.get("wrap") == 0:
        lines = {"input_sequence": "<|im_start|>user\n", "output_sequence": "<|im_start|>assistant\n"}
        instruct = {**lines, **instruct, "wrap": False}
    if "system_sequence_suffix" in instruct:
        want = CHATML_PROMPT.replace("S<|im_end|>", "S\n<|im_end|>")
    else:
        want = CHATML_PROMPT
    parts: dict[str, object] = {"instruct": {**CHATML, **instruct}}
    if story is not None:
        parts["context"] = {"name": "c", "story_string": story}
    preset = only({**parts, "sysprompt": {"name": "s", "content": "S"}}).preset
    assert prompt(preset, "q", "a", "r") == want
    assert preset.system == "S"
    assert "<|im_end|>" in stops(preset)


def test_a_system_prompt_of_sillytavern_is_a_preset() -> None:
    short = only({"name": "Short", "content": "Answer in one line."})
    assert (short.format, short.preset.name, short.preset.system) == (
        "sillytavern",
        "Short",
        "Answer in one line.",
    )
    named = only(
        {"name": "Play", "content": "You're {{char}}, <USER> is {{user}}.{{newline}}{{random::a::b}}{{// x}}"}
    )
    assert named.preset.system == "You're Assistant, User is User.\n{{random::a::b}}"
    assert "{{char}} is 'Assistant'" in notes(named)
    assert "{{random::a::b}} in the system prompt is not replaced" in notes(named)
    after = only({"name": "P", "content": "x", "post_history": "Be brief."})
    assert "post_history" in notes(after)


def test_samplers_of_sillytavern_koboldai_and_novelai() -> None:
    given = {"temp": 0.7, "top_p": 0.9, "top_k": 40, "rep_pen": 1.1, "samplers": ["top_k"]}
    sampler = only(given, name="Small")
    assert sampler.kind == "sampling"
    kept = sampler.preset.sampling
    assert (kept.temperature, kept.top_p, kept.top_k, kept.repetition_penalty) == (0.7, 0.9, 40, 1.1)
    assert "order of samplers" in notes(sampler)
    textgen = only(
        {**given, "dynatemp": False, "min_temp": 1, "max_temp": 2, "mirostat_mode": 2, "json_schema": {}}
    )
    assert "mirostat_mode" in notes(textgen)
    assert "min_temp" not in notes(textgen)
    kobold = only(
        {"temp": 0.7, "rep_pen": 1.1, "rep_pen_range": 1024, "typical": 0.19, "sampler_order": [6, 0]}
    )
    assert "typical" in notes(kobold)
    novel = only(
        {
            "order": [1, 0],
            "temperature": 1.16,
            "max_length": 150,
            "tail_free_sampling": 0.99,
            "use_cache": False,
        }
    )
    assert novel.preset.sampling.temperature == 1.16
    odd = only({"temp": 0.5, "rep_pen": 0, "freq_pen": "0.25", "presence_pen": 9, "genamt": -1, "top_p": 0})
    assert (odd.preset.sampling.temperature, odd.preset.sampling.frequency_penalty) == (0.5, 0.25)
    for word in ("'rep_pen' is 0", "'presence_pen' is 9", "'genamt' is -1", "top_p of 0"):
        assert word in notes(odd)


def test_chat_completion_presets_of_sillytavern() -> None:
    value = {
        "temperature": 0.9,
        "openai_max_tokens": 300,
        "prompts": [
            {"identifier": "main", "name": "Main", "role": "system", "content": "You are {{char}}."},
            {"identifier": "off", "role": "system", "content": "Never."},
            {"identifier": "chatHistory", "marker": True},
        ],
        "prompt_order": [
            {
                "character_id": 1,
                "order": [{"identifier": "main", "enabled": True}, {"identifier": "off", "enabled": False}],
            }
        ],
    }
    preset = only(value).preset
    assert (preset.system, preset.sampling.temperature, preset.sampling.max_tokens) == (
        "You are Assistant.",
        0.9,
        300,
    )


CARD = {
    "name": "Wren",
    "description": "{{char}} is a small bird. {{user}} feeds it.",
    "personality": "curious",
    "scenario": "A garden.",
    "first_mes": "Chirp!",
    "mes_example": "<START>\n{{user}}: Hello?\n{{char}}: Chirp!\nAnd hop.\n"
    "<START>\n{{user}}: Food?\n{{char}}: Seeds.",
}


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        {"spec": "chara_card_v2", "spec_version": "2.0", "data": {**CARD, "creator": "me", "tags": ["bird"]}},
        {
            "spec": "chara_card_v3",
            "spec_version": "3.0",
            "data": {**CARD, "nickname": "", "creator": "me", "tags": ["bird"]},
        },
    ],
)
def test_character_cards_of_every_version(card: dict[str, object]) -> None:
    imported = only(card)
    preset = imported.preset
    assert (imported.format, preset.name) == ("card", "Wren")
    assert (
        preset.system
        == "Wren is a small bird. User feeds it.\nWren's personality: curious\nScenario: A garden."
    )
    assert [(e.query, e.answer) for e in preset.examples] == [
        ("Hello?", "Chirp!\nAnd hop."),
        ("Food?", "Seeds."),
    ]
    assert prompt(preset, "hi").endswith("User: Food?\nWren: Seeds.\nUser: hi\nWren:")
    assert "first message" in notes(imported)
    assert (preset.author, preset.tags) == (("me", ("bird",)) if "data" in card else ("", ()))


def test_a_card_inside_a_picture() -> None:
    packed = b"chara\0" + base64.b64encode(json.dumps(CARD).encode())
    chunk = struct.pack(">I", len(packed)) + b"tEXt" + packed + b"crc!"
    read = decoded(b"\x89PNG\r\n\x1a\n" + chunk, source="wren.png", name="wren")
    assert only(read.text).preset.name == "Wren"
    with pytest.raises(PresetError, match="picture without a character card"):
        decoded(b"\x89PNG\r\n\x1a\n" + chunk[:8], source="wren.png", name="wren")


def test_a_story_of_koboldai_lite_in_instruct_mode() -> None:
    story = {
        "gamestarted": True,
        "prompt": "\n{{[INPUT]}}\nWhat is ice?\n{{[OUTPUT]}}\n",
        "memory": "Be kind.",
        "authorsnote": "",
        "actions": ["Frozen water.", "\n{{[INPUT]}}\nWhat is dew?\n{{[OUTPUT]}}\n"],
        "savedsettings": {
            "opmode": 4,
            "instruct_starttag": "\\n### Instruction:\\n",
            "instruct_endtag": "\\n### Response:\\n",
            "temperature": 0.7,
            "max_length": 200,
            "rep_pen": 1.1,
        },
    }
    imported = only(story)
    preset = imported.preset
    assert (imported.format, preset.system, preset.questions) == ("koboldai", "Be kind.", ("What is dew?",))
    assert prompt(preset, "hi") == (
        "Be kind.\n\n### Instruction:\nWhat is ice?\n### Response:\nFrozen water."
        "\n### Instruction:\nhi\n### Response:\n"
    )
    assert (preset.sampling.temperature, preset.sampling.max_tokens) == (0.7, 200)
    tale = only({"gamestarted": True, "prompt": "Once", "actions": [" upon", " a time"], "memory": ""})
    assert (tale.kind, tale.preset.prefix) == ("verbatim", "Once upon a time")


def test_a_session_of_mikupad() -> None:
    session = {
        "name": "My talk",
        "prompt": [
            {"type": "user", "content": "Q: What is ice?\nA: Frozen "},
            {"type": "gen", "content": "water.\n"},
        ],
        "temperature": 0.3,
        "repeatPenalty": 1.1,
        "topK": 40,
        "maxPredictTokens": -1,
        "stoppingStrings": '["\\nQ:"]',
        "endpointAPI": 3,
    }
    preset = only(session).preset
    assert (preset.name, preset.stop) == ("My talk", ("\nQ:",))
    assert [(e.query, e.answer) for e in preset.examples] == [("What is ice?", "Frozen water.")]
    assert (preset.sampling.temperature, preset.sampling.top_k, preset.sampling.repetition_penalty) == (
        0.3,
        40,
        1.1,
    )


MODELFILE = '''# My birds
FROM llama3.2:1b
PARAMETER temperature 0.7
PARAMETER num_ctx 4096
PARAMETER stop "<|eot_id|>"
PARAMETER stop "
# Query"
SYSTEM """You are "kind".
And brief."""
MESSAGE user What is ice?
MESSAGE assistant Frozen water.
MESSAGE user What is dew?
'''


def test_a_modelfile_of_ollama() -> None:
    imported = only(MODELFILE, name="Modelfile")
    preset = imported.preset
    assert (imported.format, preset.system, preset.models) == (
        "modelfile",
        'You are "kind".\nAnd brief.',
        ("llama3.2:1b",),
    )
    assert (preset.stop, preset.sampling.temperature) == (("<|eot_id|>", "\n# Query"), 0.7)
    assert [(e.query, e.answer) for e in preset.examples] == [("What is ice?", "Frozen water.")]
    assert preset.questions == ("What is dew?",)
    assert "num_ctx" in notes(imported)
    for broken, words in (
        ('FROM x\nSYSTEM """open\n', "line 2"),
        ("FROM x\nBAKE bread\n", "line 2"),
        ("FROM x\nMESSAGE robot hi\n", "line 2"),
    ):
        with pytest.raises(PresetError, match=words):
            only(broken)


@pytest.mark.parametrize(
    "template",
    [
        "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}{{ if .Prompt }}"
        "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ end }}"
        "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n",
        "{{- range $i, $_ := .Messages }}\n{{- $last := eq (len (slice $.Messages $i)) 1 }}"
        "<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n"
        '{{ if and (eq .Role "user") $last }}<|im_start|>assistant\n{{ end }}{{ end }}',
    ],
)
def test_go_templates_become_one_turn_pattern(template: str) -> None:
    imported = only(f'FROM x\nSYSTEM S\nTEMPLATE """{template}"""\n')
    assert prompt(imported.preset, "q", "a", "r") == CHATML_PROMPT
    assert "<|im_end|>" in stops(imported.preset)


@pytest.mark.parametrize(
    "template",
    ["{{ range .Tools }}", "{{ end }}", "{{ .Prompt", '{{ template "x" }}', "{{ call .Prompt }}", "none"],
)
def test_a_go_template_that_cannot_be_kept_is_said(template: str) -> None:
    imported = only(f"FROM x\nTEMPLATE {template}\n")
    assert imported.preset.template == "plain"
    assert "cannot be kept as one turn pattern" in notes(imported)


def test_a_saved_program_of_dspy() -> None:
    state = {
        "traces": [],
        "demos": [
            {
                "augmented": True,
                "question": "What is ice?",
                "reasoning": "It is cold.",
                "answer": "Frozen water.",
            },
            {"question": "What is dew?", "answer": "Drops."},
        ],
        "signature": {
            "instructions": "Answer briefly.",
            "fields": [
                {"prefix": "Question:", "description": "${question}"},
                {"prefix": "Answer:", "description": "${answer}"},
            ],
        },
    }
    for value in (state, {"generate": state, "metadata": {"dependency_versions": {}}}):
        preset = only(value).preset
        assert preset.system == "Answer briefly."
        assert [(e.query, e.answer) for e in preset.examples] == [
            ("What is ice?", "It is cold.\nFrozen water."),
            ("What is dew?", "Drops."),
        ]
        assert prompt(preset, "hi").endswith(
            "Question: What is dew?\nAnswer: Drops.\n\nQuestion: hi\nAnswer:"
        )


def test_prompts_of_promptfoo() -> None:
    config = (
        "prompts:\n  - 'Be brief.\n\n    Question: {{question}}'\n  - file://other.txt\n"
        "providers: [openai:gpt-4o]\n"
        "tests:\n  - vars: {question: What is ice?}\n    assert: [{type: contains, value: water}]\n"
    )
    imported = only(config, source="promptfooconfig.yaml")
    assert (imported.format, imported.preset.system) == ("promptfoo", "Be brief.")
    assert prompt(imported.preset, "hi") == "Be brief.\nQuestion: hi\n"
    assert prompt(imported.preset, "hi", "ho", "hu") == "Be brief.\nQuestion: hi\nho\n\nQuestion: hu\n"
    assert imported.preset.questions == ("What is ice?",)
    assert "other.txt" in notes(imported)
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "{{question}}"}]
    assert only(chat).preset.system == "S"
    with pytest.raises(PresetError, match="in other files"):
        only("prompts: [file://a.txt]\nproviders: [x]\n", source="x.yaml")


REQUEST = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "S"}]},
        {"role": "user", "content": "What is ice?"},
        {"role": "assistant", "content": "Frozen water."},
        {"role": "user", "content": "What is dew?"},
    ],
    "temperature": 0.3,
    "max_tokens": 100,
    "stop": ["END"],
}


@pytest.mark.parametrize(
    "export",
    [
        json.dumps(REQUEST),
        "from openai import OpenAI\nclient = OpenAI()\nresponse = client.chat.completions.create("
        + f"{', '.join(f'{k}={v!r}' for k, v in REQUEST.items())})\n",
        f"curl https://api.openai.com/v1/chat/completions \\\n  -H 'x: y' \\\n  -d '{json.dumps(REQUEST)}'\n",
        json.dumps(
            {
                "instructions": "S",
                "input": REQUEST["messages"][1:],
                "temperature": 0.3,
                "max_output_tokens": 100,
                "stop": "END",
            }
        ),
    ],
    ids=["json", "python", "curl", "responses"],
)
def test_exports_of_openais_playground(export: str) -> None:
    imported = only(export)
    preset = imported.preset
    assert (imported.format, preset.system) == ("openai", "S")
    assert [(e.query, e.answer) for e in preset.examples] == [("What is ice?", "Frozen water.")]
    assert (preset.questions, preset.stop) == (("What is dew?",), ("END",))
    assert (preset.sampling.temperature, preset.sampling.max_tokens) == (0.3, 100)


def test_a_completion_request_is_read_by_its_prompt() -> None:
    imported = only(
        {"model": "davinci", "prompt": "Q: a?\nA: b.\n\nQ: c?\nA:", "temperature": 0, "stop": "\n"}
    )
    assert [(e.query, e.answer) for e in imported.preset.examples] == [("a?", "b.")]
    assert imported.preset.questions == ("c?",)


def test_chat_templates_as_files_and_in_tokenizer_configurations() -> None:
    template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    for content, source in (
        (template, "x.jinja"),
        (template, "any"),
        ({"chat_template": template}, "tokenizer_config.json"),
    ):
        imported = only(content, source=source)
        assert imported.format == "jinja"
        assert prompt(imported.preset.model_copy(update={"system": "S"}), "q", "a", "r") == CHATML_PROMPT


LOGS = {
    "chatml": (
        "<|im_start|>system\nS<|im_end|>\n",
        "<|im_start|>user\n@<|im_end|>\n<|im_start|>assistant\n",
        "#<|im_end|>\n",
        "<|im_end|>",
    ),
    "llama-3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n@<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "#<|eot_id|>",
        "<|eot_id|>",
    ),
    "gemma": (
        "<bos>",
        "<start_of_turn>user\n@<end_of_turn>\n<start_of_turn>model\n",
        "#<end_of_turn>\n",
        "<end_of_turn>",
    ),
    "phi-3": ("<|system|>\nS<|end|>\n", "<|user|>\n@<|end|>\n<|assistant|>\n", "#<|end|>\n", "<|end|>"),
    "zephyr": ("<|system|>\nS</s>\n", "<|user|>\n@</s>\n<|assistant|>\n", "#</s>\n", "</s>"),
}


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("opened", [False, True])
def test_logs_of_chat_formats_keep_their_stops(name: str, opened: bool) -> None:
    head, asked, answered, stop = LOGS[name]
    text = head + (asked + answered).replace("@", "What is ice?").replace("#", "Frozen water.")
    bos = "<|begin_of_text|>" if name == "llama-3" else "<bos>" if name == "gemma" else ""
    want = text.removeprefix(bos) + asked.replace("@", "hi")
    if opened:
        text += asked.replace("@", "What is dew?")
    imported = only(text)
    assert (imported.format, imported.kind) == ("transcript", "structured")
    assert prompt(imported.preset, "hi") == want
    assert stop in stops(imported.preset)
    assert imported.preset.questions == (("What is dew?",) if opened else ())
    cut = only(text.rstrip("\n"))
    assert stop in stops(cut.preset)


def test_a_log_of_mistral() -> None:
    preset = only(
        "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nWhat is ice? [/INST] Frozen water.</s>[INST] What is dew? [/INST]"
    ).preset
    assert (preset.system, preset.questions) == ("S", ("What is dew?",))
    assert [(e.query, e.answer) for e in preset.examples] == [("What is ice?", "Frozen water.")]
    assert prompt(preset, "hi").endswith("[INST] hi [/INST]")


def test_text_around_a_log_is_kept_and_prose_about_marks_is_no_log() -> None:
    text = "Notes first.\n<|im_start|>user\nWhat is ice?<|im_end|>\n<|im_start|>assistant\nWater.<|im_end|>\n"
    imported = only(text)
    assert (imported.kind, imported.preset.prefix) == ("verbatim", text)
    assert imported.normalised is not None
    assert imported.normalised.system == "Notes first."
    prose = only("Write [INST] before and [/INST] behind what the user says.\n")
    assert (prose.format, prose.preset.system) == (
        "text",
        "Write [INST] before and [/INST] behind what the user says.",
    )


@pytest.mark.parametrize(
    ("text", "examples", "question", "live"),
    [
        (
            "Q: What is ice?\nA: Frozen water.\n\nQ: What is dew?\nA:",
            [("What is ice?", "Frozen water.")],
            "What is dew?",
            "\n\nQ: hi\nA:",
        ),
        (
            "Q: What is ice?\nA: Frozen water.\n\nQ: What is dew?\nA: ",
            [("What is ice?", "Frozen water.")],
            "What is dew?",
            "\n\nQ: hi\nA:",
        ),
        (
            "Answer.\n\nQ: a?\nA: b\n\nQ: c?\nA: d\n\nQ: e?\nA:",
            [("a?", "b"), ("c?", "d")],
            "e?",
            "\n\nQ: hi\nA:",
        ),
        ("User: a\nAssistant: b\nUser: c\nAssistant:", [("a", "b")], "c", "\nUser: hi\nAssistant:"),
        (
            "### Instruction:\na\n\n### Response:\nb\n\n### Instruction:\nc\n\n### Response:\n",
            [("a", "b")],
            "c",
            "\n### Instruction:\nhi\n\n### Response:\n",
        ),
        (
            "问：冰是什么？\n答：冻住的水。\n\n问：露是什么？\n答：",
            [("冰是什么？", "冻住的水。")],
            "露是什么？",
            "\n\n问：hi\n答：",
        ),
        ("Q: What is dew?\nA:", [], "What is dew?", "Q: hi\nA:"),
        ("Be brief.\n\nQ: What is dew?\nA:", [], "What is dew?", "Be brief.\n\nQ: hi\nA:"),
    ],
)
def test_few_shot_texts_with_an_open_last_turn(
    text: str, examples: list[tuple[str, str]], question: str, live: str
) -> None:
    imported = only(text)
    preset = imported.preset
    assert imported.kind == "structured"
    assert [(e.query, e.answer) for e in preset.examples] == examples
    assert preset.questions == (question,)
    assert prompt(preset, "hi").endswith(live)
    assert prompt(preset, question).rstrip() == text.rstrip()


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("用户：冰是什么？\n助手：冰是冻住的水。\n", ""),
        ("你是助手。\n\n用户：冰是什么？\n助手：冰是冻住的水。\n", "你是助手。"),
        ("用户: 冰是什么？\n助手: 冰是冻住的水。\n", ""),
        ("**用户**：冰是什么？\n**助手**：冰是冻住的水。\n", ""),
        ("【用户】：冰是什么？\n【助手】：冰是冻住的水。\n", ""),
        ("问：冰是什么？\n答：冰是冻住的水。\n", ""),
        ("我：冰是什么？\nAI：冰是冻住的水。\n", ""),
        ("User：冰是什么？\nAssistant：冰是冻住的水。\n", ""),
    ],
)
def test_transcripts_in_chinese(text: str, system: str) -> None:
    imported = only(text)
    assert imported.format == "transcript"
    (example,) = imported.preset.examples
    assert (example.query, example.answer, imported.preset.system) == ("冰是什么？", "冰是冻住的水。", system)


@pytest.mark.parametrize(
    "text",
    [
        "# Instruction\n\nBelow is a conversation between a human and an assistant.\n",
        'Users place their queries under "# Query:", and your responses are under "# Answer:".\n',
        "# Instruction\n\n下面是一段对话。",
    ],
)
def test_a_prompt_file_without_examples_gets_backticks(text: str) -> None:
    imported = only(text)
    assert (imported.format, imported.preset.template) == ("urial", "urial_backticks")
    fence = "```"
    assert prompt(imported.preset, "hi") == f"{text}\n# Query:\n{fence}\nhi\n{fence}\n\n# Answer:\n{fence}\n"


def test_a_prompt_that_starts_with_the_name_of_a_column_is_no_table() -> None:
    prose = only("Instruction\n\nYou are kind.\n")
    assert (prose.format, prose.preset.system) == ("text", "Instruction\n\nYou are kind.")
    assert only("question\nWhat is ice?\n", source="q.csv").preset.questions == ("What is ice?",)


@pytest.mark.parametrize(
    ("text", "pairs", "questions"),
    [
        ("question;answer\r\nWhat is ice?;Frozen water.\r\n", [("What is ice?", "Frozen water.")], ()),
        ("question,category\nWhat is ice?,water\n", [], ("What is ice?",)),
        ('question\n"What is\nice?"\n', [], ("What is\nice?",)),
        ('{"question": "What is ice? \\ud83d"}\n{"question": "Why?"}\n', [], ("What is ice? \ufffd", "Why?")),
        (
            '{"question": "a", "answer": "b"}\n{broken\n{"question": "c", "answer": "d"}',
            [("a", "b"), ("c", "d")],
            (),
        ),
        ('{broken\n{"question": "c", "answer": "d"}', [("c", "d")], ()),
    ],
)
def test_rows_of_every_layout_are_imported(
    text: str, pairs: list[tuple[str, str]], questions: tuple[str, ...]
) -> None:
    preset = only(text).preset
    assert [(e.query, e.answer) for e in preset.examples] == pairs
    assert preset.questions == questions


def test_a_template_of_ollama_by_itself_and_its_parameters() -> None:
    gemma = (
        '{{- range .Messages }}\n{{- if eq .Role "system" }}{{- continue }}{{ else if eq .Role "user" }}'
        "<start_of_turn>user\n{{ .Content }}<end_of_turn>\n"
        "{{ else }}<start_of_turn>model\n{{ .Content }}<end_of_turn>\n{{ end }}{{ end }}"
        "<start_of_turn>model\n"
    )
    imported = only(gemma)
    assert (imported.format, imported.kind) == ("modelfile", "template")
    assert prompt(imported.preset, "q", "a", "r") == (
        "<start_of_turn>user\nq<end_of_turn>\n<start_of_turn>model\na<end_of_turn>\n"
        "<start_of_turn>user\nr<end_of_turn>\n<start_of_turn>model\n"
    )
    stopping = only({"stop": ["<end_of_turn>", "<start_of_turn>"], "temperature": 0.1})
    assert (stopping.kind, stopping.preset.stop) == ("sampling", ("<end_of_turn>", "<start_of_turn>"))
    with pytest.raises(PresetError, match="one turn pattern"):
        only("{{ .Prompt }}{{ .Prompt }}")


def test_a_character_of_text_generation_webui() -> None:
    imported = only(
        "name: Wren\ngreeting: Chirp!\n"
        "context: |-\n  Wren is a bird.\n\n  {{user}}: Food?\n  {{char}}: Seeds.\n",
        source="Wren.yaml",
    )
    assert (imported.format, imported.preset.system) == ("card", "Wren is a bird.")
    assert [(e.query, e.answer) for e in imported.preset.examples] == [("Food?", "Seeds.")]
    assert "first message" in notes(imported)


def test_a_chat_template_that_is_laid_out_for_people() -> None:
    template = (
        "{{ bos_token }}\n{% for message in messages %}\n    {{ '<|im_start|>' + message['role'] + '\\n' + "
        "message['content'] | trim + '<|im_end|>\\n' }}\n{% endfor %}\n\n{% if add_generation_prompt %}\n"
        "    {{ '<|im_start|>assistant\\n' }}\n{% endif %}"
    )
    imported = only(template, source="chatml.jinja")
    assert prompt(imported.preset.model_copy(update={"system": "S"}), "q", "a", "r") == CHATML_PROMPT
    assert "white space was removed" in notes(imported)


def test_prompt_texts_with_variables() -> None:
    first, second = import_text(
        "Be brief.\n\nQuestion: {{question}}\nAnswer:\n---\nSay {{ word }} twice.\n", name="p"
    )
    assert (first.format, first.preset.name, first.preset.system) == ("promptfoo", "p-1", "Be brief.")
    assert prompt(first.preset, "hi") == "Be brief.\n\nQuestion: hi\nAnswer:"
    assert prompt(second.preset, "hi").startswith("Say hi twice.")
    shots = only("Q: What is ice?\nA: Frozen water.\n\nQ: {{question}}\nA:")
    assert shots.preset.questions == ()
    assert prompt(shots.preset, "hi") == "Q: What is ice?\nA: Frozen water.\n\nQ: hi\nA:"
    assert only("{{user}} meets {{char}}.").format == "text"


def test_prompts_in_files_beside_a_configuration_of_promptfoo(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "one.txt").write_text("Say {{word}} twice.")
    (tmp_path / "outside.txt").write_text("Secret {{word}}.")
    prompts = "prompts: [file://one.txt, file://../outside.txt, file://none.txt]"
    text = f"{prompts}\nproviders: [x]\ntests: [{{vars: {{word: hi}}}}]\n"
    (imported,) = import_text(text, name="c", source="c.yaml", folder=tmp_path / "config")
    assert prompt(imported.preset, "hi").startswith("Say hi twice.")
    assert imported.preset.questions == ("hi",)
    assert "../outside.txt, file://none.txt" in notes(imported)
    with pytest.raises(PresetError, match="in other files"):
        import_text(text, name="c", source="c.yaml")
