"""Files that cannot be used: a sentence each, and nothing worse."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from asking import fold, request
from tiny_model import TINY, write_model

from playground.engines.inspection import inspect_memory
from playground.engines.llamacpp.gguf_header import read_header
from playground.engines.load import EngineSpec, open_engine
from playground.errors import ModelLoadError


def damaged(path: Path, tiny: Path, kind: str) -> Path:
    """A broken copy of the tiny model."""
    data = bytearray(tiny.read_bytes())
    if kind == "empty":
        data = bytearray()
    elif kind == "no gguf":
        data[:4] = b"ELF!"
    elif kind == "cut in its header":
        data = data[:2000]
    elif kind == "cut in its weights":
        data = data[: len(data) - 5000]
    elif kind == "noise":
        data[24:] = np.random.default_rng(0).bytes(len(data) - 24)
    elif kind == "zero blocks":
        at = data.index(b"llama.block_count") + len(b"llama.block_count") + 4
        data[at : at + 4] = (0).to_bytes(4, "little")
    elif kind == "huge blocks":
        at = data.index(b"llama.block_count") + len(b"llama.block_count") + 4
        data[at : at + 4] = (2**31).to_bytes(4, "little")
    elif kind == "a token twice":
        at = data.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 16
        data[at + 8 : at + 10] = data[at + 18 : at + 20]  # the first two characters take two bytes each
    elif kind == "not a number":
        data[-4000:-3998] = b"\xff\x7f"
    else:
        at = data.index(b"blk.1.ffn_up.weight")
        data[at : at + 3] = b"xyz"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("in_process", [True, False])
@pytest.mark.parametrize(
    "kind",
    [
        "empty", "no gguf", "cut in its header", "cut in its weights", "noise", "zero blocks", "huge blocks",
        "a token twice", "not a number", "a missing tensor",
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_sentence(tmp_path: Path, tiny_path: Path, kind: str, in_process: bool) -> None:
    path = damaged(tmp_path / "damaged.gguf", tiny_path, kind)
    with pytest.raises(ModelLoadError) as caught:
        open_engine(EngineSpec(path=str(path), n_threads=1), in_process=in_process)
    said = str(caught.value)
    assert "damaged.gguf" in said
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 300


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"no model file at .*gone\.gguf"):
        open_engine(EngineSpec(path=str(tmp_path / "gone.gguf")))


def test_the_header_tells_the_shape(tiny_path: Path) -> None:
    header = read_header(tiny_path)
    assert header.architecture == "llama"
    assert header.number("block_count") == TINY.layers
    assert header.array_lengths["tokenizer.ggml.tokens"] == 271


def test_a_split_model_counts_with_all_its_parts(tmp_path: Path, tiny_path: Path) -> None:
    first = write_model(tmp_path / "split.gguf", tensors_a_part=8)
    parts = sorted(tmp_path.glob("split-*.gguf"))
    assert len(parts) == 3
    whole, split = read_header(tiny_path), read_header(first)
    assert split.parameters == whole.parameters
    assert sorted(tensor.name for tensor in split.tensors) == sorted(tensor.name for tensor in whole.tensors)
    assert split.size_bytes == sum(part.stat().st_size for part in parts)
    (together,), (alone,) = (inspect_memory(EngineSpec(path=str(one))) for one in (first, tiny_path))
    assert together == alone
    written = []
    for one in (first, tiny_path):
        with closing(open_engine(EngineSpec(path=str(one), n_threads=1), in_process=True)) as engine:
            written.append(fold(engine.generate([request(engine, "the", max_tokens=4)]))[0, 0].text)
    assert written[0] == written[1]
    parts[1].rename(tmp_path / "elsewhere.gguf")
    with pytest.raises(ModelLoadError, match=r"its part split-00002-of-00003\.gguf is missing"):
        read_header(first)
    (tmp_path / "renamed.gguf").write_bytes(first.read_bytes())
    with pytest.raises(ModelLoadError, match="one of 3 parts, and is not named as the first"):
        read_header(tmp_path / "renamed.gguf")
