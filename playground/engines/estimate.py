"""How much memory a model takes, loaded and with its context full: weights, KV, buffers, and the rest.

Buffers are the library's own figures (``llamacpp.simulation``); weights come from the file's table. What the
rest takes was measured: see docs/benchmarks.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from playground.engines.llamacpp.gguf_header import GgufHeader

# What a worker takes besides, measured over an idle one: the library, and its tables for each token.
_RUNTIME_BYTES = 24_000_000
_BYTES_PER_TOKEN = 360
# Precisions that the library lays out anew for the CPU; tied embeddings are then held in both layouts.
_REPACKED = (2, 10, 12, 20)
_HEADROOM = 0.05


class NativeSizes(msgspec.Struct, frozen=True):
    """A context by the library's own figures: buffers by device, the KV, and whether it repacks weights."""

    buffers: dict[str, int]
    kv_bytes: int
    scoring_bytes: int
    repacks: bool


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes of a loaded model, by what they hold; ``gpu_bytes`` of them lie on a GPU.

    Attributes:
        n_ctx: The context that was asked for. n_cells: tokens that the KV holds over all texts.
        scoring_bytes: Taken besides while a text is scored, whose every token has logits.
    """

    n_ctx: int
    n_cells: int
    scoring_bytes: int
    weights_bytes: int
    kv_bytes: int
    buffer_bytes: int
    other_bytes: int
    gpu_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.kv_bytes + self.buffer_bytes + self.other_bytes

    @property
    def main_bytes(self) -> int:
        """What lies in the machine's own memory."""
        return self.total_bytes - self.gpu_bytes


def estimate_memory(
    header: GgufHeader, sizes: NativeSizes, *, n_ctx: int, n_cells: int, logits_rows: int, n_gpu_layers: int
) -> MemoryEstimate:
    """What a model takes with its context full.

    Args:
        header: The file's.
        sizes: Of a context of ``n_cells``.
        n_ctx: Most tokens of one text.
        n_cells: Tokens that the KV holds.
        logits_rows: Tokens of one pass beyond the sequences, for each of which scoring keeps logits.
        n_gpu_layers: Layers that a GPU holds; 0 where there is none.
    """
    n_vocab = header.array_lengths.get("tokenizer.ggml.tokens", 0)
    weights = sum(tensor.size_bytes for tensor in header.tensors) + (
        _embedding_twice(header) if sizes.repacks else 0
    )
    n_layers = max(header.number("block_count"), 1)
    share = min(n_gpu_layers, n_layers) / n_layers
    on_gpu = sum(size for device, size in sizes.buffers.items() if not _is_main(device))
    gpu = (
        int(offloaded_weights(header, n_gpu_layers) + share * sizes.kv_bytes) + on_gpu if n_gpu_layers else 0
    )
    return MemoryEstimate(
        n_ctx=n_ctx,
        n_cells=n_cells,
        scoring_bytes=sizes.scoring_bytes + logits_rows * 4 * n_vocab,
        weights_bytes=weights,
        kv_bytes=sizes.kv_bytes,
        buffer_bytes=sum(sizes.buffers.values()),
        other_bytes=_RUNTIME_BYTES + _BYTES_PER_TOKEN * n_vocab,
        gpu_bytes=gpu,
    )


def offloaded_weights(header: GgufHeader, n_gpu_layers: int) -> int:
    """Bytes of the last ``n_gpu_layers`` layers; one more than there are takes the output layer too."""
    n_layers = header.number("block_count")
    first = n_layers - n_gpu_layers
    layers = output = 0
    for tensor in header.tensors:
        block, _, rest = tensor.name.removeprefix("blk.").partition(".")
        if tensor.name.startswith("blk.") and rest and block.isdigit():
            layers += tensor.size_bytes if int(block) >= first else 0
        elif tensor.name.startswith("output"):
            output += tensor.size_bytes
    return layers + (output if n_gpu_layers > n_layers else 0)


def suggest_gpu_layers(header: GgufHeader, estimate: MemoryEstimate, free_bytes: int) -> int:
    """How many layers fit into a GPU with their KV and the buffers; one more than all is the output layer.

    Args:
        header: The file's.
        estimate: For the context that is wanted.
        free_bytes: Of the GPU.
    """
    n_layers = header.number("block_count")
    room = free_bytes * (1 - _HEADROOM) - estimate.buffer_bytes
    for count in range(n_layers + 1, 0, -1):
        kv = estimate.kv_bytes * min(count, n_layers) / max(n_layers, 1)
        if offloaded_weights(header, count) + kv <= room:
            return count
    return 0


def _embedding_twice(header: GgufHeader) -> int:
    """Bytes of an embedding that is also the output layer, where the library holds it in two layouts."""
    by_name = {tensor.name: tensor for tensor in header.tensors}
    embedding = by_name.get("token_embd.weight")
    if embedding is None or "output.weight" in by_name or embedding.type_id not in _REPACKED:
        return 0
    return embedding.size_bytes


def _is_main(device: str) -> bool:
    return device.startswith("CPU") or device.endswith("_Host")
