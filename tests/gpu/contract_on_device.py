"""The contract suite on a device: ``cuda``, or what ``GPU_CHECK_DEVICE`` names. ``check`` gives it to pytest.

Not collected by a plain ``pytest``: its name does not begin with ``test_``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "engines"))

import random_model  # noqa: F401  (stands in for gguf where that is missing)
from test_contract import *  # noqa: F403
from tiny_folder import config_of, write_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from playground.engines.base import Engine
from playground.engines.spec import EngineSpec
from playground.engines.transformers.engine import TransformersEngine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A tiny random model, in float32 so that texts alone and in company are the same."""
    folder = tmp_path_factory.mktemp("random")
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**config_of())).save_pretrained(folder)
    write_tokenizer(folder)
    device = os.environ.get("GPU_CHECK_DEVICE", "cuda")
    spec = EngineSpec(kind="transformers", path=str(folder), n_ctx=512, device=device, dtype="float32")
    opened = TransformersEngine(spec)
    yield opened
    opened.close()
