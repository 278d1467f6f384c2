"""The command line as a subprocess, with the bundled pair: what it prints where, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, stdin: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [sys.executable, "-m", "playground", *arguments],
            input=stdin,
            capture_output=True,
            timeout=60,
            env={**os.environ, "PLAYGROUND_HOME": str(tmp_path / "home")},
        )
        assert done.returncode == code, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        return done

    return run


def _error(done: subprocess.CompletedProcess[bytes]) -> str:
    text = done.stderr.decode()
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    return text


def test_importing_the_command_line_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import playground.cli; s = time.perf_counter() - t;"
        "heavy = {'gradio', 'llama_cpp', 'torch', 'transformers', 'numpy', 'pydantic'} & set(sys.modules);"
        "print(s, sorted(heavy))"
    )
    times = []
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        seconds, heavy = out.split(maxsplit=1)
        assert heavy.strip() == "[]"
        times.append(float(seconds))
    assert min(times) < 0.5


def test_render_is_the_prompt_byte_for_byte(run: Run, tmp_path: Path) -> None:
    preset = tmp_path / "p.yaml"
    preset.write_text("name: p\ntemplate: urial_backticks\nprefix: 'S'\n")
    out = run("render", "--preset", str(preset), "--question", "hi").stdout
    assert out == b"S\n# Query:\n```\nhi\n```\n\n# Answer:\n```\n"
    assert run("render", "--preset", "none", "--question", " 中 \n").stdout == " 中 \n".encode()


def test_render_with_history(run: Run, tmp_path: Path) -> None:
    history = tmp_path / "h.jsonl"
    rows = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    history.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    preset = tmp_path / "p.yaml"
    preset.write_text("name: p\ntemplate: plain\n")
    done = run("render", "--preset", str(preset), "--history", str(history), "--question", "r")
    assert done.stdout == b"User: q\nAssistant: a\n\nUser: r\nAssistant:"
    shown = json.loads(run("render", "--preset", str(preset), "--question", "r", "--json").stdout)
    assert shown["text"] == "User: r\nAssistant:"
    assert shown["stop"] == [{"text": "User:", "place": "line_start"}]
    assert "".join(shown["text"][s["start"] : s["end"]] for s in shown["spans"]) == shown["text"]


def test_render_of_an_instruct_model_uses_its_own_template(run: Run) -> None:
    out = run("render", "--model", "wren/instruct", "--question", "hi").stdout
    assert out.endswith(b"<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")


def test_ask_streams_an_answer(run: Run) -> None:
    done = run("ask", "What is the capital of Japan?")
    assert b"Tokyo" in done.stdout
    assert b"# Query" not in done.stdout
    assert done.stdout.endswith(b"\n")


def test_ask_json_is_one_object_with_all_it_takes_to_ask_again(run: Run) -> None:
    first = json.loads(run("ask", "What is the capital of Japan?", "--temperature", "1", "--json").stdout)
    wanted = {"text", "prompt", "tokens", "finish_reason", "usage", "model", "preset", "seed"}
    assert wanted <= first.keys()
    assert first["model"] == "wren/base"
    assert first["preset"] == "friendly"
    assert first["usage"]["completion_tokens"] >= len(first["tokens"]) > 0
    again = run(
        "ask", "What is the capital of Japan?", "--temperature", "1", "--seed", str(first["seed"]), "--json"
    )
    assert json.loads(again.stdout)["text"] == first["text"]


def test_ask_sends_what_render_shows(run: Run) -> None:
    sent = json.loads(run("ask", "hi there", "--json").stdout)["prompt"]
    assert sent.encode() == run("render", "--question", "hi there").stdout


def test_the_bare_base_model_is_given_the_bare_words(run: Run) -> None:
    done = run("ask", "What is the capital of Japan?", "--preset", "none", "--max-tokens", "8", "--json")
    shown = json.loads(done.stdout)
    assert shown["prompt"] == "What is the capital of Japan?"
    assert shown["finish_reason"] in ("length", "stop")


def test_compare_answers_on_every_side(run: Run) -> None:
    done = run(
        "compare",
        "What is the capital of Japan?",
        *("--side", "wren/base:friendly"),
        *("--side", "wren/base:none"),
        *("--side", "wren/instruct"),
        "--json",
    )
    shown = json.loads(done.stdout)
    assert [(s["side"], s["model"], s["preset"]) for s in shown["sides"]] == [
        ("A", "wren/base", "friendly"),
        ("B", "wren/base", "none"),
        ("C", "wren/instruct", "none"),
    ]
    assert "Tokyo" in shown["sides"][0]["text"]
    assert "Tokyo" in shown["sides"][2]["text"]


def test_logprobs_on_request(run: Run) -> None:
    done = run("ask", "What is the capital of Japan?", "--logprobs", "3", "--json")
    token = json.loads(done.stdout)["tokens"][0]
    assert token["rank"] == 1
    assert token["logprob"] <= 0 <= token["entropy"]
    assert len(token["alternatives"]) == 3


def test_lists_are_plain_when_piped(run: Run) -> None:
    names = [line.split("\t")[0] for line in run("presets", "list").stdout.decode().splitlines()]
    assert names[0] == "friendly"
    assert {"list", "pirate", "terse", "chinese", "zero-shot", "document"} <= set(names)
    models = [line.split("\t")[0] for line in run("models", "list").stdout.decode().splitlines()]
    assert models[:2] == ["wren/base", "wren/instruct"]
    told = json.loads(run("models", "list", "--load", "wren/base", "--json").stdout)
    assert all(m["present"] and "llama.cpp" in m["engines"] for m in told["models"][:2])
    assert told["loaded"]["wren/base"]["dtype"] == "F16"
    assert told["loaded"]["wren/base"]["lacks"].keys() == {"embed"}
    assert run("presets", "show", "friendly").stdout.startswith(b"schema: 2\nname: friendly\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ask", ""], ["empty"]),
        (["ask", "hi", "--model", "nope"], ["no model 'nope'", "wren/base"]),
        (["ask", "hi", "--model", "missing.gguf"], ["no file missing.gguf"]),
        (["ask", "hi", "--preset", "nope"], ["no preset 'nope'", "friendly"]),
        (["render", "--history", "missing.jsonl"], ["missing.jsonl", "cannot be read"]),
        (["presets", "show", "../../etc/passwd"], ["no preset"]),
    ],
)
def test_mistakes_are_one_clear_line_and_exit_1(run: Run, arguments: list[str], words: list[str]) -> None:
    done = run(*arguments, code=1)
    assert done.stdout == b""
    for word in words:
        assert word in _error(done)


def test_a_broken_history_names_its_line(run: Run, tmp_path: Path) -> None:
    history = tmp_path / "h.jsonl"
    history.write_text('{"role": "user", "content": "q"}\n{"role": "robot", "content": "a"}\n')
    assert "line 2" in _error(run("render", "--history", str(history), code=1))


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"GGUF" + b"\xff" * 2000])
def test_a_corrupt_model_is_one_clear_line(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    assert "broken.gguf" in _error(run("ask", "hi", "--model", str(path), code=1))


def test_a_context_too_small_for_the_examples_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    preset = tmp_path / "long.yaml"
    preset.write_text("name: long\nsystem: |-\n" + "  word after word after word\n" * 2000)
    assert "context holds" in _error(run("ask", "hi", "--preset", str(preset), code=1))


def test_wrong_usage_exits_2(run: Run) -> None:
    assert b"No such option" in run("ask", "hi", "--nope", code=2).stderr
    run("ask", "hi", "--temperature", "warm", code=2)
    run("nonsense", code=2)


def test_a_port_in_use_is_one_clear_line(run: Run) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        error = _error(run("--no-browser", "--port", port, code=1))
    assert port in error
    assert "--port" in error


def test_version_and_help(run: Run) -> None:
    assert run("--version").stdout.startswith(b"playground 0.")
    assert b"compare" in run("--help").stdout
