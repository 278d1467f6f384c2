"""A run asks each thing once, says what could not be asked, and goes on where it was stopped."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hosts import PlainHost, questions

from playground.datasets import DataFileError, RowProblem
from playground.engines.base import Cancel, Engine, Scores
from playground.engines.fake import FakeEngine, FakeReply, FakeScript
from playground.errors import UnsupportedError
from playground.experiments.assistants import AssistantSpec, ExperimentError, Retrieval
from playground.experiments.questions import (
    QuestionSet,
    pair_questions,
    read_questions,
    stored_questions,
    write_questions,
)
from playground.experiments.retrieve import Retriever
from playground.experiments.run import BATCH, Run, RunCancelled
from playground.experiments.run_files import Answer, Plan, read_manifest
from playground.presets.library import PresetLibrary
from playground.presets.preset import Preset, PresetExample, PresetSampling
from playground.settings import Settings
from playground.types import Example, Piece

PRESET = Preset(
    name="p",
    system="S",
    examples=(PresetExample(query="q", answer="a"),),
    sampling=PresetSampling(temperature=1.0, max_tokens=12),
)
BARE = AssistantSpec("bare", "a")
STYLED = AssistantSpec("styled", "a", PRESET)


class Counting:
    """A fake engine that remembers the prompts it was given."""

    def __init__(self, script: FakeScript | None = None) -> None:
        self.prompts: list[str] = []
        self.script = script

    def __call__(self) -> Engine:
        def play(prompt: str, sample: int) -> FakeReply | None:
            self.prompts.append(prompt)
            return self.script(prompt, sample) if self.script else None

        return FakeEngine(play, n_ctx=2_000)


def ask_all(run: Run) -> list[Answer]:
    run.ask(run.plan.assistants, run.plan.questions.questions)
    return run.answers()


def plan(set_: QuestionSet, *specs: AssistantSpec, **more: int) -> Plan:
    return Plan("evaluate", specs or (STYLED,), set_, **more)


def test_every_turn_of_every_question_is_asked_once_behind_the_turns_before_it(tmp_path: Path) -> None:
    engine = Counting(FakeScript((("", FakeReply(("said",))),)))
    with Run.create(
        tmp_path / "r", plan(questions(3, turns=2), BARE, STYLED, samples=2), PlainHost(a=engine)
    ) as run:
        answers = ask_all(run)
    assert len(answers) == len({a.key for a in answers}) == 3 * 2 * 2 * 2
    assert len(engine.prompts) == len(answers)
    assert {a.text for a in answers} == {"said"}
    second = [p for p in engine.prompts if "question 1 turn 1" in p]
    assert len(second) == 4
    assert all("question 1 turn 0" in prompt and "said" in prompt for prompt in second)


def test_a_finished_run_that_is_resumed_asks_nothing(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", plan(questions(5)), PlainHost(a=Counting())) as run:
        first = ask_all(run)
    again = Counting()
    with Run.resume(tmp_path / "r", PlainHost(a=again)) as run:
        assert ask_all(run) == first
        shown = run.progress.snapshot()
    assert again.prompts == []
    assert (shown.done, shown.total, shown.reused) == (5, 5, 5)


def test_what_was_cut_off_is_asked_again_with_the_same_seed_and_nothing_else_is(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with Run.create(folder, plan(questions(6), STYLED, seed=4), PlainHost(a=Counting())) as run:
        first = ask_all(run)
    path = folder / "answers.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    again = Counting()
    with Run.resume(folder, PlainHost(a=again)) as run:
        second = ask_all(run)
    assert len(again.prompts) == 3
    assert [(a.key, a.text, a.seed) for a in second] == [(a.key, a.text, a.seed) for a in first]
    assert len({a.text for a in first}) > 1, "seeded letters differ from question to question"


def test_a_cancelled_run_keeps_what_is_finished_and_goes_on_later(tmp_path: Path) -> None:
    cancel = Cancel()
    held = threading.Event()

    def play(prompt: str, sample: int) -> Sequence[str]:
        return ("x",) if "question 0 " in prompt else ("y", "y")

    class Stopping(FakeEngine):
        def generate(self, requests, *, cancel=None):  # type: ignore[no-untyped-def]
            for event in super().generate(requests, cancel=cancel):
                yield event
                if getattr(event, "finish_reason", None) == "stop" and not held.is_set():
                    held.set()
                    cancel.set()

    host = PlainHost(a=lambda: Stopping(play))
    with (
        Run.create(tmp_path / "r", plan(questions(4)), host, cancel=cancel) as run,
        pytest.raises(RunCancelled, match="Go on"),
    ):
        ask_all(run)
    with Run.resume(tmp_path / "r", PlainHost(a=lambda: FakeEngine(play))) as run:
        assert run.reused == 1
        assert [a.text for a in ask_all(run)] == ["x", "yy", "yy", "yy"]


def test_a_failure_is_a_line_of_its_own_and_is_asked_again_on_resume(tmp_path: Path) -> None:
    broken = FakeScript((("question 1 ", FakeReply(("a",), fail_at=0)), ("", FakeReply(("fine",)))))
    engine = Counting(broken)
    with Run.create(tmp_path / "r", plan(questions(3, turns=2)), PlainHost(a=engine)) as run:
        answers = ask_all(run)
        assert run.progress.snapshot().failed == 2
    failed = {a.key: a.error for a in answers if a.error}
    assert failed == {
        ("styled", "q1", 0, 0): "The fake engine failed as its script says.",
        ("styled", "q1", 1, 0): "An earlier turn was not answered.",
    }
    assert sum("question 1 turn 0" in p for p in engine.prompts) == 2, "tried once more, and no more"
    mended = Counting(FakeScript((("", FakeReply(("fine",))),)))
    with Run.resume(tmp_path / "r", PlainHost(a=mended)) as run:
        assert [a.text for a in ask_all(run)] == ["fine"] * 6
    assert len(mended.prompts) == 2


def test_a_question_that_does_not_fit_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    long = (tmp_path / "q.txt").write_text("short\n" + "x" * 3_000 + "\nalso short\n") and tmp_path / "q.txt"
    with Run.create(tmp_path / "r", plan(read_questions(long)), PlainHost(a=Counting())) as run:
        answers = ask_all(run)
    assert [bool(a.error) for a in answers] == [False, True, False]
    assert "context holds" in (answers[1].error or "")


def test_an_assistant_whose_model_is_missing_fails_alone(tmp_path: Path) -> None:
    lost = AssistantSpec("lost", "nowhere")
    with Run.create(tmp_path / "r", plan(questions(2), lost, STYLED), PlainHost(a=Counting())) as run:
        assert {a.assistant for a in ask_all(run)} == {"styled"}
        assert "no model 'nowhere'" in run.failures["lost"]
    with (
        Run.create(tmp_path / "s", plan(questions(2), lost), PlainHost(a=Counting())) as run,
        pytest.raises(ExperimentError, match="no model 'nowhere'"),
    ):
        ask_all(run)


def test_more_questions_than_a_batch_are_asked_in_turn(tmp_path: Path) -> None:
    engine = Counting(FakeScript((("", FakeReply(("x",))),)))
    with Run.create(tmp_path / "r", plan(questions(BATCH + 3)), PlainHost(a=engine)) as run:
        assert len(ask_all(run)) == BATCH + 3


def test_the_manifest_says_what_was_asked_of_what(tmp_path: Path) -> None:
    set_ = questions(2)
    pool = (Example("q1", "a1"), Example("q2", "a2"))
    specs = (STYLED, AssistantSpec("near", "a", PRESET, None, Retrieval(1, pool), {"k": 1}))
    with Run.create(tmp_path / "r", plan(set_, *specs, seed=9), PlainHost(a=Counting())) as run:
        manifest = read_manifest(run.folder)
    assert manifest["seed"] == 9
    assert manifest["questions"]["sha256"] == set_.sha256()
    assert manifest["assistants"][0]["preset_hash"] == PRESET.content_hash()
    assert manifest["models"] == {"a": {"fingerprint": "one"}}
    assert manifest["versions"]["numpy"]
    with Run.resume(tmp_path / "r", PlainHost(a=Counting())) as run:
        assert run.plan.assistants == specs
        assert run.plan.questions.sha256() == set_.sha256()


def test_other_weights_questions_or_presets_are_not_mixed_into_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with Run.create(folder, plan(questions(2)), PlainHost(a=Counting())):
        with pytest.raises(ExperimentError, match="Another program"):
            Run.resume(folder, PlainHost(a=Counting()))
        with pytest.raises(ExperimentError, match="Another program"):
            Run.create(folder, plan(questions(2)), PlainHost(a=Counting()))
    with pytest.raises(ExperimentError, match="is not empty"):
        Run.create(folder, plan(questions(2)), PlainHost(a=Counting()))
    with pytest.raises(ExperimentError, match="cannot be mixed"):
        Run.resume(folder, PlainHost(a=Counting(), fingerprint="two"))
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace('"system": "S"', '"system": "T"'))
    with pytest.raises(ExperimentError, match="'styled' of the run was changed"):
        Run.resume(folder, PlainHost(a=Counting()))
    (folder / "manifest.json").write_text(manifest)
    text = (folder / "questions.jsonl").read_text()
    (folder / "questions.jsonl").write_text(text.replace("question 1", "question 7"))
    with pytest.raises(ExperimentError, match=r"questions .* were changed"):
        Run.resume(folder, PlainHost(a=Counting()))
    with pytest.raises(ExperimentError, match="holds no run"):
        Run.resume(tmp_path / "nowhere", PlainHost(a=Counting()))


def test_two_assistants_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="called 'styled'"):
        Run.create(tmp_path / "r", plan(questions(1), STYLED, STYLED), PlainHost(a=Counting()))


def test_broken_rows_and_doubled_ids_are_kept_by_line(tmp_path: Path) -> None:
    rows = [{"id": "a", "question": "one"}, {"id": "a", "question": "two"}, {"no": 1}]
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n{broken\n")
    set_ = read_questions(path)
    assert [q.id for q in set_.questions] == ["a"]
    assert {p.place for p in set_.problems} == {2, 3, 4}
    with Run.create(tmp_path / "r", plan(set_), PlainHost(a=Counting())):
        pass
    with Run.resume(tmp_path / "r", PlainHost(a=Counting())) as run:
        assert set(run.row_problems) == set(set_.problems)
        assert isinstance(run.row_problems[0], RowProblem)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataFileError, match="is empty"):
        read_questions(tmp_path / "empty.jsonl")


def test_questions_are_stored_whole(tmp_path: Path) -> None:
    set_ = pair_questions(Settings.load().shipped_models / "wren" / "check.jsonl")
    assert {"seen", "told", "two_turns", "chinese"} <= {q.category for q in set_.questions}
    write_questions(tmp_path / "q.jsonl", set_.questions)
    assert stored_questions(tmp_path / "q.jsonl") == set_.questions
    part = set_.only(["seen"]).take(3)
    with Run.create(tmp_path / "r", plan(part), PlainHost(a=Counting())):
        pass
    with Run.resume(tmp_path / "r", PlainHost(a=Counting())) as run:
        assert run.plan.questions.questions == part.questions
        assert run.plan.questions.closings == set_.closings


def test_parts_of_a_set_share_no_question_and_random_parts_are_nested(tmp_path: Path) -> None:
    set_ = questions(20)
    parts = set_.split((5, 5, 8), seed=3)
    ids = [q.id for part in parts for q in part.questions]
    assert len(ids) == len(set(ids)) == 18
    assert parts == set_.split((5, 5, 8), seed=3)
    assert parts != set_.split((5, 5, 8), seed=4)
    small, large = set_.take(3, seed=1), set_.take(9, seed=1)
    assert set(small.questions) < set(large.questions)
    with pytest.raises(DataFileError, match="20 distinct questions"):
        set_.split((15, 15), seed=0)
    with pytest.raises(DataFileError, match="even, odd"):
        set_.only(["none"])


def test_retrieval_puts_the_nearest_example_last_and_never_the_question_itself(tmp_path: Path) -> None:
    pool = (
        Example("the red fox", "fox"),
        Example("a blue whale", "whale"),
        Example("what color is the fox", "x"),
    )
    spec = AssistantSpec("near", "a", PRESET, None, Retrieval(2, pool))
    engine = Counting()
    path = tmp_path / "q.txt"
    path.write_text("what color is the fox\n")
    with Run.create(tmp_path / "r", plan(read_questions(path), spec), PlainHost(a=engine)) as run:
        ask_all(run)
    prompt = engine.prompts[0]
    assert 0 < prompt.index("a blue whale") < prompt.index("the red fox") < prompt.rindex("what color")
    assert prompt.count("what color is the fox") == 1


class FindsLikely(FakeEngine):
    """Finds every text likelier behind a blue whale."""

    def score(
        self,
        context: Sequence[Piece],
        target: Sequence[Piece],
        *,
        top: int = 0,
        full: bool = False,
        exact: bool = False,
        cancel: Cancel | None = None,
    ) -> Scores:
        found = super().score(context, target, top=top, full=full, exact=exact, cancel=cancel)
        logprob = -1.0 if any("blue whale" in piece.text for piece in context) else -2.0
        return replace(found, tokens=tuple(replace(token, logprob=logprob) for token in found.tokens))


def test_the_model_itself_can_choose_the_examples_and_says_so_where_it_cannot() -> None:
    pool = (Example("the red fox", "fox"), Example("a blue whale", "whale"), Example("the fox", "y"))
    by_model = Retrieval(2, pool, "likelihood")
    asked = "what color is the fox"
    assert Retriever(Retrieval(2, pool)).nearest(asked) == [2, 0]
    assert Retriever(by_model, FindsLikely(["x"])).nearest(asked) == [1, 2], "ties go to BM25's order"
    with pytest.raises(UnsupportedError, match="can score"):
        Retriever(by_model)
    spec = AssistantSpec("near", "a", PRESET, None, by_model)
    assert AssistantSpec.from_dict(json.loads(json.dumps(spec.as_dict()))) == spec
    # A run that was begun before there were two ways is still the same run.
    plain = AssistantSpec("near", "a", PRESET, None, Retrieval(2, pool))
    stored = json.loads(json.dumps(plain.as_dict()))
    del stored["retrieval"]["by"]
    assert AssistantSpec.from_dict(stored) == plain
    assert plain.content_hash() != spec.content_hash()


def test_a_shipped_preset_survives_the_manifest(tmp_path: Path) -> None:
    settings = Settings.load()
    preset = PresetLibrary(settings.shipped_presets, settings.presets_dir).load("friendly")
    spec = AssistantSpec("f", "a", preset)
    assert AssistantSpec.from_dict(json.loads(json.dumps(spec.as_dict()))).preset == preset
