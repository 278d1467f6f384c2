"""Tokens as a person looks at them: each belongs to the part that holds its first byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from playground.engines.base import Engine
from playground.engines.fake import BOS, FakeEngine, FakeScript
from playground.prompts.templates import BUILT_IN
from playground.services import DRAFT, SideSpec, Workbench
from playground.services.token_view import view_tokens
from playground.settings import Settings
from playground.types import Message, Origin, Piece


def _piece(text: str, part: str, *, special: bool = False) -> Piece:
    return Piece(text, Origin(part, "template"), parse_special=special)  # type: ignore[arg-type]


def _check(engine: Engine, pieces: list[Piece]) -> None:
    ids = engine.tokenize(pieces)
    view = view_tokens(engine, pieces, ids)
    text = "".join(piece.text for piece in pieces).encode()
    front = len(view.data) - len(text)
    assert view.data[front:] == text
    assert sum(view.sizes) == len(view.data)
    ends, length = [], 0
    for piece in pieces:
        length += len(piece.text.encode())
        ends.append(length)
    at = -front
    for size, owner in zip(view.sizes, view.pieces, strict=True):
        expected = -1 if at < 0 else next(i for i, end in enumerate(ends) if at < end)
        assert owner == expected
        at += size


def test_the_bos_belongs_to_no_part_and_specials_only_where_a_piece_allows_them() -> None:
    engine = FakeEngine(FakeScript())
    pieces = [_piece("a<|turn|>", "system", special=True), _piece("<|turn|>ü", "turn")]
    ids = engine.tokenize(pieces)
    view = view_tokens(engine, pieces, ids)
    assert view.ids[0] == BOS
    assert view.pieces[:3] == (-1, 0, 0)
    assert view.special == (0, 2)  # the BOS and the template's; the person's is eight plain bytes
    _check(engine, pieces)


@pytest.fixture(scope="module")
def bench() -> Iterator[Workbench]:
    with Workbench(Settings.load()) as opened:
        yield opened


def test_the_bundled_models_tokens_by_part_are_those_that_are_counted(bench: Workbench) -> None:
    draft = bench.presets.load("friendly")
    view = bench.preview(SideSpec("wren/base", DRAFT), draft, [Message("user", "Wörld 你好 😀 <|im_end|>")])
    engine = bench.engine("wren/base")
    tokens = view_tokens(engine, view.prompt.pieces, view.ids)
    found = Counter(view.prompt.pieces[owner].origin.part for owner in tokens.pieces if owner >= 0)
    assert found["system"] == view.counts.system
    assert found["example"] == sum(view.counts.examples)
    assert found["turn"] == view.counts.turn
    assert tokens.special == ()
    _check(engine, list(view.prompt.pieces))
    for template in BUILT_IN.values():
        _check(engine, [_piece(template.turn, "turn", special=True), _piece("x", "turn")])
