"""A judge's verdicts are read strictly, in both orders, and one that always says the first wins half."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hosts import PlainHost, questions

from playground.cli.experiment_options import watched
from playground.engines.base import Cancel, Engine, EngineInfo, Event, GenerateRequest
from playground.engines.fake import FakeEngine, FakeReply, FakeScript
from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.evaluate import evaluate, rewrite_report
from playground.experiments.judge import ModelJudge, RuleJudge, judge_pairs, judge_scores, write_judged
from playground.experiments.judge_prompts import pair_prompt, read_choice, read_score, score_prompt
from playground.experiments.length_control import (
    length_controlled,
    length_controlled_interval,
)
from playground.experiments.run import Run
from playground.experiments.run_files import Plan
from playground.experiments.verdicts import (
    agreement,
    pair_figures,
    read_votes,
    score_figures,
)
from playground.presets.preset import Preset, PresetExample
from playground.services import Workbench
from playground.services.judging import VERDICT_TOKENS, judge_answers, judge_of
from playground.settings import Settings
from playground.types import SamplingParams

GOOD = FakeScript((("", FakeReply(("a good answer",))),))
LONG = FakeScript((("", FakeReply(("a bad answer that goes on and on",))),))


def answered(tmp_path: Path, judge: FakeScript | None = None, n: int = 8, turns: int = 1) -> Run:
    host = PlainHost(a=lambda: FakeEngine(GOOD), b=lambda: FakeEngine(LONG), j=lambda: FakeEngine(judge))
    specs = (AssistantSpec("good", "a"), AssistantSpec("long", "b"))
    run = Run.create(tmp_path / "r", Plan("evaluate", specs, questions(n, turns=turns), ("tokens",)), host)
    evaluate(run)
    return run


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Fine. [[7]]", 7.0),
        ("[[ 8.5 ]]", 8.5),
        ("[[3]] and again [[3]]", 3.0),
        ("[[3]] or [[4]]", None),
        ("[[11]]", None),
        ("[[0]]", None),
        ("Rating: 7", None),
        ("[[A]]", None),
        ("", None),
    ],
)
def test_scores_are_read_and_never_guessed(text: str, score: float | None) -> None:
    assert read_score(text) == score


def test_choices_are_read_and_never_guessed() -> None:
    read = [read_choice(t) for t in ("so [[A]]", "[[B]]", "[[C]]", "[[A]] no, [[B]]", "A", "[[7]]")]
    assert read == ["first", "second", "tie", None, None, None]


def test_a_judge_that_always_prefers_the_first_wins_half_and_is_all_bias(tmp_path: Path) -> None:
    with answered(tmp_path) as run:
        verdicts = judge_pairs(run, RuleJudge("first"), "long")
    assert len(verdicts) == 16
    (figures,) = pair_figures(verdicts, "long")
    assert figures.win_rate is not None
    assert figures.win_rate.mean == 0.5
    assert figures.first_share == 1.0
    assert figures.flipped == 1.0
    assert figures.length_controlled is None, "one side is longer in every pair"
    assert "outside the data" in figures.length_note


def test_a_judge_that_prefers_length_is_unmasked_by_it(tmp_path: Path) -> None:
    with answered(tmp_path) as run:
        (figures,) = pair_figures(judge_pairs(run, RuleJudge("longer"), "long"), "long")
    assert figures.win_rate is not None
    assert figures.win_rate.mean == 0.0
    assert figures.flipped == 0.0


def test_at_equal_length_a_liking_for_length_is_gone_and_a_real_one_stays() -> None:
    draw = random.Random(3)
    gaps = [draw.gauss(40, 60) for _ in range(2_000)]
    by_length = [float(draw.random() < 1 / (1 + 2.718 ** (-gap / 30))) for gap in gaps]
    plain = sum(by_length) / len(by_length)
    fair = length_controlled(by_length, gaps)
    assert plain > 0.65
    assert fair == pytest.approx(0.5, abs=0.05)
    real = length_controlled([float(draw.random() < 0.8) for _ in gaps], gaps)
    assert real == pytest.approx(0.8, abs=0.04)
    assert length_controlled([], []) is None
    assert length_controlled([1.0] * 20, [5.0] * 20) is not None, "a few characters are no difference"


def test_outside_the_lengths_that_there_are_no_win_rate_at_equal_length_is_told() -> None:
    draw = random.Random(4)
    gaps = [float(draw.randint(60, 600)) for _ in range(40)]
    assert length_controlled([1.0] * 40, gaps) is None
    assert length_controlled([0.0] * 40, [-gap for gap in gaps]) is None
    assert length_controlled([1.0] * 40, [0.0, *gaps[1:]]) is None, "a single pair supports no figure"
    near = [float(draw.randint(-20, 20)) for _ in range(6)]
    assert length_controlled([1.0] * 40, [*near, *gaps[6:]], [400.0] * 40) is not None


def test_a_judge_of_length_alone_gets_a_wide_interval_around_half() -> None:
    draw = random.Random(5)
    gaps = [float(draw.choice((-1, 1)) * draw.randint(60, 600)) for _ in range(40)]
    won = [float(gap > 0) for gap in gaps]
    found = length_controlled_interval(won, gaps, [f"q{i}" for i in range(40)])
    assert found is not None
    assert found.low < 0.3 < 0.7 < found.high, "nothing is known of answers of equal length"
    assert found.n == 40


def test_a_judge_that_always_prefers_one_side_is_not_certain_after_forty_pairs() -> None:
    gaps = [float((-1) ** i * 10 * i) for i in range(40)]
    found = length_controlled_interval([1.0] * 40, gaps, [f"q{i}" for i in range(40)])
    assert found is not None
    assert found.low < 0.99
    assert found.low > 0.75
    assert found.mean <= found.high <= 1.0


def test_the_interval_at_equal_length_covers_the_truth() -> None:
    draw = random.Random(6)
    hits = 0
    for trial in range(60):
        gaps = [draw.gauss(40, 80) for _ in range(80)]
        won = [float(draw.random() < 1 / (1 + 2.718 ** -(0.8 + gap / 60))) for gap in gaps]
        found = length_controlled_interval(won, gaps, [f"q{i}" for i in range(80)], seed=trial)
        assert found is not None
        hits += found.low <= 0.69 <= found.high  # 1 / (1 + exp(-0.8))
    assert hits / 60 >= 0.88


def test_a_models_verdicts_are_kept_with_their_words_and_not_asked_twice(tmp_path: Path) -> None:
    asked: list[str] = []

    def play(prompt: str, sample: int) -> FakeReply:
        asked.append(prompt)
        better = "A" if prompt.index("a good answer") < prompt.index("a bad answer") else "B"
        return FakeReply((f"It is good. [[{better}]]",))

    def engine() -> Engine:
        return FakeEngine(play)

    host = PlainHost(a=lambda: FakeEngine(GOOD), b=lambda: FakeEngine(LONG), j=engine)
    specs = (AssistantSpec("good", "a"), AssistantSpec("long", "b"))
    judge = ModelJudge(AssistantSpec("the judge", "j"))
    with Run.create(tmp_path / "r", Plan("evaluate", specs, questions(4)), host) as run:
        evaluate(run)
        verdicts = judge_pairs(run, judge, "long", ("overall", "clarity"))
        assert len(asked) == len(verdicts) == 16
        assert judge_pairs(run, judge, "long", ("overall", "clarity")) == verdicts
        assert len(asked) == 16
        written = write_judged(run, verdicts, "long")
    assert {v.text[:11] for v in verdicts} == {"It is good."}
    for figures in pair_figures(verdicts, "long"):
        assert figures.win_rate is not None
        assert (figures.win_rate.mean, figures.flipped, figures.first_share) == (1.0, 0.0, 0.5)
    assert isinstance(written["pairs"], list)
    assert len(written["pairs"]) == 2
    assert (tmp_path / "r" / "judged.json").is_file()


def test_what_does_not_parse_is_counted_and_a_judge_that_fails_is_asked_again(tmp_path: Path) -> None:
    script = FakeScript(
        (
            ("question 1 ", FakeReply(("It was rather nice, eight of ten.",))),
            ("question 2 ", FakeReply(("x",), fail_at=0, error="The server did not answer in 60 s.")),
            ("", FakeReply(("[[6]]",))),
        )
    )
    with answered(tmp_path, script, n=4) as run:
        verdicts = judge_scores(run, ModelJudge(AssistantSpec("j", "j")))
        figures = score_figures(verdicts)
        assert [(f.assistant, f.unparsable, f.failed, f.n) for f in figures] == [
            ("good", 1, 1, 4), ("long", 1, 1, 4),
        ]  # fmt: skip
        assert all(f.score is not None and f.score.mean == 6.0 and f.score.n == 2 for f in figures)
        failed = [v for v in verdicts if v.retry]
        assert {(v.question, v.problem) for v in failed} == {("q2", "The server did not answer in 60 s.")}
    mended = PlainHost(j=lambda: FakeEngine(FakeScript((("", FakeReply(("[[9]]",))),))))
    with Run.resume(tmp_path / "r", mended) as run:
        again = judge_scores(run, ModelJudge(AssistantSpec("j", "j")))
    assert sorted(v.score for v in again if v.score) == [6.0] * 4 + [9.0] * 2


def seen_by_a_judge(tmp_path: Path, pairs: bool) -> list[str]:
    """The judge's prompts for conversations of two turns, each assistant with answers of its own."""
    asked: list[str] = []

    def play(prompt: str, sample: int) -> FakeReply:
        asked.append(prompt)
        return FakeReply(("[[A]]" if pairs else "[[5]]",))

    def answers(name: str) -> Callable[[], Engine]:
        return lambda: FakeEngine(
            FakeScript(tuple((f"question 0 turn {t}\n", FakeReply((f"{name} said {t}",))) for t in (1, 0)))
        )

    host = PlainHost(a=answers("good"), b=answers("long"), j=lambda: FakeEngine(play))
    style = Preset(name="p", examples=(PresetExample(query="x", answer="y"),))
    specs = (AssistantSpec("good", "a", style), AssistantSpec("long", "b", style))
    with Run.create(tmp_path / "r", Plan("evaluate", specs, questions(1, turns=2)), host) as run:
        evaluate(run)
        judge = ModelJudge(AssistantSpec("j", "j"))
        if pairs:
            judge_pairs(run, judge, "long")
        else:
            judge_scores(run, judge)
    return asked


