"""Models that think before they answer: told apart, counted, and left out of all else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.chat.assistant import Assistant
from playground.chat.compare import SideDelta, SideFinished, SideRun, SideStarted, answer, complete
from playground.chat.conversation import Conversation
from playground.chat.samples import draw_samples
from playground.engines.fake import FakeEngine
from playground.experiments.assistants import AssistantSpec
from playground.experiments.judge import ModelJudge, judge_scores
from playground.experiments.judge_prompts import read_choice, read_score
from playground.experiments.metrics import METRICS, Setting
from playground.experiments.questions import Asked, Question, QuestionSet
from playground.experiments.run import Run
from playground.experiments.run_files import Answer, Plan
from playground.presets.preset import Preset
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.prompts.thinking import KNOWN, find_thinking, markers_of, without_thinking
from playground.types import Message, Reply, SamplingParams, ThinkingMarkers

TEMPLATE = (
    "{%- for m in messages %}{%- set text = m.content.split('</think>')[-1].lstrip('\\n') %}"
    "{{- '<|turn|>' + m.role + '\\n' + text + '<|eos|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|turn|>assistant\\n' }}{%- endif %}"
)
OPENING = TEMPLATE.replace("assistant\\n' }}{%- endif", "assistant\\n<think>\\n' }}{%- endif")
CHUNKS = ["<th", "ink>\nIs it", " 4?\n</thi", "nk>\n\n", "It is 5", "."]
PARAMS = SamplingParams(max_tokens=400)


def _run(engine: FakeEngine, *messages: Message, template: str = TEMPLATE) -> SideRun:
    assistant = Assistant("m", "m", ChatTemplateRenderer(template), PARAMS)
    return SideRun("A", lambda: (assistant, engine), messages or (Message("user", "5?"),))


def test_thinking_is_told_apart_while_it_is_written_and_at_the_end() -> None:
    events = list(answer(_run(FakeEngine(CHUNKS))))
    text, shown = "", []
    for event in events:
        if isinstance(event, SideDelta):
            text += event.text
            shown.append(text[event.thinking_chars :])
    assert shown == ["", "", "", "", "It is 5", "It is 5."]
    end = events[-1]
    assert isinstance(end, SideFinished)
    assert end.reply.text == "".join(CHUNKS)
    assert end.reply.thinking == "<think>\nIs it 4?\n</think>\n\n"
    assert end.reply.answer == "It is 5."
    assert end.reply.thinking_tokens == len(end.reply.thinking)  # the fake's tokens are bytes
    assert not end.reply.thinking_open


def test_an_answer_that_ends_inside_its_thinking_says_so() -> None:
    *_, end = answer(_run(FakeEngine(["<think>\nIt could be", " that"])))
    assert isinstance(end, SideFinished)
    assert end.reply.answer == ""
    assert end.reply.thinking_open
    assert end.reply.thinking_tokens == len(end.reply.tokens)


def test_thinking_that_the_prompt_opens_needs_no_marker_of_the_answer() -> None:
    events = list(answer(_run(FakeEngine(["Hm.\n</think>\n\n", "5"]), template=OPENING)))
    start, end = events[0], events[-1]
    assert isinstance(start, SideStarted)
    assert isinstance(end, SideFinished)
    assert start.prompt.thinks
    assert (end.reply.thinking, end.reply.answer) == ("Hm.\n</think>\n\n", "5")


def test_a_model_whose_template_knows_no_thinking_has_none() -> None:
    plain = "{% for m in messages %}{{ m.content }}{% endfor %}"
    *_, end = answer(_run(FakeEngine(["<think>a</think>b"]), template=plain))
    assert isinstance(end, SideFinished)
    assert end.reply.answer == "<think>a</think>b"


def test_samples_and_batches_have_their_thinking_told_apart() -> None:
    ended = [e for e in draw_samples(_run(FakeEngine(CHUNKS)), ["0", "1"]) if isinstance(e, SideFinished)]
    assert [event.reply.answer for event in ended] == ["It is 5.", "It is 5."]
    engine = FakeEngine(CHUNKS)
    prompt = ChatTemplateRenderer(TEMPLATE).render([Message("user", "5?")])
    assert [reply.answer for reply in complete(engine, [prompt], PARAMS)] == ["It is 5."]


def test_history_holds_all_that_was_written_and_the_template_leaves_the_thinking_out() -> None:
    reply = Reply("<think>\nHm.\n</think>\n\n5", thinking_chars=22)
    talk = Conversation().ask("5?").with_reply("A", reply).ask("Sure?")
    talk = Conversation.from_json(talk.to_json())
    messages = talk.messages("A")
    assert messages[1].content == reply.text
    prompt = ChatTemplateRenderer(TEMPLATE).render(messages)
    assert "Hm." not in prompt.text
    assert "<|turn|>assistant\n5<|eos|>" in prompt.text


@pytest.mark.parametrize(
    ("text", "opened", "answer_", "is_open"),
    [
        ("<think>a</think>b", False, "b", False),
        ("\n <think>\na\n</think>\n\nb", False, "b", False),
        ("<think>a", False, "", True),
        ("a</think>b", True, "b", False),
        ("a", True, "", True),
        ("</think>\n\nb", False, "b", False),
        ("<think></think>b", True, "b", False),
        ("<think>a</think>\n<think>c</think>b", False, "b", False),
        ("b <think>a</think>", False, "b <think>a</think>", False),
        ("a</think>b", False, "a</think>b", False),
        ("[THINK]a[/THINK]b", False, "b", False),
        ("<|START_THINKING|>a<|END_THINKING|>b", False, "b", False),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
            False,
            "b",
            False,
        ),
        ("<|channel|>final<|message|>b", False, "b", False),
        ("<deep_thinking>a</deep_thinking>b", False, "b", False),
        ("", False, "", False),
        ("<", False, "<", False),
        ("< 5", False, "< 5", False),
    ],
)
def test_where_thinking_ends(text: str, opened: bool, answer_: str, is_open: bool) -> None:
    found = find_thinking(text, opened=opened)
    assert (text[found.end :], found.is_open) == (answer_, is_open)


def test_a_growing_text_that_may_become_a_marker_is_not_shown_yet() -> None:
    assert find_thinking("<th", KNOWN, more=True).is_open
    assert not find_thinking("<th", KNOWN).is_open


def test_markers_are_those_of_the_template_or_the_vocabulary() -> None:
    assert markers_of(TEMPLATE) == (ThinkingMarkers("<think>", "</think>"),)
    assert markers_of("{{ messages }}") == ()
    assert markers_of("{{ messages }}", ["<think>", "</think>"]) == (ThinkingMarkers("<think>", "</think>"),)
    assert markers_of("</my_thought>") == (ThinkingMarkers("<my_thought>", "</my_thought>"),)


def test_a_verdict_is_what_a_judge_says_and_not_what_it_thinks() -> None:
    assert read_score("<think>Maybe [[6]], no.</think>\nGood.\n[[8]]") == 8
    assert read_choice("<think>[[A]] or [[B]]?</think>[[C]]") == "tie"
    assert read_score("<think>It could be [[6]]") is None


def test_metrics_look_at_the_answer_alone() -> None:
    said = Answer("a", "q", 0, 0, "<think>\nIs it 4?\n</think>\n\n5", "stop", 0)
    assert METRICS["contains"].measure(Asked("2+2?", reference="4"), said, Setting()) == 0
    assert METRICS["characters"].measure(Asked("2+2?"), said, Setting()) == 1
    assert (said.text, said.thinking) == ("5", "<think>\nIs it 4?\n</think>\n\n")


def test_tokens_are_those_of_the_answer() -> None:
    said = Answer("a", "q", 0, 0, "5", "stop", 0, completion_tokens=30, thinking_tokens=28)
    assert METRICS["tokens"].measure(Asked("2+2?"), said, Setting()) == 2


class _Thinkers:
    """A host whose one model thinks: as a judge it changes its mind while it does."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

        def play(prompt: str, sample: int) -> list[str]:
            self.prompts.append(prompt)
            return (
                ["[[2]]?\n</think>\n\n[[9]]"] if "double square brackets" in prompt else ["4?\n</think>\n\n5"]
            )

        self._engine = FakeEngine(play)

    def engine(self, model: str) -> FakeEngine:
        return self._engine

    def assistant(self, model: str, preset: Preset | None) -> Assistant:
        return Assistant(model, model, ChatTemplateRenderer(OPENING), PARAMS)

    def model_facts(self, model: str) -> dict[str, str | int | float | bool]:
        return {"fingerprint": "one"}


