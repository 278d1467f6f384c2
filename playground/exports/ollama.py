"""A Modelfile for Ollama, written by the rules of its own parser.

Sources: ollama/ollama ``parser/parser.go`` (no escapes inside quotation marks; see ``presets.modelfile``),
``template/template.go`` and Go's ``text/template``.
"""

from __future__ import annotations

import re

from playground.exports.result import Exported, Parts, lost_words, parts_of, stop_strings
from playground.presets.modelfile import is_kept, quote_value
from playground.presets.preset import Preset

_ESCAPED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def to_ollama(preset: Preset) -> Exported:
    """A Modelfile that makes a base model answer as with the preset; ``FROM`` is left to fill in."""
    parts = parts_of(preset)
    lost: list[str] = []
    sampling = preset.sampling
    lines = [
        f"# The preset {re.sub(r'[^ -~]', '?', preset.name)}; written by icl-playground.",
        "# Put a base model's file behind FROM, then: ollama create my-preset -f Modelfile",
        "FROM ./base-model.gguf",
        f'TEMPLATE """{_go_template(parts)}"""',
    ]
    values: list[tuple[str, object]] = [
        ("temperature", sampling.temperature),
        ("top_k", sampling.top_k),
        ("top_p", sampling.top_p),
        ("min_p", sampling.min_p),
        ("repeat_penalty", sampling.repetition_penalty),
        ("repeat_last_n", -1),
        ("frequency_penalty", sampling.frequency_penalty),
        ("presence_penalty", sampling.presence_penalty),
        ("num_predict", sampling.max_tokens),
        ("seed", sampling.seed),
    ]
    lines += [f"PARAMETER {name} {value}" for name, value in values if value is not None]
    for text in stop_strings(parts.stops, lost):
        quoted = quote_value(text)
        if quoted is None:
            lost.append(f"Left out: the stop {text!r}, which a Modelfile cannot quote.")
        else:
            lines.append(f"PARAMETER stop {quoted}")
    if not sampling.penalize_prompt:
        lost.append("There the repetition penalty counts the prompt's tokens too.")
    if parts.template.strip_newlines:
        lost.append("Line breaks around a message are not taken off there.")
    if preset.prefix is None and preset.system:
        lost.append("A system message of a conversation does not replace the preset's system text there.")
    lost_words(preset, lost)
    return Exported("\n".join(lines) + "\n", ".Modelfile", tuple(lost))


def _go_template(parts: Parts) -> str:
    """Ollama's prompt: the head, then each message; the generation starts where the open turn ends."""
    turn, separator = parts.turn, parts.template.separator
    first = _go_text(separator)
    between = f"{{{{ if $i }}}}{first}{{{{ end }}}}" if not parts.headed else first
    user = f"{between}{_go_text(turn.before_query)}{{{{ $m.Content }}}}{_go_text(turn.between)}"
    answer = f"{_go_text(parts.template.lead)}{{{{ $m.Content }}}}{_go_text(turn.after_answer)}"
    return (
        f"{_go_text(parts.head)}{{{{ range $i, $m := .Messages }}}}"
        f'{{{{ if eq $m.Role "user" }}}}{user}{{{{ else if eq $m.Role "assistant" }}}}{answer}{{{{ end }}}}'
        "{{ end }}"
    )


def _go_text(text: str) -> str:
    """Text as it stands in a Go template between three quotation marks, which it never holds.

    Characters that Ollama's parser drops are written as escapes of a Go string.
    """
    # A brace at the end would become part of the action that follows; one before an escape likewise.
    pieces = re.split(r'(\{\{|\{(?=$|[^\t\n\r -~])|"{2,}|"$|^"|"(?=\n)|\{(?="))', text)
    written = []
    for i, piece in enumerate(pieces):
        if i % 2:
            written.append(f"{{{{{_go_string(piece)}}}}}")
            continue
        for kept, run in ((is_kept(r[0]), r) for r in re.findall(r"[\t\n\r -~]+|.", piece, re.DOTALL)):
            written.append(run if kept else f"{{{{{_go_string(run)}}}}}")
    return "".join(written)


def _go_string(text: str) -> str:
    escaped = "".join(_ESCAPED.get(c) or (c if is_kept(c) else _go_escape(c)) for c in text)
    return f'"{escaped}"'


def _go_escape(character: str) -> str:
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
