"""Stories of KoboldAI Lite and of KoboldAI: memory, text and settings.

Source: LostRuins/lite.koboldai.net ``index.html`` (``generate_savefile``). In instruct mode (``opmode`` 4)
the text holds ``{{[INPUT]}}`` and ``{{[OUTPUT]}}``, which stand for the tags of the settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from playground.imports.given import Given
from playground.imports.result import Imported, PresetImportError, make_name, preset_examples, unused
from playground.imports.samplers import read_known
from playground.presets.preset import Preset, PresetTemplate
from playground.types import Example

_TAG = re.compile(r"\{\{\[(INPUT|OUTPUT|SYSTEM)(?:_END)?\]\}\}")
_PICTURE = re.compile(r"\[<\|([ph])\|.+?\|\1\|>\]", re.DOTALL)
_ALPACA = ("\n### Instruction:\n", "\n### Response:\n")


def is_story(given: Given) -> bool:
    """Whether it is a saved story."""
    value = given.mapping
    return isinstance(value.get("actions"), list) and ("gamestarted" in value or "prompt" in value)


def read_story(given: Given) -> tuple[Imported, ...]:
    """The preset of a story: turns as examples in instruct mode, else the text as a verbatim prefix.

    Raises:
        PresetImportError: It holds no text.
    """
    value = given.mapping
    notes: list[str] = []
    memory = str(value.get("memory") or "")
    parts = [str(value.get("prompt") or ""), *(str(action) for action in value["actions"])]
    text = _PICTURE.sub("", "".join(parts))
    if not (memory + text).strip():
        raise PresetImportError(f"{given.source} is a story without any text.")
    settings = value.get("savedsettings")
    settings = settings if isinstance(settings, Mapping) else {}
    sampling, changed = read_known(settings, skip=("max_context_length",), more={"max_length": "max_tokens"})
    notes += changed
    for key in ("authorsnote", "worldinfo", "extrastopseq"):
        if value.get(key) or (key == "extrastopseq" and settings.get(key)):
            unused([key], notes, of="the story")
    name = make_name(str(value.get("title") or given.name), notes)
    stops = str(settings.get("extra_stop_seq") or settings.get("extrastopseq") or "")
    stop = tuple(part.replace("\\n", "\n") for part in stops.split("||$||") if part.strip())
    tags = [_tag(settings, key, usual) for key, usual in zip(("start", "end"), _ALPACA, strict=True)]
    text = text.replace(tags[0], "{{[INPUT]}}").replace(tags[1], "{{[OUTPUT]}}") if all(tags) else text
    marks = list(_TAG.finditer(text))
    if str(settings.get("opmode", "4" if marks else "1")) != "4" or not marks:
        notes.append("It is a story and no conversation: its text stands in front of the conversation.")
        preset = Preset(name=name, prefix=memory + text, sampling=sampling, stop=stop)
        return (Imported(preset, "koboldai", "verbatim", tuple(notes)),)
    system = (memory + text[: marks[0].start()]).strip("\n")
    examples: list[Example] = []
    for mark, end in zip(marks, [*(m.start() for m in marks[1:]), len(text)], strict=True):
        said = text[mark.end() : end].strip("\n")
        if mark[1] == "INPUT" and "_END" not in mark[0]:
            examples.append(Example(said, ""))
        elif mark[1] == "OUTPUT" and "_END" not in mark[0]:
            last = examples.pop() if examples and not examples[-1].answer else Example("", "")
            examples.append(Example(last.query, said))
        elif said:
            system = f"{system}\n{said}".strip("\n")
    questions = [e.query for e in examples if not e.answer.strip() and e.query.strip()]
    answered = tuple(e for e in examples if e.answer.strip())
    ends = [str(settings.get(f"instruct_{k}tag_end") or "").replace("\\n", "\n") for k in ("start", "end")]
    preset = Preset(
        name=name,
        system=system,
        template=PresetTemplate(
            name="koboldai",
            system="{system}\n" if system else "{system}",
            turn=f"{tags[0]}{{query}}{ends[0]}{tags[1]}{{answer}}{ends[1]}",
            separator="",
        ),
        examples=preset_examples(answered, notes),
        sampling=sampling,
        questions=tuple(questions),
        stop=stop,
    )
    return (Imported(preset, "koboldai", "structured", tuple(notes)),)


def _tag(settings: Mapping[object, object], which: str, usual: str) -> str:
    """A tag of instruct mode; the placeholder itself stands for the usual one."""
    tag = str(settings.get(f"instruct_{which}tag") or "").replace("\\n", "\n")
    return usual if not tag or _TAG.fullmatch(tag) else tag
