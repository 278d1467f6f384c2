"""What it takes to open an engine, as a value that can be stored and sent to a worker process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from playground.engines.fake import FakeScript

# Most tokens of one text where nobody chose; a longer trained context has to be asked for.
DEFAULT_N_CTX = 4096
EngineKind = Literal["llama.cpp", "transformers", "server", "fake"]
Quantize = Literal["8bit", "4bit"]
KvType = Literal["f16", "q8_0", "q4_0"]


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """A model and how to run it. None leaves the choice to the engine.

    Attributes:
        kind: Which engine.
        path: The model file; for transformers a folder, or a repository that was downloaded before;
            for a server its address.
        n_ctx: Most tokens of one text, prompt and answer together; at most what the model was trained
            for unless asked for. None: the trained context, at most 4,096.
        most_n_ctx: Never more than this, whatever is asked for or trained; None: no such bound.
        n_threads: Threads for native work; None: the machine's cores.
        n_lanes: Samples that are decoded together.
        kv_cells: Tokens that the KV cache holds over all texts; None: some multiple of n_ctx.
        n_batch: Most tokens of one decode call. n_ubatch: of one native pass.
        flash_attn: Whether to use flash attention.
        n_gpu_layers: For llama.cpp: layers that a GPU holds; None: all of them where there is a GPU.
        k_type, v_type: For llama.cpp: precision of the KV cache; a V other than f16 needs flash attention.
        extra_buffers: For llama.cpp: let it lay weights out anew for this CPU (repacking, AMX); None: as the
            self-test of this build found.
        use_mmap: For llama.cpp: let the system read the file as it is used, instead of into memory at once.
        parked_bytes: Memory for the KV of texts that are not being continued.
        check_tensors: Read every weight at load and refuse broken ones.
        cache_dir: Folder for what is remembered between sessions (tuning, prefixes); empty: nothing is.
        snapshot_bytes: Disk space for the KV of long prefixes, in ``cache_dir``; 0: none are kept.
        device: For transformers: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; None: a GPU where there is one.
        dtype: For transformers: ``float32``, ``bfloat16``, ``float16``; None: what suits the device.
        quantize: For transformers on CUDA: weights in 8 or 4 bits, by bitsandbytes.
        trust_remote_code: For transformers: run Python code that comes with the model. Off unless a person
            who knows its author says otherwise.
        served_model: For a server, whose address is ``path``: the model's name there; empty: its first.
        tokenizer: For a server: a folder or repository whose tokenizer is the model's, to count tokens with.
        script: What the fake engine plays.
    """

    kind: EngineKind = "llama.cpp"
    path: str = ""
    n_ctx: int | None = None
    most_n_ctx: int | None = None
    n_threads: int | None = None
    n_lanes: int = 16
    kv_cells: int | None = None
    n_batch: int = 512
    n_ubatch: int | None = None
    flash_attn: bool | None = None
    n_gpu_layers: int | None = None
    k_type: KvType = "f16"
    v_type: KvType = "f16"
    extra_buffers: bool | None = None
    use_mmap: bool = True
    parked_bytes: int = 512 * 2**20
    check_tensors: bool = True
    cache_dir: str = ""
    snapshot_bytes: int = 2**30
    device: str | None = None
    dtype: str | None = None
    quantize: Quantize | None = None
    trust_remote_code: bool = False
    served_model: str = ""
    tokenizer: str = ""
    script: FakeScript = field(default_factory=FakeScript)

    def context(self, trained: int) -> int:
        """Tokens of one text for a model that was trained for ``trained`` of them (0: nobody knows)."""
        n_ctx = self.n_ctx or min(trained or DEFAULT_N_CTX, DEFAULT_N_CTX)
        return n_ctx if self.most_n_ctx is None else min(n_ctx, self.most_n_ctx)
