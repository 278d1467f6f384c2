"""Prompts encoded piece by piece: the same ids as at once, and only what changed is asked for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Regex as Pattern
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from playground.engines.base import Engine
from playground.engines.load import EngineSpec, open_engine
from playground.engines.transformers.vocab import Vocab
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.prompts.render import TemplateRenderer
from playground.prompts.templates import BUILT_IN
from playground.services.encoding import Encoded, EncodingCache
from playground.types import Example, Message, Piece

ROOT = Path(__file__).parents[1]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
# How Llama 3 cuts text into words: line ends go with the signs before them.
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Tokenizing:
    """The tokenizer of an engine, which writes down what it was asked."""

    def __init__(self, vocab: Vocab | Engine) -> None:
        self._vocab = vocab
        self.asked: list[int] = []  # characters

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        self.asked.append(sum(len(piece.text) for piece in pieces))
        if isinstance(self._vocab, Vocab):
            return self._vocab.encode(pieces, add_bos=add_bos).ids
        return self._vocab.tokenize(pieces, add_bos=add_bos)

    def detokenize(self, ids: Sequence[int]) -> bytes:
        return self._vocab.decode(ids) if isinstance(self._vocab, Vocab) else self._vocab.detokenize(ids)

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        if isinstance(self._vocab, Vocab):
            return [len(self._vocab.piece(token)) for token in ids]
        return self._vocab.token_sizes(ids)


def engine_of(tokenizing: Tokenizing) -> Engine:
    return cast(Engine, tokenizing)


@pytest.fixture(scope="module")
def wren() -> Iterator[Tokenizing]:
    path = ROOT / "models" / "wren" / "wren-base-f16.gguf"
    engine = open_engine(EngineSpec(path=str(path), n_ctx=64, n_threads=1), in_process=True)
    yield Tokenizing(engine)
    engine.close()


def trained(kind: str) -> Tokenizing:
    """A small vocabulary that cuts text as a well-known family does."""
    specials = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE(byte_fallback=kind == "llama 2", unk_token="<unk>"))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if kind == "gpt 2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    elif kind == "llama 3":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Pattern(LLAMA_3), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
    else:  # sentence pieces: no words, a space in front, bytes for what is unknown
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        specials = ["<unk>", *specials, *(f"<0x{value:02X}>" for value in range(256))]
        alphabet = []
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    lines = [
        line
        for path in (ROOT / "README.md", ROOT / "docs" / "decisions.md")
        for line in path.read_text(encoding="utf-8").splitlines(keepends=kind != "llama 2")
    ]
    tokenizer.train_from_iterator(lines, trainer)
    written = json.loads(tokenizer.to_str())
    written["added_tokens"] = [one for one in written["added_tokens"] if not one["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(written))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    return Tokenizing(Vocab(fast, 2_000, []))


TEXTS = st.one_of(
    st.text(alphabet="ab1 .\n/\t\"'`#:-", max_size=30),
    st.sampled_from(
        [
            "",
            "\n",
            " lead and trail \n\n",
            "Hello there! It’s 12345 o'clock.\n\n/etc/passwd\n",
            "你好，世界。\n再见",
            "<|im_end|>\n<s> no token",
            "```python\nif x:\n    y()\n```",
            "🙂🙂\r\n\r\nnext",
            "a long line without an end " * 30,
            "".join(f"{n}. one of many lines of a list\n" for n in range(120)),
        ]
    ),
)
EXAMPLE = st.builds(Example, TEXTS, TEXTS, st.sampled_from([True, True, False]))
STATE = st.tuples(TEXTS, st.lists(EXAMPLE, max_size=4), st.lists(TEXTS, max_size=2), TEXTS)
Edit = tuple[int, int, str]
EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 4), TEXTS), max_size=3)
State = tuple[str, list[Example], list[str], str]


def edited(state: State, edit: Edit) -> State:
    """The state with one text changed in the middle, an example moved, left out or added."""
    system, examples, talk, question = state
    at, what, text = edit
    changed = list(examples)
    place = at % len(changed) if changed else 0

    def spliced(old: str) -> str:
        cut = at % (len(old) + 1)
        return old[:cut] + text[:3] + old[cut + 1 :]

    if what == 0 or not changed:
        return spliced(system), changed, talk, question
    old = changed[place]
    if what == 1:
        changed[place] = Example(old.query, spliced(old.answer), old.enabled)
    elif what == 2:
        changed.insert(at % 2, changed.pop(place))
    elif what == 3:
        changed[place] = Example(old.query, old.answer, not old.enabled)
    else:
        return system, changed, talk, spliced(question)
    return system, changed, talk, question


def pieces_of(template: str, state: State) -> tuple[Piece, ...]:
    system, examples, talk, question = state
    said = [Message("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(talk)]
    messages = [*said[: len(said) // 2 * 2], Message("user", question)]
    if template == "own chat template":
        return ChatTemplateRenderer(CHATML, system=system, examples=tuple(examples)).render(messages).pieces
    return TemplateRenderer(BUILT_IN[template], system, tuple(examples)).render(messages).pieces


def plainly(tokenizing: Tokenizing, pieces: Sequence[Piece]) -> Encoded:
    """The ids at once, and each counted for the piece that holds its first byte."""
    ids = tokenizing.tokenize(pieces)
    sizes = tokenizing.token_sizes(ids)
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece.text.encode()))
    start = ends[-1] - sum(sizes)
    counts = [0] * len(pieces)
    for size in sizes:
        for i, (low, high) in enumerate(pairwise(ends)):
            if low <= start < high:
                counts[i] += 1
        start += size
    return Encoded(tuple(ids), tuple(counts))


TEMPLATES = st.sampled_from([*BUILT_IN, "own chat template"])


def check_edits(
    tokenizing: Tokenizing, cache: EncodingCache, template: str, state: State, edits: list[Edit]
) -> None:
    for edit in [None, *edits]:
        state = edited(state, edit) if edit else state
        pieces = pieces_of(template, state)
        encoded = cache.encode(engine_of(tokenizing), pieces)
        expected = plainly(tokenizing, pieces)
        assert encoded.ids == expected.ids
        assert encoded.by_piece == expected.by_piece


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEMPLATES, STATE, EDITS)
def test_pieces_give_the_ids_of_the_whole_with_the_bundled_tokenizer(
    wren: Tokenizing, template: str, state: State, edits: list[Edit]
) -> None:
    check_edits(wren, EncodingCache(), template, state, edits)


@pytest.fixture(scope="module", params=["gpt 2", "llama 3", "llama 2"])
def family(request: pytest.FixtureRequest) -> Tokenizing:
    return trained(request.param)


SHARED = EncodingCache()  # what one text left behind must not spoil another


@given(TEMPLATES, STATE, EDITS)
def test_pieces_give_the_ids_of_the_whole_with_other_families_of_tokenizers(
    family: Tokenizing, template: str, state: State, edits: list[Edit]
) -> None:
    pieces = pieces_of(template, state)
    encoded = SHARED.encode(engine_of(family), pieces)
    assert encoded.ids == tuple(family.tokenize(pieces))
    for edit in edits:
        state = edited(state, edit)
        pieces = pieces_of(template, state)
        assert SHARED.encode(engine_of(family), pieces).ids == tuple(family.tokenize(pieces))


@pytest.mark.parametrize("template", ["basechat", "plain", "chatml", "alpaca", "own chat template"])
def test_a_keystroke_asks_for_the_example_around_it_alone(wren: Tokenizing, template: str) -> None:
    rng = random.Random(1)
    words = ["a", "wren", "sings", "in", "the", "hedge", "while", "a", "horse", "eats", "its", "hay"]
    examples = [
        Example(" ".join(rng.choices(words, k=9)), " ".join(rng.choices(words, k=60))) for _ in range(50)
    ]
    state: State = ("You are kind.", examples, [], "Why?")
    cache = EncodingCache()
    cache.encode(engine_of(wren), pieces_of(template, state))
    whole = sum(len(piece.text) for piece in pieces_of(template, state))
    examples[25] = Example(examples[25].query, examples[25].answer + "x")
    wren.asked.clear()
    encoded = cache.encode(engine_of(wren), pieces_of(template, state))
    assert sum(wren.asked) < whole / 20
    assert encoded == plainly(wren, pieces_of(template, state))


def test_a_long_text_is_not_tokenized_anew_for_a_keystroke(wren: Tokenizing) -> None:
    lines = "".join(f"{n}. The wren sings for the {n}th time, as it did before.\n" for n in range(500))
    cache = EncodingCache()
    cache.encode(engine_of(wren), pieces_of("raw", ("", [], [], lines)))
    wren.asked.clear()
    changed = lines.replace("250. The", "250. A", 1)
    encoded = cache.encode(engine_of(wren), pieces_of("raw", ("", [], [], changed)))
    assert sum(wren.asked) < len(lines) / 10
    assert encoded == plainly(wren, pieces_of("raw", ("", [], [], changed)))
