"""The workbench over the fake engine: what it wires, and what it says when something fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from playground.chat.compare import SideDelta, SideFinished, SideStarted
from playground.chat.conversation import Conversation
from playground.engines.base import Cancel, Engine
from playground.engines.fake import FakeEngine, FakeReply, FakeScript
from playground.errors import EngineError, ModelLoadError, PlaygroundError
from playground.models.catalog import ModelEntry
from playground.presets.preset import Preset, PresetExample
from playground.services import DRAFT, SideSpec, Workbench
from playground.services.judging import judge_answers
from playground.settings import Settings
from playground.types import Message, Piece, Reply

DRAFT_PRESET = Preset(name="d", system="Sys", examples=(PresetExample(query="q", answer="ä"),))


def _workbench(
    tmp_path: Path, script: FakeScript, opener: Callable[[ModelEntry], Engine] | None = None
) -> Workbench:
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path)})
    return Workbench(settings, opener=opener or (lambda entry: FakeEngine(script)))


def test_both_sides_answer_in_one_stream_and_are_kept_apart(tmp_path: Path) -> None:
    script = FakeScript((("", FakeReply(("one ", "two"))),))
    with _workbench(tmp_path, script) as workbench:
        sides = [("A", SideSpec("wren/base", DRAFT)), ("B", SideSpec("wren/base", "none"))]
        events = list(workbench.run(sides, DRAFT_PRESET, Conversation().ask("hi")))
    for side, start in (("A", "Sys\n"), ("B", "hi")):
        mine = [event for event in events if event.side == side]
        assert isinstance(mine[0], SideStarted)
        assert mine[0].prompt.text.startswith(start)
        assert isinstance(mine[-1], SideFinished)
        assert mine[-1].reply.text == "one two"
        assert "".join(e.text for e in mine if isinstance(e, SideDelta)) == "one two"
        assert sum(isinstance(e, SideFinished) for e in mine) == 1


def test_one_side_that_cannot_load_is_that_sides_error(tmp_path: Path) -> None:
    def opener(entry: ModelEntry) -> Engine:
        if entry.kind == "instruct":
            raise ModelLoadError("The file is broken; get it again.")
        return FakeEngine(FakeScript((("", FakeReply(("fine",))),)))

    with _workbench(tmp_path, FakeScript(), opener) as workbench:
        sides = [("A", SideSpec("wren/base", DRAFT)), ("B", SideSpec("wren/instruct", "none"))]
        done = {
            e.side: e.reply
            for e in workbench.run(sides, DRAFT_PRESET, Conversation().ask("hi"))
            if isinstance(e, SideFinished)
        }
        assert done["A"].text == "fine"
        assert done["B"].error == "The file is broken; get it again."
        assert done["B"].text == ""
        states = {state.id: state for state in workbench.model_states()}
        assert states["wren/base"].status == "ready"
        assert states["wren/instruct"].status == "failed"
        assert "broken" in states["wren/instruct"].detail


def test_a_state_tells_what_the_engine_lacks_and_why(tmp_path: Path) -> None:
    with _workbench(tmp_path, FakeScript()) as workbench:
        nothing = {"device": "", "dtype": "", "lacks": {}, "estimated_counts": False}
        assert all(state.facts() == nothing for state in workbench.model_states())
        workbench.engine("wren/base")
        told = {state.id: state.facts() for state in workbench.model_states()}
    assert told["wren/base"]["device"] == "cpu"
    assert told["wren/base"]["lacks"].keys() == {"exact", "embed"}
    assert told["wren/instruct"] == nothing


def test_a_model_is_loaded_once_however_many_ask(tmp_path: Path) -> None:
    loads: list[str] = []
    gate = threading.Event()

    def opener(entry: ModelEntry) -> Engine:
        loads.append(entry.id)
        gate.wait(5)
        return FakeEngine(FakeScript())

    with _workbench(tmp_path, FakeScript(), opener) as workbench:
        found: list[Engine] = []
        threads = [
            threading.Thread(target=lambda: found.append(workbench.engine("wren/base"))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join()
        assert loads == ["wren/base"]
        assert len({id(engine) for engine in found}) == 1


def test_a_failed_load_is_tried_again(tmp_path: Path) -> None:
    outcomes: list[Exception | None] = [ModelLoadError("not yet"), None]

    def opener(entry: ModelEntry) -> Engine:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return FakeEngine(FakeScript())

    with _workbench(tmp_path, FakeScript(), opener) as workbench:
        with pytest.raises(ModelLoadError, match="not yet"):
            workbench.engine("wren/base")
        assert workbench.engine("wren/base").alive


def test_an_unforeseen_failure_of_loading_is_one_sentence(tmp_path: Path) -> None:
    def opener(entry: ModelEntry) -> Engine:
        raise RuntimeError("native trouble")

    with (
        _workbench(tmp_path, FakeScript(), opener) as workbench,
        pytest.raises(EngineError, match="could not be loaded: native trouble"),
    ):
        workbench.engine("wren/base")


def test_cancel_ends_every_side(tmp_path: Path) -> None:
    endless = FakeScript((("", FakeReply(("word ",), delay_s=0.01, repeat=True)),))
    with _workbench(tmp_path, endless) as workbench:
        cancel = Cancel()
        sides = [("A", SideSpec("wren/base", DRAFT)), ("B", SideSpec("wren/base", "none"))]
        done = []
        for event in workbench.run(sides, DRAFT_PRESET, Conversation().ask("hi"), cancel=cancel):
            if isinstance(event, SideDelta):
                cancel.set()
            if isinstance(event, SideFinished):
                done.append(event.reply.finish_reason)
        assert done == ["cancelled", "cancelled"]


def test_preview_is_what_is_sent_and_counts_every_token_once(tmp_path: Path) -> None:
    with _workbench(tmp_path, FakeScript((("", FakeReply(("x",))),))) as workbench:
        side = SideSpec("wren/base", DRAFT)
        talk = Conversation().ask("hi 中")
        view = workbench.preview(side, DRAFT_PRESET, talk.messages("A"))
        sent = next(e for e in workbench.run([("A", side)], DRAFT_PRESET, talk) if isinstance(e, SideStarted))
        assert view.prompt == sent.prompt
        counts = view.counts
        bos = len(view.ids) - len(workbench.engine("wren/base").tokenize(view.prompt.pieces, add_bos=False))
        assert counts.total == len(view.ids)
        assert counts.system + sum(counts.examples) + counts.history + counts.turn + bos == counts.total
        assert counts.examples[0] > 0


def test_a_prompt_that_does_not_fit_is_shown_with_the_reason(tmp_path: Path) -> None:
    with _workbench(tmp_path, FakeScript()) as workbench:
        n_ctx = workbench.engine("wren/base").info.n_ctx
        draft = Preset(name="d", system="word " * n_ctx)
        view = workbench.preview(SideSpec("wren/base", DRAFT), draft, [Message("user", "hi")])
        assert view.error is not None
        assert "context holds" in view.error
        assert view.prompt.text.startswith("word word")


def test_an_instruct_model_without_a_template_is_told(tmp_path: Path) -> None:
    with (
        _workbench(tmp_path, FakeScript()) as workbench,
        pytest.raises(PlaygroundError, match="no chat template"),
    ):
        workbench.assistant(SideSpec("wren/instruct", "none"))


def test_unknown_names_are_told_before_anything_loads(tmp_path: Path) -> None:
    with _workbench(tmp_path, FakeScript()) as workbench:
        with pytest.raises(PlaygroundError, match="no model 'nope'"):
            workbench.assistant(SideSpec("nope"))
        with pytest.raises(PlaygroundError, match="no preset 'nope'"):
            workbench.assistant(SideSpec("wren/base", "nope"))
        assert {state.status for state in workbench.model_states()} <= {"unloaded", "missing"}


def test_a_closed_workbench_loads_nothing(tmp_path: Path) -> None:
    workbench = _workbench(tmp_path, FakeScript())
    workbench.close()
    workbench.close()
    with pytest.raises(EngineError, match="closing"):
        workbench.engine("wren/base")


def test_a_model_unloaded_while_it_loads_is_freed_when_it_arrives(tmp_path: Path) -> None:
    begun, gate, freed = threading.Event(), threading.Event(), threading.Event()

    class Freed(FakeEngine):
        def close(self) -> None:
            super().close()
            freed.set()

    def opener(entry: ModelEntry) -> Engine:
        begun.set()
        gate.wait(5)
        return Freed(FakeScript())

    with _workbench(tmp_path, FakeScript(), opener) as workbench:
        workbench.load("wren/base")
        assert begun.wait(5)
        workbench.unload("wren/base")
        assert not freed.is_set()
        gate.set()
        assert freed.wait(5)


def test_warming_computes_what_the_next_prompt_starts_with(tmp_path: Path) -> None:
    warmed: list[tuple[Piece, ...]] = []
    arrived = threading.Event()

    class Warmable(FakeEngine):
        def warm(self, pieces: Sequence[Piece], *, cancel: Cancel | None = None) -> None:
            warmed.append(tuple(pieces))
            arrived.set()

    with _workbench(tmp_path, FakeScript(), lambda entry: Warmable(FakeScript())) as workbench:
        side = SideSpec("wren/base", DRAFT)
        workbench.engine("wren/base")
        talk = Conversation().ask("q0").with_reply("A", Reply("a0"))
        workbench.warm("tab", [("A", side), ("B", SideSpec("wren/instruct", "none"))], DRAFT_PRESET, talk)
        assert arrived.wait(5)
        prompt = workbench.preview(side, DRAFT_PRESET, [*talk.messages("A"), Message("user", "next?")]).prompt
        text = "".join(piece.text for piece in warmed[0])
        assert prompt.text.startswith(text)
        assert prompt.text[len(text) :].startswith("next?")
        assert {state.status for state in workbench.model_states() if state.kind == "instruct"} <= {
            "unloaded",
            "missing",
        }


def test_a_judge_scores_answers_and_no_verdict_is_guessed(tmp_path: Path) -> None:
    script = FakeScript(
        (
            ("good words", FakeReply(("Clear. ", "[[8]]"))),
            ("torn", FakeReply(("[[8]] or rather ", "[[2]]"))),
            ("broken", FakeReply(("so", " far"), fail_at=1, error="The engine failed; ask again.")),
            ("", FakeReply(("Nice.",))),
        )
    )
    with _workbench(tmp_path, script) as workbench:
        texts = ["good words", "torn", "other", "broken"]
        judged = judge_answers(workbench, "wren/base", "Why?", texts)
    assert [one.score for one in judged] == [8.0, None, None, None]
    assert judged[0].said == "Clear. [[8]]"
    assert [one.error for one in judged] == [None, None, None, "The engine failed; ask again."]
