"""Runs the tests without a browser on the newest or the oldest versions that the project's ranges allow.

``make test-latest`` and ``make test-lowest``: each in a virtual environment of its own, ``.venv-latest`` and
``.venv-lowest``. Only the ranges of the program and its extras move; test tools are the newest either way.
torch is the build of ``requirements/built.txt``, because another is a download of gigabytes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEFT_OUT = ("tests/ui", "tests/security", "tests/space", "tests/real")
BUILT = ("llama-cpp-python", "torch")


def run(*command: str | Path, **more: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        check=False,
        env={**os.environ, **more},
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


def direct_names() -> set[str]:
    """The packages that the program and its extras name themselves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    texts = [*project["dependencies"], *extras]
    return {re.split(r"[\[<>=! ]", text, maxsplit=1)[0].lower() for text in texts}


def resolve(uv: Path, resolution: str, python: str, *more: str) -> dict[str, str]:
    """Versions by package name for one Python, without torch."""
    options = f"--all-extras --python-version {python} --resolution {resolution} {' '.join(more)}"
    no_torch = "--override <(echo \"torch; sys_platform == 'never'\")"
    command = f'"{uv}" pip compile pyproject.toml --quiet --no-header --no-annotate {no_torch} {options}'
    output = run("bash", "-c", command)
    pins = (line.partition(" ")[0].split("==") for line in output.splitlines() if "==" in line)
    return {name.partition("[")[0].lower(): version for name, version in pins}


def main() -> int:
    """Install the versions, say which they are, and test; pytest's exit code."""
    which, arguments = sys.argv[1], sys.argv[2:]
    uv = Path(sys.executable).with_name("uv")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = ROOT / f".venv-{which}"
    there = place / "bin" / "python"
    if not there.exists():
        run(sys.executable, "-m", "venv", place)
    names = direct_names()
    chosen: dict[str, str] = {}
    if which == "lowest":
        lowest = resolve(uv, "lowest-direct", python)
        chosen = {name: version for name, version in lowest.items() if name in names}
    constraints = place / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in chosen.items()))
    pins = resolve(
        uv, "highest", python, "--group test --group build --group torch-needs", f"-c {constraints}"
    )
    versions = place / "versions.txt"
    versions.write_text("".join(f"{n}=={v}\n" for n, v in pins.items() if n not in BUILT))
    run(uv, "pip", "install", "--quiet", "--python", there, "-r", versions)
    locked = dict(
        line.split("==")
        for line in (ROOT / "requirements" / "built.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    llama = f"llama-cpp-python=={pins['llama-cpp-python']}"
    run(there, "-m", "pip", "install", "--quiet", "--no-deps", llama, CMAKE_ARGS="-DLLAVA_BUILD=OFF")
    run(there, "-m", "pip", "install", "--quiet", f"torch=={locked['torch']}")
    run(there, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    shown = sorted((names | {"pytest", "pip"}) & pins.keys())
    print(f"Python {python}:", ", ".join(f"{name} {pins[name]}" for name in shown), flush=True)
    ignored = [f"--ignore={folder}" for folder in LEFT_OUT]
    jobs = os.environ.get("JOBS", "2")
    command = [str(there), "-m", "pytest", "-q", "-n", jobs, "--dist", "loadfile", *ignored, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
