"""The installer: where it looks for a build of llama.cpp, what it shows of a compile, and its messages."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from playground import install
from playground.engines.llamacpp import build
from playground.install import Installer, InstallError, Progress, main


class Recorded(Installer):
    """An installer whose pip, self-test and compile are written down instead of run."""

    def __init__(
        self, wheels: str, *, fits: str = "", tests: Sequence[int] = (0,), cached: bool = False
    ) -> None:
        super().__init__(sys.executable, wheels, test=False)
        self.asked: list[str] = []
        self._fits, self._tests = fits, list(tests)
        self._has_cached = cached

    def _pip(self, *arguments: str, output: list[str] | None = None) -> int:
        self.asked.append(" ".join(arguments))
        return 0 if self._fits and self._fits in self.asked[-1] else 1

    def _installed(self) -> str:
        return ""

    def _cached(self) -> list[Path]:
        return [Path("/cache/llama_cpp_python-0.3.36-py3-none-linux_x86_64.whl")] if self._has_cached else []

    def _self_test(self) -> int:
        return self._tests.pop(0)

    def _compile(self) -> None:
        self.asked.append("compile")


def test_upstreams_index_is_asked_for_that_package_alone_before_a_compile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    installer = Recorded(install.WHEELS)
    installer._llama_cpp()
    *asked, last = installer.asked
    assert last == "compile"
    assert len(asked) == 2
    for arguments in asked:
        assert f"--index-url {install.WHEELS} " in arguments
        assert "--only-binary llama-cpp-python" in arguments
        assert "--no-deps" in arguments
    assert asked[0].endswith("llama-cpp-python==0.3.36")
    assert asked[1].endswith("llama-cpp-python>=0.3.20,<0.4")
    assert capsys.readouterr().out.count("none fits") == 2


def test_a_build_that_fits_ends_the_search() -> None:
    installer = Recorded("https://example.org/whl/metal", fits="metal")
    installer._llama_cpp()
    assert len(installer.asked) == 1


def test_a_folder_needs_no_network(tmp_path: Path) -> None:
    installer = Recorded(str(tmp_path), fits=str(tmp_path))
    installer._llama_cpp()
    assert installer.asked == [
        f"--no-deps --force-reinstall --no-index --find-links {tmp_path} --only-binary llama-cpp-python "
        "llama-cpp-python==0.3.36"
    ]


def test_none_compiles_at_once() -> None:
    installer = Recorded("none")
    installer._llama_cpp()
    assert installer.asked == ["compile"]


def test_a_build_that_does_not_run_here_is_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """A ready build whose code this CPU does not run: the next source is tried, at last a compile."""
    installer = Recorded(install.WHEELS, fits="https", tests=[4, 4])
    installer._llama_cpp()
    assert installer.asked[-1] == "compile"
    assert "does not run every model on this CPU" in capsys.readouterr().out


def test_a_cached_build_that_needs_the_repair_is_compiled_anew() -> None:
    """It was compiled here before with a compiler that breaks AMX; the flags are right now."""
    installer = Recorded("none", fits="/cache/", cached=True, tests=[3])
    installer._llama_cpp()
    assert installer.asked[-1] == "compile"
    repaired = Recorded(install.WHEELS, fits="https", tests=[3])
    repaired._llama_cpp()
    assert "compile" not in repaired.asked


@pytest.mark.parametrize("wheels", ["/no/such/folder", "nonsense"])
def test_a_place_of_wheels_that_is_none_is_refused(wheels: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--wheels", wheels, "--venv", sys.prefix]) == 1
    assert f"WHEELS is '{wheels}'" in capsys.readouterr().err


def test_without_a_compiler_the_command_that_installs_one_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "compiler", lambda: None)
    if install.os.name == "nt":
        pytest.skip("Windows finds its own compiler")
    with pytest.raises(InstallError, match=r"no C\+\+ compiler to make one\. Install"):
        Installer(sys.executable, "none", test=False)._compile()


def test_a_compile_shows_how_far_it_is_and_how_long_it_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(install.time, "monotonic", lambda: float(next(clock)))
    lines = [
        "Collecting llama-cpp-python\n",
        *(f"  [{n}/20] /usr/bin/c++ -o x\n" for n in range(1, 21)),
        "Done\n",
    ]
    last = Progress(terminal=False).follow(iter(lines))
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1].startswith("  [20/20] ")
    assert any("about" in line and "left" in line for line in shown)
    assert last[-1] == "Done\n"


def test_makes_percentages_are_followed_too(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(terminal=True).follow(iter(["[ 50%] Building\n", "[100%] Linking\n"]))
    assert "[50/100]" in capsys.readouterr().out


def test_a_failed_compile_shows_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        stdout = io.StringIO("[1/2] c++\nfatal error: no such header\n")

        def wait(self) -> int:
            return 1

    monkeypatch.setattr(install.subprocess, "Popen", lambda *_, **__: Failing())
    monkeypatch.setattr(Installer, "_cached", lambda self: [])
    monkeypatch.setattr(build, "compiler", lambda: "/usr/bin/c++")
    monkeypatch.setattr(build, "compiler_name", lambda path: "c++ 12")
    monkeypatch.setenv("CMAKE_ARGS", "-DLLAVA_BUILD=OFF")
    with pytest.raises(InstallError, match="no such header"):
        Installer(sys.executable, "none", test=False)._compile()


def test_the_installer_needs_nothing_that_is_not_installed() -> None:
    """It runs before anything is: with site-packages switched off it still starts."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "playground.install", "--help"],
        capture_output=True,
        text=True,
        cwd=install.ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--wheels" in done.stdout


def test_the_lock_files_hold_hashes_and_no_address() -> None:
    for name in ("run.txt", "test.txt"):
        text = (install.LOCKS / name).read_text(encoding="utf-8")
        pins = [line for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))]
        assert len(pins) > 50
        assert all(line.endswith("\\") for line in pins), "each pin has its hashes below it"
        assert "://" not in text
        assert "llama-cpp-python==" not in text
