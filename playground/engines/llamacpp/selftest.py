"""Finds out whether this build of llama.cpp runs every usual quantization on this CPU, and remembers it.

A throw-away process decodes tiny generated models (``selftest_child``). Where it dies or computes wrong
numbers with the library's own settings, it is asked again without "extra buffers", the layouts of weights
that llama.cpp makes for one CPU (repacking, AMX). The result is kept for each machine and build, and every
load, estimate, probe and benchmark follows it.

Imports no native code: the page's process reads results, and a crash stays in the child.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock, Timeout

import playground
from playground.engines.crashes import Crash, explain
from playground.engines.llamacpp.fingerprint import file_fingerprint, machine
from playground.engines.spec import EngineSpec

QUANTIZATIONS = ("F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS")
"""What is tried; ``selftest_child`` knows how to make each."""
VARIABLE = "PLAYGROUND_EXTRA_BUFFERS"
"""``1`` or ``0`` decides about extra buffers and no self-test is made; empty or unset: as it finds."""
LONGEST_S = 60.0
_FILE = "self-test.json"
_VERSION = 1

Verdict = Literal["ok", "repaired", "broken", "unknown"]


class Speed(msgspec.Struct, frozen=True):
    """Tokens a second of a generated 17M model in Q4_0: a prompt of 256 tokens, then single tokens."""

    prompt_tokens_per_s: float
    answer_tokens_per_s: float


class SelfTest(msgspec.Struct, frozen=True):
    """What a build did on a machine.

    Attributes:
        verdict: ``ok``; ``repaired``: only without extra buffers; ``broken``: neither way; ``unknown``: the
            test could not be made.
        failed: How each quantization failed with the library's own settings.
        failed_without: The same without extra buffers; only tried where ``failed`` is not empty.
        version: Of llama-cpp-python. machine: The kind of machine. tested_at: ISO 8601, UTC.
        seconds: That the test took.
        speed: Of the settings that are used; measured only where something failed.
        said: Whether a person was told of it.
    """

    verdict: Verdict
    version: str
    machine: str
    tested_at: str
    seconds: float
    failed: dict[str, str] = {}
    failed_without: dict[str, str] = {}
    speed: Speed | None = None
    said: bool = False

    @property
    def extra_buffers(self) -> bool | None:
        """What models are loaded with: False where that repairs the build; None leaves it to the library."""
        return False if self.verdict == "repaired" else None


class ExtraBuffersRepair:
    """What ``WorkerEngine`` tries where llama.cpp met an illegal instruction: see ``client.Repair``."""

    def changed(self, spec: EngineSpec) -> EngineSpec | None:
        """The spec without extra buffers, after a new self-test; None where it has none already."""
        if spec.extra_buffers is False or os.environ.get(VARIABLE, "").strip():
            return None
        if spec.cache_dir:
            settle(Path(spec.cache_dir), again=True)
        return replace(spec, extra_buffers=False)

    def worked(self, spec: EngineSpec) -> None:
        """Remember that a real model needed it, also where the self-test had found nothing."""
        if not spec.cache_dir:
            return
        folder = Path(spec.cache_dir)
        found = stored(folder)
        if found is None or found.verdict == "repaired":
            return
        name = Path(spec.path).name
        failed = {**found.failed, name: "an illegal instruction while it was loaded"}
        _store(folder, msgspec.structs.replace(found, verdict="repaired", failed=failed, said=False))


def prepared(spec: EngineSpec) -> EngineSpec:
    """The spec with what the self-test found, which is made first where this build is new on this machine."""
    if spec.extra_buffers is not None or not spec.cache_dir or os.environ.get(VARIABLE, "").strip():
        return spec
    result = settle(Path(spec.cache_dir))
    return spec if result.extra_buffers is None else replace(spec, extra_buffers=result.extra_buffers)


def chosen(spec: EngineSpec) -> bool | None:
    """What ``spec`` is loaded with: its own choice, the environment's, or a result that is there already."""
    if spec.extra_buffers is not None:
        return spec.extra_buffers
    said = os.environ.get(VARIABLE, "").strip()
    if said:
        return said != "0"
    found = stored(Path(spec.cache_dir)) if spec.cache_dir else None
    return found.extra_buffers if found is not None else None


def settle(folder: Path, *, again: bool = False) -> SelfTest:
    """The result for this build and machine: remembered in ``folder``, or found now and remembered.

    Args:
        folder: ``engines`` in the cache folder.
        again: Make the test whatever is remembered.
    """
    found = None if again else stored(folder)
    if found is not None:
        return found
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        # Two models that load at once need one test; who waits too long makes one of its own.
        with FileLock(folder / f"{_FILE}.lock", timeout=2 * LONGEST_S):
            found = None if again else stored(folder)
            if found is None:
                found = self_test()
                if found.verdict != "unknown":
                    _store(folder, found)
    except (OSError, Timeout):
        found = self_test()
    return found


def stored(folder: Path) -> SelfTest | None:
    """The result that is remembered for this build and machine, or None."""
    try:
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            return None
        return msgspec.convert(content["results"][_key()], SelfTest)
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        return None


def self_test() -> SelfTest:
    """Try every quantization, and again without extra buffers where one fails; else under a second."""
    started = datetime.now(UTC)

    def result(verdict: Verdict, failed: dict[str, str], without: dict[str, str]) -> SelfTest:
        speed = None
        if failed and verdict == "repaired":
            speed = measure_speed(extra_buffers=False)
        return SelfTest(
            verdict=verdict,
            version=_version(),
            machine=machine(),
            tested_at=started.isoformat(timespec="seconds"),
            seconds=round((datetime.now(UTC) - started).total_seconds(), 2),
            failed=failed,
            failed_without=without,
            speed=speed,
        )

    failed = _failures(extra_buffers=True)
    if not failed:
        return result("ok", {}, {})
    without = _failures(extra_buffers=False)
    if not without:
        return result("repaired", failed, {})
    if without == failed and set(failed) == {"start"}:
        return result("unknown", failed, without)
    return result("broken", failed, without)


