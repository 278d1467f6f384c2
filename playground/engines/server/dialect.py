"""What each kind of server understands, and in what meaning.

Every engine gives ``SamplingParams`` one meaning. A dialect says which options a server takes, by what name,
and which it would take in another meaning; those are refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from playground.types import SamplingParams

DialectName = Literal["vllm", "sglang", "llama-server", "llama-cpp-python", "transformers", "openai"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to speak to one kind of server.

    Attributes:
        name: Shown to a person.
        more: Options beyond OpenAI's own that it takes: top_k, min_p, repetition_penalty.
        takes_ids: The prompt may be token ids.
        penalties: Frequency and presence penalty count the output alone, as OpenAI's do.
        cut_before_temperature: It applies top_p and min_p before temperature.
        prompt_logprobs: It tells the logprobs of a prompt in vLLM's way.
        tokenize: Path of the endpoint that tokenizes, relative to the server's root; empty for none.
        token_ids: It tells the ids of what it writes, if asked.
        one_at_a_time: A second request would end the first, or share its random numbers.
        logit_bias: It honours one. logprobs: It tells those of what it writes.
        generation_config: It takes options as transformers' own GenerationConfig, and in no other way that
            means the same.
    """

    name: DialectName
    more: frozenset[str] = frozenset()
    takes_ids: bool = False
    penalties: bool = True
    cut_before_temperature: bool = False
    prompt_logprobs: bool = False
    tokenize: str = ""
    token_ids: bool = False
    one_at_a_time: bool = False
    logit_bias: bool = True
    logprobs: bool = True
    generation_config: bool = False


# vllm-project/vllm, "OpenAI-Compatible Server" and "Sampling Parameters" of its documentation. Its
# repetition penalty sees prompt and output, as here.
VLLM = Dialect(
    "vllm",
    frozenset({"top_k", "min_p", "repetition_penalty"}),
    takes_ids=True,
    prompt_logprobs=True,
    tokenize="tokenize",
    token_ids=True,
)
# sgl-project/sglang, "Sampling Parameters": its repetition penalty's reach is not documented.
SGLANG = Dialect("sglang", frozenset({"top_k", "min_p"}), takes_ids=True)
# ggml-org/llama.cpp, tools/server/README.md: penalties look at a window of prompt and output.
LLAMA_SERVER = Dialect(
    "llama-server",
    frozenset({"top_k", "min_p"}),
    takes_ids=True,
    penalties=False,
    cut_before_temperature=True,
    tokenize="tokenize",
)
# abetlen/llama-cpp-python, llama_cpp/llama.py: top_k, top_p, min_p, then temperature; penalties as above.
LLAMA_CPP_PYTHON = Dialect(
    "llama-cpp-python",
    frozenset({"top_k", "min_p"}),
    penalties=False,
    cut_before_temperature=True,
    tokenize="extras/tokenize",
    # Its default, --interrupt_requests true.
    one_at_a_time=True,
)
# huggingface/transformers 5.23, src/transformers/cli/serving/completion.py and utils.py: logit_bias, logprobs
# and presence_penalty are ignored, frequency_penalty becomes a repetition penalty, it samples only where the
# model's own defaults do, and torch is seeded for all requests at once. generation_config replaces all that.
TRANSFORMERS = Dialect(
    "transformers",
    frozenset({"top_k", "min_p", "repetition_penalty"}),
    penalties=False,
    one_at_a_time=True,
    logit_bias=False,
    logprobs=False,
    generation_config=True,
)
OPENAI = Dialect("openai")


def by_owner(owner: str) -> Dialect | None:
    """The dialect of a server that calls itself so in its list of models, or None."""
    return {"vllm": VLLM, "sglang": SGLANG, "llamacpp": LLAMA_SERVER}.get(owner)


def engine_name(dialect: Dialect) -> str:
    """What an engine over such a server calls itself."""
    return f"server ({dialect.name})"


def engine_dialect(engine: str) -> Dialect | None:
    """The dialect of an engine that calls itself so, or None where it is no server."""
    known = (VLLM, SGLANG, LLAMA_SERVER, LLAMA_CPP_PYTHON, TRANSFORMERS, OPENAI)
    return next((dialect for dialect in known if engine_name(dialect) == engine), None)


def refusal(dialect: Dialect, params: SamplingParams) -> str | None:
    """Which option this kind of server cannot honour, or None."""
    wanted = {
        "top_k": params.top_k != 0,
        "min_p": params.min_p != 0,
        "repetition_penalty": params.repetition_penalty != 1,
    }
    for name, is_set in wanted.items():
        if is_set and name not in dialect.more:
            return _cannot(dialect, f"the sampling option {name}")
    if params.logit_bias and not dialect.logit_bias:
        return _cannot(dialect, "the sampling option logit_bias")
    if params.repetition_penalty != 1 and not params.penalize_prompt:
        return _cannot(dialect, "a repetition penalty that leaves the prompt out")
    if not dialect.penalties and (params.frequency_penalty or params.presence_penalty):
        return _cannot(dialect, "frequency and presence penalties that count the output alone")
    cuts = params.top_p < 1 or params.min_p > 0
    if dialect.cut_before_temperature and cuts and params.temperature not in (0, 1):
        return _cannot(dialect, "top_p or min_p after a temperature other than 1")
    return None


def _cannot(dialect: Dialect, what: str) -> str:
    return f"A {dialect.name} server cannot do {what} in the meaning used here; leave it out."


def plain_options(dialect: Dialect, params: SamplingParams) -> dict[str, object]:
    """Options by OpenAI's names, as far as the server honours them there."""
    options: dict[str, object] = {"max_tokens": params.max_tokens}
    if dialect.generation_config:
        return options
    options |= {
        "temperature": params.temperature,
        "top_p": params.top_p,
        "frequency_penalty": params.frequency_penalty,
        "presence_penalty": params.presence_penalty,
        "stream_options": {"include_usage": True},
    }
    if params.logit_bias:
        options["logit_bias"] = {str(token): value for token, value in params.logit_bias}
    return options


def extra_body(dialect: Dialect, params: SamplingParams, *, logprobs: bool) -> dict[str, object]:
    """Options beyond OpenAI's own, always said: a server's own defaults differ."""
    if dialect.generation_config:
        return {"generation_config": json.dumps(_generation_config(params))}
    body: dict[str, object] = {}
    if "top_k" in dialect.more:
        body["top_k"] = params.top_k or (0 if dialect.cut_before_temperature else -1)
    if "min_p" in dialect.more:
        body["min_p"] = params.min_p
    if "repetition_penalty" in dialect.more:
        body["repetition_penalty"] = params.repetition_penalty
    if dialect.name == "llama-server":
        body["repeat_penalty"] = 1.0
        body["cache_prompt"] = True
    if dialect.name == "llama-cpp-python":
        body["repeat_penalty"] = 1.0
    if dialect.token_ids and not logprobs:
        body["return_token_ids"] = True
    return body


def _generation_config(params: SamplingParams) -> dict[str, object]:
    """The options in transformers' own words; what is left out takes the model's default."""
    chosen: dict[str, object] = {
        "do_sample": params.temperature > 0,
        "max_new_tokens": params.max_tokens,
        "repetition_penalty": params.repetition_penalty,
    }
    if params.temperature > 0:
        chosen |= {"temperature": params.temperature, "top_k": params.top_k, "top_p": params.top_p}
        chosen |= {"min_p": params.min_p} if params.min_p else {}
    return chosen
