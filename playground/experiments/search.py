"""Which examples to show: greedy forward selection from a pool, beside random search at the same cost.

Greedy selection of examples on a validation set is EPFL's (arXiv 2405.19874, section 3). Each round tries
every example of the pool behind those chosen so far; halving (Jamieson and Talwalkar, arXiv 1502.07943) tries
all on a few questions and the better half on twice as many. The test set is asked only when both searches
have ended. The search has no state: a resumed one runs again over the answers that are there.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from playground.experiments.ablate import with_examples
from playground.experiments.assistants import AssistantSpec, ExperimentError, model_label
from playground.experiments.measured import measured
from playground.experiments.metric_choice import check_goal, direction, limits
from playground.experiments.questions import Question, QuestionSet
from playground.experiments.run import Run, RunCancelled
from playground.experiments.run_files import write_results
from playground.experiments.statistics import Interval, Paired, interval, paired
from playground.presets.library import write_atomically
from playground.presets.preset import Preset, PresetResult
from playground.types import Example


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How the search goes; stored in the run's manifest.

    Attributes:
        metric: What is optimised on the validation set, in the metric's direction;
            ``reference_logprob`` asks for no answers.
        pool: Examples to choose from.
        validation, test: Ids of the questions; no id is in both.
        most: Examples to choose at most, besides those the preset starts with.
        keep: Keep the preset's own examples in front.
        budget: Most pairs of a candidate and a validation question; 0 is without limit.
        halving: Questions of the first rung; 0 tries every candidate on all.
        min_gain: A round that improves the metric by no more than this ends the search.
        transfer: A second model, whose result on the test set is told by itself; empty for none.
        name: Of the preset that comes out.
    """

    metric: str
    pool: tuple[Example, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    most: int = 3
    keep: bool = False
    budget: int = 0
    halving: int = 0
    min_gain: float = 0.0
    transfer: str = ""
    name: str = "found"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tried set of examples.

    Attributes:
        examples: Places in the pool.
        value: Mean of the metric over the questions that could be measured.
        n: Validation questions that it was tried on.
        measured: How many of them could be measured; None in runs of earlier versions, which counted the
            others as 0.
    """

    examples: tuple[int, ...]
    value: float
    n: int
    measured: int | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """What stands at the end, on the test set: its mean, and the pairs against the start."""

    name: str
    model: str
    value: Interval | None
    against_start: Paired | None


@dataclass(frozen=True, slots=True)
class SearchResults:
    """What a search found.

    Attributes:
        start: The preset's own value on the validation set.
        rounds: Candidates of each greedy round, the best first; only those on all questions can win.
        greedy, random: The best of each search.
        random_tried: Every candidate of random search.
        cost: Pairs of candidate and question that greedy search and random search took.
        stopped: Why greedy search ended.
        tested: Start, greedy and random on the test set, on the model and on the second one.
    """

    metric: str
    start: Candidate
    rounds: tuple[tuple[Candidate, ...], ...]
    greedy: Candidate
    random: Candidate
    random_tried: tuple[Candidate, ...]
    cost: Mapping[str, int]
    stopped: str
    tested: tuple[Tested, ...]
    queries: Mapping[int, str] = field(default_factory=dict)


def search(run: Run) -> tuple[Preset, SearchResults]:
    """Run the search of ``run.plan.options`` and write ``results.json`` and ``found.yaml``.

    Raises:
        RunCancelled: It was cancelled; resuming replays it over what is finished.
        PlaygroundError: A model cannot be had, or the disk is full.
    """
    try:
        found = _Search(run).run()
    except RunCancelled:
        run.progress.end("cancelled")
        raise
    except BaseException as error:
        run.progress.end("failed", str(error))
        raise
    run.progress.end("finished")
    return found


def search_options(options: Mapping[str, object]) -> SearchOptions:
    """The options as a manifest holds them.

    Raises:
        ExperimentError: They are not a search's.
    """
    import msgspec

    try:
        return msgspec.convert(options, SearchOptions)
    except msgspec.ValidationError as error:
        raise ExperimentError(f"The run's manifest holds no search as expected: {error}.") from error


class _Search:
    def __init__(self, run: Run) -> None:
        self._run = run
        self.options = search_options(run.plan.options)
        check_goal(self.options.metric)
        self._sign = direction(self.options.metric)
        if len(run.plan.assistants) != 1 or run.plan.assistants[0].preset is None:
            raise ExperimentError("A search begins with one base model and one preset.")
        self._base = run.plan.assistants[0]
        self._preset = run.plan.assistants[0].preset
        questions = {question.id: question for question in run.plan.questions.questions}
        try:
            self._validation = [questions[i] for i in self.options.validation]
            self._test = [questions[i] for i in self.options.test]
        except KeyError as error:
            raise ExperimentError(f"The search's questions lack {error}; start it again.") from error
        self._pairs: set[tuple[str, str]] = set()
        self._tried: dict[tuple[tuple[int, ...], int], Candidate] = {}

    def run(self) -> tuple[Preset, SearchResults]:
        options = self.options
        start = self._values({(): self._base}, self._validation, "the start")[0]
        chosen: tuple[int, ...] = ()
        best = start
        rounds: list[tuple[Candidate, ...]] = []
        stopped = f"{options.most} examples were chosen"
        self._pairs.clear()
        for number in range(options.most):
            left = [i for i in range(len(options.pool)) if i not in chosen]
            need = len(left) * (options.halving or len(self._validation))
            if options.budget and len(self._pairs) + need > options.budget:
                stopped = f"the budget of {options.budget} would not do for another round"
                break
            candidates = self._round([(*chosen, i) for i in left], f"round {number + 1}")
            rounds.append(tuple(candidates))
            winner = next(c for c in candidates if c.n == len(self._validation))
            # The first round replaces the preset's own examples, so that it need not gain on them.
            if (chosen or options.keep) and self._gain(winner) <= self._gain(best) + options.min_gain:
                stopped = f"round {number + 1} gained no more than {options.min_gain:g}"
                break
            chosen, best = winner.examples, winner
        if not chosen and not rounds:
            raise ExperimentError("The budget does not do for a single round; raise it, or use halving.")
        greedy_cost = len(self._pairs)
        self._pairs.clear()
        tried = self._random(max(1, len(chosen)), greedy_cost)
        random_best = max(tried, key=self._gain)
        tested = self._tested(best, random_best)
        queries = {i: options.pool[i].query for i in range(len(options.pool))}
        results = SearchResults(
            options.metric, start, tuple(rounds), best, random_best, tuple(tried),
            {"greedy": greedy_cost, "random": len(self._pairs)}, stopped, tested, queries,
        )  # fmt: skip
        preset = self._result(best, results)
        write_results(self._run.folder, {"kind": "search", **asdict(results)})
        write_atomically(self._run.folder / "found.yaml", preset.to_yaml())
        return preset, results

    def _gain(self, candidate: Candidate) -> float:
        """The candidate's value, turned so that more is better."""
        return self._sign * candidate.value

    def _spec(self, examples: tuple[int, ...], model: str = "") -> AssistantSpec:
        """The candidate as an assistant; its name tells its content, so that it is known again."""
        preset = self._preset
        if examples:
            kept = list(preset.turn_examples()) if self.options.keep else []
            shown = [*kept, *(self.options.pool[i] for i in examples)]
            preset = with_examples(preset, shown, "+".join(str(i) for i in examples))
        spec = replace(self._base, preset=preset, model=model or self._base.model)
        name = "+".join(str(i) for i in examples) or "start"
        return spec.named(f"{spec.model}:{name}:{spec.content_hash()[:8]}")

    def _round(self, candidates: Sequence[tuple[int, ...]], phase: str) -> list[Candidate]:
        """The candidates' values, the best first; under halving the worse ones on fewer questions."""
        left = list(candidates)
        n = self.options.halving or len(self._validation)
        while True:
            n = min(n, len(self._validation))
            specs = {examples: self._spec(examples) for examples in left}
            found = self._values(specs, self._validation[:n], f"{phase}, {len(left)} candidates")
            for candidate in found:
                self._tried[candidate.examples, candidate.n] = candidate
            ranked = sorted(found, key=lambda c: (-self._gain(c), c.examples))
            if n == len(self._validation):
                break
            left = [c.examples for c in ranked[: max(1, (len(ranked) + 1) // 2)]]
            n *= 2
        last: dict[tuple[int, ...], Candidate] = {}
        for (examples, _), candidate in sorted(self._tried.items(), key=lambda item: item[0][1]):
            last[examples] = candidate
        left_over = (last[e] for e in candidates if e in last)
        return sorted(left_over, key=lambda c: (-c.n, -self._gain(c), c.examples))

    def _random(self, size: int, cost: int) -> list[Candidate]:
        """Random sets of as many examples as greedy search chose, for the same number of pairs."""
        draw = random.Random(f"search {self._run.plan.seed}")
        wanted = max(1, cost // len(self._validation))
        sets: list[tuple[int, ...]] = []
        for _ in range(50 * wanted):
            drawn = tuple(draw.sample(range(len(self.options.pool)), size))
            if drawn not in sets:
                sets.append(drawn)
            if len(sets) == wanted:
                break
        return self._values({e: self._spec(e) for e in sets}, self._validation, "random search")

    def _values(
        self, specs: Mapping[tuple[int, ...], AssistantSpec], questions: Sequence[Question], phase: str
    ) -> list[Candidate]:
        """Each candidate's mean over the questions that could be measured.

        A question that could not be measured counts as nothing, not as 0. So that leaving out hard questions
        makes no candidate better, one that lacks a question which another has is left out, as where its
        examples do not fit the context.

        Raises:
            ExperimentError: No candidate is left.
        """
        by_question = self._measured(list(specs.values()), questions, phase)
        most = max(map(len, by_question.values()), default=0)
        found = []
        for examples, spec in specs.items():
            values = by_question.get(spec.name, {})
            self._pairs |= {(spec.name, q.id) for q in questions}
            if values and len(values) == most:
                mean = sum(values.values()) / len(values)
                found.append(Candidate(examples, mean, len(questions), len(values)))
        if not found:
            raise ExperimentError(
                f"No candidate of {phase} could be measured; the run's lines say why. "
                "Choose fewer or shorter examples, or another metric."
            )
        return found

    def _measured(
        self, specs: Sequence[AssistantSpec], questions: Sequence[Question], phase: str
    ) -> dict[str, dict[str, float]]:
        style = self._run.plan.style or self._preset
        return measured(self._run, specs, questions, self.options.metric, phase, style=style)

    def _tested(self, greedy: Candidate, at_random: Candidate) -> tuple[Tested, ...]:
        rows: list[Tested] = []
        seed, bounds = self._run.plan.seed, limits(self.options.metric)
        for model in [self._base.model, *([self.options.transfer] if self.options.transfer else [])]:
            ways = {
                "start": replace(self._base, model=model).named(f"{model}:start:test")
                if model != self._base.model
                else self._base,
                "greedy": self._spec(greedy.examples, model),
                "random": self._spec(at_random.examples, model),
            }
            by_question = self._measured(
                list({s.name: s for s in ways.values()}.values()), self._test, f"test on {model}"
            )
            start = by_question.get(ways["start"].name, {})
            for way, spec in ways.items():
                values = by_question.get(spec.name, {})
                rows.append(
                    Tested(
                        way,
                        model,
                        interval(list(values.values()), seed=seed, limits=bounds),
                        None if way == "start" else paired(values, start, seed=seed, limits=bounds),
                    )
                )
        return tuple(rows)

    def _result(self, best: Candidate, results: SearchResults) -> Preset:
        """The preset with its lineage and figures."""
        preset = self._spec(best.examples).preset
        assert preset is not None
        today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
        figures = [
            PresetResult(
                measure=f"{self.options.metric}, validation",
                value=best.value,
                model=model_label(self._base.model),
                n=best.n,
                date=today,
                note="what the search chose by",
            )
        ]
        for row in results.tested:
            if row.value is not None:
                figures.append(
                    PresetResult(
                        measure=f"{self.options.metric}, test, {row.name}",
                        value=row.value.mean,
                        model=model_label(row.model),
                        n=row.value.n,
                        date=today,
                    )
                )
        return preset.model_copy(
            update={
                "name": self.options.name,
                "title": "",
                "results": tuple(figures),
                "notes": f"Found by greedy search over {len(self.options.pool)} examples, "
                f"{results.cost['greedy']} answers; {results.stopped}.",
            }
        )


def split_for_search(
    questions: QuestionSet, *, pool: int, validation: int, test: int, seed: int
) -> tuple[QuestionSet, QuestionSet, QuestionSet]:
    """Pool, validation and test at random, sharing no wording.

    Raises:
        DataFileError: There are not enough distinct questions.
    """
    parts = questions.split((pool, validation, test), seed=seed)
    return parts[0], parts[1], parts[2]
