"""Other programs' names for how the next token is drawn, and what of it a preset holds."""

from __future__ import annotations

from collections.abc import Mapping

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
}
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
    "xtc_probability": 0,
    "do_sample": True,
    "min_length": 0,
}


def is_sampler(value: Mapping[object, object]) -> bool:
    """Whether a mapping holds a sampler's settings, and none of something else."""
    known = [key for key in value if key in NAMES or key in IDLE]
    plain = all(value is None or isinstance(value, (int, float, bool, str)) for value in value.values())
    return plain and bool(known) and len(known) * 2 >= len(value)


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
            if str(key) not in IDLE or IDLE[str(key)] != given:
                lost.append(str(key))
            continue
        if isinstance(given, bool) or not isinstance(given, (int, float)):
            raise PresetImportError(f"'{key}' is {given!r:.60} and should be a number.")
        if ours == "seed" and given < 0:
            kept[ours] = None  # theirs for a new one each time
        elif ours in _WHOLE:
            kept[ours] = max(int(given), 0) if given == given and abs(given) < 1e12 else 0
        else:
            kept[ours] = float(given)
    if kept.get("top_p") == 0:
        kept["top_p"] = 1.0
        notes.append("A top_p of 0 keeps every token there: it is 1 here.")
    if value.get("do_sample") is False:
        kept["temperature"] = 0.0
        lost = [key for key in lost if key != "do_sample"]
        notes.append("It does not sample: temperature is 0 here.")
    try:
        return PresetSampling.model_validate(kept), lost, notes
    except ValueError as error:
        first = str(error).split("\n")
        raise PresetImportError(f"The sampler cannot be used: {first[1]}: {first[2].strip()}.") from error
