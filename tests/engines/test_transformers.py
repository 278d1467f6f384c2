"""What the transformers engine promises beyond the contract: folders, sharing, batching, exactness."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asking import ask, request, text
from hypothesis import HealthCheck, given, settings, strategies
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM, MistralConfig, Qwen2Config
from transformers.generation.logits_process import (
    LogitsProcessor,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from playground.engines.base import Cancel, GenerateRequest
from playground.engines.batching.decoding import DecodeAbortedError, DecodeFullError
from playground.engines.batching.jobs import Errand
from playground.engines.load import EngineSpec, open_engine
from playground.engines.transformers.cells import CellPool, attention_rows
from playground.engines.transformers.context import TorchContext, TorchOptions
from playground.engines.transformers.engine import TransformersEngine, check_batching
from playground.engines.transformers.model import TorchModel
from playground.engines.transformers.sampler import next_distribution
from playground.engines.transformers.vocab import Vocab
from playground.errors import EngineMissingError, ModelLoadError
from playground.types import SamplingParams

PROMPT = "in the other one and the other " * 6


@pytest.fixture(scope="module")
def spec(tiny_folder: Path) -> EngineSpec:
    return EngineSpec(kind="transformers", path=str(tiny_folder), n_ctx=512, n_threads=1)


@pytest.fixture(scope="module")
def engine(spec: EngineSpec) -> Iterator[TransformersEngine]:
    opened = TransformersEngine(spec)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def plain(tiny_folder: Path) -> Any:
    """The same model as transformers itself runs it."""
    return AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32).eval()


def plain_logprobs(model: Any, ids: list[int]) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        rows = model(torch.tensor([ids]), use_cache=False).logits[0]
    return torch.log_softmax(rows.double(), -1).numpy()


# --- what is loaded


def test_device_and_dtype_are_shown(engine: TransformersEngine) -> None:
    assert (engine.info.device, engine.info.dtype) == ("cpu", "float32")
    assert engine.info.parameters > 100_000
    assert engine.info.size_bytes == 4 * engine.info.parameters


def test_a_dtype_can_be_chosen(spec: EngineSpec) -> None:
    opened = TransformersEngine(replace(spec, dtype="bfloat16"))
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
def test_what_cannot_be_loaded_is_said(spec: EngineSpec, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelLoadError, match=said):
        TransformersEngine(replace(spec, **changed))


def damaged(tiny_folder: Path, target: Path) -> Path:
    shutil.copytree(tiny_folder, target)
    return target


def test_only_safetensors_are_read(spec: EngineSpec, tiny_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_folder, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelLoadError, match=r"holds no \.safetensors"):
        TransformersEngine(replace(spec, path=str(folder)))
    (folder / "config.json").unlink()
    with pytest.raises(ModelLoadError, match=r"no config\.json"):
        TransformersEngine(replace(spec, path=str(folder)))


def test_missing_and_broken_weights_are_refused(spec: EngineSpec, tiny_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_folder, tmp_path / "damaged")
    weights = load_file(folder / "model.safetensors")
    some = {name: value for name, value in weights.items() if "layers.1.mlp" not in name}
    save_file(some, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"3 weights are missing, such as model\.layers\.1\.mlp"):
        TransformersEngine(replace(spec, path=str(folder)))
    weights["model.norm.weight"][3] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"model\.norm\.weight holds numbers that are not finite"):
        TransformersEngine(replace(spec, path=str(folder)))
    (folder / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00 truncated")
    with pytest.raises(ModelLoadError, match="could not be loaded"):
        TransformersEngine(replace(spec, path=str(folder)))


def test_code_of_a_models_own_is_not_run(spec: EngineSpec, tiny_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_folder, tmp_path / "own_code")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    with pytest.raises(ModelLoadError, match="could not be loaded"):
        TransformersEngine(replace(spec, path=str(folder)))
    assert not (tmp_path / "ran").exists()


def test_a_missing_package_is_named_with_its_command(
    spec: EngineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "playground.engines.transformers.engine", None)
    error = ModuleNotFoundError("No module named 'torch'", name="torch")
    real = __import__

    def importing(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("playground.engines.transformers"):
            raise error
        return real(name, *rest, **more)

    monkeypatch.setattr("builtins.__import__", importing)
    with pytest.raises(EngineMissingError, match=r"needs torch.*pip install 'icl-playground\[torch\]'"):
        open_engine(spec, in_process=True)


# --- sharing and batching


def test_a_prefix_is_computed_once(spec: EngineSpec) -> None:
    opened = TransformersEngine(spec)
    (first,) = ask(opened, request(opened, PROMPT + "one", max_tokens=4))
    (second,) = ask(opened, request(opened, PROMPT + "two", max_tokens=4))
    usage = second.end.usage
    assert first.end.usage.cached_tokens == 0
    assert usage.prompt_tokens - usage.cached_tokens <= 4
    opened.close()


def test_samples_share_one_prefill(engine: TransformersEngine) -> None:
    answers = ask(engine, request(engine, "Samples " + PROMPT, n=6, max_tokens=4))
    prompt = answers[0].end.usage.prompt_tokens
    assert [answer.end.usage.cached_tokens for answer in answers[1:]] == [prompt] * 5


def test_a_full_cache_makes_lanes_wait_their_turn(spec: EngineSpec, engine: TransformersEngine) -> None:
    small = TransformersEngine(replace(spec, n_ctx=128, kv_cells=160))
    asked = [request(small, f"Number {i} " * 3, seed=i, max_tokens=30) for i in range(8)]
    together = ask(small, *asked)
    assert [a.text for a in together] == [ask(engine, one)[0].text for one in asked]
    small.close()


def test_batches_give_what_the_model_gives_alone(engine: TransformersEngine, plain: Any) -> None:
    ids = engine.tokenize([text("Hello" + PROMPT)])
    expected = plain_logprobs(plain, ids)
    scores = engine.score([text("Hello")], [text(PROMPT)], full=True)
    assert scores.full is not None
    known = expected[len(ids) - len(scores.tokens) - 1 : -1]
    np.testing.assert_allclose(scores.full, known, atol=2e-4)


def test_greedy_is_generates_greedy(engine: TransformersEngine, plain: Any) -> None:
    ids = engine.tokenize([text("Hello there")])
    with torch.inference_mode():
        whole = plain.generate(
            torch.tensor([ids]), do_sample=False, max_new_tokens=24, eos_token_id=None, pad_token_id=0
        )[0]
    asked = GenerateRequest((text("Hello there"),), SamplingParams(max_tokens=24), logprobs=0)
    (answer,) = ask(engine, asked)
    mine = [token.id for token in answer.tokens]
    assert mine == whole[len(ids) : len(ids) + len(mine)].tolist()
    assert len(mine) > 5


def test_exact_mode_gives_the_same_floats_in_any_company(spec: EngineSpec) -> None:
    opened = TransformersEngine(spec)
    asked = replace(request(opened, PROMPT, temperature=0, logprobs=2, max_tokens=12), exact=True)
    (cold,) = ask(opened, asked)
    (warm,) = ask(opened, asked)
    company = [request(opened, "Other " * i, seed=i) for i in range(1, 6)]
    crowded = ask(opened, *company, asked)[-1]
    assert cold.tokens == warm.tokens == crowded.tokens
    one = opened.score([text(PROMPT)], [text(PROMPT)], exact=True)
    assert opened.score([text(PROMPT)], [text(PROMPT)], exact=True).tokens == one.tokens
    opened.close()


def random_folder(config: Any, tiny_folder: Path, target: Path) -> tuple[Path, Any]:
    """A model of another family with random weights and the tiny model's tokenizer."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(target)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_folder / name, target / name)
    return target, model