def test_a_judge_of_the_second_turn_is_shown_the_first(tmp_path: Path) -> None:
    asked = seen_by_a_judge(tmp_path, pairs=False)
    second = [prompt for prompt in asked if "question 0 turn 1" in prompt]
    assert len(asked) == 4
    assert len(second) == 2
    for prompt in second:
        name = "good" if "good said 1" in prompt else "long"
        assert prompt.index("question 0 turn 0") < prompt.index(f"{name} said 0")
        assert prompt.index(f"{name} said 0") < prompt.index("question 0 turn 1")
        assert ("long said" if name == "good" else "good said") not in prompt
        assert "Judge the answer to the last question" in prompt
    first = [prompt for prompt in asked if "question 0 turn 1" not in prompt]
    assert not any("conversation" in prompt for prompt in first)


def test_a_judge_of_pairs_is_shown_each_assistants_own_first_turn(tmp_path: Path) -> None:
    asked = [p for p in seen_by_a_judge(tmp_path, pairs=True) if "question 0 turn 1" in p]
    assert len(asked) == 2
    for prompt in asked:
        a, b = (
            ("good", "long")
            if prompt.index("good said 1") < prompt.index("long said 1")
            else ("long", "good")
        )
        places = [
            prompt.index("The conversation with A"), prompt.index(f"{a} said 0"),
            prompt.index("The conversation with B"), prompt.index(f"{b} said 0"),
            prompt.index(f"{a} said 1"), prompt.index(f"{b} said 1"),
        ]  # fmt: skip
        assert places == sorted(places)


