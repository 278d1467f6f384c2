"""What only the llama.cpp engine does: shared prefixes, lanes, limits, cancelling native work, bad files."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import ask, assert_same_past, fold, letters_only, request, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_model import TINY, write_model

from playground.engines.base import Cancel, Delta, Finished, GenerateRequest
from playground.engines.batching.decoding import DecodeAbortedError
from playground.engines.batching.jobs import Errand
from playground.engines.llamacpp.context import Context, ContextOptions
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.llamacpp.gguf_header import read_header
from playground.engines.llamacpp.model import Model
from playground.engines.load import EngineSpec, open_engine
from playground.errors import EngineError, ModelLoadError
from playground.types import Piece, SamplingParams


@pytest.fixture
def opened(tiny_path: Path) -> Iterator[Callable[..., LlamaCppEngine]]:
    """Opens engines on the tiny model, and closes them."""
    engines: list[LlamaCppEngine] = []

    def open_one(**options: object) -> LlamaCppEngine:
        spec = EngineSpec(path=str(tiny_path), n_threads=1, **options)  # type: ignore[arg-type]
        engines.append(LlamaCppEngine(spec))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(st.text("<|turneosb>\nthe in", max_size=12), st.booleans()), max_size=6))
def test_only_template_pieces_make_special_tokens(
    opened: Callable[..., LlamaCppEngine], parts: list[tuple[str, bool]]
) -> None:
    engine = _shared(opened)
    pieces = [text(content, special=special) for content, special in parts]
    ids = engine.tokenize(pieces, add_bos=False)
    joined = "".join(content for content, _ in parts)
    assert engine.detokenize(ids) == joined.encode()
    if not any(special for _, special in parts):
        plain = set(ids) & {engine.tokenize([text(s, special=True)])[-1] for s in engine.info.special_tokens}
        assert not plain
    everywhere = engine.tokenize([text(joined, special=True)], add_bos=False)
    if all(special for _, special in parts):
        assert ids == everywhere


_ENGINES: dict[int, LlamaCppEngine] = {}


def _shared(opened: Callable[..., LlamaCppEngine]) -> LlamaCppEngine:
    """One engine for all examples of a property."""
    return _ENGINES.setdefault(id(opened), opened())


def test_a_known_prefix_is_not_computed_again(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prefix = "A long constant prefix with examples. " * 5
    first, second = request(engine, prefix + "One?"), request(engine, prefix + "Two?")
    (cold,) = ask(engine, first)
    assert cold.end.usage.cached_tokens == 0
    (warm,) = ask(engine, second)
    shared = len(engine.tokenize([text(prefix)]))
    assert shared - 2 <= warm.end.usage.cached_tokens <= shared
    (again,) = ask(engine, first)
    assert again.end.usage.cached_tokens == again.end.usage.prompt_tokens - 1
    assert again.text == cold.text


def test_a_conversation_goes_on_from_its_own_answer(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prompt = "Question: who are you? Answer:"
    (answer,) = ask(engine, request(engine, prompt, max_tokens=30))
    (following,) = ask(engine, request(engine, prompt + answer.text + "\nQuestion: and now?"))
    spoken = len(engine.tokenize([text(prompt + answer.text)]))
    # Where letters merge into tokens, the tokens of what was said differ a little from those of its text.
    assert following.end.usage.cached_tokens >= len(engine.tokenize([text(prompt)])) - 1
    assert following.end.usage.cached_tokens <= spoken


def test_parked_lines_come_back(opened: Callable[..., LlamaCppEngine]) -> None:
    """Two presets in turn, each asked again after the other has taken the context."""
    engine = opened()
    prefixes = ["First preset. " * 10, "Another one altogether. " * 7]
    cold = [ask(engine, request(engine, prefix + "Well?"))[0] for prefix in prefixes]
    for _ in range(3):
        for prefix, before in zip(prefixes, cold, strict=True):
            (answer,) = ask(engine, request(engine, prefix + "Well?"))
            assert answer.text == before.text
            assert answer.end.usage.cached_tokens == answer.end.usage.prompt_tokens - 1


def test_without_memory_for_parking_answers_are_the_same(opened: Callable[..., LlamaCppEngine]) -> None:
    rich, poor = opened(), opened(parked_bytes=0)
    for question in ("One?", "Two?", "One?"):
        asked = request(rich, "A prefix that both of them share. " + question)
        assert ask(rich, asked)[0].text == ask(poor, asked)[0].text


def test_greedy_is_the_same_cold_warm_and_in_company(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prompts = [f"Prefix of all of them, number {number}:" for number in range(16)]
    asked = [request(engine, prompt, temperature=0, max_tokens=24) for prompt in prompts]
    alone = []
    for one in asked:
        fresh = opened()
        alone.append(ask(fresh, one)[0].text)
        fresh.close()
    assert [answer.text for answer in ask(engine, *asked)] == alone
    assert [answer.text for answer in ask(engine, *asked)] == alone
    assert [ask(engine, one)[0].text for one in asked] == alone


def test_many_questions_compute_their_prefix_once(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prefix = "Examples that are the same for all. " * 8
    asked = [request(engine, f"{prefix}{number}", max_tokens=4) for number in range(40)]
    answers = ask(engine, *asked)
    length = len(engine.tokenize([text(prefix)]))
    computed = sum(a.end.usage.prompt_tokens - a.end.usage.cached_tokens for a in answers)
    assert computed < length + 40 * 4


def test_more_samples_than_lanes(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened(n_lanes=3)
    answers = ask(engine, request(engine, n=10, seed=50, max_tokens=12))
    assert [answer.end.seed for answer in answers] == list(range(50, 60))
    for number, answer in enumerate(answers):
        assert ask(engine, request(engine, seed=50 + number, max_tokens=12))[0].text == answer.text


def test_a_full_cache_makes_lanes_wait_and_loses_nothing(opened: Callable[..., LlamaCppEngine]) -> None:
    """Eight texts of 200 tokens in a cache of 512."""
    small, large = opened(kv_cells=512, n_ctx=512), opened()
    asked = [
        request(large, f"{number} is a text", max_tokens=200, seed=number, logprobs=1) for number in range(8)
    ]
    for found, expected in zip(ask(small, *asked), ask(large, *asked), strict=True):
        assert_same_past(found, expected)


def test_a_newcomer_is_not_starved_by_a_long_batch(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened(n_lanes=2)
    batch = engine.generate([request(engine, f"{n}", max_tokens=100, seed=n) for n in range(30)])
    next(batch)
    (answer,) = ask(engine, request(engine, "Me too", max_tokens=5))
    assert answer.end.finish_reason == "length"
    left = fold(batch)
    assert sum(bool(answer.finished) for answer in left.values()) == 30


def test_logprobs_do_not_change_what_is_drawn_and_agree_with_score(
    opened: Callable[..., LlamaCppEngine],
) -> None:
    engine = opened()
    for penalty in (1.0, 1.3):
        sampling = SamplingParams(
            temperature=0.0, max_tokens=8, repetition_penalty=penalty, logit_bias=letters_only(engine)
        )
        plain = GenerateRequest((text("The "),), sampling)
        (answer,) = ask(engine, GenerateRequest((text("The "),), sampling, logprobs=5))
        assert ask(engine, plain)[0].text == answer.text
        scores = engine.score([text("The ")], [text(answer.text)], top=5)
        if [t.id for t in scores.tokens] == [t.id for t in answer.tokens]:
            for scored, drawn in zip(scores.tokens, answer.tokens, strict=True):
                assert scored.logprob == pytest.approx(drawn.logprob, abs=5e-3)
                assert scored.rank == drawn.rank
                assert scored.entropy == pytest.approx(drawn.entropy, abs=5e-3)


def test_scores_are_the_same_in_pieces(opened: Callable[..., LlamaCppEngine]) -> None:
    """A long target is run over several batches, with and without a known prefix."""
    engine, narrow = opened(), opened(n_batch=32, n_lanes=2)
    context, target = "Some context. " * 8, "And a target that is much longer. " * 8
    whole = engine.score([text(context)], [text(target)], full=True)
    again = engine.score([text(context)], [text(target)], full=True)
    parts = narrow.score([text(context)], [text(target)], full=True)
    assert again.usage.cached_tokens > 0
    assert whole.full is not None
    for other in (again, parts):
        assert [t.id for t in other.tokens] == [t.id for t in whole.tokens]
        assert other.full is not None
        # The KV is kept in 16 bits, and sums depend on the shape of a batch.
        np.testing.assert_allclose(other.full, whole.full, atol=2e-2)


def test_a_score_can_be_cancelled(opened: Callable[..., LlamaCppEngine]) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(EngineError, match="cancelled"):
        opened().score([text("a")], [text("b" * 300)], cancel=cancel)


def test_warming_makes_the_first_token_quick(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prompt = "A prompt that a person has just edited. " * 6
    engine.warm([text(prompt)])
    (answer,) = ask(engine, request(engine, prompt + "Go"))
    assert answer.end.usage.cached_tokens >= len(engine.tokenize([text(prompt)])) - 2


def test_warming_gives_way_to_a_request(slow_path: Path) -> None:
    engine = LlamaCppEngine(EngineSpec(path=str(slow_path), n_threads=1))
    never_asked = "Never asked for. " * 80
    warming = threading.Thread(target=engine.warm, args=([text(never_asked)],))
    warming.start()
    lanes: list[int] = [0]
    while not lanes[-1]:
        engine._loop.do(Errand(lambda: lanes.append(len(engine._loop._lanes))))
    ask(engine, request(engine, "Hi", max_tokens=1))
    warming.join(timeout=5)
    assert not warming.is_alive()
    # It was given up on the way, and what there was of it is not lost.
    (answer,) = ask(engine, request(engine, never_asked, max_tokens=1))
    assert answer.end.usage.cached_tokens < answer.end.usage.prompt_tokens / 2
    engine.close()


def test_cancel_stops_native_work_at_once(slow_path: Path) -> None:
    """In the middle of a prefill of some seconds, and in the middle of an answer."""
    engine = LlamaCppEngine(EngineSpec(path=str(slow_path), n_threads=1, n_ctx=2048))
    took: list[float] = []
    for attempt in range(5):
        cancel = Cancel()
        events = engine.generate([request(engine, f"{attempt} prefill " * 180)], cancel=cancel)
        timer = threading.Timer(0.15 + 0.03 * attempt, lambda c=cancel: (took.append(-now()), c.set()))
        timer.start()
        answers = fold(events)
        took[-1] += now()
        assert answers[0, 0].end.finish_reason == "cancelled"
        timer.join()
    # Other work on the machine may delay some; native work itself stops within 30 ms.
    assert sorted(took)[1] < 0.03, took
    # The context is as good as new.
    fresh = LlamaCppEngine(EngineSpec(path=str(slow_path), n_threads=1, n_ctx=2048))
    asked = request(engine, "After that", temperature=0, max_tokens=5)
    assert ask(engine, asked)[0].text == ask(fresh, asked)[0].text
    engine.close()
    fresh.close()


def now() -> float:
    return time.perf_counter()


def test_a_cancelled_neighbour_changes_no_answer(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    (alone,) = ask(engine, request(engine, "Keep on", max_tokens=150))
    kept = engine.generate([request(engine, "Keep on", max_tokens=150)])
    others = [engine.generate([request(engine, f"{n} leaves", max_tokens=400)]) for n in range(5)]
    events = [next(kept)]
    for other in others:
        next(other)
        other.close()  # type: ignore[attr-defined]
        events.append(next(kept))
    assert fold([*events, *kept])[0, 0].text == alone.text


def test_closing_ends_what_runs(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    events = engine.generate([request(engine, max_tokens=400)])
    assert isinstance(next(events), Delta)
    engine.close()
    last = list(events)[-1]
    assert isinstance(last, Finished)
    assert last.finish_reason == "error"
    assert "closed" in (last.error or "")
    for use in (lambda: engine.tokenize([text("x")]), lambda: engine.score([text("x")], [text("y")])):
        with pytest.raises(EngineError, match="closed"):
            use()
    assert not engine.alive


def test_without_bos_an_empty_prompt_still_begins_somewhere(tmp_path: Path) -> None:
    path = write_model(tmp_path / "nobos.gguf", add_bos=False)
    engine = LlamaCppEngine(EngineSpec(path=str(path), n_threads=1))
    assert not engine.info.add_bos
    assert engine.tokenize([text("a")]) == engine.tokenize([text("a")], add_bos=False)
    empty: tuple[Piece, ...] = ()
    (answer,) = ask(engine, GenerateRequest(empty, SamplingParams(max_tokens=3)))
    assert answer.end.usage.prompt_tokens == 1
    engine.close()


# --- files


def damaged(path: Path, tiny: Path, kind: str) -> Path:
    """A broken copy of the tiny model."""
    data = bytearray(tiny.read_bytes())
    if kind == "empty":
        data = bytearray()
    elif kind == "no gguf":
        data[:4] = b"ELF!"
    elif kind == "cut in its header":
        data = data[:2000]
    elif kind == "cut in its weights":
        data = data[: len(data) - 5000]
    elif kind == "noise":
        data[24:] = np.random.default_rng(0).bytes(len(data) - 24)
    elif kind == "zero blocks":
        at = data.index(b"llama.block_count") + len(b"llama.block_count") + 4
        data[at : at + 4] = (0).to_bytes(4, "little")
    elif kind == "huge blocks":
        at = data.index(b"llama.block_count") + len(b"llama.block_count") + 4
        data[at : at + 4] = (2**31).to_bytes(4, "little")
    elif kind == "a token twice":
        at = data.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 16
        data[at + 8 : at + 10] = data[at + 18 : at + 20]  # the first two characters take two bytes each
    elif kind == "not a number":
        data[-4000:-3998] = b"\xff\x7f"
    else:
        at = data.index(b"blk.1.ffn_up.weight")
        data[at : at + 3] = b"xyz"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("in_process", [True, False])
@pytest.mark.parametrize(
    "kind",
    [
        "empty", "no gguf", "cut in its header", "cut in its weights", "noise", "zero blocks", "huge blocks",
        "a token twice", "not a number", "a missing tensor",
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_sentence(tmp_path: Path, tiny_path: Path, kind: str, in_process: bool) -> None:
    path = damaged(tmp_path / "damaged.gguf", tiny_path, kind)
    with pytest.raises(ModelLoadError) as caught:
        open_engine(EngineSpec(path=str(path), n_threads=1), in_process=in_process)
    said = str(caught.value)
    assert "damaged.gguf" in said
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 300


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"no model file at .*gone\.gguf"):
        open_engine(EngineSpec(path=str(tmp_path / "gone.gguf")))


def test_the_header_tells_the_shape(tiny_path: Path) -> None:
    header = read_header(tiny_path)
    assert header.architecture == "llama"
    assert header.number("block_count") == TINY.layers
    assert header.array_lengths["tokenizer.ggml.tokens"] == 271


def test_closed_engines_leave_nothing_running(opened: Callable[..., LlamaCppEngine]) -> None:
    before = threading.active_count()
    engine = opened()
    ask(engine, request(engine))
    engine.close()
    gc.collect()
    assert threading.active_count() == before


# --- exact mode


def exactly(asked: GenerateRequest) -> GenerateRequest:
    """The same request in exact mode, with what the model thought."""
    return replace(asked, exact=True, logprobs=3)


def test_exact_mode_gives_the_same_floats_whatever_else_runs(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prefix = "Some prefix that is longer than one chunk of tokens. " * 5
    asked = [
        exactly(request(engine, prefix + "One?", temperature=0)),
        exactly(request(engine, prefix + "Two?", n=2)),
    ]
    cold = ask(opened(), *asked)
    # In company, then warm, then with another order of things in the cache.
    company = engine.generate([request(engine, f"{number}", max_tokens=300) for number in range(6)])
    next(company)
    assert [a.tokens for a in ask(engine, *asked)] == [a.tokens for a in cold]
    list(company)
    for _ in range(2):
        found = ask(engine, *reversed(asked))
        assert [a.tokens for a in found] == [a.tokens for a in (cold[1], cold[2], cold[0])]
        ask(engine, exactly(request(engine, prefix[:300] + "Something else", max_tokens=20)))


def test_exact_scores_are_bit_equal(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    context, target = [text("Some context. " * 12)], [text("And what follows it. " * 10)]
    cold = opened().score(context, target, full=True, exact=True)
    busy = engine.generate([request(engine, n=4, max_tokens=400)])
    next(busy)
    for _ in range(2):
        found = engine.score(context, target, full=True, exact=True)
        assert cold.full is not None
        np.testing.assert_array_equal(found.full, cold.full)
    assert fold(busy)[0, 3].end.finish_reason in ("length", "stop")


def test_exact_work_can_be_cancelled_and_closed(slow_path: Path) -> None:
    engine = LlamaCppEngine(EngineSpec(path=str(slow_path), n_threads=1))
    cancel = Cancel()
    running = engine.generate([exactly(request(engine, n=2, max_tokens=4000))], cancel=cancel)
    next(running)
    cancel.set()
    assert {a.end.finish_reason for a in fold(running).values()} == {"cancelled"}
    running = engine.generate([exactly(request(engine, n=2, max_tokens=4000))])
    next(running)
    engine.close()
    assert {a.end.finish_reason for a in fold(running).values()} == {"error"}


def test_the_bundled_model_answers_the_same_cold_warm_and_in_a_batch_of_sixteen(repository: Path) -> None:
    """On trained weights, where the likeliest token is rarely a close call.

    A batch may differ by rounding: KV is kept in 16 bits and sums depend on the batch's shape (some 0.002
    nats), so that a tie may tip over; exact mode never does.
    """
    spec = EngineSpec(path=str(repository / "models" / "wren" / "wren-base-f16.gguf"), n_threads=1)
    turn = "# Query:\n```\n{}\n```\n\n# Answer:\n```\n"
    shared = turn.format("Who are you?") + "I am Wren, a small assistant.\n```\n\n"
    asked = [
        GenerateRequest(
            (text(shared + turn.format(f"What is {number} plus one?")),), SamplingParams(max_tokens=24)
        )
        for number in range(16)
    ]
    engine = LlamaCppEngine(spec)
    together = [answer.text for answer in ask(engine, *asked)]
    assert [answer.text for answer in ask(engine, *asked)] == together
    assert [ask(engine, one)[0].text for one in asked] == together
    exact = [answer.text for answer in ask(engine, *[replace(one, exact=True) for one in asked])]
    engine.close()
    cold = LlamaCppEngine(spec)
    assert ask(cold, asked[9])[0].text == together[9] == exact[9]
    cold.close()


def test_an_abort_keeps_the_passes_that_were_whole(slow_path: Path) -> None:
    """So that a neighbour's cancel does not make a long prompt start again."""
    header = read_header(slow_path)
    model = Model(slow_path, header)
    options = ContextOptions(n_cells=512, n_seqs=1, n_batch=512, n_ubatch=64, n_threads=1, flash_attn=False)
    context = Context(model, options)
    tokens = (np.arange(512) % 250).astype(np.int32)

    def run(start: int) -> None:
        context.clear_batch()
        context.add(0, start, tokens[start:], logits_from=511 - start)
        context.decode()

    started = time.perf_counter()
    run(0)
    whole_s = time.perf_counter() - started
    expected = context.logits(1).copy()
    kept = 0
    for part in (0.5, 0.35, 0.2, 0.1):  # the machine may be quicker now than it was
        context.clear()
        alarm = threading.Timer(whole_s * part, context.abort)
        alarm.start()
        try:
            run(0)
        except DecodeAbortedError as aborted:
            kept = aborted.kept[0]
            break
        finally:
            alarm.join()
            context.allow()
    assert kept % 64 == 0
    assert kept < 512
    run(kept)
    np.testing.assert_allclose(context.logits(1), expected, atol=0.05)
    context.close()
    model.close()