SMALL = {
    "vocab_size": 271,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 268,
    "eos_token_id": 269,
}


@pytest.mark.parametrize(
    "config",
    [
        MistralConfig(**SMALL, sliding_window=9),
        Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=7, max_window_layers=2),
    ],
    ids=["all layers slide", "some layers slide"],
)
def test_sliding_windows(config: Any, spec: EngineSpec, tiny_folder: Path, tmp_path: Path) -> None:
    folder, model = random_folder(config, tiny_folder, tmp_path / "sliding")
    opened = TransformersEngine(replace(spec, path=str(folder)))
    ids = opened.tokenize([text(PROMPT)])
    scores = opened.score([], [text(PROMPT)], full=True)
    assert scores.full is not None
    expected = plain_logprobs(model, ids)[len(ids) - len(scores.tokens) - 1 : -1]
    np.testing.assert_allclose(scores.full[-len(expected) :], expected, atol=5e-4)
    opened.close()


def test_layers_that_keep_a_state_are_refused(spec: EngineSpec, tiny_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_folder, tmp_path / "linear")
    config = json.loads((folder / "config.json").read_text())
    config["layer_types"] = ["full_attention", "linear_attention"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLoadError, match="linear_attention, which this engine cannot batch"):
        TransformersEngine(replace(spec, path=str(folder)))


