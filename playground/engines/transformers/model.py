"""Loads a model's folder: safetensors only, no code of the model's own unless a person allows it.

Device and dtype are chosen here. What transformers would only warn of (weights that are missing and would
be random, shapes that do not match) is refused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from playground.engines.spec import EngineSpec
from playground.engines.transformers.vocab import Vocab
from playground.errors import EngineMissingError, ModelLoadError

_LARGEST_CHECKED = 1 << 29
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wanted: str | None) -> torch.device:
    """The device that was asked for; a GPU where there is one.

    Raises:
        ModelLoadError: There is no such device.
    """
    if wanted is None:
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelLoadError(f"There is no device '{wanted}' for torch {torch.__version__} here.") from error
    return torch.device("cuda", 0) if device.type == "cuda" and device.index is None else device


def choose_dtype(wanted: str | None, device: torch.device) -> torch.dtype:
    """float32 on a CPU; on a GPU bfloat16 where it has that, else float16.

    Raises:
        ModelLoadError: There is no such dtype.
    """
    if wanted is not None:
        if wanted not in _DTYPES:
            raise ModelLoadError(f"There is no dtype '{wanted}'; use one of {', '.join(_DTYPES)}.")
        return _DTYPES[wanted]
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float16


class TorchModel:
    """Weights, configuration and vocabulary.

    Args:
        spec: What to load and how.
        progress: Called with the fraction loaded: where the configuration is read, and at the end.

    Raises:
        ModelLoadError: With one sentence that says what is wrong.
    """

    def __init__(self, spec: EngineSpec, *, progress: Callable[[float], None] | None = None) -> None:
        started = time.perf_counter()
        _quiet()
        if spec.n_threads:
            torch.set_num_threads(spec.n_threads)
        self.device = choose_device(spec.device)
        self.dtype = choose_dtype(spec.dtype, self.device)
        self.folder = find_folder(spec.path)
        self.name = self.folder.name if Path(spec.path).is_dir() else spec.path
        try:
            trusted = {"trust_remote_code": spec.trust_remote_code, "local_files_only": True}
            self.config: Any = AutoConfig.from_pretrained(self.folder, **trusted)
            tokenizer: Any = AutoTokenizer.from_pretrained(self.folder, **trusted)
            if progress is not None:
                progress(0.1)
            self.model: Any = self._load(spec, "sdpa", trusted)
        except ModelLoadError:
            raise
        except Exception as error:  # the libraries raise a dozen kinds for a broken folder
            raise ModelLoadError(f"{self.name} could not be loaded: {_cause(error)}") from error
        self._text: Any = self.config.get_text_config()
        if spec.check_tensors:
            self._check_tensors()
        self.n_vocab = int(self.model.get_output_embeddings().weight.shape[0])
        self.vocab = Vocab(tokenizer, self.n_vocab, self._eos_ids())
        self.chat_template = _default_template(tokenizer.chat_template)
        self.load_s = time.perf_counter() - started
        if progress is not None:
            progress(1.0)

    def _load(self, spec: EngineSpec, attention: str, trusted: dict[str, Any]) -> Any:
        options: dict[str, Any] = {"dtype": self.dtype, "attn_implementation": attention, **trusted}
        if spec.quantize is not None:
            options |= {"quantization_config": _quantization(spec, self.device), "device_map": self.device}
        try:
            model, told = AutoModelForCausalLM.from_pretrained(
                self.folder, use_safetensors=True, output_loading_info=True, **options
            )
        except ValueError as error:
            if attention == "sdpa" and "scaled_dot_product" in str(error):
                return self._load(spec, "eager", trusted)
            raise
        for kind in ("missing_keys", "mismatched_keys"):
            if told.get(kind):
                first = sorted(map(str, told[kind]))[0]
                raise ModelLoadError(
                    f"{self.name} could not be loaded: {len(told[kind])} weights are "
                    f"{'missing' if kind == 'missing_keys' else 'of another shape'}, such as {first}. "
                    "Download or convert it again."
                )
        if spec.quantize is None:
            model = model.to(self.device)
        return model.eval()

    def _check_tensors(self) -> None:
        tensors = [tensor for tensor in self.model.parameters() if tensor.is_floating_point()]
        if sum(tensor.numel() for tensor in tensors) > _LARGEST_CHECKED:
            return
        for name, tensor in self.model.named_parameters():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise ModelLoadError(f"{self.name} is damaged: {name} holds numbers that are not finite.")

    def _eos_ids(self) -> list[int]:
        generation = getattr(self.model, "generation_config", None)
        ids: list[int] = []
        for source in (generation, self._text):
            value = getattr(source, "eos_token_id", None)
            ids += [value] if isinstance(value, int) else list(value or ())
        return [token for token in dict.fromkeys(ids) if 0 <= token < self.n_vocab]

    @property
    def n_layers(self) -> int:
        """Layers that keep keys and values."""
        return int(self._text.num_hidden_layers)

    @property
    def n_ctx_train(self) -> int:
        """Context that the model was trained for; 0 where it does not say."""
        return int(getattr(self._text, "max_position_embeddings", 0) or 0)

    @property
    def layer_kinds(self) -> frozenset[str]:
        """How its layers look back: ``full_attention``, ``sliding_attention``, or what this engine lacks."""
        kinds = getattr(self._text, "layer_types", None)
        if kinds:
            return frozenset(kinds)
        return frozenset({"full_attention" if self.sliding is None else "sliding_attention"})

    @property
    def sliding(self) -> int | None:
        """Positions that a sliding layer sees, or None."""
        window = getattr(self._text, "sliding_window", None)
        return int(window) if window else None

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of keys and values that one token takes."""
        heads = int(self._text.num_attention_heads)
        kv_heads = int(getattr(self._text, "num_key_value_heads", None) or heads)
        width = int(getattr(self._text, "head_dim", None) or self._text.hidden_size // heads)
        return 2 * self.n_layers * kv_heads * width * int(self.dtype.itemsize)

    @property
    def size_bytes(self) -> int:
        """Bytes of the weights as loaded."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.model.parameters())


def find_folder(path: str) -> Path:
    """The folder of a model: itself, or a repository's snapshot that was downloaded before.

    Raises:
        ModelLoadError: There is none, or it holds no safetensors.
    """
    folder = find_tokenizer_folder(path)
    if not (folder / "config.json").is_file():
        raise ModelLoadError(f"{folder} is no transformers model: it has no config.json.")
    if not any(folder.glob("*.safetensors")):
        raise ModelLoadError(
            f"{folder} holds no .safetensors file; other formats can run code when they are read and are not "
            "loaded. Download the safetensors version, or convert it."
        )
    return folder


def find_tokenizer_folder(path: str) -> Path:
    """As ``find_folder``, where the weights need not be there."""
    folder = Path(path).expanduser()
    return folder if folder.is_dir() else _downloaded(path)


def _downloaded(path: str) -> Path:
    if path.count("/") != 1 or path.startswith((".", "/", "~")):
        raise ModelLoadError(f"There is no model folder {path}; check the path.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(path, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelLoadError(
            f"{path} is neither a folder nor a downloaded model; download it with: hf download {path}"
        ) from error


def _quantization(spec: EngineSpec, device: torch.device) -> Any:
    """Bitsandbytes' configuration, where that is installed and the device can use it."""
    if device.type != "cuda":
        raise ModelLoadError(f"{spec.quantize} weights need a CUDA device; this one is {device.type}.")
    try:
        import bitsandbytes  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        raise EngineMissingError(
            f"{spec.quantize} weights need bitsandbytes; install it with: pip install bitsandbytes"
        ) from error
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_8bit=spec.quantize == "8bit", load_in_4bit=spec.quantize == "4bit")


def _default_template(template: str | dict[str, str] | None) -> str | None:
    """The one template, or the default one of several."""
    return template.get("default") if isinstance(template, dict) else template


def _cause(error: Exception) -> str:
    """The first line of an error of the libraries, as the end of a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0][:300].rstrip(".") if lines else type(error).__name__
    return f"{said}."


def _quiet() -> None:
    """No progress bars and no advice on stderr: errors are raised, and the page shows them."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    logging.getLogger("transformers").setLevel(logging.ERROR)
