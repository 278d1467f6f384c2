"""The wheel: what ships, what does not, and that an installed copy finds it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    root = Path(__file__).parent.parent
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_presets_catalog_and_ggufs_and_no_training_material(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name.removeprefix("playground/_shipped/") for name in names if "/_shipped/" in name}
    assert {
        "presets/friendly.yaml",
        "models/wren.yaml",
        "models/wren/wren-base-f16.gguf",
        "models/wren/wren-instruct-f16.gguf",
    } <= shipped
    assert not [n for n in names if n.endswith((".safetensors", ".pyi"))]
    assert not [n for n in shipped if n.endswith(".py")]
    assert any(name.startswith("playground/ui/static/") for name in names)
    assert "playground/ui/strings.json" in names
    assert all(name.startswith(("playground/", "icl_playground-")) for name in names)


def test_an_installed_copy_finds_what_shipped(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import playground, playground.settings as s, playground.models.catalog as c;"
        "settings = s.Settings.load();"
        "print(playground.__file__);"
        "print([e.id for e in c.Catalog(settings.shipped_models).entries() if e.present])"
    )
    # -I and an explicit path: the checkout must not help.
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {code}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    place, present = done.stdout.splitlines()  # the other models listed are nowhere until pulled
    assert place.startswith(str(tmp_path))
    assert present == "['wren/base', 'wren/instruct']"


def test_an_installed_copy_says_that_it_has_no_files_for_another_engine(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = (
        f"import os, sys; sys.path.insert(0, {str(tmp_path / 'site')!r});"
        f"os.environ['PLAYGROUND_HOME'] = {str(tmp_path / 'home')!r};"
        "from playground.cli import main; main(['ask', 'Hi', '--engine', 'transformers'])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 1
    assert "Wren base for the engine transformers are not here. Use --engine llama.cpp" in done.stderr
    assert "hf-base" not in done.stderr, "no folder is named that the wheel does not contain"
    assert done.stderr.count("\n") == 1


def test_an_installed_copy_advises_packages_and_not_itself(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r});"
        "from playground.extras import install_command; print(install_command('experiments'))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "install 'bm25s<1,>=0.3.9' 'rouge-score<1,>=0.1.2'" in done.stdout
    assert "icl-playground" not in done.stdout
