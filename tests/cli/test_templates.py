"""``models templates check`` and ``--template-option`` as subprocesses, with the bundled pair."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
GOOD = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "playground", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PLAYGROUND_HOME": str(tmp_path / "home")},
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_folder_of_templates_is_checked_with_a_line_each(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    (folder / "more").mkdir(parents=True)
    (folder / "good.jinja").write_text(GOOD)
    (folder / "more" / "folds.jinja2").write_text(
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + GOOD
    )
    (folder / "notes.txt").write_text("not a template")
    done = run("models", "templates", "check", str(folder))
    assert done.stdout.splitlines() == [
        "good.jinja\tok\t20 of 20 rendered",
        "more/folds.jinja2\tok\t20 of 20 rendered, 7 adapted",
    ]
    assert done.stderr == "2 templates, 0 with faults\n"


def test_a_fault_exits_with_1_and_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.jinja").write_text("{% for m in messages %}")
    (tmp_path / "good.jinja").write_text(GOOD)
    (tmp_path / "latin.jinja").write_bytes(b"\xe9")
    done = run("models", "templates", "check", str(tmp_path), "--json", code=1)
    told = json.loads(done.stdout)
    assert (told["wrong"], told["compared"], told["tokenizers"]) == (2, True, ["wren/instruct"])
    by_name = {one["name"]: one for one in told["templates"]}
    assert by_name["good.jinja"]["faults"] == []
    assert "cannot be parsed (line 1: " in by_name["bad.jinja"]["faults"][0]
    assert "not UTF-8" in by_name["latin.jinja"]["faults"][0]


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_without_templates_is_one_clear_error(run: Run, tmp_path: Path, name: str) -> None:
    done = run("models", "templates", "check", str(tmp_path / name), code=1)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "wren/instruct", "--template-option", "effort"), "is not NAME=VALUE"),
        (("--model", "wren/instruct", "--template-option", "effort=low"), "reads no option 'effort'"),
        (("--model", "wren/base", "--template-option", "effort=low"), "leave out the template option effort"),
    ],
)
def test_a_wrong_template_option_is_one_clear_error(run: Run, arguments: tuple[str, ...], said: str) -> None:
    done = run("ask", "hi", *arguments, code=1)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_answer_as_json_names_what_was_changed_for_the_template(run: Run, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    history.write_text(
        '{"role": "user", "content": "hi"}\n{"role": "system", "content": "Be brief."}\n'
        '{"role": "assistant", "content": "Hello!"}\n'
    )
    done = run("render", "--model", "wren/instruct", "--history", str(history), "--question", "ok", "--json")
    assert json.loads(done.stdout)["notes"] == [
        "The system message is moved to the start of the conversation."
    ]
    assert done.stderr == "The system message is moved to the start of the conversation.\n"
