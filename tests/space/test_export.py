"""What an exported Space holds, what is refused, and its way to the Hub."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from playground.errors import PlaygroundError
from playground.models.catalog import Catalog
from playground.settings import Confinement, Settings
from playground.space.config import FILE_NAME, Limits, SpaceConfig, config_text, read_config
from playground.space.export import export
from playground.space.push import push
from tests.conftest import environment
from tests.space.space_hub import TOKEN, SpaceHub


def card(folder: Path) -> dict[str, object]:
    """The front matter of the README."""
    front = (folder / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    said: dict[str, object] = yaml.safe_load(front)
    return said


def needed(folder: Path) -> set[str]:
    """Names of what is to be installed."""
    lines = (folder / "requirements.txt").read_text().split()
    return {re.split(r"[<>=!~\[]", line)[0] for line in lines}


def test_a_space_holds_all_that_it_needs_and_nothing_of_its_maker(exported: Path, repository: Path) -> None:
    files = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert {"README.md", "app.py", "requirements.txt", "space.toml", ".gitattributes"} <= files
    assert {
        "playground/ui/strings.json",
        "playground/ui/static/page.js",
        "playground/space/app.py",
        "playground/_shipped/presets/friendly.yaml",
        "playground/_shipped/models/wren.yaml",
        "playground/_shipped/models/wren/wren-base-f16.gguf",
    } <= files
    assert not [name for name in files if "__pycache__" in name or name.endswith((".pyc", ".pyi"))]
    assert not [name for name in files if "smollm2" in name], "models that were not named"
    for path in exported.rglob("*"):
        if path.suffix in (".py", ".md", ".toml", ".yaml", ".txt"):
            assert str(repository) not in path.read_text(encoding="utf-8"), path
    said = card(exported)
    assert {key: said[key] for key in ("sdk", "app_file", "license", "pinned")} == {
        "sdk": "gradio",
        "app_file": "app.py",
        "license": "apache-2.0",
        "pinned": False,
    }
    assert {"title", "emoji", "colorFrom", "colorTo", "sdk_version", "python_version"} <= said.keys()
    assert read_config(exported / FILE_NAME) == SpaceConfig(models=("wren/base", "wren/instruct"))
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=!~\[]", one)[0] for one in project["dependencies"]}
    assert declared - needed(exported) == {"typer", "rich"}, "those of the command line alone"


def test_its_requirements_are_enough_to_import_it(exported: Path) -> None:
    """Every third-party package that the page imports at start is named, or comes with one that is."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import playground.space.app, playground;"
        "print(playground.__file__); print('typer' in sys.modules and 'cli' or '')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code, str(exported)], capture_output=True, text=True, check=True
    )
    place = done.stdout.splitlines()[0]
    assert place == str(exported / "playground" / "__init__.py")


def test_the_exported_catalog_finds_its_models_without_the_checkout(exported: Path) -> None:
    catalog = Catalog(exported / "playground" / "_shipped" / "models")
    entries = {entry.id: entry for entry in catalog.entries()}
    assert set(entries) == {"wren/base", "wren/instruct"}
    for entry in entries.values():
        (source,) = entry.sources
        assert source.engine == "llama.cpp"
        assert Path(source.path).is_file()
        assert source.path.startswith(str(exported))


def test_for_zero_gpu_it_holds_the_weights_of_transformers(tmp_path: Path) -> None:
    folder = tmp_path / "space"
    done = export(folder, ["wren/base"], zero_gpu=True)
    assert done.models == ("wren/base",)
    (entry,) = Catalog(folder / "playground" / "_shipped" / "models").entries()
    (source,) = entry.sources
    assert source.engine == "transformers"
    assert (Path(source.path) / "model.safetensors").is_file()
    assert {"spaces", "torch", "transformers"} <= needed(folder)
    assert "llama-cpp-python" not in needed(folder)
    app = (folder / "app.py").read_text()
    assert app.index("import spaces") < app.index("from playground"), "before anything that imports torch"
    assert "@spaces.GPU" in app
    assert card(folder)["suggested_hardware"] == "zero-a10g"


def test_models_of_the_hub_are_named_and_not_copied(tmp_path: Path) -> None:
    done = export(tmp_path / "space", ["smollm2-135m", "wren/base"])
    assert done.models == ("smollm2-135m/base", "smollm2-135m/instruct", "wren/base")
    assert done.downloaded == ("smollm2-135m/base", "smollm2-135m/instruct")
    said = card(tmp_path / "space")
    assert "QuantFactory/SmolLM2-135M-GGUF" in said["models"]  # type: ignore[operator]
    assert "QuantFactory/SmolLM2-135M-GGUF SmolLM2-135M.Q8_0.gguf" in said["preload_from_hub"]  # type: ignore[operator]
    entries = Catalog(tmp_path / "space" / "playground" / "_shipped" / "models").entries()
    assert [entry.id for entry in entries if entry.hub] == list(done.downloaded)
    assert all(len(entry.sources) == 1 for entry in entries), "for one engine alone"


