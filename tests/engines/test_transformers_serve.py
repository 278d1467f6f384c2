"""The server engine against ``transformers serve`` on a CPU, which takes its options in words of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import ask, text
from tiny_folder import write_folder

from playground.engines.base import Engine, GenerateRequest
from playground.engines.load import EngineSpec, open_engine
from playground.errors import UnsupportedError
from playground.types import SamplingParams, StopRule

PROMPT = (text("Hello there"),)
GREEDY = SamplingParams(max_tokens=12)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, tiny_path: Path) -> Iterator[str]:
    """The tiny model as a downloaded repository, served and loaded."""
    home = tmp_path_factory.mktemp("hf")
    repository = home / "hub" / "models--tiny--base"
    write_folder(repository / "snapshots" / ("0" * 40), tiny_path)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", "--host", "127.0.0.1"]
    command += ["--port", "0", "--device", "cpu", "--dtype", "float32", "--log-level", "info"]
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    )
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if "running on" in line:
            break
    assert process.poll() is None, "".join(lines)
    drain = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
    drain.start()
    root = next(word for word in lines[-1].split() if word.startswith("http"))
    load = urllib.request.Request(
        f"{root}/load_model", b'{"model": "tiny/base"}', {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(load, timeout=300).read()
    yield f"{root}/v1"
    process.terminate()
    process.wait()
    drain.join()
    process.stderr.close()


@pytest.fixture(scope="module")
def engine(address: str, tiny_folder: Path) -> Iterator[Engine]:
    opened = open_engine(EngineSpec(kind="server", path=address, n_ctx=512, tokenizer=str(tiny_folder)))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def here(tiny_folder: Path) -> Iterator[Engine]:
    """The same folder, run here."""
    spec = EngineSpec(kind="transformers", path=str(tiny_folder), n_ctx=512, n_threads=1)
    opened = open_engine(spec, in_process=True)
    yield opened
    opened.close()


def without_specials(engine: Engine, content: str) -> str:
    """The server leaves special tokens out of what it writes."""
    for special in engine.info.special_tokens:
        content = content.replace(special, "")
    return content


def test_it_is_known_and_says_what_it_lacks(engine: Engine) -> None:
    assert engine.info.engine == "server (transformers)"
    assert engine.info.name == "tiny/base"
    assert {"logprobs", "score", "exact", "resume"} <= set(dict(engine.info.lacks))


@pytest.mark.parametrize(
    "sampling",
    [
        GREEDY,
        replace(GREEDY, repetition_penalty=1.5),
        replace(GREEDY, temperature=0.7, top_k=1),
        replace(GREEDY, temperature=0.7, top_p=1e-6, repetition_penalty=1.3),
        replace(GREEDY, temperature=2.0, min_p=0.999),
    ],
)
def test_options_mean_what_they_mean_here(engine: Engine, here: Engine, sampling: SamplingParams) -> None:
    """Each leaves one token to draw, so that the texts must be equal."""
    (theirs,), (mine,) = (ask(one, GenerateRequest(PROMPT, sampling)) for one in (engine, here))
    assert theirs.text == without_specials(here, mine.text)
    assert theirs.end.usage.completion_tokens == mine.end.usage.completion_tokens == 12
    assert theirs.end.usage.prompt_tokens == mine.end.usage.prompt_tokens


def test_seeds_are_its_own(engine: Engine) -> None:
    sampling = SamplingParams(temperature=1.0, max_tokens=16, seed=5)
    one, two = ask(engine, GenerateRequest(PROMPT, sampling, n=2))
    (again,) = ask(engine, GenerateRequest(PROMPT, replace(sampling, seed=6)))
    assert one.text != two.text
    assert again.text == two.text


def test_a_stop_ends_the_text(engine: Engine) -> None:
    (free,) = ask(engine, GenerateRequest(PROMPT, GREEDY))
    (answer,) = ask(engine, GenerateRequest(PROMPT, GREEDY, (StopRule(free.text[2]),)))
    assert answer.end.finish_reason == "stop"
    assert answer.text == free.text[: free.text.index(free.text[2])].rstrip()


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (GenerateRequest(PROMPT, GREEDY, logprobs=1), "does not tell the logprobs"),
        (GenerateRequest(PROMPT, replace(GREEDY, frequency_penalty=1.0)), "frequency and presence"),
        (GenerateRequest(PROMPT, replace(GREEDY, logit_bias=((3, 1.0),))), "logit_bias"),
    ],
)
def test_what_it_would_ignore_is_refused(engine: Engine, request_: GenerateRequest, said: str) -> None:
    (answer,) = ask(engine, request_)
    assert said in (answer.end.error or "")
    with pytest.raises(UnsupportedError, match="logprobs of a prompt"):
        engine.score([text("a")], [text("b")])
