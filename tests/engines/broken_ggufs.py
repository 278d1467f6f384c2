"""Broken GGUFs, made from a whole one: cut off, flipped, with counts and figures that cannot be."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from playground.engines.llamacpp.gguf_header import read_header

KINDS = (
    "truncated",
    "header bytes",
    "table bytes",
    "huge count",
    "wrong magic",
    "wrong architecture",
    "doubled token",
    "blocks",
)


def broken(source: Path, count: int, *, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """``count`` broken copies of ``source``, each with its kind; kinds take turns."""
    whole = source.read_bytes()
    places = _places(source, whole)
    draw = random.Random(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield kind, _break(kind, whole, places, draw)


def _places(source: Path, whole: bytes) -> dict[str, int]:
    """Where things lie: the table of tensors, its end, the value of some keys, the second token."""
    header = read_header(source)
    table = whole.index(struct.pack("<Q", len(header.tensors[0].name)) + header.tensors[0].name.encode())
    last = header.tensors[-1].name.encode()
    tokens = whole.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 4 + 4 + 8
    blocks = b"llama.block_count"
    return {
        "table": table,
        "table end": whole.index(last) + len(last) + 4 + 8 * 2 + 4 + 8,
        "tokens": tokens,
        "blocks": whole.index(blocks) + len(blocks) + 4,
        "architecture": whole.index(b"general.architecture") + len(b"general.architecture") + 4 + 8,
    }


def _break(kind: str, whole: bytes, places: dict[str, int], draw: random.Random) -> bytes:
    data = bytearray(whole)
    match kind:
        case "truncated":
            # Half of them in the header, half in the weights.
            return whole[: draw.randrange(draw.choice((places["table end"], len(whole))))]
        case "header bytes":
            for _ in range(draw.randint(1, 12)):
                data[draw.randrange(4, places["table"])] ^= draw.randrange(1, 256)
        case "table bytes":
            for _ in range(draw.randint(1, 4)):
                data[draw.randrange(places["table"], places["table end"])] ^= draw.randrange(1, 256)
        case "huge count":
            at = draw.choice((8, 16, places["tokens"] - 8, places["table"]))
            data[at : at + 8] = struct.pack("<Q", draw.choice((2**64 - 1, 2**63, 2**40, 2**31, 2**27)))
        case "wrong magic":
            data[0:4] = draw.choice((b"GGML", b"\0\0\0\0", b"PK\x03\x04", b"FUGG", b"gguf"))
        case "wrong architecture":
            data[places["architecture"] : places["architecture"] + 5] = draw.choice(
                (b"llema", b"qwen2", b"gemma", b"\xff\xfe\0\0\0", b"mamba", b"bert ")
            )
        case "doubled token":
            at, seen = places["tokens"], []
            for _ in range(300):
                (length,) = struct.unpack_from("<Q", data, at)
                seen.append((at, length))
                at += 8 + length
            one, other = next(
                (a, b) for a in seen for b in seen if a < b and a[1] == b[1] and draw.random() < 0.2
            )
            data[other[0] : other[0] + 8 + other[1]] = data[one[0] : one[0] + 8 + one[1]]
        case "blocks":
            number = draw.choice((0, 1, 5_000, 2**31, 2**32 - 1))
            data[places["blocks"] : places["blocks"] + 4] = struct.pack("<I", number)
    return bytes(data)
