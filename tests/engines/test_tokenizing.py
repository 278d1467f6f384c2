"""Sentence-piece vocabularies (Llama 2's kind), whose tokenizer adds a space that is not in the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import ask, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_model import write_model

from playground.engines.base import GenerateRequest
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.spec import EngineSpec
from playground.types import SamplingParams

BOS, EOS = 1, 2


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCppEngine]:
    path: Path = write_model(tmp_path_factory.mktemp("spm") / "spm.gguf", sentence_piece=True)
    opened = LlamaCppEngine(EngineSpec(path=str(path), n_threads=1))
    yield opened
    opened.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text("the </s>.aé日\n", max_size=30))
def test_the_bytes_are_the_text_behind_the_added_space(engine: LlamaCppEngine, content: str) -> None:
    ids = engine.tokenize([text(content)])
    assert ids[0] == BOS
    expected = b"<s>" + (b" " if content else b"") + content.encode()
    assert engine.detokenize(ids) == expected
    assert EOS not in ids
    assert BOS not in ids[1:]


@pytest.mark.parametrize("content", ["</s>", "a</s>", "</s></s>the</s>", "<s></s>", "the</s>", "\n</s>\n"])
def test_plain_text_that_merging_would_make_a_control_token(engine: LlamaCppEngine, content: str) -> None:
    ids = engine.tokenize([text(content)], add_bos=False)
    assert not {BOS, EOS} & set(ids)
    assert engine.detokenize(ids) == b" " + content.encode()


def test_a_template_still_makes_control_tokens(engine: LlamaCppEngine) -> None:
    ids = engine.tokenize([text("</s>", special=True), text("</s>"), text("<s>", special=True)])
    assert ids.count(EOS) == 1
    assert ids.count(BOS) == 2
    assert ids[1] == EOS
    assert ids[-1] == BOS


@pytest.mark.parametrize(
    ("context", "target"), [("the t", " end"), ("a", " the"), ("", "the"), ("</s>", "é")]
)
def test_a_score_begins_where_the_target_does(engine: LlamaCppEngine, context: str, target: str) -> None:
    scores = engine.score([text(context)], [text(target)])
    found = b"".join(token.bytes for token in scores.tokens)
    # The space that the tokenizer puts in front belongs to the text's first token.
    assert found in (target.encode(), b" " + target.encode())
    assert (found[:1] == b" ") == (not context or target.startswith(" "))
    assert all(token.logprob is not None for token in scores.tokens)


def test_generation_and_its_continuation_share_tokens(engine: LlamaCppEngine) -> None:
    bias = tuple((engine.tokenize([text(c)], add_bos=False)[-1], 100.0) for c in "abc.")
    sampling = SamplingParams(temperature=1.0, seed=3, max_tokens=20, logit_bias=bias)
    (answer,) = ask(engine, GenerateRequest((text("the end. "),), sampling))
    assert answer.text == "".join(token.bytes.decode() for token in answer.tokens)
    (following,) = ask(engine, GenerateRequest((text("the end. " + answer.text + " the"),), sampling))
    assert following.end.usage.cached_tokens > 8