def test_a_run_keeps_the_thinking_and_measures_and_judges_without_it(tmp_path: Path) -> None:
    host = _Thinkers()
    question = Question("q", (Asked("2+2?", reference="4"), Asked("Sure?")), "c", place=1)
    spec = AssistantSpec("m", "m", sampling=PARAMS)
    plan = Plan("evaluate", (spec,), QuestionSet("made", (question,)), ("contains",))
    with Run.create(tmp_path / "run", plan, host) as run:
        run.ask([spec], [question])
        verdicts = judge_scores(run, ModelJudge(AssistantSpec("judge", "m", sampling=PARAMS)))
    rows = [json.loads(line) for line in (tmp_path / "run" / "answers.jsonl").read_text().splitlines()]
    assert [(row["text"], row["thinking"], row["thinking_tokens"]) for row in rows] == [
        ("5", "4?\n</think>\n\n", 13),
        ("5", "4?\n</think>\n\n", 13),
    ]
    assert [verdict.score for verdict in verdicts] == [9, 9]
    assert verdicts[0].text == "<think>\n[[2]]?\n</think>\n\n[[9]]"
    second = next(prompt for prompt in host.prompts if "Sure?" in prompt and "brackets" not in prompt)
    assert "4?" not in second
    judged = next(prompt for prompt in host.prompts if "brackets" in prompt)
    assert "4?\n</think>" not in judged


def test_the_answer_alone_is_left_where_thinking_is_taken_away() -> None:
    assert without_thinking("<think>a</think>\n\nb") == "b"
    assert without_thinking("<think>a") == ""
    assert without_thinking("plain") == "plain"
