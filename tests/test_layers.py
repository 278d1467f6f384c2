"""The import contract: who may import whom, and which third-party package belongs where.

Read off the syntax trees, so that an import inside a function counts as much as one at the top.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "playground"

# Each line may import only from lines below it; names on one line do not know each other.
LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(line.split())
    for line in (
        "__main__",
        "cli install",
        "space",
        "ui",
        "services",
        "experiments studio imports exports",
        "chat",
        "prompts presets models engines datasets",
        "hub_errors",
        "settings types errors extras",
    )
)
# Third-party packages, and the places (below playground/) that alone may import them.
CONFINED: dict[str, tuple[str, ...]] = {
    "gradio": ("ui/", "space"),
    "llama_cpp": ("engines/llama", "experiments/bench"),
    "torch": ("engines/transformers", "experiments/pair_", "experiments/bench_generate"),
    "transformers": ("engines/transformers", "experiments/pair_", "experiments/bench_generate"),
    "openai": ("engines/server",),
    "keyring": ("engines/server/keys",),
    "huggingface_hub": (
        *("models/", "engines/transformers", "presets/hub", "datasets/hub", "hub_errors", "space/push"),
    ),
    "filelock": ("experiments/run_files", "models/", "services/downloads", "engines/llamacpp/selftest"),
    "rouge_score": ("experiments/metrics",),
    "bm25s": ("experiments/retrieve",),
    "yaml": ("presets/", "models/"),
    "pyarrow": ("datasets/parquet",),
    "charset_normalizer": ("datasets/decoding",),
}


def _modules() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if "_shipped" not in p.parts)


def _imports(path: Path) -> set[str]:
    """Absolute dotted names that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            if node.module == "playground":
                found |= {f"playground.{alias.name}" for alias in node.names}
            else:
                found.add(node.module or "")
    return found


def _layer(part: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if part in names)


def _part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    part = _part(path)
    if part == "__init__":
        assert not _imports(path), "playground/__init__.py imports nothing"
        return
    for name in _imports(path):
        if name.startswith("playground."):
            other = name.split(".")[1]
            if other in ("__version__", part):
                continue
            assert _layer(other) > _layer(part), f"{part} may not import {other}"


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_third_party_packages_stay_in_their_place(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    for name in _imports(path):
        allowed = CONFINED.get(name.split(".")[0])
        if allowed is not None:
            assert place.startswith(allowed), f"{place} may not import {name}"


def test_every_listed_layer_exists() -> None:
    parts = {_part(path) for path in _modules()}
    assert set().union(*LAYERS) == parts - {"__init__"}


def test_the_check_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from playground.ui import app\n    import gradio\n")
    assert _imports(bad) == {"playground.ui", "gradio"}
    assert _layer("ui") < _layer("prompts")


def test_no_module_outgrows_four_hundred_lines() -> None:
    long = {str(p): n for p in _modules() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long
