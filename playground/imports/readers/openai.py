"""What OpenAI's playground exports: a request's JSON, or the code around it in Python or curl.

Source: OpenAI's API reference: chat completions (``messages``), responses (``instructions``, ``input``) and
completions (``prompt``). SillyTavern's presets for chat completion are close enough to be read here too.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from playground.datasets.talks import read_talk
from playground.imports.given import Given
from playground.imports.macros import resolve
from playground.imports.result import Imported, PresetImportError, make_name, preset_examples, unused
from playground.imports.samplers import NAMES, read_known
from playground.presets.preset import Preset
from playground.types import Example

_PROMPTS = ("messages", "input", "prompt", "instructions")
_SET = ("temperature", "max_tokens", "max_completion_tokens", "max_output_tokens", "top_p", "model", "stop")
_CALL = re.compile(r"\.create\(|openai", re.IGNORECASE)
_IDLE = {"model", "stream", "n", "stop", "store", "text", "tools", "reasoning", "response_format", *_PROMPTS}


def is_request(given: Given) -> bool:
    """Whether it is the JSON of a request, a preset of SillyTavern's for chat completion, or code."""
    value = given.mapping
    if value:
        prompt = any(isinstance(value.get(key), (str, list)) for key in _PROMPTS)
        return (prompt and any(key in value for key in _SET) and "actions" not in value) or _is_st(value)
    return given.value is None and _in_code(given.text) is not None


def read_request(given: Given) -> tuple[Imported, ...]:
    """The preset of a request: system text, earlier turns as examples, decoding, stops.

    Raises:
        PresetImportError: It has no message that could be kept.
    """
    value: Mapping[Any, Any] = given.mapping or _in_code(given.text) or {}
    notes: list[str] = []
    sampling, changed = read_known({k: v for k, v in value.items() if v is not None}, skip=("max_length",))
    notes += changed
    stop = value.get("stop")
    stops = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    update: dict[str, object] = {
        "sampling": sampling,
        "stop": tuple(str(s) for s in stops if str(s).strip()),
    }
    prompt = value.get("prompt")
    if isinstance(prompt, str) and not isinstance(value.get("messages"), list):
        from playground.imports.recognise import import_text

        (inner, *_) = import_text(prompt, name=given.name, source=given.source)
        preset = inner.preset.model_copy(update=update)
        return (Imported(preset, "openai", inner.kind, (*inner.notes, *notes), inner.normalised),)
    system, examples, questions = _talk(value, notes)
    if _is_st(value):
        system = resolve(system, "the prompts", notes)
    ignored = [
        str(k) for k, v in value.items() if k not in _IDLE and k not in NAMES and v not in (None, "", [], {})
    ]
    unused([] if _is_st(value) else ignored, notes, of="the request")
    if value.get("tools") or value.get("response_format") not in (None, {}, {"type": "text"}):
        notes.append("Tools and formats of the answer have no place in a preset and are left out.")
    preset = Preset(
        name=make_name(given.name, notes),
        system=system,
        examples=preset_examples(examples, notes),
        questions=questions,
    ).model_copy(update=update)
    if not (system or examples or questions):
        notes.append("It holds no message: nothing but decoding was read.")
        return (Imported(preset, "openai", "sampling", tuple(notes)),)
    return (Imported(preset, "openai", "structured", tuple(notes)),)


def _talk(value: Mapping[Any, Any], notes: list[str]) -> tuple[str, tuple[Example, ...], tuple[str, ...]]:
    """System text, answered turns, and the open question at the end."""
    messages = value.get("messages", value.get("input", []))
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if _is_st(value):
        messages = _st_messages(value, notes)
    messages = (
        [m for m in messages if not isinstance(m, Mapping) or "role" in m]
        if isinstance(messages, list)
        else []
    )
    own = value.get("instructions")
    system = own.strip() if isinstance(own, str) else ""
    if not messages:
        return system, (), ()
    asked = any(isinstance(m, Mapping) and str(m.get("role")).lower() == "user" for m in messages)
    try:
        talk = read_talk(messages if asked else [*messages, {"role": "user", "content": "?"}])
    except ValueError as error:
        raise PresetImportError(f"Its messages cannot be read: {error}.") from error
    notes += [f"Of the messages, {clause}." for clause in talk.changed]
    whole = "\n\n".join(text for text in (system, talk.system) if text)
    if not asked:
        return whole, (), ()
    answers = (*talk.answers, *[""] * (len(talk.queries) - len(talk.answers)))
    pairs = [Example(q, a) for q, a in zip(talk.queries, answers, strict=True)]
    questions = tuple(pair.query for pair in pairs if not pair.answer.strip())
    return whole, tuple(pair for pair in pairs if pair.answer.strip()), questions


def _is_st(value: Mapping[Any, Any]) -> bool:
    prompts = value.get("prompts")
    return isinstance(prompts, list) and any(isinstance(p, Mapping) and "identifier" in p for p in prompts)


def _st_messages(value: Mapping[Any, Any], notes: list[str]) -> list[object]:
    """The prompts of a SillyTavern preset that are switched on and hold text, in their order."""
    prompts = value["prompts"]
    assert isinstance(prompts, list)
    texts = {p.get("identifier"): p for p in prompts if isinstance(p, Mapping) and p.get("content")}
    orders = value.get("prompt_order")
    order = [*texts]
    if isinstance(orders, list) and orders and isinstance(orders[-1], Mapping):
        listed = orders[-1].get("order")
        if isinstance(listed, list):
            order = [o.get("identifier") for o in listed if isinstance(o, Mapping) and o.get("enabled")]
    kept = [texts[identifier] for identifier in order if identifier in texts]
    notes.append("It is a preset of SillyTavern's for chat completion: its prompts are the system text.")
    return [{"role": "system", "content": str(p["content"])} for p in kept]


def _in_code(text: str) -> dict[str, object] | None:
    """The arguments of the request in Python code or a curl command."""
    if len(text) > 200_000 or not _CALL.search(text):
        return None
    if "curl" in text[:200]:
        match = re.search(r"(?:-d|--data(?:-raw)?)\s+'(\{.*\})'", text, re.DOTALL)
        try:
            loaded = json.loads(match[1].replace("'\\''", "'")) if match else None
        except (ValueError, RecursionError):
            return None
        return loaded if isinstance(loaded, dict) else None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and any(k.arg in _PROMPTS for k in node.keywords):
            found: dict[str, object] = {}
            for keyword in node.keywords:
                try:
                    found[str(keyword.arg)] = ast.literal_eval(keyword.value)
                except (ValueError, RecursionError, MemoryError):
                    continue
            return found if any(key in found for key in _PROMPTS) else None
    return None
