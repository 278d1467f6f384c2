"""Installs the playground from its lock files, with a ready build of llama.cpp where there is one.

Run in a checkout, as ``python -m playground.install``: into the virtual environment that is active, else into
``.venv``. Standard library alone, because nothing is installed yet. See ``requirements/README.md``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import venv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from playground.engines.llamacpp import build

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "requirements"
WHEELS = "https://abetlen.github.io/llama-cpp-python/whl/cpu"
"""Upstream's own index of ready builds for the CPU; others lie beside it: ``/metal``, ``/cu124`` ..."""
_OLDEST = (3, 11)
_STEP = re.compile(r"^\s*\[\s*(\d+)(?:/(\d+)|%)\]")
_SAY_EVERY_S = 15.0
_LAST_LINES = 30
# Exit codes of ``python -m playground.engines.llamacpp.selftest``.
_SOUND, _BROKEN = 0, 4


class InstallError(Exception):
    """Installing cannot go on; the text says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Install; 0, or 1 with one message on stderr."""
    given = _parser().parse_args(arguments)
    try:
        if sys.version_info < _OLDEST:
            raise InstallError(
                f"Python 3.11 or newer is needed, and this is {sys.version.split()[0]}; use a newer one."
            )
        python = _environment(given.venv)
        Installer(python, given.wheels.strip(), given.test).run()
        if not given.quiet_end:
            _say(f"Done. Start the playground with: {_program(python)}")
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m playground.install", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--wheels",
        default=os.environ.get("WHEELS", WHEELS),
        help="where ready builds of llama-cpp-python are: an index's address, a folder, or 'none' to compile "
        f"(default: $WHEELS, else {WHEELS})",
    )
    parser.add_argument(
        "--venv", type=Path, help="the virtual environment (default: the active one, else .venv)"
    )
    parser.add_argument("--test", action="store_true", help="install what the tests and checks need too")
    parser.add_argument("--quiet-end", action="store_true", help=argparse.SUPPRESS)
    return parser


def _environment(wanted: Path | None) -> str:
    """The Python of the virtual environment, which is made where it is missing."""
    if wanted is None and sys.prefix != sys.base_prefix:
        return sys.executable
    folder = (wanted or ROOT / ".venv").absolute()
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        _say(f"Making the virtual environment {folder} ...")
        try:
            venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise InstallError(
                f"The virtual environment {folder} could not be made ({error}). "
                "On Debian and Ubuntu this needs: sudo apt-get install python3-venv"
            ) from error
    return str(python)


def _program(python: str) -> str:
    folder = Path(python).parent
    name = "playground.exe" if os.name == "nt" else "playground"
    active = os.environ.get("VIRTUAL_ENV", "")
    if active and Path(active) == folder.parent:
        return "playground"
    try:
        return str((folder / name).relative_to(Path.cwd()))
    except ValueError:
        return str(folder / name)