def test_a_model_that_answers_otherwise_in_a_batch_is_refused(spec: EngineSpec) -> None:
    model = TorchModel(spec)
    options = TorchOptions(n_cells=64, n_seqs=4, n_batch=64, n_layers=model.n_layers, n_vocab=model.n_vocab)
    check_batching(model, TorchContext(model.model, options))
    with pytest.raises(ModelLoadError, match="other answers in a batch"):
        check_batching(model, TorchContext(model.model, replace(options, sliding=2)))


def test_threads_can_be_changed_while_it_runs(spec: EngineSpec) -> None:
    opened = TransformersEngine(spec)
    seen: list[int] = []
    # Torch keeps the number for each thread that asks.
    opened.set_threads(2)
    for exact in (False, True):
        ask(opened, replace(request(opened, max_tokens=2), exact=exact))
        opened._loop.do(Errand(lambda: seen.append(torch.get_num_threads())))
    assert seen == [2, 1]
    opened.close()


# --- cancelling, and the context underneath


@pytest.fixture
def context(spec: EngineSpec) -> TorchContext:
    model = TorchModel(spec)
    options = TorchOptions(n_cells=64, n_seqs=4, n_batch=64, n_layers=model.n_layers, n_vocab=model.n_vocab)
    return TorchContext(model.model, options)


def test_an_aborted_pass_leaves_the_context_usable(context: TorchContext) -> None:
    tokens = np.arange(20, dtype=np.int32)
    context.add(0, 0, tokens, logits_from=19)
    context.abort()
    with pytest.raises(DecodeAbortedError):
        context.decode()
    context.keep(0, 0)
    context.allow()
    context.decode()
    first = context.logits(1).copy()
    context.drop(0)
    context.decode()
    np.testing.assert_array_equal(context.logits(1), first)


def test_a_full_pool_is_said_before_anything_changes(context: TorchContext) -> None:
    context.add(0, 0, np.arange(60, dtype=np.int32), logits_from=60)
    context.decode()
    context.clear_batch()
    context.add(1, 0, np.arange(5, dtype=np.int32), logits_from=5)
    with pytest.raises(DecodeFullError):
        context.decode()
    context.drop(0)
    context.decode()


def test_a_cancel_during_a_prompt_ends_it(engine: TransformersEngine) -> None:
    cancel = Cancel()
    events = engine.generate([request(engine, "x" * 400, max_tokens=100)], cancel=cancel)
    cancel.set()
    assert [event.finish_reason for event in events] == ["cancelled"]  # type: ignore[union-attr]


def test_cells_are_shared_counted_and_given_back() -> None:
    pool = CellPool(16)
    taken = pool.take(6)
    assert taken is not None
    pool.extend(0, taken)
    pool.share(0, 1, 0, 4)
    assert pool.n_free == 10
    pool.drop(0)
    assert pool.n_free == 12
    assert pool.cells(1).tolist() == [0, 1, 2, 3]
    assert pool.take(13) is None
    pool.keep(1, 2)
    assert pool.n_free == 14
    pool.clear()
    assert pool.n_free == 16


def test_a_window_reads_few_cells_that_nobody_asked_for() -> None:
    pool = CellPool(4096)
    for seq, count in ((0, 10), (1, 3000), (2, 10)):
        taken = pool.take(count)
        assert taken is not None
        pool.extend(seq, taken)
    assert pool.window([1]).picked is None
    far = pool.window([0, 2])
    assert far.width == 20
    assert far.columns(pool.cells(2)).tolist() == [*range(10, 20)]
    rows = attention_rows(far, pool.cells(2), 8, 2)
    assert rows.sum(axis=1).tolist() == [9, 10]
    assert not rows[:, :10].any()
    assert attention_rows(far, pool.cells(2), 8, 2, 3).sum(axis=1).tolist() == [3, 3]


# --- sampling and tokens