def test_verdicts_of_a_judge_that_saw_no_first_turn_are_asked_again(tmp_path: Path) -> None:
    with answered(tmp_path, FakeScript((("", FakeReply(("[[6]]",))),)), n=2, turns=2) as run:
        judge = ModelJudge(AssistantSpec("j", "j"))
        judge_scores(run, judge)
        path = run.folder / "verdicts.jsonl"
        old = [
            {k: v for k, v in json.loads(line).items() if k != "history"}
            for line in path.read_text().splitlines()
        ]
        path.write_text("".join(json.dumps(row | {"score": 1.0}) + "\n" for row in old))
        again = judge_scores(run, judge)
        written = write_judged(run, again, "")
    assert sorted((v.turn, v.score) for v in again) == [(0, 1.0)] * 4 + [(1, 6.0)] * 4
    assert {f["n"] for f in written["scores"] if f["turn"] == 2} == {2}  # type: ignore[attr-defined]


def test_the_figures_of_several_judges_stand_side_by_side(tmp_path: Path) -> None:
    with answered(tmp_path) as run:
        for rule in ("first", "longer"):
            write_judged(run, judge_pairs(run, RuleJudge(rule), "long"), "long")
        write_judged(run, judge_pairs(run, RuleJudge("longer"), "good"), "good")
        written = write_judged(run, judge_scores(run, RuleJudge("longer")), "")
    pairs = {(f["judge"], f["assistant"], f["reference"]): f["win_rate"]["mean"] for f in written["pairs"]}  # type: ignore[attr-defined]
    assert pairs == {
        ("rule:first", "good", "long"): 0.5,
        ("rule:longer", "good", "long"): 0.0,
        ("rule:longer", "long", "good"): 1.0,
        ("rule:first", "long", "good"): 0.5,
    }
    assert {f["assistant"] for f in written["scores"]} == {"good", "long"}  # type: ignore[attr-defined]
    page = rewrite_report(run.folder)[1].read_text()
    assert "rule:first" in page
    assert "rule:longer" in page


def test_turns_are_scored_apart(tmp_path: Path) -> None:
    with answered(tmp_path, turns=2, n=3) as run:
        figures = score_figures(judge_scores(run, RuleJudge("longer")))
    assert {(f.assistant, f.turn) for f in figures} == {(a, t) for a in ("good", "long") for t in (0, 1, 2)}


