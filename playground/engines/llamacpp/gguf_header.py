"""Reads the head of a GGUF file, to refuse a broken one before native code sees it.

llama.cpp aborts the whole process on some damaged files (a block count of zero or a huge one, a token that
occurs twice), so these are caught here. Knows the format (ggml's docs/gguf.md), no library.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from dataclasses import dataclass, replace
from pathlib import Path

from playground.engines.llamacpp.gguf_tensors import GgufTensor, table_refusal
from playground.engines.spec import KvType
from playground.errors import ModelLoadError

_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MOST_BLOCKS = 4096
_MOST_ITEMS = 1 << 28
_MOST_TENSORS = 1 << 17
_MOST_PARTS = 1000
_KV_BYTES: dict[KvType, float] = {"f16": 2, "q8_0": 34 / 32, "q4_0": 18 / 32}
_TOKENIZER = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What the head of a GGUF says.

    Attributes:
        values: Scalars and strings by key; arrays are left out.
        array_lengths: Number of items of each array.
        size_bytes: Of the file, or of all its parts.
        tensors: Its table of tensors.
        tokenizer_hash: Of the vocabulary and the merges; equal for two models with the same tokenizer.
    """

    values: dict[str, int | float | bool | str]
    array_lengths: dict[str, int]
    size_bytes: int
    tensors: tuple[GgufTensor, ...] = ()
    tokenizer_hash: str = ""

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(tensor.n_items for tensor in self.tensors)

    @property
    def architecture(self) -> str:
        """``general.architecture``, e.g. ``llama``."""
        return str(self.values.get("general.architecture", ""))

    def number(self, key: str, default: int = 0) -> int:
        """An integer of the model's architecture, e.g. ``block_count``."""
        value = self.values.get(f"{self.architecture}.{key}", default)
        return int(value) if isinstance(value, (int, float)) else default

    def kv_bytes_per_token(self, k_type: KvType = "f16", v_type: KvType = "f16") -> int:
        """Bytes of KV that one token takes; an estimate from the header."""
        heads = self.number("attention.head_count", 1)
        width = self.number("embedding_length") // max(heads, 1)
        key = self.number("attention.key_length", width)
        value = self.number("attention.value_length", width)
        heads_kv = self.number("attention.head_count_kv", heads)
        width_bytes = key * _KV_BYTES[k_type] + value * _KV_BYTES[v_type]
        return int(self.number("block_count") * heads_kv * width_bytes)


