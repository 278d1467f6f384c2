"""Saved programs of DSPy: instructions, and demonstrations as examples.

Source: stanfordnlp/dspy, ``Module.save`` (``dump_state``): a state for each predictor, with ``demos`` and
``signature`` of ``instructions`` and ``fields``; in older versions ``signature_instructions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playground.imports.given import Given
from playground.imports.result import Imported, make_name, preset_examples
from playground.presets.preset import Preset, PresetTemplate
from playground.types import Example

_NOT_FIELDS = ("augmented", "dspy_uuid", "dspy_split")
_THOUGHTS = ("reasoning", "rationale")


def is_program(given: Given) -> bool:
    """Whether it is a saved program of one predictor or several."""
    return bool(_predictors(given.mapping))


def read_program(given: Given) -> tuple[Imported, ...]:
    """A preset for each predictor."""
    found = _predictors(given.mapping)
    return tuple(
        _one(state, given.name if len(found) == 1 else f"{given.name}-{title}")
        for title, state in found.items()
    )


def _predictors(value: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    if _is_state(value):
        return {"predict": value}
    return {str(k): v for k, v in value.items() if isinstance(v, Mapping) and _is_state(v)}


def _is_state(value: Mapping[str, object]) -> bool:
    return isinstance(value.get("demos"), list) and any(str(key).startswith("signature") for key in value)


def _one(state: Mapping[str, object], wish: str) -> Imported:
    notes: list[str] = []
    signature = state.get("signature")
    signature = signature if isinstance(signature, Mapping) else {}
    system = str(signature.get("instructions") or state.get("signature_instructions") or "")
    fields = signature.get("fields")
    prefixes = [
        str(field.get("prefix") or "")
        for field in (fields if isinstance(fields, list) else [])
        if isinstance(field, Mapping)
    ]
    demos = [demo for demo in _as_list(state.get("demos")) if isinstance(demo, Mapping)]
    kept = [_fields(demo) for demo in demos]
    examples = tuple(example for fields_ in kept if (example := _example(fields_)) is not None)
    if len(examples) < len(demos):
        notes.append(
            f"{len(demos) - len(examples)} demonstrations without a field that could be asked are left out."
        )
    notes.append("DSPy's own layout of fields is left out: a query is the inputs, an answer the last output.")
    first, last = (prefixes[0], prefixes[-1]) if len(prefixes) > 1 else ("Question:", "Answer:")
    preset = Preset(
        name=make_name(wish, notes),
        system=system,
        template=PresetTemplate(
            name="dspy",
            system="{system}\n",
            turn=f"{_literal(first)} {{query}}\n{_literal(last)}{{answer}}\n",
            separator="\n",
            lead=" ",
        ),
        examples=preset_examples(examples, notes),
    )
    return Imported(preset, "dspy", "structured" if system or examples else "template", tuple(notes))


def _fields(demo: Mapping[str, object]) -> dict[str, str]:
    return {
        str(key): value if isinstance(value, str) else repr(value)
        for key, value in demo.items()
        if key not in _NOT_FIELDS and value not in (None, "")
    }


def _example(fields: Mapping[str, str]) -> Example | None:
    """Inputs and output of a demonstration; the last field is the answer, thoughts stand before it."""
    plain = {key: value for key, value in fields.items() if key not in _THOUGHTS}
    if len(plain) < 2:
        return None
    *asked, answer = plain
    query = plain[asked[0]] if len(asked) == 1 else "\n".join(f"{key}: {plain[key]}" for key in asked)
    thoughts = next((fields[key] for key in _THOUGHTS if key in fields), "")
    return Example(query, f"{thoughts}\n{plain[answer]}" if thoughts else plain[answer])


def _literal(prefix: str) -> str:
    """A field's prefix as part of a turn pattern."""
    return prefix.replace("{", "(").replace("}", ")").strip() or "Field:"


def _as_list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []
