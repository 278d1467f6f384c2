"""Other programs' names for how the next token is drawn, and what of it a preset holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from playground.imports.result import PresetImportError
from playground.presets.preset import PresetSampling

# Our name by theirs: text-generation-webui's own, then SillyTavern's for it.
NAMES: dict[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repetition_penalty",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "max_new_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "temp": "temperature",
    "rep_pen": "repetition_penalty",
    "freq_pen": "frequency_penalty",
    "presence_pen": "presence_penalty",
    "genamt": "max_tokens",
    # KoboldCpp's, NovelAI's, mikupad's, Ollama's and OpenAI's.
    "rep_penalty": "repetition_penalty",
    "repeat_penalty": "repetition_penalty",
    "repeatPenalty": "repetition_penalty",
    "repetition_penalty_frequency": "frequency_penalty",
    "repetition_penalty_presence": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "topK": "top_k",
    "topP": "top_p",
    "minP": "min_p",
    "maxPredictTokens": "max_tokens",
    "num_predict": "max_tokens",
    "max_output_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "openai_max_tokens": "max_tokens",
}
# Theirs for texts that end an answer.
STOPS = ("stop", "stop_sequences", "custom_stopping_strings", "stopping_strings")
_WHOLE = {"top_k", "max_tokens", "seed"}
# Theirs, with the value at which it does nothing.
IDLE: dict[str, object] = {
    "typical_p": 1,
    "typical": 1,
    "tfs": 1,
    "top_a": 0,
    "epsilon_cutoff": 0,
    "eta_cutoff": 0,
    "guidance_scale": 1,
    "mirostat_mode": 0,
    "penalty_alpha": 0,
    "smoothing_factor": 0,
    "encoder_repetition_penalty": 1,
    "no_repeat_ngram_size": 0,
    "repetition_penalty_range": 0,
    "rep_pen_range": 0,
    "temperature_last": False,
    "dynamic_temperature": False,
    "num_beams": 1,
    "dry_multiplier": 0,
    "mirostat": 0,
    "dynatemp": False,
    "encoder_rep_pen": 1,
    "rep_pen_decay": 0,
    "rep_pen_size": 0,
    "rep_pen_slope": 1,
    "repetition_penalty_slope": 0,
    "tail_free_sampling": 1,
    "length_penalty": 1,
    "early_stopping": False,
    "smoothing_curve": 1,
    "skew": 0,
    "top_n_sigma": 0,
    "nsigma": 0,
    "adaptive_target": -0.01,
    "min_keep": 0,
    "add_bos_token": True,
    "ban_eos_token": False,
    "ignore_eos_token": False,
    "skip_special_tokens": True,
    "spaces_between_special_tokens": True,
    "speculative_ngram": False,
    "include_reasoning": True,
    "negative_prompt": "",
    "grammar_string": "",
    "grammar": "",
    "json_schema": {},
    "banned_tokens": "",
    "global_banned_tokens": "",
    "send_banned_tokens": True,
    "logit_bias": [],
    "use_default_badwordsids": False,
    "streaming_kobold": True,
    "use_cache": False,
    "return_full_text": False,
    "math1_temp": 1,
    "math1_quad": 0,
    "math1_quad_entropy_scale": 0,
    "xtc_probability": 0,
    "do_sample": True,
    "min_length": 0,
}
# Settings that mean nothing while another one is at rest.
_DEPENDENT: dict[str, str] = {
    "min_temp": "dynatemp",
    "max_temp": "dynatemp",
    "dynatemp_exponent": "dynatemp",
    "dynatemp_low": "dynamic_temperature",
    "dynatemp_high": "dynamic_temperature",
    "dry_allowed_length": "dry_multiplier",
    "dry_base": "dry_multiplier",
    "dry_sequence_breakers": "dry_multiplier",
    "dry_penalty_last_n": "dry_multiplier",
    "mirostat_tau": "mirostat_mode",
    "mirostat_eta": "mirostat_mode",
    "xtc_threshold": "xtc_probability",
    "smoothing_curve": "smoothing_factor",
    "adaptive_decay": "adaptive_target",
}
_ORDERS = ("samplers", "sampler_order", "sampler_priority", "samplers_priorities", "order")
_OTHERS = (
    *_DEPENDENT,
    *_ORDERS,
    "max_length",
    "max_context",
    "max_context_length",
    "phrase_rep_pen",
    "prefix",
)
_ABOUT = ("name", "preset", "title")


def is_sampler(value: Mapping[object, object]) -> bool:
    """Whether a mapping holds a sampler's settings, and none of something else."""
    known = [key for key in value if key in NAMES or key in IDLE or key in STOPS]
    beside = [key for key in value if key in _OTHERS or key in _ABOUT]
    plain = all(
        value is None or key in (*_OTHERS, *IDLE, *STOPS) or isinstance(value, (int, float, bool, str))
        for key, value in value.items()
    )
    return plain and bool(known) and (len(known) + len(beside)) * 2 >= len(value)


