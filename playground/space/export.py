"""Writes a Space as a folder: the package itself, the models, what it needs, and the script that runs it."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Literal

from playground.errors import ModelNotFoundError, PlaygroundError
from playground.models.catalog import Catalog, ModelEntry
from playground.models.places import shards
from playground.models.travel import check_can_travel, copy_pair
from playground.settings import Settings
from playground.space.config import FILE_NAME, Limits, SpaceConfig, config_text, read_config

DEFAULT_MODELS = ("wren",)
GPU_S = 60
"""Seconds of a GPU that one call asks ZeroGPU for."""
_PACKAGE = "icl-playground"
# What the command line needs and the page does not.
_NOT_NEEDED = ("typer", "rich")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.pyi", "_shipped", ".*")

_APP = '''"""The Space. Written by `playground space export`; its models and limits are in space.toml."""

from pathlib import Path

from playground.space.app import Space, serve

if __name__ == "__main__":
    serve(Space(Path(__file__).parent))
'''
_ZERO_GPU_APP = '''"""The Space. Written by `playground space export`; models and limits: space.toml."""

import os

# Forked processes must not wait for a pool of threads that stayed behind.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import spaces  # before anything that imports torch

from pathlib import Path

from playground.space.app import Space, serve

space = Space(Path(__file__).parent)
space.load_weights()


@spaces.GPU(duration={seconds})
def on_gpu(request):
    """Runs in a forked process: plain values in, batches of tokens out."""
    yield from space.on_gpu(request)


if __name__ == "__main__":
    serve(space, on_gpu)
'''
_README = """# {title}

A base language model only continues text; behind a system text and a few examples it answers like an
assistant. This Space shows that prompt beside its effect: edit it, run it, and see what it changed. Presets
that you save stay in your browser.

Models: {models}.

It was written by `playground space export` of icl-playground, which runs on your own machine without the
limits that stand in [space.toml](space.toml).
"""
_ATTRIBUTES = """*.gguf filter=lfs diff=lfs merge=lfs -text
*.safetensors filter=lfs diff=lfs merge=lfs -text
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """A Space that was written: its folder, the models in it, and those that it downloads when it starts."""

    folder: Path
    models: tuple[str, ...]
    downloaded: tuple[str, ...]
    size_bytes: int


def export(
    folder: Path,
    models: Sequence[str] = DEFAULT_MODELS,
    *,
    zero_gpu: bool = False,
    title: str = "ICL Playground",
    overwrite: bool = False,
    settings: Settings | None = None,
) -> Exported:
    """Write a Space into a folder.

    Args:
        folder: Made if it is not there.
        models: Names of models (``wren/base``) or of pairs (``wren``).
        zero_gpu: For ZeroGPU: transformers, in place of llama.cpp on a CPU.
        title: Of the Space.
        overwrite: Write into a folder that holds an exported Space; its limits are kept.
        settings: Where models are found.

    Raises:
        PlaygroundError: A model cannot be had or taken along, or the folder holds something else.
    """
    settings = settings or Settings.load()
    engine: Literal["llama.cpp", "transformers"] = "transformers" if zero_gpu else "llama.cpp"
    entries = _entries(settings, models)
    for entry in entries:
        check_can_travel(entry, engine)
    limits = _checked_folder(folder, overwrite=overwrite)
    config = SpaceConfig(
        title=title, models=tuple(entry.id for entry in entries), engine=engine, limits=limits
    )
    try:
        package = folder / "playground"
        shutil.rmtree(package, ignore_errors=True)
        shutil.copytree(str(files("playground")), package, ignore=_LEFT_OUT)
        presets = package / "_shipped" / "presets"
        presets.mkdir(parents=True)
        for preset in sorted(settings.shipped_presets.glob("*.yaml")):
            shutil.copyfile(preset, presets / preset.name)
        for _, pair in groupby(entries, key=lambda entry: entry.pair):
            copy_pair(list(pair), engine, package / "_shipped" / "models")
        app = _ZERO_GPU_APP.format(seconds=GPU_S) if zero_gpu else _APP
        for name, text in {
            "app.py": app,
            FILE_NAME: config_text(config),
            "requirements.txt": _requirements(zero_gpu=zero_gpu),
            "README.md": _readme(config, entries, zero_gpu=zero_gpu),
            ".gitattributes": _ATTRIBUTES,
        }.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise PlaygroundError(f"The Space cannot be written: {error.strerror} ({error.filename}).") from error
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    downloaded = tuple(entry.id for entry in entries if entry.source(engine).hub is not None)
    return Exported(folder, config.models, downloaded, size)