class Installer:
    """Puts the locked packages, llama.cpp and the playground itself into one environment.

    Args:
        python: The environment's interpreter.
        wheels: Index, folder, or ``none``.
        test: Whether the tests' packages are wanted.
    """

    def __init__(self, python: str, wheels: str, test: bool) -> None:
        self._python = python
        self._test = test
        folder = Path(wheels).expanduser()
        self._folder = folder.absolute() if wheels and folder.is_dir() else None
        self._index = wheels if "://" in wheels else ""
        if wheels not in ("", "none") and not self._folder and not self._index:
            raise InstallError(
                f"WHEELS is {wheels!r}: neither an address, nor a folder that exists, nor 'none'."
            )
        pins = dict(line.split("==") for line in _lines(LOCKS / "built.txt"))
        self._version, self._torch = pins[build.PACKAGE], pins["torch"]
        self._range = next(line for line in _project_dependencies() if line.startswith(build.PACKAGE))

    def run(self) -> None:
        """Everything, a line for each step."""
        lock = LOCKS / ("test.txt" if self._test else "run.txt")
        self._step("Locked packages", self._install_lock, lock)
        self._llama_cpp()
        if self._test:
            self._step(f"torch {self._torch}", self._install, f"torch=={self._torch}")
        self._step("The playground", self._install_playground)

    def _step(self, name: str, work: object, *arguments: object) -> None:
        started = time.monotonic()
        print(f"{name} ...", end="", flush=True)
        try:
            assert callable(work)
            work(*arguments)
        except InstallError:
            print(flush=True)
            raise
        print(f" {time.monotonic() - started:.0f} s", flush=True)

    def _install_lock(self, lock: Path) -> None:
        # The lock is complete, but for what is built: pip must not look for the rest of a dependency.
        locked = ("--no-deps", "--require-hashes", "-r", str(lock))
        if (
            self._folder is not None
            and self._pip("--no-index", "--find-links", str(self._folder), *locked) == 0
        ):
            return
        self._install(*locked)

    def _install_playground(self) -> None:
        # Its build backend is locked with the rest; isolated, pip would fetch another.
        self._install("--no-deps", "--no-build-isolation", "--editable", str(ROOT))

    def _install(self, *arguments: str) -> None:
        output: list[str] = []
        if self._pip(*arguments, output=output):
            raise InstallError(
                f"pip could not install {' '.join(arguments)}:\n{''.join(output[-_LAST_LINES:])}"
            )

    def _pip(self, *arguments: str, output: list[str] | None = None) -> int:
        """Run ``pip install``; its exit code."""
        command = [self._python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if output is not None:
            output += (done.stdout + done.stderr).splitlines(keepends=True)
        return done.returncode

    # --- llama.cpp

    def _llama_cpp(self) -> None:
        installed = self._installed()
        if installed and self._self_test() != _BROKEN:
            _say(f"llama.cpp: llama-cpp-python {installed} is installed.")
            return
        for source, arguments in self._ready_builds():
            print(f"llama.cpp: a ready build from {source} ...", end="", flush=True)
            started = time.monotonic()
            if self._pip("--no-deps", "--force-reinstall", *arguments):
                print(" none fits", flush=True)
                continue
            print(f" {time.monotonic() - started:.0f} s", flush=True)
            code = self._self_test()
            if code == _SOUND or (code != _BROKEN and not source.startswith("pip's cache")):
                return
            _say("That build does not run every model on this CPU.")
        self._compile()

    def _ready_builds(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Where a build may be had without a compiler, best first, with pip's arguments."""
        only = ("--only-binary", build.PACKAGE)
        if self._folder is not None:
            local = ("--no-index", "--find-links", str(self._folder), *only)
            yield str(self._folder), (*local, f"{build.PACKAGE}=={self._version}")
            yield f"{self._folder} (another version)", (*local, self._range)
        for wheel in self._cached():
            yield f"pip's cache ({wheel.name})", (str(wheel),)
        if self._index:
            there = ("--index-url", self._index, "--timeout", "10", "--retries", "0", *only)
            yield self._index, (*there, f"{build.PACKAGE}=={self._version}")
            yield f"{self._index} (another version)", (*there, self._range)

    def _cached(self) -> list[Path]:
        """Wheels of the locked version that pip compiled here before."""
        command = [self._python, "-m", "pip", "cache", "list", "--format=abspath", "llama_cpp_python"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        paths = [Path(line.strip()) for line in done.stdout.splitlines() if line.strip().endswith(".whl")]
        return [path for path in paths if path.name.startswith(f"llama_cpp_python-{self._version}-")]

    def _installed(self) -> str:
        """The version that is there, where it is one that the project's range allows."""
        code = (
            "from importlib import metadata\n"
            "try: print(metadata.version('llama-cpp-python'))\n"
            "except metadata.PackageNotFoundError: pass"
        )
        done = subprocess.run([self._python, "-c", code], capture_output=True, text=True, check=False)
        version = done.stdout.strip()
        return version if version and _numbers(version) >= _numbers(self._range.split(">=")[1]) else ""

    def _self_test(self) -> int:
        """The exit code of the self-test, which needs the locked packages and this checkout."""
        command = [self._python, "-m", "playground.engines.llamacpp.selftest"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode

    def _compile(self) -> None:
        path = build.compiler()
        if path is None and os.name != "nt":
            raise InstallError(
                "No ready build of llama.cpp fits this machine, and there is no C++ compiler to make one. "
                f"{build.compiler_advice()}. Or name another place of ready builds with WHEELS=..."
            )
        flags = build.cmake_args()
        with_what = build.compiler_name(path) if path else "Visual Studio"
        _say(f"llama.cpp: compiling llama-cpp-python {self._version} with {with_what} ({flags}) ...")
        command = [
            self._python, "-m", "pip", "install", "--verbose", "--disable-pip-version-check", "--no-deps",
            "--force-reinstall", "--no-cache-dir" if self._cached() else "--progress-bar=off",
            f"{build.PACKAGE}=={self._version}",
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "CMAKE_ARGS": flags},
        )
        assert process.stdout is not None
        last = Progress(sys.stdout.isatty()).follow(process.stdout)
        if process.wait():
            raise InstallError(
                f"llama.cpp could not be compiled; the last lines:\n{''.join(last)}\n"
                f"{build.compiler_advice()}, if it is the compiler that is missing."
            )


class Progress:
    """Shows how far a build is and about how long it still takes, from the build's own ``[n/N]``.

    Args:
        terminal: Whether one line is written over and over; else a line every 15 s.
    """

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal
        self._started = 0.0
        self._said = 0.0

    def follow(self, lines: Iterator[str]) -> deque[str]:
        """Read a build's output to its end; its last lines."""
        last: deque[str] = deque(maxlen=_LAST_LINES)
        self._started = self._said = time.monotonic()
        begun = ended = False
        for line in lines:
            last.append(line)
            found = _STEP.match(line)
            if found is None:
                continue
            if not begun:
                begun, self._started = True, time.monotonic()
            step, total = int(found[1]), int(found[2] or 100)
            ended = step >= total
            self._say(step, total, ended)
        if self._terminal and begun:
            print(flush=True)
        return last

    def _say(self, step: int, total: int, ended: bool) -> None:
        now = time.monotonic()
        if not (self._terminal or ended or now - self._said >= _SAY_EVERY_S):
            return
        self._said = now
        spent = now - self._started
        left = "" if step < 3 or ended else f", about {_duration(spent / step * (total - step))} left"
        text = f"  [{step}/{total}] {_duration(spent)}{left}"
        print(f"\r{text:<60}" if self._terminal else text, end="" if self._terminal else "\n", flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _lines(path: Path) -> list[str]:
    """A requirement file's lines without comments."""
    texts = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [text for text in texts if text]


def _project_dependencies() -> list[str]:
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        found: list[str] = tomllib.load(file)["project"]["dependencies"]
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition(",")[0])[:3])


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