@pytest.mark.parametrize(
    ("params", "steps"),
    [
        (SamplingParams(temperature=0.6), [TemperatureLogitsWarper(0.6)]),
        (SamplingParams(temperature=1, top_k=20), [TopKLogitsWarper(20)]),
        (SamplingParams(temperature=1, top_p=0.8), [TopPLogitsWarper(0.8)]),
        (SamplingParams(temperature=1, min_p=0.1), [MinPLogitsWarper(0.1)]),
        (SamplingParams(temperature=1, repetition_penalty=1.3), [RepetitionPenaltyLogitsProcessor(1.3)]),
        (
            SamplingParams(temperature=0.7, top_k=50, top_p=0.9, min_p=0.02, repetition_penalty=1.1),
            [
                RepetitionPenaltyLogitsProcessor(1.1),
                TemperatureLogitsWarper(0.7),
                TopKLogitsWarper(50),
                TopPLogitsWarper(0.9),
                MinPLogitsWarper(0.02),
            ],
        ),
    ],
)
def test_options_mean_what_transformers_means(params: SamplingParams, steps: list[LogitsProcessor]) -> None:
    logits = np.random.default_rng(5).normal(0, 3, 3000).astype(np.float32)
    prompt, output = [5, 6, 7], [7, 9]
    scores = torch.from_numpy(logits.copy())[None]
    for step in steps:
        scores = step(torch.tensor([prompt + output]), scores)
    expected = torch.softmax(scores[0].double(), -1).numpy()
    found = next_distribution(params, logits, prompt, output)
    assert set(np.flatnonzero(found)) == set(np.flatnonzero(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)


def test_both_engines_agree_number_by_number(engine: TransformersEngine, tiny_path: Path) -> None:
    """The same weights: f16 in llama.cpp, float32 here."""
    other = open_engine(EngineSpec(path=str(tiny_path), n_ctx=512, n_threads=1), in_process=True)
    for content in ("Hello there, in the other", "日本 é 😀 <|turn|> \n\n  x", PROMPT):
        assert engine.tokenize([text(content)]) == other.tokenize([text(content)])
        mine = engine.score([text("A")], [text(content)], full=True)
        theirs = other.score([text("A")], [text(content)], full=True)
        assert mine.full is not None
        assert theirs.full is not None
        np.testing.assert_allclose(mine.full, theirs.full, atol=0.02)
    (one,), (two,) = (ask(e, request(e, temperature=0, max_tokens=60)) for e in (engine, other))
    assert one.text == two.text
    other.close()


class SentencePiece:
    """As much of a Llama 2 tokenizer as the vocabulary reads."""

    bos_token_id = 1
    eos_token_id = 2

    def __init__(self) -> None:
        from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

        words = ["<unk>", "<s>", "</s>", *(f"<0x{value:02X}>" for value in range(256)), "▁", "h", "i", "▁h"]
        words += ["<", "/", "s", ">", "</", "s>"]
        vocab = {word: number for number, word in enumerate(words)}
        # Merging makes the control token of its plain text here.
        merges = [("▁", "h"), ("<", "/"), ("s", ">"), ("</", "s>")]
        model = models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
        self.backend_tokenizer = Tokenizer(model)
        self.backend_tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        self.backend_tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        special = [AddedToken(word, special=True, normalized=False) for word in ("<s>", "</s>")]
        self.backend_tokenizer.add_special_tokens(special)
        self.added_tokens_decoder = {1: special[0], 2: special[1]}

    def __call__(self, content: str) -> dict[str, list[int]]:
        return {"input_ids": [1, *self.backend_tokenizer.encode(content).ids]}


@pytest.fixture(scope="module")
def sentence_pieces() -> Vocab:
    return Vocab(SentencePiece(), 269, [2])


def test_sentence_pieces_are_bytes_and_places_too(sentence_pieces: Vocab) -> None:
    encoded = sentence_pieces.encode([text("hi hé")])
    assert encoded.ids[0] == 1
    assert sentence_pieces.decode(encoded.ids[1:]) == " hi hé".encode()
    assert encoded.starts == [-1, 0, 1, 2, 4, 5]
    assert sentence_pieces.is_end(2)
    assert sentence_pieces.bos == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=strategies.text("hi </s>.é日\n", max_size=30))
def test_plain_text_never_becomes_a_control_token(sentence_pieces: Vocab, content: str) -> None:
    ids = sentence_pieces.encode([text(content)], add_bos=False).ids
    assert not {1, 2} & set(ids)
    assert sentence_pieces.decode(ids) == (b" " if content else b"") + content.encode()
    assert sentence_pieces.encode([text("</s>", special=True)]).ids == [1, 2]