def _entries(settings: Settings, names: Sequence[str]) -> list[ModelEntry]:
    """The models that names of models and of pairs stand for, each once, pair by pair."""
    catalog = Catalog(settings.shipped_models, settings.models_dir, downloads=settings.downloads_dir)
    found: dict[str, ModelEntry] = {}
    for name in names:
        pair = [entry for entry in catalog.entries() if entry.pair == name]
        for entry in pair or [catalog.get(name)]:
            found[entry.id] = entry
    if not found:
        raise ModelNotFoundError("Name at least one model.")
    order = list(dict.fromkeys(entry.pair for entry in found.values()))
    return sorted(found.values(), key=lambda entry: (order.index(entry.pair), entry.kind))


def _checked_folder(folder: Path, *, overwrite: bool) -> Limits:
    """Refuse a folder that holds something else; the limits to write."""
    if not folder.exists():
        folder.mkdir(parents=True)
        return Limits()
    if not folder.is_dir():
        raise PlaygroundError(f"{folder} is a file; name a folder.")
    if not any(folder.iterdir()):
        return Limits()
    if not (folder / FILE_NAME).is_file():
        raise PlaygroundError(f"{folder} holds something else; name an empty folder.")
    if not overwrite:
        raise PlaygroundError(f"{folder} holds a Space already; name another folder, or pass --overwrite.")
    return read_config(folder / FILE_NAME).limits


def _requirements(*, zero_gpu: bool) -> str:
    """What has to be installed, in the ranges that the package itself names."""
    needed = [one for one in _declared() if _name(one) not in _NOT_NEEDED]
    if zero_gpu:
        needed = [one for one in needed if _name(one) != "llama-cpp-python"]
        needed += [*_declared("torch"), "spaces"]
    return "\n".join(needed) + "\n"


def _declared(extra: str = "") -> list[str]:
    """The package's requirements: of a checkout as its project file says, else as they were installed.

    Raises:
        PlaygroundError: Neither can be found.
    """
    project = Path(str(files("playground"))).parent / "pyproject.toml"
    if project.is_file():
        said = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        found = said["optional-dependencies"][extra] if extra else said["dependencies"]
        return [str(one) for one in found]
    try:
        installed = requires(_PACKAGE) or []
    except PackageNotFoundError:
        raise PlaygroundError(
            "What this package needs cannot be found; install it with pip, or export from a checkout."
        ) from None
    marker = f"extra == '{extra}'"
    split = [one.partition(";") for one in installed]
    return [what.strip() for what, _, said in split if (marker in said if extra else not said.strip())]


def _name(requirement: str) -> str:
    return next((requirement[:i] for i, c in enumerate(requirement) if c in "<>=!~[; "), requirement)


def _readme(config: SpaceConfig, entries: Sequence[ModelEntry], *, zero_gpu: bool) -> str:
    """The Space's card: its front matter, and what it is."""
    sources = [entry.source(config.engine) for entry in entries]
    hubs = {source.hub.repository: source.hub for source in sources if source.hub is not None}
    lines = [
        f"title: {json.dumps(config.title, ensure_ascii=False)}",
        "emoji: 🐦",
        "colorFrom: indigo",
        "colorTo: gray",
        "sdk: gradio",
        f"sdk_version: {version('gradio')}",
        f'python_version: "{"3.12.12" if zero_gpu else "3.12"}"',
        "app_file: app.py",
        "pinned: false",
        "license: apache-2.0",
        f"suggested_hardware: {'zero-a10g' if zero_gpu else 'cpu-basic'}",
    ]
    if hubs:
        lines += ["models:", *(f"  - {name}" for name in hubs)]
    whole = [hub for hub in hubs.values() if hub.file]
    if whole:  # fetched when the Space is built, so that it starts at once
        lines += [
            "preload_from_hub:",
            *(f"  - {hub.repository} {','.join(shards(hub.file))}" for hub in whole),
        ]
    models = ", ".join(f"{entry.title} ({entry.license or 'see its card'})" for entry in entries)
    front = "\n".join(lines)
    return f"---\n{front}\n---\n\n{_README.format(title=config.title, models=models)}"
