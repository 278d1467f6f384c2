"""The training loop: a toy learns, and an interrupted run ends where an unbroken one does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from models.wren.batches import BatchMaker  # noqa: E402
from models.wren.network import Llama, Shape  # noqa: E402
from models.wren.optimizer import orthogonalise  # noqa: E402
from models.wren.pretrain import draw  # noqa: E402
from models.wren.recipe import RECIPES  # noqa: E402
from models.wren.tokenizer import train_tokenizer  # noqa: E402
from models.wren.training import Plan, train  # noqa: E402
from models.wren.world import load_world  # noqa: E402

SHAPE = Shape(vocabulary=400, width=32, layers=1, heads=2, kv_heads=2, hidden=48, context=64)
PLAN = Plan("toy", 12, 128, ((0.5, 32), (0.5, 64)), 6e-3, warmup=2)


@pytest.fixture(scope="module")
def maker():
    return BatchMaker(train_tokenizer(1, SHAPE.vocabulary, documents_count=150), load_world(), draw, 1)


def _run(folder, maker, plan=PLAN):
    torch.manual_seed(0)
    return train(Llama(SHAPE), maker, plan, folder, compiled=False)


def test_an_interrupted_run_ends_where_an_unbroken_one_does(tmp_path, maker, monkeypatch):
    whole = _run(tmp_path / "whole", maker)

    def stop_at(self, step):
        if step == 7:
            raise KeyboardInterrupt
        return original(self, step)

    original = Plan.rate
    monkeypatch.setattr(Plan, "rate", stop_at)
    monkeypatch.setattr("models.wren.training.CHECKPOINT_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "broken", maker)
    monkeypatch.setattr(Plan, "rate", original)
    resumed = _run(tmp_path / "broken", maker)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_toy_learns(tmp_path, maker):
    _run(tmp_path, maker, replace(PLAN, steps=60))
    last = json.loads((tmp_path / "toy.jsonl").read_text().splitlines()[-1])
    assert last["loss"] < 5.9
    assert last["eta_s"] == 0


def test_the_rate_rises_stays_and_falls_to_nothing():
    plan = Plan("p", 100, 64, ((1.0, 64),), 1.0, flat=0.5, warmup=10)
    rates = [plan.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == rates[50] == 1.0
    assert rates[99] == pytest.approx(0.02)


def test_rows_grow_longer_as_training_goes_on():
    for recipe in RECIPES.values():
        lengths = [recipe.pretraining.job(step).length for step in range(recipe.pretraining.steps)]
        assert lengths == sorted(lengths)
        assert max(lengths) <= recipe.shape.context


def test_orthogonalised_matrices_are_nearly_orthogonal():
    torch.manual_seed(0)
    stack = orthogonalise(torch.randn(3, 24, 40))
    singular = torch.linalg.svdvals(stack)
    assert singular.min() > 0.5
    assert singular.max() < 1.4
