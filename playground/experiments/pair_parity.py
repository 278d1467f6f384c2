"""llama.cpp against transformers on the same weights: texts, greedy runs and log-probabilities.

The one place of the evaluation that needs torch and transformers; both are optional and imported late.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from playground.engines.base import Delta, Engine, GenerateRequest
from playground.errors import EngineMissingError
from playground.experiments.pair_rows import Row
from playground.extras import install_command
from playground.types import Origin, Piece, Prompt, SamplingParams

TEXTS = 300
RUN_TOKENS = 48
_TEXT = Origin("turn", "text")
_PARTS = (
    "The capital of France is Paris. ",
    "What does a cow eat?",
    "  two  spaces ",
    "\n\n\n",
    "\t tabs\tand\r\nreturns",
    "don't we've I'll it's THEY'RE",
    "法国的首都是巴黎。",
    "東京は日本の首都です",
    "한국어 텍스트",
    "🙂👍🏽 👩‍👩‍👧‍👦",
    "ñandú Ünïcödé ﬁ",
    "3.14159 12,345 ²",
    '# Head:\n"""\n',
    "```python\nprint('x')\n```",
    "<|im_start|>user\n",
    "<|im_end|>\n",
    "<|endoftext|>",
    "a" * 40,
    " ... !!! ?? ;;",
    "العربية עברית हिन्दी",
)


def texts(count: int = TEXTS) -> list[str]:
    """Texts with every kind of character that tokenizers disagree on, the same each time."""
    rng = random.Random(300)
    return ["".join(rng.choices(_PARTS, k=rng.randint(1, 6))) for _ in range(count)]


def parity(engine: Engine, folder: Path, prompts: Sequence[Prompt]) -> Iterator[Row]:
    """Three rows: texts tokenized the same, greedy runs equal, largest difference of a logprob.

    Args:
        engine: The model in llama.cpp.
        folder: The same weights as transformers reads them.
        prompts: What greedy runs start from.

    Raises:
        EngineMissingError: torch or transformers is not installed.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise EngineMissingError(
            "The comparison with transformers needs torch and transformers; install them with: "
            f"{install_command('torch')}"
        ) from error
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    same = [
        list(tokenizer(text, add_special_tokens=False)["input_ids"])
        == engine.tokenize([Piece(text, _TEXT, parse_special=True)], add_bos=False)
        for text in texts()
    ]
    yield Row("llama.cpp = transformers: texts tokenized the same", sum(same) / len(same), 1.0, len(same))

    sampling = SamplingParams(temperature=0.0, max_tokens=RUN_TOKENS)
    runs: dict[int, list[int]] = {i: [] for i in range(len(prompts))}
    for event in engine.generate([GenerateRequest(prompt.pieces, sampling) for prompt in prompts]):
        if isinstance(event, Delta):
            runs[event.request] += [token.id for token in event.tokens]
    equal = []
    largest = 0.0
    count = 0
    for i, prompt in enumerate(prompts):
        ids = engine.tokenize(prompt.pieces, add_bos=False)
        with torch.inference_mode():
            wrote = model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                do_sample=False,
                max_new_tokens=RUN_TOKENS,
                pad_token_id=tokenizer.pad_token_id,
            )[0].tolist()[len(ids) :]
            ours = [token for token in runs[i] if token not in engine.info.eos_ids]
            theirs = [token for token in wrote if token not in engine.info.eos_ids]
            equal.append(ours == theirs)
            text = engine.detokenize(theirs).decode(errors="replace")
            if i % 10 or not text or "�" in text:
                continue
            scores = engine.score(prompt.pieces, [Piece(text, _TEXT)])
            target = [token.id for token in scores.tokens]
            logits = model(torch.tensor([ids + target])).logits[0].float()
            logprobs = torch.log_softmax(logits, dim=-1)
            for k, token in enumerate(scores.tokens):
                if token.logprob is not None:
                    expected = logprobs[len(ids) + k - 1, token.id].item()
                    largest = max(largest, abs(expected - token.logprob))
                    count += 1
    yield Row(
        "llama.cpp = transformers: greedy runs equal", sum(equal) / max(1, len(equal)), 0.98, len(equal)
    )
    yield Row(
        "llama.cpp = transformers: largest logprob difference",
        largest,
        0.01,
        count,
        at_most=True,
        unit="nats",
    )
