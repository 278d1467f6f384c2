"""What this installation stands on, what is missing, and the command that mends it.

Loads no model of a person and reaches for no network. The self-test of llama.cpp is the one thing that it
keeps: a later load need not make it again.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from playground import __version__
from playground.engines.cores import usable_cores
from playground.engines.gpus import find_gpus
from playground.engines.llamacpp import selftest
from playground.engines.llamacpp.build import rebuild_command
from playground.engines.llamacpp.installed import InstalledBuild, installed_build
from playground.engines.memory import available_bytes
from playground.extras import Extra, install_command
from playground.models.catalog import Catalog
from playground.services.model_facts import Inspector
from playground.settings import Settings

Verdict = Literal["ok", "note", "missing"]
# Package, what it is for, and what installs it.
_PACKAGES = (
    ("gradio", "the page", "pip install gradio"),
    ("llama-cpp-python", "GGUF models", "pip install llama-cpp-python"),
    ("huggingface-hub", "downloads", "pip install huggingface-hub"),
)
# Package, what it is for, and the extra that brings it.
_OPTIONAL: tuple[tuple[str, str, Extra], ...] = (
    ("torch", "transformers models", "torch"),
    ("transformers", "transformers models", "torch"),
    ("openai", "servers", "server"),
    ("rouge-score", "ROUGE-L in experiments", "experiments"),
    ("bm25s", "examples retrieved by BM25", "experiments"),
)
_LOW_MEMORY_BYTES = 2 * 10**9
_LOW_DISK_BYTES = 5 * 10**9


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and what to do where something is to be done."""

    topic: str
    verdict: Verdict
    found: str
    mend: str = ""


def examine(settings: Settings, catalog: Catalog) -> list[Finding]:
    """Everything that was looked at, in an order that a person reads."""
    return [
        Finding("playground", "ok", f"{__version__} at {Path(__file__).parent.parent}"),
        _python(),
        Finding("system", "ok", f"{platform.system()} {platform.release()} {platform.machine()}"),
        Finding("cores", "ok", f"{usable_cores()} usable of {os.cpu_count() or 1}"),
        _memory(),
        *(_package(name, purpose, "missing", command) for name, purpose, command in _PACKAGES),
        *(_package(name, purpose, "note", install_command(extra)) for name, purpose, extra in _OPTIONAL),
        *_llama_cpp(settings),
        *(_folder(name, path) for name, path in _folders(settings)),
        _disk(settings.models_dir),
        _bundled(catalog),
        *(
            Finding("catalog", "missing", p.message, f"correct or delete {p.path}")
            for p in catalog.problems()
        ),
        _hub(),
    ]


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    return Finding("python", "ok", found)


def _memory() -> Finding:
    free = available_bytes()
    if free is None:
        return Finding("memory", "note", "how much is free cannot be told here")
    verdict: Verdict = "ok" if free >= _LOW_MEMORY_BYTES else "note"
    return Finding(
        "memory", verdict, f"{free / 1e9:.1f} GB free", "" if verdict == "ok" else "choose small models"
    )


def _package(name: str, purpose: str, missing: Verdict, command: str) -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, missing, f"not installed; needed for {purpose}", command)


def _llama_cpp(settings: Settings) -> list[Finding]:
    """How llama.cpp was built, what it did on this CPU, and whether it uses a GPU that is there."""
    build = installed_build()
    if build is None:
        return _gpus(None)
    features = "; ".join(f"{name}: {' '.join(found) or 'yes'}" for name, found in build.features.items())
    return [
        Finding("llama.cpp build", "ok", features or "it does not say what it was built with"),
        _self_test(settings),
        *_gpus(build),
    ]


