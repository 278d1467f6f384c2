"""The self-test of a llama.cpp build, against builds that really die of SIGILL with quantized models."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import ask, request
from tiny_model import Shape, write_model

from playground.engines.client import WorkerEngine
from playground.engines.inspection import inspect_memory
from playground.engines.llamacpp import build, selftest
from playground.engines.llamacpp.installed import installed_build, parse_info
from playground.engines.llamacpp.quantize import quantize
from playground.engines.load import EngineSpec, open_engine
from playground.errors import ModelLoadError

BROKEN_BUILD = Path(__file__).parent / "broken_build"
QUANTIZED = {"Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in dies by Linux's signals")


@pytest.fixture(scope="session")
def q8_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quantized model of more than a megabyte, with weights that llama.cpp repacks."""
    folder = tmp_path_factory.mktemp("quantized")
    source = write_model(folder / "f16.gguf", Shape(width=256, feed_forward=1024, extra_tokens=2000))
    quantize(source, folder / "q8.gguf", "Q8_0")
    return folder / "q8.gguf"


@pytest.fixture(autouse=True)
def _tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the self-test decides, not the environment."""
    monkeypatch.delenv(selftest.VARIABLE)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Every Python process finds a broken llama.cpp; ``BROKEN_BUILD`` says how broken."""
    monkeypatch.setenv("PYTHONPATH", str(BROKEN_BUILD))
    monkeypatch.setenv("BROKEN_BUILD", "extra")
    return monkeypatch


def answer(spec: EngineSpec) -> tuple[str, EngineSpec]:
    """How an answer of the model of ``spec`` ended, and the spec that it was loaded with in the end."""
    engine = open_engine(spec)
    assert isinstance(engine, WorkerEngine)
    try:
        (found,) = ask(engine, request(engine, max_tokens=4))
        return found.end.finish_reason, engine._spec
    finally:
        engine.close()


def test_a_sound_build_passes_and_is_tested_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra_buffers: str
) -> None:
    if extra_buffers == "0":
        pytest.skip("the build on this machine is not sound")
    found = selftest.settle(tmp_path)
    assert found.verdict == "ok"
    assert found.failed == {}
    assert found.extra_buffers is None
    assert found.seconds < 20
    monkeypatch.setattr(selftest, "self_test", lambda: pytest.fail("tested again"))
    assert selftest.settle(tmp_path) == found
    assert selftest.notice(found, "x") == ""
    assert selftest.say_once(tmp_path) is None


@linux
def test_a_build_that_dies_of_sigill_is_repaired_before_the_first_load(
    broken: pytest.MonkeyPatch, tmp_path: Path, q8_path: Path
) -> None:
    reason, used = answer(EngineSpec(path=str(q8_path), n_threads=1, cache_dir=str(tmp_path)))
    assert (reason, used.extra_buffers) == ("length", False)
    found = selftest.stored(tmp_path)
    assert found is not None
    assert found.verdict == "repaired"
    assert found.failed == dict.fromkeys(sorted(QUANTIZED), "illegal instruction, SIGILL")
    assert found.speed is not None
    assert found.speed.prompt_tokens_per_s > 0

    broken.setattr(selftest, "self_test", lambda: pytest.fail("a second start tests again"))
    assert answer(EngineSpec(path=str(q8_path), n_threads=1, cache_dir=str(tmp_path)))[0] == "length"
    # Estimates follow it: without repacking there is nothing to be laid out twice.
    spec = EngineSpec(path=str(q8_path), cache_dir=str(tmp_path))
    assert selftest.chosen(spec) is False
    (without,) = inspect_memory(spec)
    (explicit,) = inspect_memory(replace(spec, extra_buffers=False))
    assert without == explicit


