"""A preset as something that runs: a Python script, a curl command, a Modelfile for Ollama.

The script and the command speak the completions protocol of OpenAI's, which llama.cpp's server, vLLM and
SGLang have. Ollama's Modelfile: its ``docs/modelfile.md`` and ``docs/template.md`` (Go templates).
"""

from __future__ import annotations

import json
import re
import shlex

from playground.chat.assistant import preset_renderer
from playground.exports.result import Exported, Parts, lost_words, parts_of, stop_strings
from playground.presets.preset import Preset
from playground.types import Message

_SCRIPT = '''#!/usr/bin/env python3
"""Ask a base model with the preset {name}; written by icl-playground. Needs nothing but Python.

    python {file} "What is the capital of Japan?"

A server of the completions protocol must run at SERVER, such as: llama-server -m base-model.gguf --port 8080
"""

import json
import sys
import urllib.request

SERVER = "http://127.0.0.1:8080/v1/completions"
HEAD = {head}
SEPARATOR = {separator}
BEFORE_QUERY = {before_query}
BETWEEN = {between}
LEAD = {lead}
AFTER_ANSWER = {after_answer}
OPTIONS = {options}


def said(text):
    return {said}


def prompt(turns, query):
    """The exact prompt for a new query behind finished turns, a list of (query, answer)."""
    blocks = {first_blocks}
    for asked, answered in turns:
        blocks.append(BEFORE_QUERY + said(asked) + BETWEEN + LEAD + said(answered) + AFTER_ANSWER)
    blocks.append(BEFORE_QUERY + said(query) + BETWEEN)
    return SEPARATOR.join(blocks)


def ask(query, turns=()):
    """The model's answer."""
    body = json.dumps({{"prompt": prompt(turns, query), **OPTIONS}}).encode()
    request = urllib.request.Request(SERVER, body, {{"Content-Type": "application/json"}})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["choices"][0]["text"].strip()


if __name__ == "__main__":
    print(ask(" ".join(sys.argv[1:]) or sys.stdin.read()))
'''


def to_python(preset: Preset) -> Exported:
    """A script that builds the same prompts, byte for byte, and asks a server of the completions protocol."""
    parts = parts_of(preset)
    lost: list[str] = []
    options = _options(parts, lost)
    text = _SCRIPT.format(
        name=re.sub(r"[^\w .+-]", "-", preset.name),
        file=f"{re.sub(r'[^A-Za-z0-9_-]+', '_', preset.name) or 'preset'}.py",
        head=repr(parts.head),
        first_blocks="[HEAD]" if parts.headed else "[]",
        separator=repr(parts.template.separator),
        before_query=repr(parts.turn.before_query),
        between=repr(parts.turn.between),
        lead=repr(parts.template.lead),
        after_answer=repr(parts.turn.after_answer),
        options=repr(options),
        said='text.strip("\\n")' if parts.template.strip_newlines else "text",
    )
    lost_words(preset, lost)
    return Exported(text, ".py", tuple(lost))


def to_curl(preset: Preset, question: str = "What is the capital of Japan?") -> Exported:
    """A command that asks one question, with the whole prompt in it."""
    parts = parts_of(preset)
    lost: list[str] = []
    prompt = preset_renderer(preset).render([Message("user", question)]).text
    body = json.dumps({"prompt": prompt, **_options(parts, lost)}, ensure_ascii=False)
    text = (
        "curl -sS http://127.0.0.1:8080/v1/completions \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}\n"
    )
    lost.append(f"One question alone: '{question[:60]}'.")
    lost_words(preset, lost)
    return Exported(text, ".sh", tuple(lost))


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
        lines.append(f"PARAMETER stop {json.dumps(text, ensure_ascii=False)}")
    if not sampling.penalize_prompt:
        lost.append("There the repetition penalty counts the prompt's tokens too.")
    if parts.template.strip_newlines:
        lost.append("Line breaks around a message are not taken off there.")
    if preset.prefix is None and preset.system:
        lost.append("A system message of a conversation does not replace the preset's system text there.")
    lost.append("The Modelfile is written from Ollama's documentation; try it before you rely on it.")
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
    """Text as it stands in a Go template between three quotation marks, which it never holds."""
    pieces = re.split(r'(\{\{|"{2,}|"$|^")', text)
    return "".join(f"{{{{{_go_string(piece)}}}}}" if i % 2 else piece for i, piece in enumerate(pieces))


def _go_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _options(parts: Parts, lost: list[str]) -> dict[str, object]:
    """The body of a request beside its prompt."""
    sampling = parts.preset.sampling
    options: dict[str, object] = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
    stops = stop_strings(parts.stops, lost)
    if stops:
        options["stop"] = stops[:4]
    if len(stops) > 4:
        lost.append("Four stops are allowed there; the others are left out.")
    plain = {"top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
    options |= {key: value for key in plain if (value := getattr(sampling, key)) != plain[key]}
    extra = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    used = {key: value for key in extra if (value := getattr(sampling, key)) != extra[key]}
    if used:
        options |= used
        lost.append(f"Not every server knows these options: {', '.join(used)} (llama.cpp's: repeat_penalty).")
    if sampling.seed is not None:
        options["seed"] = sampling.seed
    return options
