"""A prompt as a command that a shell runs: ``curl`` against llama.cpp's ``llama-server``.

The prompt goes as token ids, so that a server of the same model continues exactly what is sent here, BOS and
special tokens included. Source of the field names: ggml-org/llama.cpp, tools/server/README.md, POST
/completion.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from playground.types import SamplingParams, StopRule

LLAMA_SERVER = "http://127.0.0.1:8080"


def curl_command(
    ids: Sequence[int],
    sampling: SamplingParams,
    stop: Sequence[StopRule] = (),
    *,
    server: str = LLAMA_SERVER,
) -> str:
    """A command for POSIX shells; the body is a here-document, since an argument may hold only 128 KB.

    Stops are plain strings there: one that counts at the start of a line is written with the newline before
    it, so it does not end an answer with its very first line.
    """
    body = {
        "prompt": list(ids),
        "n_predict": sampling.max_tokens,
        "stop": [_stop(rule) for rule in stop],
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repetition_penalty,
        "repeat_last_n": -1,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
        "seed": -1 if sampling.seed is None else sampling.seed,
        "cache_prompt": True,
    }
    # One line of ASCII that begins with a brace: nothing in it can end the document or be expanded.
    return (
        f"curl -sS {server}/completion -H 'Content-Type: application/json' --data-binary @- <<'JSON'\n"
        f"{json.dumps(body)}\n"
        "JSON\n"
    )


def _stop(rule: StopRule) -> str:
    return rule.text if rule.place == "anywhere" else "\n" + rule.text
