"""Finds the fastest layout of a context for this model on this machine, once, and remembers it.

Flash attention, the size of native passes and the number of threads can each go either way: on one AVX2
core flash attention halved the speed of many lanes, on other hardware it doubles it. Unified KV is not
probed, because sharing prefixes rests on it. What the caller has decided is not measured.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from playground.engines.batching.decoding import DecodeAbortedError
from playground.engines.llamacpp.context import Context, ContextOptions
from playground.engines.llamacpp.model import Model

LONGEST_S = 2.0
_PROMPT = 128
_LANES = 8
_STEPS = 4
# Passes of another size are only measured where a measurement is this quick, as they take longer prompts.
_QUICK_S = 0.15
# What wins by less than noise does not win.
_BETTER = 0.95
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Tuning:
    """What shapes the speed of a context, and may be chosen freely."""

    flash_attn: bool = False
    n_ubatch: int = 128
    n_threads: int = 1


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller has decided; None is left to the probe."""

    flash_attn: bool | None = None
    n_ubatch: int | None = None
    n_threads: int | None = None

    def default(self) -> Tuning:
        """The best guess without a measurement."""
        return Tuning(bool(self.flash_attn), self.n_ubatch or 128, self.n_threads or os.cpu_count() or 1)


def tune(model: Model, wishes: Wishes, *, remembered_in: Path | None, key: str) -> Tuning:
    """The tuning for ``model``: remembered under ``key``, or measured now and remembered.

    Args:
        model: What is run.
        wishes: What is decided already.
        remembered_in: File of earlier results; None measures nothing and takes the best guess.
        key: Names model, machine and library version.
    """
    default = wishes.default()
    decided = None not in (wishes.flash_attn, wishes.n_ubatch, wishes.n_threads)
    if decided or remembered_in is None:
        return default
    known = recall(wishes, remembered_in=remembered_in, key=key)
    if known is not None:
        return known
    found = _measure_all(model, wishes, default)
    _write(remembered_in, _read(remembered_in) | {_full_key(key, wishes): asdict(found)})
    return found


def recall(wishes: Wishes, *, remembered_in: Path | None, key: str) -> Tuning | None:
    """What was measured before, or None."""
    if remembered_in is None:
        return None
    try:
        values = _read(remembered_in)[_full_key(key, wishes)]
        return Tuning(bool(values["flash_attn"]), int(values["n_ubatch"]), int(values["n_threads"]))
    except (KeyError, TypeError, ValueError):
        return None


def _full_key(key: str, wishes: Wishes) -> str:
    """What was decided by the caller shapes what is best in the rest."""
    return f"{key} {wishes.flash_attn} {wishes.n_ubatch} {wishes.n_threads}"


def _measure_all(model: Model, wishes: Wishes, default: Tuning) -> Tuning:
    """The best tuning that can be found within ``LONGEST_S``; one option after the other."""
    until = time.perf_counter() + LONGEST_S
    best = default
    try:
        cost = _measure(model, best, _PROMPT, until).total_s
        changes: list[Callable[[Tuning], Tuning]] = []
        if wishes.flash_attn is None:
            changes.append(lambda tuning: replace(tuning, flash_attn=True))
        if wishes.n_threads is None and best.n_threads > 1:
            changes.append(lambda tuning: replace(tuning, n_threads=tuning.n_threads // 2))
        for change in changes:
            candidate = change(best)
            found = _measure(model, candidate, _PROMPT, until).total_s
            if found < _BETTER * cost:
                best, cost = candidate, found
        if wishes.n_ubatch is None and cost < _QUICK_S:
            wide = replace(best, n_ubatch=512)
            narrow_s = _measure(model, best, 512, until).prefill_s
            if _measure(model, wide, 512, until).prefill_s < _BETTER * narrow_s:
                best = wide
    except DecodeAbortedError:
        pass  # the time is up: what was found so far is better than nothing
    return best


@dataclass(frozen=True, slots=True)
class _Cost:
    """Seconds for a prompt of ``_PROMPT`` tokens, and for some steps of ``_LANES`` lanes."""

    prefill_s: float
    steps_s: float

    @property
    def total_s(self) -> float:
        return self.prefill_s + self.steps_s


def _measure(model: Model, tuning: Tuning, prompt: int, until: float) -> _Cost:
    """What a prompt and some steps cost, with the cache as full as a preset makes it.

    Raises:
        DecodeAbortedError: The clock reached ``until``.
    """
    options = ContextOptions(
        n_cells=2048,
        n_seqs=_LANES + 1,
        n_batch=512,
        n_ubatch=tuning.n_ubatch,
        n_threads=tuning.n_threads,
        flash_attn=tuning.flash_attn,
    )
    context = Context(model, options)
    alarm = threading.Timer(max(until - time.perf_counter(), 0), context.abort)
    alarm.start()
    try:
        tokens = (np.arange(prompt) % model.vocab.size).astype(np.int32)
        # The first pass reads the weights from disk and is not the one that counts.
        context.add_one(0, 0, int(tokens[0]))
        context.decode()
        context.drop(0)
        started = time.perf_counter()
        context.clear_batch()
        context.add(0, 0, tokens, logits_from=prompt - 1)
        context.decode()
        prefill_s = time.perf_counter() - started
        if prompt > _PROMPT:
            return _Cost(prefill_s, 0.0)
        # Copies fill the cache at no cost, so that attention has something to do.
        data = context.save(0)
        for lane in range(1, _LANES):
            context.load(lane, data)
        started = time.perf_counter()
        for step in range(_STEPS):
            context.clear_batch()
            for lane in range(_LANES):
                context.add_one(lane, prompt + step, int(tokens[lane % prompt]))
            context.decode()
        return _Cost(prefill_s, time.perf_counter() - started)
    finally:
        alarm.cancel()
        alarm.join()
        context.close()


def _read(path: Path) -> dict[str, dict[str, int]]:
    """Earlier results; none where there is no file or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        tunings = content["tunings"] if content["version"] == _VERSION else {}
        return tunings if isinstance(tunings, dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(path: Path, tunings: dict[str, dict[str, int]]) -> None:
    """Remember; where that fails, the next load measures again."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            temporary = file.name
            json.dump({"version": _VERSION, "tunings": tunings}, file, indent=1)
        os.replace(temporary, path)
    except OSError:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
