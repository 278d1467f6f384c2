"""``playground shift`` over the bundled pair: one JSON object, CSV, and a page that needs nothing else."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from playground.presets.library import read_preset


def _shift(home: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "playground", "shift", *arguments],
        capture_output=True,
        text=True,
        timeout=170,
        env={**os.environ, "PLAYGROUND_HOME": str(home)},
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def _shifted(report: dict[str, object]) -> dict[str, float]:
    contexts = report["contexts"]
    assert isinstance(contexts, list)
    return {context["name"]: context["ratios"]["shifted"] for context in contexts}


def test_the_questions_offered_show_that_examples_replace_tuning(tmp_path: Path, repository: Path) -> None:
    for preset, offered, most in (("friendly", 4, 1.0), ("same-style", 4, 0.4)):
        asked = read_preset(repository / "presets" / f"{preset}.yaml").questions[:offered]
        assert len(asked) == offered
        (tmp_path / "asked.txt").write_text("\n".join(asked))
        arguments = ("--questions", str(tmp_path / "asked.txt"), "--preset", preset, "--no-kl", "--json")
        for report in json.loads(_shift(tmp_path, *arguments).stdout)["reports"]:
            shifted = _shifted(report)
            assert shifted[preset] < most * shifted["bare"]


def test_a_preset_that_raises_the_shift_is_explained(tmp_path: Path) -> None:
    done = _shift(tmp_path, "How do I make tea?", "--no-kl")
    assert "Behind friendly more tokens are shifted than after the bare question" in done.stderr
    done = _shift(tmp_path, "How do I make tea?", "--no-kl", "--preset", "same-style")
    assert "more tokens are shifted" not in done.stderr


def test_one_question_as_json_csv_and_page(tmp_path: Path) -> None:
    table, page = tmp_path / "shift.csv", tmp_path / "shift.html"
    question = "What is the capital of Japan?"
    done = _shift(tmp_path, question, "--json", "--csv", str(table), "--html", str(page))
    (report,) = json.loads(done.stdout)["reports"]
    contexts = {context["name"]: context for context in report["contexts"]}
    assert set(contexts) == {"bare", "friendly"}
    for context in contexts.values():
        assert abs(sum(context["ratios"].values()) - 1) < 1e-9
        assert context["mean_kl"] > 0
    # What the card says: the fact is the base model's own, the greeting is not.
    greeting = contexts["bare"]["positions"][0]
    assert greeting["shift"] == "shifted"
    told = contexts["friendly"]["positions"]
    starts = [sum(len(p["text"]) for p in told[:i]) for i in range(len(told))]
    answer = "".join(p["text"] for p in told)
    fact = range(answer.index("Tokyo"), answer.index("Tokyo") + len("Tokyo"))
    kinds = [p["shift"] for p, start in zip(told, starts, strict=True) if start in fact]
    assert kinds
    assert set(kinds) == {"unshifted"}
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(context["positions"]) for context in contexts.values())
    text = page.read_text(encoding="utf-8")
    assert question in text
    assert "<script" not in text
    assert "http" not in text.split("</style>")[1]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "such" / "folder.csv"
    done = _shift(tmp_path, "Hi", "--preset", "none", "--csv", str(nowhere), code=1)
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "name another place" in done.stderr


def test_one_model_that_is_named_is_never_compared_with_the_bundled_pair(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"GGUF")
    done = _shift(tmp_path, "Hi", "--base", str(path), code=1)
    assert "has no instruct model beside it in the catalog. Name one with --aligned" in done.stderr
    done = _shift(tmp_path, "Hi", "--aligned", str(path), code=1)
    assert "Name one with --base" in done.stderr
