"""``perplexity`` and ``shift`` of real models equal what llama.cpp says when it is asked directly."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import llama_cpp
import numpy as np
import pytest

from tests.real.fetch import real_model

INSTRUCT, BASE = "SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"
CHUNK = 128  # exact mode's


class Direct:
    """A model over llama.cpp's own functions, in exact mode's layout: one text, chunks of 128, f32 KV."""

    def __init__(self, path: Path) -> None:
        self._model = llama_cpp.Llama(
            str(path),
            n_ctx=1024,
            n_batch=CHUNK,
            n_ubatch=CHUNK,
            type_k=llama_cpp.GGML_TYPE_F32,
            type_v=llama_cpp.GGML_TYPE_F32,
            flash_attn=False,
            logits_all=True,
            verbose=False,
        )
        self.template = self._model.metadata.get("tokenizer.chat_template", "")

    def close(self) -> None:
        self._model.close()

    def logprobs(self, context: str, target: str) -> list[tuple[float, int]]:
        """Log-probability and rank of each token of the target, whose tokens begin at the border."""
        ids = self._model.tokenize((context + target).encode(), add_bos=True, special=True)
        before = self._model.tokenize(context.encode(), add_bos=True, special=True)
        assert ids[: len(before)] == before, "choose a context at whose end a token ends"
        self._model.reset()
        self._model.eval(ids)
        logits = np.array(self._model.scores[: len(ids)], np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        rows = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        found = []
        for place in range(len(before), len(ids)):
            row = rows[place - 1]
            own = row[ids[place]]
            found.append((float(own), 1 + int((row > own).sum())))
        return found


@pytest.fixture(scope="module")
def instruct() -> Iterator[Direct]:
    model = Direct(real_model(INSTRUCT))
    yield model
    model.close()


@pytest.fixture(scope="module")
def base() -> Iterator[Direct]:
    model = Direct(real_model(BASE))
    yield model
    model.close()


def chat_prompt(template: str, question: str) -> str:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        messages=[{"role": "user", "content": question}], add_generation_prompt=True
    )


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gemma's base model with a preset, and SmolLM2's instruct model, asked by the command line."""
    folder = tmp_path_factory.mktemp("real")
    asked = folder / "questions.jsonl"
    rows = [
        {"id": "a", "question": "What is the capital of Japan?"},
        {"id": "b", "question": "Name two fruits."},
    ]
    asked.write_text("\n".join(json.dumps(row) for row in rows))
    given = {"scorer": real_model(INSTRUCT), "shift-base": real_model(BASE)}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "playground", "evaluate", "--exact", "--max-tokens", "24"),
            *("--assistant", f"{real_model(BASE)}:friendly", "--assistant", f"{real_model(INSTRUCT)}:none"),
            *("--questions", str(asked), "--metrics", "perplexity,shift", "--out", str(folder / "run")),
            *(word for name, path in given.items() for word in (f"--{name}", str(path))),
        ],
        capture_output=True,
        timeout=500,
        env={**os.environ, "PLAYGROUND_HOME": str(folder / "home")},
    )
    assert done.returncode == 0, done.stderr.decode()
    return folder / "run"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def scores(folder: Path, metric: str) -> dict[tuple[str, str], float]:
    return {
        (str(s["assistant"]), str(s["question"])): float(str(s["value"]))
        for s in lines(folder / "scores.jsonl")
        if s["metric"] == metric
    }


def answers(folder: Path) -> dict[tuple[str, str], str]:
    return {
        (str(a["assistant"]), str(a["question"])): str(a["text"]) for a in lines(folder / "answers.jsonl")
    }


QUESTIONS = {"a": "What is the capital of Japan?", "b": "Name two fruits."}


def test_perplexity_is_that_of_the_instruct_model(run_folder: Path, instruct: Direct) -> None:
    said, found = answers(run_folder), scores(run_folder, "perplexity")
    assert len(found) == len(said) == 4
    for (assistant, question), text in said.items():
        known = instruct.logprobs(chat_prompt(instruct.template, QUESTIONS[question]), text)
        direct = math.exp(-sum(logprob for logprob, _ in known) / len(known))
        assert found[assistant, question] == pytest.approx(direct, rel=2e-3), (assistant, question, text)


def test_shift_is_the_share_of_tokens_above_rank_three_under_the_base_model(
    run_folder: Path, base: Direct
) -> None:
    said = answers(run_folder)
    shares: dict[str, dict[tuple[str, str], float]] = {
        name: scores(run_folder, name) for name in ("shift", "shift_marginal", "shift_unshifted")
    }
    for key, text in said.items():
        ranks = [rank for _, rank in base.logprobs(f"{QUESTIONS[key[1]]}\n", text)]
        direct = {
            "shift": sum(rank > 3 for rank in ranks),
            "shift_marginal": sum(1 < rank <= 3 for rank in ranks),
            "shift_unshifted": sum(rank == 1 for rank in ranks),
        }
        for name, count in direct.items():
            assert shares[name][key] == pytest.approx(count / len(ranks)), (name, key, text)


def test_the_manifest_names_the_models_that_measured(run_folder: Path) -> None:
    manifest = json.loads((run_folder / "manifest.json").read_text())
    instruct_path, base_path = str(real_model(INSTRUCT)), str(real_model(BASE))
    assert set(manifest["scorers"].values()) == {instruct_path}
    assert set(manifest["shift_bases"].values()) == {base_path}
    assert set(manifest["models"]) == {instruct_path, base_path}