def _self_test(settings: Settings) -> Finding:
    topic = "llama.cpp self-test"
    said = os.environ.get(selftest.VARIABLE, "").strip()
    if said:
        return Finding(
            topic, "note", f"not made, because {selftest.VARIABLE} is {said}", f"unset {selftest.VARIABLE}"
        )
    found = selftest.settle(settings.cache_dir / "engines")
    if found.verdict == "ok":
        return Finding(topic, "ok", f"{', '.join(selftest.QUANTIZATIONS)} run on this CPU")
    rebuild = rebuild_command(found.version)
    if found.verdict == "unknown":
        return Finding(topic, "note", f"it could not be made ({', '.join(found.failed.values())})", rebuild)
    verdict: Verdict = "note" if found.verdict == "repaired" else "missing"
    return Finding(topic, verdict, selftest.notice(found, ""), rebuild)


def _gpus(build: InstalledBuild | None) -> list[Finding]:
    gpus = find_gpus()
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    if not gpus and not apple:
        return [Finding("gpu", "ok", "none found; models run on the CPU")]
    found = [
        f"{gpu.name}, {gpu.free_bytes / 1e9:.1f} of {gpu.total_bytes / 1e9:.1f} GB free" for gpu in gpus
    ] or ["Apple's GPU"]
    if build is None:
        return [Finding("gpu", "note", text, "install llama-cpp-python to use it") for text in found]
    if build.offload:
        return [Finding("gpu", "ok", f"{text}; llama.cpp uses it") for text in found]
    flag = "-DGGML_METAL=on" if apple else "-DGGML_CUDA=on"
    return [
        Finding(
            "gpu",
            "note",
            f"{text}; llama.cpp does not use it, because it was built for the CPU alone",
            rebuild_command(build.version, gpu=flag),
        )
        for text in found
    ]


def _folders(settings: Settings) -> list[tuple[str, Path]]:
    return [
        ("data folder", settings.data_dir),
        ("presets folder", settings.presets_dir),
        ("models folder", settings.models_dir),
        ("cache folder", settings.cache_dir),
    ]


def _folder(name: str, path: Path) -> Finding:
    """Whether the folder, or the nearest one above it that exists, can be written."""
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Finding(name, "ok", str(path) if path.exists() else f"{path} (made when it is needed)")
    return Finding(
        name,
        "missing",
        f"{path} cannot be written",
        f"make {nearest} writable, or name another folder with PLAYGROUND_HOME",
    )


def _disk(folder: Path) -> Finding:
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(nearest).free
    verdict: Verdict = "ok" if free >= _LOW_DISK_BYTES else "note"
    mend = (
        ""
        if verdict == "ok"
        else "make room before a model is pulled, or set PLAYGROUND_HOME to another disk"
    )
    return Finding("disk", verdict, f"{free / 1e9:.1f} GB free for models", mend)


def _bundled(catalog: Catalog) -> Finding:
    entries = [entry for entry in catalog.entries() if entry.hub is None and entry.pair == "wren"]
    broken = []
    inspector = Inspector()
    for entry in entries:
        try:
            inspector.inspect(entry.path)
        except Exception as error:  # noqa: BLE001  whatever it is, the doctor tells it
            broken.append(f"{entry.id}: {error}")
    if entries and not broken:
        return Finding("bundled pair", "ok", f"{', '.join(entry.id for entry in entries)} can be read")
    return Finding(
        "bundled pair",
        "missing",
        "; ".join(broken) or "not there",
        "pip install --force-reinstall icl-playground",
    )


def _hub() -> Finding:
    address = os.environ.get("HF_ENDPOINT", "").strip() or "the Hub's own address"
    if os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in ("1", "TRUE", "YES", "ON"):
        return Finding("downloads", "note", f"switched off; from {address}", "unset HF_HUB_OFFLINE")
    signed_in = bool(os.environ.get("HF_TOKEN")) or _token_file().is_file()
    return Finding("downloads", "ok", f"from {address}, {'signed in' if signed_in else 'not signed in'}")


def _token_file() -> Path:
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(os.environ.get("HF_TOKEN_PATH") or Path(home) / "token")