class _Reader:
    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data = data
        self._at = 0
        self._path = path
        self.tokenizer = hashlib.sha256()

    def broken(self, why: str) -> ModelLoadError:
        return _broken(self._path, why)

    def take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise self.broken(f"it ends in its header, at {len(self._data):,} bytes")
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def scalar(self, layout: str) -> int | float | bool:
        value: int | float | bool = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return value

    def count(self, what: str) -> int:
        value = int(self.scalar("<Q"))
        if value > _MOST_ITEMS:
            raise self.broken(f"its {what} of {value:,} cannot be")
        return value

    def string(self) -> bytes:
        return self.take(self.count("string length"))

    def array(self, key: str) -> int:
        begin = self._at
        length = self._array(key)
        if key in _TOKENIZER:
            self.tokenizer.update(self._data[begin : self._at])
        return length

    def tensor(self) -> GgufTensor:
        name = self.string().decode("utf-8", "replace")
        n_dims = int(self.scalar("<I"))
        if not 0 < n_dims <= 4:
            raise self.broken(f"its tensor {name[:60]!r} has {n_dims:,} dimensions")
        shape = tuple(int(self.scalar("<Q")) for _ in range(n_dims))
        return GgufTensor(name, shape, int(self.scalar("<I")), int(self.scalar("<Q")))

    @property
    def at(self) -> int:
        """Bytes read so far."""
        return self._at

    def _array(self, key: str) -> int:
        kind, length = int(self.scalar("<I")), self.count(f"length of {key}")
        if kind in _SCALARS:
            self.take(length * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING:
            self._strings(key, length)
        else:
            raise self.broken(f"{key} has the unknown type {kind}")
        return length

    def _strings(self, key: str, length: int) -> None:
        """Pass over an array of texts: there are hundreds of thousands, so without a call for each."""
        data, at, end = self._data, self._at, len(self._data)
        size_at = struct.Struct("<Q").unpack_from
        kept: set[bytes] | None = set() if key == "tokenizer.ggml.tokens" else None
        for _ in range(length):
            start = at + 8
            at = start + (size_at(data, at)[0] if start <= end else end)
            if at > end:
                raise self.broken(f"it ends in its header, at {end:,} bytes")
            if kept is not None:
                kept.add(data[start:at])
        if kept is not None and len(kept) != length:
            raise self.broken("a token occurs twice in its vocabulary")
        self._at = at


def read_header(path: Path) -> GgufHeader:
    """The checked header of ``path``; of a model that is split, with the tensors and bytes of all parts.

    Raises:
        ModelLoadError: The file or a part of it is missing, is no GGUF, is cut off in its header, or holds
            figures on which llama.cpp would abort.
    """
    header = _read_part(path)
    blocks = header.number("block_count")
    if not header.architecture or not 0 < blocks <= _MOST_BLOCKS:
        raise _broken(path, f"it describes a model of {blocks:,} blocks")
    count = header.values.get("split.count", 0)
    return _with_parts(path, header, count) if isinstance(count, int) and count > 1 else header


def _with_parts(path: Path, first: GgufHeader, count: int) -> GgufHeader:
    """What the first of several files says, with the tensors of the others (llama.cpp's ``gguf-split``)."""
    begin = f"-00001-of-{count:05}.gguf"
    if count > _MOST_PARTS or not path.name.endswith(begin):
        raise _broken(path, f"it says that it is one of {count:,} parts, and is not named as the first")
    stem = path.name.removesuffix(begin)
    headers = [first]
    for number in range(2, count + 1):
        part = path.with_name(f"{stem}-{number:05}-of-{count:05}.gguf")
        if not part.is_file():
            raise _broken(path, f"its part {part.name} is missing")
        headers.append(_read_part(part))
    tensors = tuple(tensor for header in headers for tensor in header.tensors)
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise _broken(path, "a tensor stands in two of its parts")
    return replace(first, size_bytes=sum(header.size_bytes for header in headers), tensors=tensors)


def _broken(path: Path, why: str) -> ModelLoadError:
    return ModelLoadError(f"{path.name} is not a usable GGUF model: {why}. Download or convert it again.")


def _read_part(path: Path) -> GgufHeader:
    """One file's header, whether it is a model by itself or a part of one."""
    if not path.is_file():
        raise ModelLoadError(f"There is no model file at {path}. Check the path, or download the model.")
    size = path.stat().st_size
    if size < 24:
        raise ModelLoadError(f"{path.name} is not a GGUF model: it has only {size} bytes.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = _Reader(data, path)
        if reader.take(4) != b"GGUF":
            raise ModelLoadError(f"{path.name} is not a GGUF model: it does not start with GGUF.")
        version = int(reader.scalar("<I"))
        if version not in (2, 3):
            raise reader.broken(f"its format version is {version}, not 2 or 3")
        n_tensors, n_values = reader.count("tensor count"), reader.count("metadata count")
        values: dict[str, int | float | bool | str] = {}
        arrays: dict[str, int] = {}
        for _ in range(n_values):
            key = reader.string().decode("utf-8", "replace")
            kind = int(reader.scalar("<I"))
            if kind in _SCALARS:
                values[key] = reader.scalar(_SCALARS[kind])
            elif kind == _STRING:
                values[key] = reader.string().decode("utf-8", "replace")
            elif kind == _ARRAY:
                arrays[key] = reader.array(key)
            else:
                raise reader.broken(f"{key} has the unknown type {kind}")
        if n_tensors > _MOST_TENSORS:
            raise reader.broken(f"its {n_tensors:,} tensors cannot be")
        tensors = tuple(reader.tensor() for _ in range(n_tensors))
        refusal = table_refusal(tensors, values.get("general.alignment", 32), reader.at, size)
        if refusal is not None:
            raise reader.broken(refusal)
        tokenizer = reader.tokenizer.hexdigest() if _TOKENIZER[0] in arrays else ""
        return GgufHeader(values, arrays, size, tensors, tokenizer)
