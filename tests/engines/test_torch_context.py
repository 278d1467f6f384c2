"""Cells of keys and values, and cancelling a forward pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from asking import request

from playground.engines.base import Cancel
from playground.engines.batching.decoding import DecodeAbortedError, DecodeFullError
from playground.engines.load import EngineSpec
from playground.engines.transformers.cells import CellPool, attention_rows
from playground.engines.transformers.context import TorchContext, TorchOptions
from playground.engines.transformers.engine import TransformersEngine
from playground.engines.transformers.model import TorchModel


@pytest.fixture(scope="module")
def engine(torch_spec: EngineSpec) -> Iterator[TransformersEngine]:
    opened = TransformersEngine(torch_spec)
    yield opened
    opened.close()


@pytest.fixture
def context(torch_spec: EngineSpec) -> TorchContext:
    model = TorchModel(torch_spec)
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
