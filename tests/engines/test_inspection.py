"""A throw-away process reads files and tells their memory; the figures are held against a real worker."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from broken_ggufs import KINDS, broken
from growing import SLACK_BYTES, growth

from playground.engines import inspection
from playground.engines.estimate import MemoryEstimate, offloaded_weights, suggest_gpu_layers
from playground.engines.gpus import Gpu, parse_gpus
from playground.engines.inspection import inspect_gguf, inspect_memory
from playground.engines.llamacpp.gguf_header import GgufHeader, read_header
from playground.engines.llamacpp.gguf_tensors import BLOCKS, GgufTensor
from playground.engines.load import EngineSpec
from playground.errors import ModelLoadError


def test_the_estimate_holds_against_a_worker(repository: Path) -> None:
    path = repository / "models" / "wren" / "wren-base-f16.gguf"
    spec = EngineSpec(path=str(path), use_mmap=False, n_threads=1, n_ctx=512, kv_cells=512)
    (estimate,) = inspect_memory(spec)
    assert abs(estimate.total_bytes - growth(spec, "the bird sings " * 20)) < SLACK_BYTES


def test_contexts_are_estimated_together_and_grow(tiny_path: Path) -> None:
    small, large = inspect_memory(EngineSpec(path=str(tiny_path)), (512, 4096))
    assert (small.n_ctx, large.n_ctx) == (512, 4096)
    assert large.kv_bytes == 8 * small.kv_bytes
    assert large.buffer_bytes > small.buffer_bytes
    assert (small.weights_bytes, small.gpu_bytes) == (large.weights_bytes, 0)
    (halved,) = inspect_memory(EngineSpec(path=str(tiny_path), k_type="q8_0"), (4096,))
    assert halved.kv_bytes < large.kv_bytes


def test_the_header_is_read_by_another_process(tiny_path: Path) -> None:
    header = inspect_gguf(tiny_path)
    assert header.architecture == "llama"
    assert header.parameters > 0
    assert len(header.tokenizer_hash) == 64


def program(folder: Path, script: str) -> str:
    """A program to be run in place of Python."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exec sleep 60", "did not finish reading the header within 0.5 s"),
        ("kill -9 $$", "was killed (SIGKILL)"),
        ("kill -SEGV $$", "The GGUF reader crashed with an invalid memory access (SIGSEGV)"),
        ("kill -XCPU $$", "did not finish reading the header within 20 s"),
        ("echo MemoryError >&2; exit 1", "took more than the 2.1 GB"),
        ("echo no; exit 3", "ended with exit code 3"),
    ],
)
def test_a_reader_that_gives_no_answer_is_said_by_how_it_ended(
    script: str, expected: str, tiny_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection.sys, "executable", program(tmp_path, script))
    started = time.monotonic()
    with pytest.raises(ModelLoadError) as caught:
        inspect_gguf(tiny_path, timeout_s=0.5 if "sleep" in script else 20)
    assert expected in str(caught.value)
    assert "onvert" not in str(caught.value)
    assert time.monotonic() - started < 20


def test_a_file_that_is_missing_or_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="no model file at"):
        inspect_gguf(tmp_path / "nope.gguf")
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0))
    with pytest.raises(ModelLoadError, match="cannot be"):
        inspect_gguf(tmp_path / "a.gguf")


def test_precisions_have_ggmls_own_sizes() -> None:
    from gguf.constants import GGML_QUANT_SIZES

    known = {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}
    assert {kind: BLOCKS[kind] for kind in known} == known


def _header(n_layers: int) -> GgufHeader:
    tensors = [GgufTensor("token_embd.weight", (1000,), 0, 0), GgufTensor("output.weight", (1000,), 0, 0)]
    tensors += [GgufTensor(f"blk.{i}.ffn_up.weight", (500,), 0, 0) for i in range(n_layers)]
    values = {"general.architecture": "llama", "llama.block_count": n_layers}
    return GgufHeader(values, {}, 0, tuple(tensors))


def test_as_many_layers_go_to_the_gpu_as_fit() -> None:
    header = _header(10)
    estimate = MemoryEstimate(512, 512, 0, 28_000, 10_000, 1_000, 0)
    assert offloaded_weights(header, 3) == 6_000
    assert offloaded_weights(header, 11) == 24_000
    # A layer is 2,000 bytes of weights and 1,000 of KV.
    assert suggest_gpu_layers(header, estimate, 1_000_000) == 11
    assert suggest_gpu_layers(header, estimate, int((1_000 + 30_000) / 0.95) + 1) == 10
    assert suggest_gpu_layers(header, estimate, int((1_000 + 9_500) / 0.95)) == 3
    assert suggest_gpu_layers(header, estimate, 0) == 0


def test_gpus_are_read_off_the_drivers_lines() -> None:
    answer = "NVIDIA H200, 143771, 143000\nOdd, Name, 100, 50\nNo devices were found\n"
    assert parse_gpus(answer) == [
        Gpu("NVIDIA H200", 143771 * 2**20, 143000 * 2**20),
        Gpu("Odd, Name", 100 * 2**20, 50 * 2**20),
    ]


def _refusal(path: Path) -> str:
    try:
        read_header(path)
    except ModelLoadError as error:
        return str(error)
    return ""


def test_a_sample_of_broken_files_is_refused_in_a_sentence(repository: Path, tmp_path: Path) -> None:
    """The reader alone, in this process; ``make fuzz`` sends two hundred through both processes."""
    source = repository / "models" / "wren" / "wren-base-f16.gguf"
    path = tmp_path / "broken.gguf"
    refused = dict.fromkeys(KINDS, 0)
    for kind, data in broken(source, 8 * len(KINDS), seed=1):
        path.write_bytes(data)
        sentence = _refusal(path)
        refused[kind] += bool(sentence)
        assert not sentence or sentence.startswith("broken.gguf is not a")
        assert "\n" not in sentence
    # What a flipped byte in a text or a figure means is for llama.cpp to judge.
    assert all(refused[kind] == 8 for kind in ("truncated", "wrong magic", "huge count", "doubled token"))
    assert refused["table bytes"] >= 4
