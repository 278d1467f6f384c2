"""The experiments' commands as a person runs them, on the bundled pair; no test depends on an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.cli import main

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [sys.executable, "-m", "playground", *arguments],
            capture_output=True,
            timeout=300,
            env={**os.environ, "PLAYGROUND_HOME": str(tmp_path / "home")},
        )
        assert done.returncode == code, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        return done

    return run


def test_evaluate_judge_and_report(run: Run, tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    rows = [{"id": "a", "question": "What does a cow eat?", "answer": "A cow eats grass."}]
    questions.write_text(f"{json.dumps(rows[0])}\n{json.dumps(rows[0])}\nbroken\n")
    folder = tmp_path / "run"
    options = ("--questions", str(questions), "--max-tokens", "12", "--out", str(folder))
    done = run("evaluate", *options, "--metrics", "rouge_l,tokens,perplexity,shift", "--json")
    found = json.loads(done.stdout)
    names = {figure["assistant"] for figure in found["figures"]}
    assert names == {"wren/base:friendly", "wren/instruct:none"}
    metrics = {figure["metric"] for figure in found["figures"]}
    assert metrics == {"rouge_l", "tokens", "perplexity", "shift", "shift_marginal", "shift_unshifted"}
    assert found["counts"]["answers"] == 2
    assert {gap["reference"] for gap in found["gaps"]} == {"wren/instruct:none"}
    assert b"row 2 was passed over: the id 'a' stands twice" in done.stderr
    assert b"row 3 was passed over: not JSON" in done.stderr
    assert all((folder / name).is_file() for name in ("manifest.json", "report.html", "figures.csv"))

    again = run("evaluate", "--resume", str(folder))
    assert again.stdout.startswith(b"assistant\trouge_l\ttokens")
    assert json.loads((folder / "results.json").read_text())["figures"] == found["figures"]

    judged = run("judge", str(folder), "--judge", "rule:first", "--pairs", "wren/instruct:none", "--json")
    (pair,) = json.loads(judged.stdout)["pairs"]
    assert (pair["win_rate"]["mean"], pair["n"]) == (0.5, 2)
    both = run("judge", str(folder), "--judge", "rule:longer", "--pairs", "wren/instruct:none", "--json")
    assert [row["judge"] for row in json.loads(both.stdout)["pairs"]] == ["rule:first", "rule:longer"]
    shown = run("judge", str(folder), "--judge", "rule:longer", "--pairs", "wren/instruct:none").stdout
    assert b"rule:first" in shown
    assert b"rule:longer" in shown
    listed = run("report", str(folder), "--export", "alpaca_eval", "--export", "mt_bench").stdout.decode()
    files = [Path(line).name for line in listed.splitlines()]
    assert "alpaca_eval-wren-base-friendly.json" in files
    assert "mt_bench-wren-instruct-none.jsonl" in files


def test_ablate_makes_presets_that_other_commands_read(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = ("--limit", "2", "--counts", "0,2", "--seeds", "1", "--max-tokens", "8", "--out", str(folder))
    found = json.loads(run("ablate", "k", *options, "--metrics", "tokens", "--json").stdout)
    assert [figure["assistant"] for figure in found["figures"]] == [
        "wren/base:friendly-k0",
        "wren/base:friendly-k2-random0",
    ]
    assert b"polyline" in (folder / "report.html").read_bytes()
    stored = json.loads((folder / "manifest.json").read_text())["assistants"][1]["preset"]
    assert len(stored["examples"]) == 2
    assert stored["derived_from"]["name"] == "friendly"


def test_search_hands_out_a_preset(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sizes = ("--pool", "2", "--validation", "2", "--test", "2", "--most", "1", "--max-tokens", "8")
    done = run("search", *sizes, "--metric", "reference_logprob", "--save", "--out", str(folder))
    assert done.stdout.startswith(b"chosen: ")
    assert (folder / "report.html").is_file()
    shown = run("presets", "show", "found").stdout.decode()
    assert "reference_logprob, test, greedy" in shown
    assert "derived_from" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evaluate", "--questions", "nowhere.jsonl"), "cannot be read"),
        (("evaluate", "--questions", "wren:nothing"), "no category 'nothing'"),
        (("evaluate", "--metrics", "rogue"), "There is no metric 'rogue'"),
        (("evaluate", "--resume", "nowhere"), "holds no run"),
        (("evaluate", "--assistant", "wren/base", "--assistant", "wren/base"), "ask for each once"),
        (("evaluate", "--reference", "wren/base:pirate"), "is not among the assistants"),
        (("ablate", "everything"), "There is no ablation 'everything'"),
        (("ablate", "k", "--counts", "many"), "give numbers"),
        (("ablate", "order", "--assistant", "wren/base:none"), "has no preset"),
        (("search", "--pool", "9000"), "are needed"),
        (("judge", "nowhere", "--judge", "rule:first"), "holds no run"),
        (("judge", "nowhere", "--judge", "rule:best"), "no rule 'best'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(list(arguments))
    assert exit.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error


def test_a_plain_installation_evaluates_without_the_optional_metric(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['rouge_score'] = None\nfrom playground.cli import main\nmain(sys.argv[1:])"
    )
    folder = tmp_path / "run"
    options = ["--limit", "2", "--max-tokens", "8", "--out", str(folder), "--json"]

    def start(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            timeout=300,
            env={**os.environ, "PLAYGROUND_HOME": str(tmp_path / "home")},
        )

    done = start("evaluate", *options)
    assert done.returncode == 0, done.stderr.decode()
    said = done.stderr.decode()
    assert said.startswith("rouge_l is left out."), "the note comes before the first answer"
    metrics = {figure["metric"] for figure in json.loads(done.stdout)["figures"]}
    assert {"right", "length_ratio", "tokens"} <= metrics
    assert "rouge_l" not in metrics
    assert (folder / "report.html").is_file()
    refused = start("evaluate", "--limit", "2", "--metrics", "rouge_l,tokens", "--out", str(tmp_path / "no"))
    assert refused.returncode == 1
    assert b"rouge-score, which cannot be imported; install it with: " in refused.stderr
    assert not (tmp_path / "no").exists(), "it is refused before anything is asked"


def test_the_manifest_holds_the_command_and_runs_are_private(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "runs" / "mine"
    run("evaluate", "--assistant", "wren/base", "--limit", "2", "--max-tokens", "4", "--out", str(folder))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["command"].startswith("playground evaluate --assistant wren/base --limit 2")
    if os.name == "posix":
        assert {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()} == {"0o600"}
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
        assert oct(folder.parent.stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize("command", ["evaluate", "ablate", "search", "candidates"])
def test_every_experiment_can_be_exact(command: str, run: Run, tmp_path: Path) -> None:
    more = {
        "search": ("--pool", "2", "--validation", "2", "--test", "2", "--most", "1"),
        "candidates": ("--text", "Be brief.", "--validation", "2", "--test", "2"),
        "ablate": ("system", "--limit", "1"),
        "evaluate": ("--limit", "1", "--assistant", "wren/base"),
    }[command]
    run(command, *more, "--exact", "--max-tokens", "4", "--out", str(tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["exact"] is True


def test_the_manifest_says_how_each_model_was_loaded(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(
        *("evaluate", "--assistant", "wren/base", "--limit", "1", "--max-tokens", "4"),
        *("--metrics", "perplexity", "--out", str(folder)),
    )
    engines = json.loads((folder / "manifest.json").read_text())["engines"]
    assert set(engines) == {"wren/base", "wren/instruct"}
    (loaded,) = engines["wren/base"]
    assert loaded["n_ctx"] > 0
    assert loaded["n_threads"] > 0
    assert loaded["n_ubatch"] > 0
    assert isinstance(loaded["flash_attn"], bool)
    assert (loaded["k_type"], loaded["v_type"]) == ("f16", "f16")
    assert loaded["exact_n_ubatch"] == 128
    run("evaluate", "--resume", str(folder))
    assert json.loads((folder / "manifest.json").read_text())["engines"] == engines
