"""What the transformers engine loads, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import ask, request
from safetensors.numpy import load_file, save_file

from playground.engines.load import EngineSpec, open_engine
from playground.engines.transformers.engine import TransformersEngine
from playground.errors import EngineMissingError, ModelLoadError


@pytest.fixture(scope="module")
def engine(torch_spec: EngineSpec) -> Iterator[TransformersEngine]:
    opened = TransformersEngine(torch_spec)
    yield opened
    opened.close()


def test_device_and_dtype_are_shown(engine: TransformersEngine) -> None:
    assert (engine.info.device, engine.info.dtype) == ("cpu", "float32")
    assert engine.info.parameters > 100_000
    assert engine.info.size_bytes == 4 * engine.info.parameters


def test_a_dtype_can_be_chosen(torch_spec: EngineSpec) -> None:
    opened = TransformersEngine(replace(torch_spec, dtype="bfloat16"))
    assert opened.info.dtype == "bfloat16"
    assert opened.info.size_bytes == 2 * opened.info.parameters
    (answer,) = ask(opened, request(opened, max_tokens=4))
    assert len(answer.tokens) == 4
    opened.close()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"path": "no/such"}, "hf download no/such"),
        ({"path": "./nowhere"}, "no model folder"),
        ({"device": "cuda:99"}, "no device 'cuda:99'"),
        ({"dtype": "int3"}, "no dtype 'int3'"),
        ({"n_ctx": 4}, "too small"),
        ({"quantize": "8bit"}, "need a CUDA device"),
    ],
)
def test_what_cannot_be_loaded_is_said(torch_spec: EngineSpec, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelLoadError, match=said):
        TransformersEngine(replace(torch_spec, **changed))


def damaged(tiny_folder: Path, target: Path) -> Path:
    shutil.copytree(tiny_folder, target)
    return target


def test_only_safetensors_are_read(torch_spec: EngineSpec, tiny_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_folder, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelLoadError, match=r"holds no \.safetensors"):
        TransformersEngine(replace(torch_spec, path=str(folder)))
    (folder / "config.json").unlink()
    with pytest.raises(ModelLoadError, match=r"no config\.json"):
        TransformersEngine(replace(torch_spec, path=str(folder)))


def test_missing_and_broken_weights_are_refused(
    torch_spec: EngineSpec, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = damaged(tiny_folder, tmp_path / "damaged")
    weights = load_file(folder / "model.safetensors")
    some = {name: value for name, value in weights.items() if "layers.1.mlp" not in name}
    save_file(some, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"3 weights are missing, such as model\.layers\.1\.mlp"):
        TransformersEngine(replace(torch_spec, path=str(folder)))
    weights["model.norm.weight"][3] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"model\.norm\.weight holds numbers that are not finite"):
        TransformersEngine(replace(torch_spec, path=str(folder)))
    (folder / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00 truncated")
    with pytest.raises(ModelLoadError, match="could not be loaded"):
        TransformersEngine(replace(torch_spec, path=str(folder)))


def test_code_of_a_models_own_is_not_run(torch_spec: EngineSpec, tiny_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_folder, tmp_path / "own_code")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    with pytest.raises(ModelLoadError, match="could not be loaded"):
        TransformersEngine(replace(torch_spec, path=str(folder)))
    assert not (tmp_path / "ran").exists()


def test_a_missing_package_is_named_with_its_command(
    torch_spec: EngineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "playground.engines.transformers.engine", None)
    error = ModuleNotFoundError("No module named 'torch'", name="torch")
    real = __import__

    def importing(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("playground.engines.transformers"):
            raise error
        return real(name, *rest, **more)

    monkeypatch.setattr("builtins.__import__", importing)
    with pytest.raises(EngineMissingError, match=r"needs torch.*pip install -e '\.\[torch\]'"):
        open_engine(torch_spec, in_process=True)


def test_layers_that_keep_a_state_are_refused(
    torch_spec: EngineSpec, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = damaged(tiny_folder, tmp_path / "linear")
    config = json.loads((folder / "config.json").read_text())
    config["layer_types"] = ["full_attention", "linear_attention"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLoadError, match="linear_attention, which this engine cannot batch"):
        TransformersEngine(replace(torch_spec, path=str(folder)))
