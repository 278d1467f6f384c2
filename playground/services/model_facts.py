"""What models on this machine say of themselves: GGUFs read by a throw-away process, folders by their JSON.

Remembered as long as a file does not change, because a list of models is asked for often.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playground.engines.inspection import inspect_gguf
from playground.engines.llamacpp.gguf_header import GgufHeader
from playground.errors import ModelLoadError
from playground.models.kind import KindVerdict, ModelFacts, judge

_LONGEST_JSON = 16 << 20
_TEMPLATE: Final = "tokenizer.chat_template"


@dataclass(frozen=True, slots=True)
class Inspected:
    """A model's facts and the verdict on its kind; ``header`` for a GGUF."""

    path: Path
    facts: ModelFacts
    verdict: KindVerdict
    size_bytes: int
    header: GgufHeader | None = None


class Inspector:
    """Reads models' facts. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], Inspected]] = {}
        self._lock = threading.Lock()

    def inspect(self, path: Path) -> Inspected:
        """The facts of a GGUF file or of a folder of safetensors.

        Raises:
            ModelLoadError: It is neither, or cannot be read; with the reason.
        """
        marker = path / "config.json" if path.is_dir() else path
        try:
            stat = marker.stat()
        except OSError:
            raise ModelLoadError(
                f"There is no model at {path}; name a .gguf file or a folder of safetensors."
            ) from None
        stamp = (stat.st_mtime_ns, stat.st_size)
        with self._lock:
            known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        found = _folder(path) if path.is_dir() else _gguf(path)
        with self._lock:
            self._known[path] = (stamp, found)
        return found


def _gguf(path: Path) -> Inspected:
    header = inspect_gguf(path)
    values = header.values
    count = values.get("general.base_model.count", 0)
    bases = [
        str(values.get(f"general.base_model.{i}.name", ""))
        for i in range(int(count) if isinstance(count, int) else 0)
    ]
    template = values.get(_TEMPLATE)
    facts = ModelFacts(
        name=path.name,
        own_name=str(values.get("general.name", "")),
        architecture=header.architecture,
        finetune=str(values.get("general.finetune", "")),
        base_models=tuple(filter(None, bases)),
        chat_template=str(template) if template else None,
        tokenizer_hash=f"gguf:{header.tokenizer_hash}" if header.tokenizer_hash else "",
        parameters=header.parameters,
        n_ctx_train=header.number("context_length"),
    )
    return Inspected(path, facts, judge(facts), header.size_bytes, header)


def _folder(path: Path) -> Inspected:
    config = _json(path / "config.json")
    tokenizer = _json(path / "tokenizer_config.json") if (path / "tokenizer_config.json").is_file() else {}
    weights = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    if not weights:
        raise ModelLoadError(
            f"{path} holds no .safetensors file; name a folder of safetensors or a .gguf file."
        )
    jinja = path / "chat_template.jinja"
    template = (
        jinja.read_text(encoding="utf-8", errors="replace")
        if jinja.is_file()
        else tokenizer.get("chat_template")
    )
    if isinstance(template, list):  # several by name, of which "default" is for chats
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default") or next(iter(named.values()), None)
    vocabulary = path / "tokenizer.json"
    context = config.get("max_position_embeddings", 0)
    facts = ModelFacts(
        name=path.resolve().name,
        own_name=str(config.get("_name_or_path", "")),
        architecture=str(config.get("model_type", "")),
        chat_template=str(template) if template else None,
        tokenizer_hash=f"json:{_vocabulary_hash(vocabulary)}" if vocabulary.is_file() else "",
        n_ctx_train=context if isinstance(context, int) else 0,
    )
    return Inspected(path, facts, judge(facts), weights)


def _json(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > _LONGEST_JSON:
            raise ModelLoadError(f"{path} is too large for what it should hold; download the model again.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelLoadError(f"{path} cannot be read ({error}); download the model again.") from error
    if not isinstance(content, dict):
        raise ModelLoadError(f"{path} does not hold what it should; download the model again.")
    return content


def _vocabulary_hash(path: Path) -> str:
    """Of the vocabulary and merges alone: tuned models add special tokens and settings around them."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < 4 * _LONGEST_JSON else {}
    model = content.get("model", {}) if isinstance(content, dict) else {}
    return hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()