def read_sampler(value: Mapping[object, object]) -> tuple[PresetSampling, list[str], list[str]]:
    """The sampling, the keys that have no place, and what was changed on the way, a sentence each.

    Raises:
        PresetImportError: A value is no number, or one that no sampler can work with.
    """
    kept: dict[str, int | float | None] = {}
    lost: list[str] = []
    notes: list[str] = []
    for key, given in value.items():
        ours = NAMES.get(str(key))
        if ours is None:
            if not _does_nothing(str(key), given, value):
                lost.append(str(key))
            continue
        number = _number(given)
        if number is None:
            raise PresetImportError(f"'{key}' is {given!r:.60} and should be a number.")
        if ours == "seed" and number < 0:
            continue  # theirs for a new one each time
        if ours == "max_tokens" and number <= 0:
            notes.append(f"'{key}' is {given}, which is no limit there: it is the usual one here.")
            continue
        if ours in _WHOLE:
            kept[ours] = max(int(number), 0) if abs(number) < 1e12 else 0
        elif ours == "top_p" and number == 0:
            kept[ours] = 1.0
            notes.append("A top_p of 0 keeps every token there: it is 1 here.")
        else:
            kept[ours] = float(number)
        try:
            PresetSampling.model_validate({ours: kept[ours]})
        except ValueError as error:
            if ours == "temperature" and number < 0:
                raise PresetImportError(f"'{key}' is {given}, which no sampler can work with.") from error
            said = str(error).split("\n")[2].strip().split(" [type")[0]
            notes.append(f"'{key}' is {given!r:.40}, which cannot be kept: {said[:1].lower()}{said[1:]}.")
            del kept[ours]
    if value.get("do_sample") is False:
        kept["temperature"] = 0.0
        lost = [key for key in lost if key != "do_sample"]
        notes.append("It does not sample: temperature is 0 here.")
    orders = [key for key in lost if key in _ORDERS]
    if orders:
        lost = [key for key in lost if key not in _ORDERS]
        notes.append("Its order of samplers is left out: here it is always the same (see the documentation).")
    return PresetSampling.model_validate(kept), lost, notes


def read_known(
    value: Mapping[Any, object], *, skip: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> tuple[PresetSampling, list[str]]:
    """The sampling among many other settings, which are not looked at; a value that is no number is left out.

    Args:
        value: Settings of any kind.
        skip: Keys that mean something else there.
        more: Further keys, by our name.
    """
    names = {**NAMES, **(more or {})}
    found: dict[object, object] = {}
    for key, given in value.items():
        if key in names and key not in skip and _number(given) is not None:
            found[next(k for k, ours in NAMES.items() if ours == names[str(key)])] = given
    sampling, _, notes = read_sampler(found)
    return sampling, notes


def _does_nothing(key: str, given: object, value: Mapping[object, object]) -> bool:
    """Whether a setting has its value at rest, or belongs to one that has, or is a name."""
    if key in _ABOUT or given is None:
        return True
    if key in IDLE and (IDLE[key] == given or given in ("", [], {})):
        return True
    if key in STOPS:
        return True
    switch = _DEPENDENT.get(key)
    return switch is not None and (switch not in value or IDLE.get(switch) == value.get(switch))


def read_stops(value: Mapping[Any, object]) -> tuple[str, ...]:
    """The texts that end an answer, among a sampler's settings; lists, or texts of a list in JSON."""
    found: list[str] = []
    for key in STOPS:
        given = value.get(key)
        if isinstance(given, str):
            try:
                given = json.loads(given if given.lstrip().startswith("[") else f"[{given}]")
            except (ValueError, RecursionError):
                given = [given]
        found += [str(stop) for stop in given if str(stop).strip()] if isinstance(given, list) else []
    return tuple(dict.fromkeys(found))


def _number(given: object) -> int | float | None:
    """A number, also one that is written as text; None for anything else, and for what is not finite."""
    if isinstance(given, bool):
        return None
    if isinstance(given, str):
        try:
            given = float(given) if any(c in given for c in ".eE") else int(given)
        except ValueError:
            return None
    if not isinstance(given, (int, float)) or not math.isfinite(given):
        return None
    return given