@linux
def test_the_notice_is_said_once_and_names_the_speed_and_the_command(
    broken: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    selftest.settle(tmp_path)
    found = selftest.say_once(tmp_path)
    assert found is not None
    text = selftest.notice(found, "REBUILD")
    assert "Q4_0" in text
    assert "illegal instruction, SIGILL" in text
    assert "prompt tokens/s" in text
    assert text.endswith("Rebuild it with: REBUILD")
    assert selftest.say_once(tmp_path) is None


@linux
def test_wrong_numbers_are_a_failure_too(broken: pytest.MonkeyPatch) -> None:
    broken.setenv("BROKEN_BUILD", "wrong")
    found = selftest.self_test()
    assert found.verdict == "repaired"
    assert set(found.failed) == QUANTIZED
    assert all("wrong numbers" in how for how in found.failed.values())


@linux
def test_a_build_that_dies_either_way_is_called_broken(broken: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken.setenv("BROKEN_BUILD", "always")
    found = selftest.settle(tmp_path)
    assert found.verdict == "broken"
    assert set(found.failed) == set(found.failed_without) == QUANTIZED
    assert found.extra_buffers is None
    assert "does not run on this CPU" in selftest.notice(found, "x")


@linux
def test_a_crash_while_a_real_model_loads_is_repaired_before_anybody_sees_it(
    broken: pytest.MonkeyPatch, tmp_path: Path, q8_path: Path
) -> None:
    """The self-test passes, the real file does not: the load is tried once more, and that is remembered."""
    broken.setenv("BROKEN_BUILD", "real-load")
    reason, used = answer(EngineSpec(path=str(q8_path), n_threads=1, cache_dir=str(tmp_path)))
    assert (reason, used.extra_buffers) == ("length", False)
    found = selftest.stored(tmp_path)
    assert found is not None
    assert found.verdict == "repaired"
    assert q8_path.name in found.failed


@linux
def test_a_crash_in_an_answer_is_repaired_by_the_next_message(
    broken: pytest.MonkeyPatch, tmp_path: Path, q8_path: Path
) -> None:
    broken.setenv("BROKEN_BUILD", "real")
    engine = open_engine(EngineSpec(path=str(q8_path), n_threads=1, cache_dir=str(tmp_path)))
    try:
        (first,) = ask(engine, request(engine, max_tokens=4))
        assert "an instruction that this CPU does not run (SIGILL)" in (first.end.error or "")
        (second,) = ask(engine, request(engine, max_tokens=4))
        assert second.end.finish_reason == "length"
    finally:
        engine.close()
    found = selftest.stored(tmp_path)
    assert found is not None
    assert found.verdict == "repaired"


@linux
def test_without_a_repair_the_message_names_the_cpu(
    broken: pytest.MonkeyPatch, tmp_path: Path, q8_path: Path
) -> None:
    broken.setenv("BROKEN_BUILD", "load")
    broken.setenv(selftest.VARIABLE, "1")
    with pytest.raises(ModelLoadError) as caught:
        open_engine(EngineSpec(path=str(q8_path), cache_dir=str(tmp_path)))
    assert str(caught.value) == (
        "q8.gguf could not be loaded. llama.cpp executed an instruction that this CPU does not run (SIGILL). "
        "Run `playground doctor`: it tests this build and says how to rebuild it."
    )


def test_another_build_or_cpu_is_tested_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = selftest.SelfTest("ok", "1", "m", "2026-01-01T00:00:00+00:00", 0.5)
    monkeypatch.setattr(selftest, "self_test", lambda: found)
    selftest.settle(tmp_path)
    assert selftest.stored(tmp_path) == found
    for changed in ("_version", "machine", "_cpu_flags"):
        with monkeypatch.context() as patch:
            patch.setattr(selftest, changed, lambda: "another")
            assert selftest.stored(tmp_path) is None
    with monkeypatch.context() as patch:
        patch.setattr(selftest, "_library_files", lambda: [Path(__file__)])
        assert selftest.stored(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", '{"version": 1}', '{"version": 9, "results": {}}', "\0"])
def test_a_damaged_memory_is_no_memory(content: str, tmp_path: Path) -> None:
    (tmp_path / "self-test.json").write_text(content)
    assert selftest.stored(tmp_path) is None


def test_a_test_that_cannot_be_made_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest.sys, "executable", "/bin/false")
    found = selftest.settle(tmp_path)
    assert found.verdict == "unknown"
    assert found.extra_buffers is None
    assert not (tmp_path / "self-test.json").exists()


def test_the_installed_build_says_what_it_was_built_with() -> None:
    found = installed_build()
    assert found is not None
    assert found.features["CPU"]
    assert parse_info("CPU : AVX2 = 1 | AMX_INT8 = 0 | CUDA : ARCHS = 890 | ") == {
        "CPU": ("AVX2",),
        "CUDA": ("ARCHS=890",),
    }


AMX = "processor : 0\nflags\t\t: fpu avx512_vnni amx_bf16 amx_tile amx_int8\n"


def compiler(folder: Path, assembly: str) -> str:
    """A compiler that writes ``assembly`` for whatever it is given."""
    path = folder / "c++"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{assembly}\nEND\n")
    path.chmod(0o755)
    return str(path)


@linux
def test_a_compiler_that_breaks_amx_builds_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    broken = compiler(tmp_path, "movb $1, 192(%rsp)\nldtilecfg 192(%rsp)")
    assert build.breaks_amx(broken)
    flags = build.cmake_args(cpuinfo=AMX, cxx=broken)
    assert flags.count("-mno-amx-int8") == 2
    assert "-mno-amx" not in build.cmake_args(cpuinfo="flags : avx2", cxx=broken)
    sound = compiler(tmp_path, "movb $1, 192(%rsp)\nmovb $91, 247(%rsp)\nldtilecfg 192(%rsp)")
    assert not build.breaks_amx(sound)
    assert "-mno-amx" not in build.cmake_args(cpuinfo=AMX, cxx=sound)
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=on")
    assert build.cmake_args(cpuinfo=AMX, cxx=broken) == "-DGGML_CUDA=on"


@linux
def test_the_compiler_here_is_really_tried(tmp_path: Path) -> None:
    path = build.compiler()
    if path is None or platform.machine() != "x86_64":
        pytest.skip("no x86 compiler here")
    # Whatever this compiler does by default, one that keeps every store is not broken.
    keeping = tmp_path / "keeping"
    keeping.write_text(f'#!/bin/sh\nexec {path} "$@" -O0\n')
    keeping.chmod(0o755)
    assert not build.breaks_amx(str(keeping))


def test_the_doctor_shows_the_self_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "PYTHONPATH": str(BROKEN_BUILD), "BROKEN_BUILD": "extra"}
    if sys.platform != "linux":
        environment.pop("BROKEN_BUILD")
    done = subprocess.run(
        [sys.executable, "-m", "playground", "doctor", "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    findings = {finding["topic"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert "CPU:" in findings["llama.cpp build"]["found"]
    if sys.platform == "linux":
        finding = findings["llama.cpp self-test"]
        assert finding["verdict"] == "note"
        assert "prompt tokens/s" in finding["found"]
        assert "--no-binary llama-cpp-python" in finding["mend"]