def measure_speed(*, extra_buffers: bool) -> Speed | None:
    """How fast a generated model runs this way; None where it does not."""
    lines, _, _ = _ask(("speed",), extra_buffers=extra_buffers)
    for line in lines:
        if line.get("done") == "speed":
            return Speed(float(str(line["prompt"])), float(str(line["answer"])))
    return None


def notice(result: SelfTest, rebuild: str) -> str:
    """What a person is told of a result that is not ``ok``; empty where there is nothing to be told."""
    if result.verdict in ("ok", "unknown"):
        return ""
    which = ", ".join(result.failed)
    mend = f" Rebuild it with: {rebuild}" if rebuild else ""
    how = next(iter(result.failed.values()))
    if result.verdict == "broken":
        return f"This build of llama.cpp does not run on this CPU ({which}: {how}).{mend}"
    speed = result.speed
    rate = (
        f" ({speed.prompt_tokens_per_s:,.0f} prompt tokens/s and {speed.answer_tokens_per_s:,.0f} answer "
        "tokens/s with a generated 17M model in Q4_0)"
        if speed is not None
        else ""
    )
    return (
        f"This build of llama.cpp fails on this CPU with {which} ({how}). Models are loaded without its "
        f"weight layouts for this CPU, which works and is slower{rate}.{mend}"
    )


def say_once(folder: Path) -> SelfTest | None:
    """A result that a person has to be told of and was not yet; from now on it counts as told."""
    found = stored(folder)
    if found is None or found.said or found.verdict in ("ok", "unknown"):
        return None
    _store(folder, msgspec.structs.replace(found, said=True))
    return found


def _failures(*, extra_buffers: bool) -> dict[str, str]:
    """How each quantization fails; a child that dies is started again behind what killed it."""
    failed: dict[str, str] = {}
    left: tuple[str, ...] = QUANTIZATIONS
    while left:
        lines, code, words = _ask(left, extra_buffers=extra_buffers)
        done: set[str] = set()
        at = "start"
        for line in lines:
            if "doing" in line:
                at = str(line["doing"])
            if "done" in line:
                done.add(str(line["done"]))
                if line.get("wrong"):
                    failed[str(line["done"])] = str(line["wrong"])
        if code == 0:
            break
        failed[at] = "no answer within a minute" if code is None else _short(explain(code, words))
        if at not in left:
            break  # it does not come as far as the first model
        left = left[left.index(at) + 1 :]
    return failed


def _short(crash: Crash) -> str:
    return f"{crash.cause}, {crash.name}"


def _ask(
    what: Sequence[str], *, extra_buffers: bool
) -> tuple[list[dict[str, object]], int | None, list[str]]:
    """The child's lines, its exit code (None where it had to be ended), and its last words."""
    found_in = str(Path(playground.__file__).parent.parent)
    search = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), found_in]))
    process = subprocess.Popen(
        [
            sys.executable, "-m", "playground.engines.llamacpp.selftest_child",
            "1" if extra_buffers else "0", *what,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search, "GGML_NO_BACKTRACE": "1"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )  # fmt: skip
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    alarm = threading.Timer(LONGEST_S, end)
    alarm.start()
    try:
        out, err = process.communicate()
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
    lines: list[dict[str, object]] = []
    for line in out.decode("utf-8", "replace").splitlines():
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                lines.append(value)
    words = err.decode("utf-8", "replace").splitlines()[-20:]
    return lines, None if late.is_set() else process.returncode, words


def _key() -> str:
    """Names the build and the machine: another library file, CPU or set of CPU features repeats the test."""
    digest = hashlib.sha256(_version().encode())
    for file in _library_files():
        digest.update(f"{file.name} {file_fingerprint(file)}".encode())
    return f"{digest.hexdigest()[:32]} {machine()} {_cpu_flags()}"


def _library_files() -> list[Path]:
    """The shared libraries of the installed build, one of each content's size."""
    found = importlib.util.find_spec("llama_cpp")
    if found is None or found.origin is None:
        return []
    by_size: dict[int, Path] = {}
    for file in sorted(Path(found.origin).parent.glob("lib/*")):
        if file.is_file() and ("ggml" in file.name or "llama" in file.name):
            by_size.setdefault(file.stat().st_size, file)
    return sorted(by_size.values())


def _cpu_flags() -> str:
    """A short hash of the features that the system says the CPU has; empty where it says none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(flags.encode()).hexdigest()[:12]


def _version() -> str:
    try:
        return metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        return ""


def _store(folder: Path, result: SelfTest) -> None:
    """Remember a result; where that fails, the next load makes the test again."""
    path = folder / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        results = dict(content["results"]) if content["version"] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        results = {}
    results[_key()] = msgspec.to_builtins(result)
    part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"version": _VERSION, "results": results}, indent=1), encoding="utf-8")
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def main() -> int:
    """Make the self-test and print its verdict; 0 for ok, 3 repaired, 4 broken, 5 unknown."""
    found = self_test()
    print(found.verdict)
    return {"ok": 0, "repaired": 3, "broken": 4, "unknown": 5}[found.verdict]


if __name__ == "__main__":
    sys.exit(main())
