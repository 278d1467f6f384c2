"""``models pull|info|add|remove|verify`` and ``doctor`` as subprocesses, against a hub on the loopback."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))

from hub_server import DATA, FILE, REPOSITORY, Hosted, HubServer, serving

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    yield from serving(monkeypatch, tmp_path / "hf")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home with nothing in it, also for what looks beside the playground's own folder."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "OLLAMA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "playground", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_file_is_pulled_verified_and_deleted(hub: HubServer, run: Run, home: Path) -> None:
    (home / "models").mkdir(parents=True)
    entry = f"pair: far\nbase:\n  gguf: {{repository: {REPOSITORY}, quantization: Q4_K_M}}\n"
    (home / "models" / "far.yaml").write_text(entry)
    path = home / "models" / "files" / "someone--Far-GGUF" / FILE
    assert run("models", "pull", "far/base").stdout == f"far/base\t{path}\n"
    assert path.read_bytes() == DATA
    shown = json.loads(run("models", "list", "--json").stdout)["models"]
    assert next(model for model in shown if model["id"] == "far/base")["path"] == str(path)
    assert run("models", "verify").stdout == f"right\t{path}\n"
    path.write_bytes(DATA[:-1] + b"x")
    assert run("models", "verify", "far/base", code=1).stdout == f"WRONG\t{path}\n"
    run("models", "remove", "far/base", "--files")
    assert not path.exists()
    assert "Nothing of far/base" in run("models", "remove", "far/base", "--files", code=1).stderr


def test_an_interrupted_pull_goes_on_without_a_name(hub: HubServer, run: Run, home: Path) -> None:
    half, release = threading.Event(), threading.Event()

    def hold(sent: int) -> None:
        if sent > len(DATA) // 2 and not release.is_set():
            half.set()
            while not release.wait(0.05) and not hub.closing.is_set():
                continue

    hub.repositories[REPOSITORY].wait = hold
    # Where the tests run in the background, Ctrl+C is ignored, and that is inherited.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from playground.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "models", "pull", REPOSITORY, "--file", FILE]
    pulling = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert half.wait(120)
    pulling.send_signal(signal.SIGINT)
    _, said = pulling.communicate(timeout=60)
    assert pulling.returncode == 130
    assert "Traceback" not in said
    release.set()
    assert FILE in run("models", "pull").stdout
    assert run("models", "pull").stdout == "There is nothing left to download.\n"


def test_what_cannot_be_pulled_is_said(hub: HubServer, run: Run) -> None:
    hub.repositories[REPOSITORY].api_status = 401
    hub.repositories[REPOSITORY].code = "GatedRepo"
    assert "is gated" in run("models", "pull", REPOSITORY, "--file", FILE, code=1).stderr
    assert "--file" in run("models", "pull", REPOSITORY, code=1).stderr
    assert "no model 'nope'" in run("models", "pull", "nope", code=1).stderr
    assert "needs no download" in run("models", "pull", "wren", code=1).stderr


def test_a_repositorys_files_are_listed(hub: HubServer, run: Run) -> None:
    hub.repositories[REPOSITORY] = Hosted({FILE: DATA, "README.md": b"x"})
    shown = json.loads(run("models", "info", REPOSITORY, "--json").stdout)
    assert shown["files"] == [{"file": FILE, "size_bytes": len(DATA)}]
    assert shown["license"] == "apache-2.0"


def test_a_file_is_added_described_and_removed(
    run: Run, home: Path, tmp_path: Path, repository: Path
) -> None:
    path = tmp_path / "Finch-Instruct.gguf"
    shutil.copy(repository / "models" / "wren" / "wren-instruct-f16.gguf", path)
    done = run("models", "add", str(path), "--pair", "finch")
    assert done.stdout == "finch/instruct\n"
    assert "reads as instruct: its name says 'instruct'" in done.stderr
    shown = json.loads(run("models", "info", "finch/instruct", "--json").stdout)
    assert (shown["reads_as"], shown["architecture"], shown["present"]) == ("instruct", "llama", True)
    assert shown["memory"]["total_bytes"] > shown["memory"]["weights_bytes"] > 3_000_000
    again = run("models", "add", str(path), "--pair", "finch", "--kind", "base")
    assert again.stdout == "finch/base\n"
    assert "You said otherwise" in again.stderr
    listed = (home / "models" / "finch.yaml").read_text()
    assert "base:" in listed
    assert "instruct:" in listed
    run("models", "remove", "finch/base")
    run("models", "remove", "finch/instruct")
    assert not (home / "models" / "finch.yaml").exists()
    assert path.exists()
    assert "no entry of your own" in run("models", "remove", "wren/base", code=1).stderr


def test_an_added_model_has_a_readable_name_that_can_be_changed(
    run: Run, home: Path, tmp_path: Path, repository: Path
) -> None:
    path = tmp_path / "Finch-135M-Instruct.Q4_1.gguf"
    shutil.copy(repository / "models" / "wren" / "wren-instruct-f16.gguf", path)
    assert run("models", "add", str(path)).stdout == "finch-135m-instruct-q4_1/instruct\n"
    shown = json.loads(run("models", "info", "finch-135m-instruct-q4_1/instruct", "--json").stdout)
    assert shown["title"] == "Finch 135M Instruct (Q4_1)"
    run("models", "set", "finch-135m-instruct-q4_1/instruct", "--n-ctx", "256")
    assert run("models", "rename", "finch-135m-instruct-q4_1/instruct", "finch").stdout == "finch/instruct\n"
    run("models", "rename", "finch/instruct", "--title", "Finch")
    for name in ("finch/instruct", "finch-135m-instruct-q4_1/instruct"):
        shown = json.loads(run("models", "info", name, "--json").stdout)
        assert (shown["id"], shown["title"], shown["path"]) == ("finch/instruct", "Finch", str(path))
    kept = json.loads(run("models", "set", "finch/instruct", "--json").stdout)
    assert kept["settings"]["n_ctx"] == 256
    assert [file.name for file in (home / "models").glob("*.yaml")] == ["finch.yaml"]
    assert "is no entry of your own" in run("models", "rename", "wren/base", "tern", code=1).stderr
    assert "already" in run("models", "rename", "finch/instruct", "wren", code=1).stderr
    assert "no name for a pair" in run("models", "rename", "finch/instruct", "../x", code=1).stderr
    assert "a new title, or both" in run("models", "rename", "finch/instruct", code=1).stderr


def test_what_is_no_model_is_not_added(run: Run, tmp_path: Path, home: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + b"\xff" * 100)
    assert "x.gguf is not a usable GGUF" in run("models", "add", str(tmp_path / "x.gguf"), code=1).stderr
    (tmp_path / "empty").mkdir()
    assert "There is no model at" in run("models", "add", str(tmp_path / "empty"), code=1).stderr
    assert "say base or instruct" in run("models", "add", "a.gguf", "--kind", "x", code=1).stderr
    assert not (home / "models").exists()


def test_other_programs_models_are_found(run: Run, tmp_path: Path) -> None:
    user = tmp_path / "user"
    places = {
        "Hugging Face": user / ".cache/huggingface/hub/models--a--B-GGUF/snapshots/c/b.gguf",
        "LM Studio": user / ".lmstudio/models/a/b/c.gguf",
        "Ollama": user / ".ollama/models/blobs/sha256-12",
        "text-generation-webui": user / "text-generation-webui/user_data/models/d.gguf",
    }
    for path in [*places.values(), user / ".lmstudio/models/a/b/mmproj-c.gguf"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"GGUF")
    manifest = user / ".ollama/models/manifests/registry.ollama.ai/library/e/latest"
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:12"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    (manifest.parent / "broken").write_text("[")
    (manifest.parent / "evil").write_text(json.dumps({"layers": [{**layer, "digest": "../../secret"}]}))
    found = json.loads(run("models", "add", "--json").stdout)["found"]
    assert {one["owner"]: one["path"] for one in found} == {k: str(v) for k, v in places.items()}
    assert next(one["name"] for one in found if one["owner"] == "Ollama") == "e:latest"


def test_the_doctor_finds_nothing_wrong_here_and_says_what_is(run: Run, home: Path) -> None:
    shown = json.loads(run("doctor", "--json").stdout)
    assert shown["healthy"]
    topics = {finding["topic"]: finding for finding in shown["findings"]}
    assert {"python", "cores", "memory", "llama-cpp-python", "models folder", "disk", "bundled pair"} <= set(
        topics
    )
    assert topics["models folder"]["found"].startswith(str(home / "models"))
    (home / "models").mkdir(parents=True)
    (home / "models" / "bad.yaml").write_text("pair: x\nbase: {}\n")
    done = run("doctor", code=1)
    assert "MISSING\tcatalog" in done.stdout
    assert "correct or delete" in done.stdout


def test_load_settings_are_kept_told_and_forgotten(run: Run, home: Path) -> None:
    assert run("models", "set", "wren/base").stdout == "wren/base\tall left to the program\n"
    run("models", "set", "wren/base", "--n-ctx", "300", "--k-type", "q8_0")
    again = run("models", "set", "wren/base", "--n-threads", "2", "--json")
    assert json.loads(again.stdout)["settings"] == {"n_ctx": 300, "n_threads": 2, "k_type": "q8_0"}
    shown = json.loads(run("models", "info", "wren/base", "--json").stdout)
    assert shown["memory"]["n_ctx"] == 300
    assert "cannot be used" in run("models", "set", "wren/base", "--k-type", "q3", code=1).stderr
    assert "no model 'nope'" in run("models", "set", "nope", code=1).stderr
    assert run("models", "set", "wren/base", "--defaults").stdout == "wren/base\tall left to the program\n"
