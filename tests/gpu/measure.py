"""The transformers engine against plain ``generate``, on a random model: a table, then one line of JSON.

``check`` runs it: a CUDA device takes a 7B shape in bfloat16; a small shape only shows that it runs.
"""

from __future__ import annotations

import json
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
import transformers
from random_model import RandomModel, llama_7b, small

from playground.engines.base import Engine, Finished, GenerateRequest
from playground.engines.spec import EngineSpec
from playground.engines.transformers.engine import TransformersEngine
from playground.types import Origin, Piece, SamplingParams


@dataclass(frozen=True)
class Sizes:
    """How much is asked: tokens, except for the number of questions and rows of a padded batch."""

    prefix: int = 1024
    question: int = 24
    reply: int = 32
    questions: int = 64
    padded: int = 16
    single: int = 128


@dataclass(frozen=True)
class Row:
    """One kind of work: seconds here and by ``generate``, and how many times faster it must be."""

    work: str
    engine_s: float
    generate_s: float
    goal: float

    @property
    def times(self) -> float:
        return self.generate_s / self.engine_s


def digits(count: int, seed: int) -> str:
    """A text of ``count`` tokens: digits do not merge."""
    draw = random.Random(seed)
    return "".join(draw.choice("0123456789") for _ in range(count))


def measure(sizes: Sizes, model: RandomModel, engine: Engine) -> list[Row]:
    """The rows, each the better of two rounds, the two sides interleaved."""
    prefix = digits(sizes.prefix - 1, 0)
    questions = [prefix + digits(sizes.question, 1 + i) for i in range(sizes.questions)]
    ids = [engine.tokenize([Piece(text, Origin("turn", "query"))]) for text in questions]

    def ask(texts: list[str], reply: int) -> None:
        # Another first character each round: nothing of the round before is known.
        sampling = SamplingParams(max_tokens=reply)
        requests = [GenerateRequest((Piece(text, Origin("turn", "query")),), sampling) for text in texts]
        ends = [event for event in engine.generate(requests) if isinstance(event, Finished)]
        assert [end.usage.completion_tokens for end in ends] == [reply] * len(texts), ends[0]

    def generate(prompts: list[list[int]], reply: int) -> None:
        with torch.inference_mode():
            tokens = torch.tensor(prompts, device=model.device)
            found = model.model.generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                do_sample=False,
                max_new_tokens=reply,
                min_new_tokens=reply,
                pad_token_id=0,
            )
        assert found.shape[1] == tokens.shape[1] + reply

    def one_by_one() -> None:
        for prompt in ids:
            generate([prompt], sizes.reply)

    def padded() -> None:
        for start in range(0, len(ids), sizes.padded):
            generate(ids[start : start + sizes.padded], sizes.reply)

    rounds = iter("abcdefgh")

    def fresh(texts: list[str]) -> list[str]:
        mark = next(rounds)
        return [mark + text[1:] for text in texts]

    generate(ids[:1], 4)
    ask(fresh(questions[:2]), 4)
    batch = _best(model, lambda: ask(fresh(questions), sizes.reply), one_by_one, padded)
    single = _best(
        model, lambda: ask(fresh(questions[:1]), sizes.single), lambda: generate(ids[:1], sizes.single)
    )
    what = f"{sizes.questions} questions behind {sizes.prefix} tokens"
    return [
        Row(f"{what}, against one by one", batch[0], batch[1], 10.0),
        Row(f"{what}, against batches of {sizes.padded}", batch[0], batch[2], 1.5),
        Row(f"one stream of {sizes.single} tokens", single[0], single[1], 1.0),
    ]


def _best(model: Any, *works: Callable[[], None]) -> list[float]:
    times = [float("inf")] * len(works)
    for _ in range(2):
        for place, work in enumerate(works):
            _wait(model)
            started = time.perf_counter()
            work()
            _wait(model)
            times[place] = min(times[place], time.perf_counter() - started)
    return times


def _wait(model: Any) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize()


def run(*, device: str, sizes: Sizes, tiny: bool) -> list[Row]:
    """Build the model, open the engine on it, and measure."""
    n_ctx = sizes.prefix + sizes.question + max(sizes.reply, sizes.single) + 8
    config = small(n_ctx) if tiny else llama_7b(n_ctx)
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    with tempfile.TemporaryDirectory() as folder:
        model = RandomModel(config, Path(folder), device=device, dtype=dtype)
        spec = EngineSpec(kind="transformers", n_ctx=n_ctx, n_lanes=sizes.questions)
        engine = TransformersEngine(spec, model=model)
        try:
            return measure(sizes, model, engine)
        finally:
            engine.close()


def report(*, device: str, small: bool) -> int:
    """Measure and print; 1 where a goal was missed, which a small shape has none of."""
    sizes = Sizes(prefix=128, reply=8, questions=8, padded=4, single=16) if small else Sizes()
    rows = run(device=device, sizes=sizes, tiny=small)
    where = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    print(f"{'work':58} {'engine':>9} {'generate':>9} {'times':>6} {'goal':>5}")
    for row in rows:
        print(f"{row.work:58} {row.engine_s:8.2f}s {row.generate_s:8.2f}s {row.times:6.2f} {row.goal:5.1f}")
    told = [{**asdict(row), "times": row.times} for row in rows]
    on = {"device": where, "python": platform.python_version(), "torch": torch.__version__}
    on |= {"transformers": transformers.__version__}
    print(json.dumps({**on, "small": small, "rows": told}))
    return 0 if small or all(row.times >= row.goal for row in rows) else 1
