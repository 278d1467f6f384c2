"""A preset as something that runs: a Python script, a curl command.

Both speak OpenAI's completions protocol, which llama.cpp's server, vLLM and SGLang have.
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
