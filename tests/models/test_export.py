"""The exported files say the same as the network that was trained, in llama.cpp and in transformers."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.wren.export import CHAT_TEMPLATE, export_model, permute_rotary  # noqa: E402
from models.wren.network import Llama, Shape  # noqa: E402
from models.wren.tokenizer import train_tokenizer  # noqa: E402
from playground.engines.load import open_engine  # noqa: E402
from playground.engines.spec import EngineSpec  # noqa: E402
from playground.experiments.pair_parity import texts  # noqa: E402
from playground.types import Origin, Piece  # noqa: E402

SHAPE = Shape(vocabulary=640, width=64, layers=2, heads=2, kv_heads=1, hidden=96, context=256)
HERE = Origin("turn", "text")


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(1, SHAPE.vocabulary, documents_count=300)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = Llama(SHAPE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0003)  # not f16's numbers: exporting rounds them
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network, tokenizer):
    out = tmp_path_factory.mktemp("pair")
    for chat in (False, True):
        export_model(network, tokenizer, out, chat=chat)
    return out


@pytest.fixture(scope="module")
def engine(folder):
    spec = EngineSpec(path=str(folder / "wren-instruct-f16.gguf"), n_threads=1)
    engine = open_engine(spec, in_process=True)
    yield engine
    engine.close()


def test_llamacpp_tokenizes_as_the_tokenizer_does(engine, tokenizer):
    for text in texts(300):
        ids = engine.tokenize([Piece(text, HERE, parse_special=True)], add_bos=False)
        assert ids == tokenizer.encode(text).ids, repr(text)


def test_the_files_say_what_they_are(engine):
    assert engine.info.chat_template == CHAT_TEMPLATE
    assert engine.info.n_ctx_train == SHAPE.context
    assert engine.info.add_bos is False
    assert 2 in engine.info.eos_ids
    assert engine.info.bos_text == "<|endoftext|>"


def test_llamacpp_gives_the_networks_log_probabilities(engine, network, tokenizer):
    context, target = "What is the capital of France?\n", "The capital of France is Paris."
    scores = engine.score([Piece(context, HERE)], [Piece(target, HERE)])
    ids = tokenizer.encode(context + target).ids
    with torch.inference_mode():
        logprobs = torch.log_softmax(network(torch.tensor([ids]))[0], dim=-1)
    first = len(ids) - len(scores.tokens)
    expected = [logprobs[first + i - 1, token.id].item() for i, token in enumerate(scores.tokens)]
    assert np.allclose([token.logprob for token in scores.tokens], expected, atol=2e-2)


def test_transformers_gives_the_networks_logits(folder, network, tokenizer):
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "hf-base", dtype=torch.float32)
    wrapped = transformers.AutoTokenizer.from_pretrained(folder / "hf-base")
    text = "法国的首都是巴黎。 What <|endoftext|> now?"
    assert wrapped(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text).ids
    ids = torch.tensor([tokenizer.encode("A cow eats grass. " * 8).ids])
    with torch.inference_mode():
        assert torch.allclose(model(ids).logits, network(ids), atol=1e-4)


def test_the_chat_template_is_what_was_tuned_on(folder):
    transformers = pytest.importorskip("transformers")
    from models.wren.conversations import render

    wrapped = transformers.AutoTokenizer.from_pretrained(folder / "hf-instruct")
    talk = [("system", "Be kind."), ("user", "Hi!"), ("assistant", "Hello."), ("user", "And now?")]
    messages = [{"role": role, "content": content} for role, content in talk]
    text = wrapped.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == render(talk) + "<|im_start|>assistant\n"


def test_permuting_keeps_every_row():
    weight = torch.arange(64.0).reshape(16, 4)
    permuted = permute_rotary(weight, heads=2)
    assert sorted(permuted[:, 0].tolist()) == weight[:, 0].tolist()
    # Half-split pairs (0, 4), (1, 5) ... of a head of 8 become neighbours.
    assert permuted[:4, 0].tolist() == [weight[i, 0].item() for i in (0, 4, 1, 5)]
