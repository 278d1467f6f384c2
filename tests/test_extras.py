"""The advice for a missing package: a command that works in the installation that gives it."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from playground import extras

ROOT = Path(__file__).parent.parent


def test_a_checkout_installs_its_own_extra() -> None:
    said = extras.install_command("torch")
    assert "install -e '.[torch]'" in said
    assert str(ROOT) in said


def test_a_wheel_names_the_packages_with_their_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_checkout", lambda: None)
    lines = ["gradio<7,>=6.31", "bm25s<1,>=0.3.9; extra == 'experiments'", 'torch<3; extra == "torch"']
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    assert extras.install_command("experiments").endswith("install 'bm25s<1,>=0.3.9'")
    assert extras.install_command("torch").endswith("install 'torch<3'")


def test_without_metadata_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(extras, "_checkout", lambda: None)
    monkeypatch.setattr(metadata, "requires", missing)
    assert "extra 'mcp' in pyproject.toml" in extras.install_command("mcp")


def test_an_environment_without_pip_is_given_a_command_of_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "pip")
    assert extras.install_command("mcp").startswith(f"uv pip install --python {sys.executable} -e")


def test_another_environments_pip_is_not_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras.shutil, "which", lambda name: "/usr/bin/pip")
    assert extras.install_command("mcp").startswith(f"{sys.executable} -m pip install -e")


def test_no_advice_names_a_distribution_that_is_on_no_index() -> None:
    texts = [
        *(ROOT / "playground").rglob("*.py"),
        *(ROOT / "playground").rglob("*.json"),
        *(ROOT / "docs").glob("*.md"),
    ]
    bad = [str(p) for p in texts if "pip install 'icl-playground" in p.read_text(encoding="utf-8")]
    assert not bad


def test_every_extra_of_the_metadata_is_known() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) == set(extras.Extra.__args__)