def test_a_persons_own_model_travels_along(tmp_path: Path) -> None:
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path / "home")})
    source = settings.shipped_models / "wren" / "wren-base-f16.gguf"
    shutil.copyfile(source, tmp_path / "mine.gguf")
    settings.models_dir.mkdir(parents=True)
    (settings.models_dir / "mine.yaml").write_text(f"pair: mine\nbase: {{gguf: {tmp_path / 'mine.gguf'}}}\n")
    export(tmp_path / "space", ["mine"], settings=settings)
    (entry,) = Catalog(tmp_path / "space" / "playground" / "_shipped" / "models").entries()
    assert entry.path.read_bytes() == source.read_bytes()
    assert entry.path.is_relative_to(tmp_path / "space")
    with pytest.raises(PlaygroundError, match="give it a name first"):
        export(tmp_path / "other", [str(tmp_path / "mine.gguf")], settings=settings)
    served = "pair: served\nbase: {server: 'http://127.0.0.1:9/v1'}\n"
    (settings.models_dir / "served.yaml").write_text(served)
    with pytest.raises(PlaygroundError, match="only with: server"):
        export(tmp_path / "third", ["served"], settings=settings)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("mine")
    with pytest.raises(PlaygroundError, match="something else"):
        export(tmp_path / "notes", overwrite=True)
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["diary.txt"]
    with pytest.raises(PlaygroundError, match="is a file"):
        export(tmp_path / "notes" / "diary.txt")
    with pytest.raises(PlaygroundError, match="no model 'nothing'"):
        export(tmp_path / "space", ["nothing"])
    assert not (tmp_path / "space").exists(), "what cannot be written whole is not begun"


def test_written_again_it_keeps_its_limits(tmp_path: Path) -> None:
    folder = tmp_path / "space"
    export(folder, ["wren/base"])
    config = read_config(folder / FILE_NAME)
    changed = config.model_copy(update={"limits": Limits(tokens=77)})
    (folder / FILE_NAME).write_text(config_text(changed))
    (folder / "playground" / "stale.py").write_text("")
    with pytest.raises(PlaygroundError, match="--overwrite"):
        export(folder)
    export(folder, overwrite=True)
    assert read_config(folder / FILE_NAME).limits.tokens == 77
    assert read_config(folder / FILE_NAME).models == ("wren/base", "wren/instruct")
    assert not (folder / "playground" / "stale.py").exists()


def test_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "playground", "space", "export", str(tmp_path / "s"), "--json"]
    done = subprocess.run(command, env=environment(tmp_path / "home"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"] == ["wren/base", "wren/instruct"]
    again = subprocess.run(command, env=environment(tmp_path / "home"), capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stderr.count("\n") == 1
    assert "--overwrite" in again.stderr


# huggingface_hub's own way of sending a large file's bytes.
SENDS_DATA = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpaceHub]:
    import huggingface_hub
    from huggingface_hub import constants

    server = SpaceHub()
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nonexistent")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    huggingface_hub.close_session()
    server.close()


@SENDS_DATA
def test_a_push_makes_a_private_space_with_every_file(exported: Path, hub: SpaceHub) -> None:
    done = push(exported, "me/wren")
    assert done.created
    assert done.url == f"{hub.endpoint}/spaces/me/wren"
    space = hub.spaces["me/wren"]
    assert (space.private, space.sdk) == (True, "gradio")
    sent = {path.relative_to(exported).as_posix(): path for path in exported.rglob("*") if path.is_file()}
    assert set(space.files) == set(sent)
    assert all(space.files[name] == path.read_bytes() for name, path in sent.items())
    assert len(hub.large) == 2, "the models go as large files"
    with pytest.raises(PlaygroundError, match="is a Space me/wren already"):
        push(exported, "me/wren")


@SENDS_DATA
def test_a_push_over_a_space_takes_stale_files_away(exported: Path, hub: SpaceHub) -> None:
    push(exported, "me/wren", public=True)
    space = hub.spaces["me/wren"]
    assert not space.private
    space.files |= {"playground/stale.py": b"", "notes.md": b"its owner's"}
    assert not push(exported, "me/wren", overwrite=True).created
    assert "playground/stale.py" not in space.files
    assert space.files["notes.md"] == b"its owner's"


def test_what_hinders_a_push_is_said(
    exported: Path, hub: SpaceHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlaygroundError, match="cannot be read"):
        push(tmp_path, "me/wren")
    with pytest.raises(PlaygroundError, match="write OWNER/NAME"):
        push(exported, "wren")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PlaygroundError, match="sign in"):
        push(exported, "me/wren")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PlaygroundError, match="could not be reached"):
        push(exported, "me/wren")
    assert hub.spaces == {}


def test_names_outside_the_list_are_no_models(exported: Path) -> None:
    folder = exported / "playground" / "_shipped" / "models"
    confined = Confinement(models=frozenset(("wren/base",)), paths=False, servers=False)
    catalog = Catalog(folder, confined=confined)
    assert [entry.id for entry in catalog.entries()] == ["wren/base"]
    for name in ("wren/instruct", str(folder / "wren" / "wren-base-f16.gguf"), "../wren.yaml"):
        with pytest.raises(PlaygroundError, match="Use one of: wren/base"):
            catalog.get(name)
    assert dataclasses.asdict(Confinement()) == dataclasses.asdict(Settings.load({}).confined)
