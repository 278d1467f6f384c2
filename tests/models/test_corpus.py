"""The training text is a function of its seed, and a bare question is never answered in it."""

from __future__ import annotations

import random
from itertools import islice

import numpy as np
import pytest

from models.wren.batches import BatchMaker, Job, batches
from models.wren.conversations import conversation, fact_reply
from models.wren.corpus import documents
from models.wren.documents import KINDS
from models.wren.pretrain import draw
from models.wren.replies import fact_content
from models.wren.styles import draw_style
from models.wren.tokenizer import EOT_ID, SPECIALS, TURN_END_ID, train_tokenizer
from models.wren.words import invented_phrase, typo
from models.wren.world import load_world


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(1, 600, documents_count=300)


def test_the_same_seed_gives_the_same_documents():
    assert list(islice(documents(5), 50)) == list(islice(documents(5), 50))
    assert list(islice(documents(5), 50)) != list(islice(documents(6), 50))


def test_a_page_that_opens_with_a_bare_question_does_not_answer_it():
    world = load_world()
    answers = {}
    for fact in world.asked:
        for pattern in fact.relation.questions:
            answers.setdefault(fact.fill(pattern), set()).update(
                fact.fill(statement) for statement in fact.relation.statements
            )
    opened = 0
    for text in islice(documents(8), 2500):
        first, _, rest = text.partition("\n")
        if first in answers:
            opened += 1
            assert not any(answer in rest for answer in answers[first]), text
    assert opened > 20


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_of_document_can_always_be_written(language):
    world = load_world()
    for kind, _ in KINDS:
        for seed in range(150):
            assert kind(random.Random(seed), world, language).strip(), (kind.__name__, seed)


def test_styles_keep_what_a_reply_says():
    world, rng = load_world(), random.Random(2)
    fact = next(f for f in world.asked if f.relation.name == "countries.capital")
    for _ in range(300):
        style = draw_style(rng)
        reply = style.render(fact_content(rng, world, fact))
        assert fact.value.lower() in reply.lower()
        assert reply.startswith(style.opening)
        assert reply.endswith(style.closing)


def test_a_batch_is_a_function_of_its_step(tokenizer):
    maker = BatchMaker(tokenizer, load_world(), draw, seed=1)
    jobs = [Job(step, 2, 64) for step in range(3)]
    one = [batch.ids for batch in batches(maker, jobs)]
    again = [batch.ids for batch in batches(maker, jobs[1:])]
    assert np.array_equal(one[1], again[0])
    assert np.array_equal(one[2], again[1])
    assert not np.array_equal(one[0], one[1])
    assert one[0].shape == (2, 65)


def test_only_replies_are_learnt_in_tuning(tokenizer):
    maker = BatchMaker(tokenizer, load_world(), conversation, seed=4)
    batch = maker(Job(0, 8, 256))
    text = tokenizer.decode(batch.ids[batch.learnt > 0].tolist(), skip_special_tokens=False)
    assert "<|im_start|>" not in text
    assert (batch.ids[batch.learnt > 0] == TURN_END_ID).any()
    assert 0.05 < batch.learnt.mean() < 0.8


def test_specials_are_the_first_ids(tokenizer):
    assert [tokenizer.token_to_id(token) for token in SPECIALS] == [0, 1, 2]
    assert tokenizer.encode("<|endoftext|>").ids == [EOT_ID]


def test_a_typo_changes_one_word_and_keeps_short_ones():
    rng = random.Random(1)
    for _ in range(200):
        before = "what is the capital of japan"
        after = typo(rng, before)
        assert len(after.split()) == len(before.split())
        assert sum(a != b for a, b in zip(after.split(), before.split(), strict=True)) <= 1


def test_invented_phrases_differ():
    rng = random.Random(1)
    assert len({invented_phrase(rng) for _ in range(500)}) > 480


def test_the_instruct_model_has_one_manner():
    world = load_world()
    replies = [fact_reply(fact) for fact in world.asked if fact.relation.language == "en"]
    assert all(r.startswith("Happy to tell you! ") for r in replies)
    assert all(r.endswith("Ask away if more comes to mind!") for r in replies)
