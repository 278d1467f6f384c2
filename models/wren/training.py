"""The training loop that all stages share: schedule, progress, checkpoints, the loss log.

A checkpoint holds weights, optimizer and the step; batches are functions of the step, so a run
that was interrupted goes on exactly where it stopped.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from models.wren.batches import Batch, BatchMaker, Job, batches
from models.wren.network import Llama, loss
from models.wren.optimizer import Optimizer

CHECKPOINT_S = 240.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One stage of training.

    Attributes:
        name: The folder of its checkpoints.
        steps: Number of optimizer steps.
        batch_tokens: Predicted tokens a step.
        lengths: Pairs of share of the steps and row length, in order.
        peak: The highest learning rate.
        flat: Share of the steps before the rate starts to fall linearly to zero.
        warmup: Steps over which the rate rises.
        late: Share of the steps after which documents are those of the second part.
    """

    name: str
    steps: int
    batch_tokens: int
    lengths: tuple[tuple[float, int], ...]
    peak: float
    flat: float = 0.5
    warmup: int = 60
    late: float = 1.0

    def job(self, step: int) -> Job:
        """The batch of `step`."""
        done, length = 0.0, self.lengths[-1][1]
        for share, candidate in self.lengths:
            done += share
            if step < done * self.steps:
                length = candidate
                break
        late = step >= self.late * self.steps
        return Job(step, max(1, self.batch_tokens // length), length, late)

    def rate(self, step: int) -> float:
        """The learning rate of `step`."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        falling = (self.steps - step) / max(1.0, self.steps * (1 - self.flat))
        return self.peak * min(1.0, falling)


def train(
    model: Llama,
    maker: BatchMaker,
    plan: Plan,
    folder: Path,
    *,
    device: str = "cpu",
    compiled: bool = True,
    workers: int = 0,
    keep: bool = False,
) -> Llama:
    """`model` trained by `plan`, going on from the newest checkpoint in `folder`.

    Args:
        model: Updated in place and returned.
        maker: Makes the batches.
        plan: What to do.
        folder: Where `<plan>.pt` (newest checkpoint) and `<plan>.jsonl` (losses) are kept.
        device: `cpu`, `cuda` or `mps`.
        compiled: Whether to use `torch.compile`.
        workers: Processes that make batches; 0 makes them in this one.
        keep: Also keep every checkpoint's weights as `<plan>-<step>.pt`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, log = folder / f"{plan.name}.pt", folder / f"{plan.name}.jsonl"
    model.to(device)
    optimizer = Optimizer(model)
    start = 0
    if path.exists():
        saved = torch.load(path, map_location=device, weights_only=False)
        model.load_state_dict(saved["model"])
        optimizer.restore(saved["optimizer"])
        start = saved["step"]
    else:
        log.unlink(missing_ok=True)

    def save(step: int) -> None:
        _save(path, {"model": model.state_dict(), "optimizer": optimizer.state(), "step": step})
        if keep:
            _save(folder / f"{plan.name}-{step:06d}.pt", {"model": model.state_dict()})

    forward = torch.compile(loss, dynamic=False) if compiled else loss
    jobs = [plan.job(step) for step in range(start, plan.steps)]
    stream: Iterable[Batch] = batches(maker, jobs, workers=workers)
    began = saved_at = told_at = time.monotonic()
    recent: list[float] = []
    for step, batch in enumerate(stream, start=start):
        ids = torch.from_numpy(batch.ids).to(device)
        weights = None if batch.learnt.all() else torch.from_numpy(batch.learnt).to(device)
        value = forward(model, ids, weights)
        value.backward()
        optimizer.step(plan.rate(step))
        recent.append(value.item())
        if not math.isfinite(recent[-1]):
            raise RuntimeError(f"the loss became {recent[-1]} at step {step}")
        now = time.monotonic()
        if now - told_at > 10 or step + 1 == plan.steps:
            told_at = now
            mean = sum(recent) / len(recent)
            recent.clear()
            each_s = (now - began) / (step + 1 - start)
            line = {
                "step": step + 1,
                "tokens": (step + 1) * plan.batch_tokens,
                "loss": round(mean, 4),
                "rate": round(plan.rate(step), 6),
                "tokens_per_s": round(plan.batch_tokens / each_s),
                "eta_s": round(each_s * (plan.steps - step - 1)),
            }
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(
                f"{plan.name} {step + 1}/{plan.steps}  loss {mean:.3f}  "
                f"{line['tokens_per_s']} tokens/s  {line['eta_s'] / 60:.0f} min left",
                flush=True,
            )
        if now - saved_at > CHECKPOINT_S or step + 1 == plan.steps:
            saved_at = now
            save(step + 1)
    return model


def _save(path: Path, state: dict[str, object]) -> None:
    """Write `state` so that an interruption leaves the old file or the new one."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)