def test_agreement_counts_pairs_that_people_judged_too(tmp_path: Path) -> None:
    with answered(tmp_path, n=4) as run:
        verdicts = judge_pairs(run, RuleJudge("longer"), "long")
        tied = judge_pairs(run, RuleJudge("first"), "long")
    votes = {("q0", 0, "good", "long"): "other", ("q1", 0, "long", "good"): "one"}
    votes |= {("q2", 0, "good", "long"): "tie"}
    assert agreement(verdicts, votes) == (2 / 3, 3)  # type: ignore[arg-type]
    assert agreement(tied, votes) == (1 / 3, 3)  # type: ignore[arg-type]
    assert agreement([replace(v, choice=None) for v in tied], votes) == (None, 0)  # type: ignore[arg-type]


def test_votes_are_read_and_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text(
        '{"question_id": 81, "model_a": "x", "model_b": "y", "winner": "model_b", "turn": 2}\n\n'
        '{"question_id": "q", "model_a": "x", "model_b": "y", "winner": "tie (inconsistent)"}\n'
    )
    assert read_votes(path) == {("81", 1, "x", "y"): "other", ("q", 0, "x", "y"): "tie"}
    path.write_text('{"question_id": 81}\n')
    with pytest.raises(ExperimentError, match="line 1 is no vote"):
        read_votes(path)
    with pytest.raises(ExperimentError, match="cannot be read"):
        read_votes(tmp_path / "none")


def test_prompts_hold_everything_once_and_unknown_names_are_refused(tmp_path: Path) -> None:
    text = pair_prompt("Q?", "one", "two", "depth", "ref")
    assert [text.count(part) for part in ("Q?", "\none\n", "\ntwo\n", "\nref\n", "[[A]]")] == [1] * 5
    assert "comparison" not in score_prompt("Q?", "one", "depth")
    with pytest.raises(ExperimentError, match="rule:first"):
        RuleJudge("best")
    with answered(tmp_path, n=1) as run:
        with pytest.raises(ExperimentError, match="no aspect 'charm'"):
            judge_scores(run, RuleJudge("first"), ("charm",))
        with pytest.raises(ExperimentError, match="has no answers"):
            judge_pairs(run, RuleJudge("first"), "nobody")


def test_ctrl_c_while_judging_advises_what_judge_can_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answered(tmp_path, n=1) as run:
        with pytest.raises(KeyboardInterrupt), watched(run, "Give the same command again."):
            raise KeyboardInterrupt
        assert run.cancel.is_set()
    said = capsys.readouterr().err
    assert "Give the same command again" in said
    assert "--resume" not in said


CHAT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"


class Shown(FakeEngine):
    """A chat model that keeps what it was asked with."""

    def __init__(self) -> None:
        self.requests: list[GenerateRequest] = []
        super().__init__(FakeScript((("", FakeReply(("[[7]]",))),)))

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, chat_template=CHAT)

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        self.requests += requests
        return super().generate(requests, cancel=cancel)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[Workbench, Shown]]:
    engine = Shown()
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path / "home")})
    folder = settings.models_dir
    folder.mkdir(parents=True)
    (folder / "hot.gguf").write_bytes(b"GGUF")
    entry = f"{{gguf: {folder / 'hot.gguf'}, sampling: {{source: nobody, temperature: 0.9}}}}"
    (folder / "hot.yaml").write_text(f"pair: hot\ninstruct: {entry}\n")
    with Workbench(settings, opener=lambda entry: engine) as workbench:
        yield workbench, engine


def test_a_model_judges_greedily_whatever_its_entry_says(bench: tuple[Workbench, Shown]) -> None:
    judge = judge_of(bench[0], "hot/instruct")
    assert isinstance(judge, ModelJudge)
    assert judge.spec.params() == SamplingParams(max_tokens=VERDICT_TOKENS)
    assert judge_of(bench[0], "rule:longer").name == "rule:longer"
    with pytest.raises(ExperimentError, match="rule:first"):
        judge_of(bench[0], "rule:best")


def test_samples_of_a_later_turn_are_judged_with_the_turns_before(bench: tuple[Workbench, Shown]) -> None:
    workbench, engine = bench
    earlier = [(("Who was Ada?", "A mathematician."),), (("Who was Ada?", "Lovelace."),)]
    judged = judge_answers(workbench, "hot/instruct", "When was she born?", ["1815", "1816"], earlier=earlier)
    assert [one.score for one in judged] == [7.0, 7.0]
    texts = ["".join(piece.text for piece in request.prompt) for request in engine.requests]
    assert "A mathematician." in texts[0]
    assert "Lovelace." in texts[1]
    assert "Lovelace." not in texts[0]
    assert all("Who was Ada?" in text for text in texts)
