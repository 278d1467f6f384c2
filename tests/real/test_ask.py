"""``ask`` on real models, in the quantizations that people download."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from playground.engines.llamacpp import selftest
from playground.engines.llamacpp.quantize import quantize

REPOSITORY = Path(__file__).parent.parent.parent
BROKEN_BUILD = REPOSITORY / "tests" / "engines" / "broken_build"


@pytest.fixture(scope="session")
def wren_q8(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The bundled base model in Q8_0."""
    source = next((repository / "models" / "wren").glob("*base*.gguf"))
    target = tmp_path_factory.mktemp("q8") / "wren-base.Q8_0.gguf"
    quantize(source, target, "Q8_0")
    return target


def ask(model: Path, *more: str, **variables: str) -> dict[str, object]:
    """The JSON of one answer by the command line."""
    command = [sys.executable, "-m", "playground", "ask", "What is the capital of Japan?", "--json"]
    done = subprocess.run(
        [*command, "--model", str(model), "--temperature", "0", "--max-tokens", "24", *more],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("name", ["smollm2", "gemma", "wren_q8"])
def test_each_quantization_answers(name: str, request: pytest.FixtureRequest) -> None:
    answer = ask(request.getfixturevalue(name))
    assert "Tokyo" in str(answer["text"])


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-in dies by Linux's signals")
@pytest.mark.parametrize("name", ["smollm2", "gemma", "wren_q8"])
def test_each_quantization_answers_with_a_build_that_dies_of_sigill(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(selftest.VARIABLE)
    model = request.getfixturevalue(name)
    broken = {"PYTHONPATH": str(BROKEN_BUILD), "BROKEN_BUILD": "extra"}
    assert "Tokyo" in str(ask(model, **broken)["text"])
