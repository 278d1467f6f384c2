"""Which wording of a prompt does best: candidates ranked by the likelihood of references, and by a metric.

All candidates are scored on the validation questions, which asks for no answers; the likeliest are then asked
and measured. The test set is asked when the ranking stands. Like the search, this has no state: a resumed run
goes over its lines again. Sources: LPAQA (arXiv 1911.12543) for mined and paraphrased candidates.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import msgspec
import numpy as np

from playground.experiments.assistants import AssistantSpec, ExperimentError, model_label
from playground.experiments.measured import measured
from playground.experiments.metric_choice import check_goal, direction, limits
from playground.experiments.model_metrics import LIKELIHOOD
from playground.experiments.questions import Asked, Question
from playground.experiments.run import Run, RunCancelled
from playground.experiments.run_files import write_results
from playground.experiments.statistics import Interval, Paired, interval, paired
from playground.experiments.wordings import PARAPHRASING, paraphrases, worded
from playground.presets.library import write_atomically
from playground.presets.preset import Preset, PresetResult

START = "the preset's own"


@dataclass(frozen=True, slots=True)
class CandidateOptions:
    """What is tried; stored in the run's manifest.

    Attributes:
        texts: Given by hand. mined: Taken from a text; see ``wordings``.
        validation, test: Ids of the questions; no id is in both.
        metric: Besides the likelihood of references; empty for that alone.
        keep: Of the likeliest, so many are asked and measured; 0 is all of them.
        paraphrases: That ``writer`` writes of each text given by hand, or of the system text.
        writer: The model that paraphrases; empty for the assistant's own.
        name: Of the preset that comes out.
    """

    texts: tuple[str, ...]
    mined: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    metric: str = ""
    keep: int = 8
    paraphrases: int = 0
    writer: str = ""
    name: str = "found"


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A candidate with its figures on the validation set; ``value`` is None where it was not asked."""

    text: str
    origin: str
    likelihood: Interval | None
    value: Interval | None


@dataclass(frozen=True, slots=True)
class TestedCandidate:
    """What stands at the end, on the test set; ``against_start`` by the metric, or by the likelihood."""

    name: str
    text: str
    likelihood: Interval | None
    value: Interval | None
    against_start: Paired | None


@dataclass(frozen=True, slots=True)
class CandidateResults:
    """What was found.

    Attributes:
        ranked: By the metric, or by the likelihood where there is none; those not asked stand last.
        tested: The start, the likeliest candidate and the best by the metric.
        chosen: Text of the candidate in ``found.yaml``; empty where nothing is better than the start.
        agreement: Spearman's correlation of both rankings over the candidates that were asked, if it exists.
        refused: Paraphrases that were none.
    """

    metric: str
    ranked: tuple[RankedCandidate, ...]
    tested: tuple[TestedCandidate, ...]
    chosen: str
    agreement: float | None
    refused: int


def candidate_options(options: Mapping[str, object]) -> CandidateOptions:
    """The options as a manifest holds them.

    Raises:
        ExperimentError: They are not such ones.
    """
    try:
        return msgspec.convert(options, CandidateOptions)
    except msgspec.ValidationError as error:
        raise ExperimentError(f"The run's manifest holds no candidates as expected: {error}.") from error


def rank_candidates(run: Run) -> tuple[Preset, CandidateResults]:
    """Rank the candidates of ``run.plan.options``; write ``results.json`` and ``found.yaml``.

    Raises:
        RunCancelled: It was cancelled; resuming goes over what is finished.
        PlaygroundError: A model cannot be had or cannot score, or the disk is full.
    """
    try:
        found = _Ranking(run).run()
    except RunCancelled:
        run.progress.end("cancelled")
        raise
    except BaseException as error:
        run.progress.end("failed", str(error))
        raise
    run.progress.end("finished")
    return found


class _Ranking:
    def __init__(self, run: Run) -> None:
        self._run = run
        self.options = candidate_options(run.plan.options)
        if self.options.metric:
            check_goal(self.options.metric)
        if len(run.plan.assistants) != 1 or run.plan.assistants[0].preset is None:
            raise ExperimentError("Candidates are tried with one base model and one preset.")
        self._base = run.plan.assistants[0]
        self._preset = run.plan.assistants[0].preset
        questions = {question.id: question for question in run.plan.questions.questions}
        try:
            self._validation = [questions[i] for i in self.options.validation]
            self._test = [questions[i] for i in self.options.test]
        except KeyError as error:
            raise ExperimentError(f"The run's questions lack {error}; start it again.") from error
        self._specs: dict[str, AssistantSpec] = {"": self._base}

    def run(self) -> tuple[Preset, CandidateResults]:
        options = self.options
        origins, refused = self._candidates()
        likely = self._on(list(origins), self._validation, LIKELIHOOD, "likelihood of references")
        if not any(likely.values()):
            raise ExperimentError(
                "No question of the validation set has a reference that could be scored; choose a set with "
                "references and a model whose engine scores texts."
            )
        likelihood = _ranked_by(likely, direction(LIKELIHOOD))
        order = sorted(origins, key=lambda text: -likelihood[text])
        asked = [text for text in order if text][: options.keep or None]
        values: dict[str, dict[str, float]] = {}
        if options.metric:
            values = self._on(["", *asked], self._validation, options.metric, f"{len(asked) + 1} candidates")
        value = _ranked_by(values, direction(options.metric)) if options.metric else {}
        by = value if options.metric else likelihood
        order.sort(key=lambda text: -by.get(text, -math.inf))
        # The start wins ties: a candidate has to gain something.
        best = max(("", *(text for text in order if text)), key=lambda text: by.get(text, -math.inf))
        likeliest = max(origins, key=lambda text: likelihood[text])
        results = CandidateResults(
            options.metric,
            tuple(
                RankedCandidate(
                    text or self._preset.system,
                    origins[text],
                    self._interval(likely[text], LIKELIHOOD),
                    self._interval(values.get(text, {}), options.metric),
                )
                for text in order
            ),
            self._tested(likeliest, best),
            best,
            _rank_correlation(
                [(likelihood[t], v) for t, v in value.items() if min(v, likelihood[t]) > -math.inf]
            ),
            refused,
        )
        preset = self._result(best, results, len(origins) - 1)
        write_results(self._run.folder, {"kind": "candidates", **asdict(results)})
        write_atomically(self._run.folder / "found.yaml", preset.to_yaml())
        return preset, results

    def _candidates(self) -> tuple[dict[str, str], int]:
        """Each candidate's origin by its text, the preset's own under the empty text; and refused ones."""
        options = self.options
        origins = {"": START}
        for text in options.texts:
            origins.setdefault(text, "given")
        for text in options.mined:
            origins.setdefault(text, "mined")
        originals = options.texts or ((self._preset.system,) if self._preset.system.strip() else ())
        if not options.paraphrases or not originals:
            return origins, 0
        writer = AssistantSpec("the paraphraser", options.writer or self._base.model, PARAPHRASING)
        wanted = [
            Question(f"paraphrase-{i}-{n}", (Asked(text),))
            for i, text in enumerate(originals)
            for n in range(options.paraphrases)
        ]
        self._run.ask([writer], wanted, "paraphrasing")
        said = {a.question: a.text for a in self._run.answers() if a.assistant == writer.name and not a.error}
        refused = 0
        for i, original in enumerate(originals):
            written = [said.get(f"paraphrase-{i}-{n}", "") for n in range(options.paraphrases)]
            kept, bad = paraphrases(original, written, [*origins, self._preset.system])
            refused += bad
            origins |= dict.fromkeys(kept, "paraphrased")
        return origins, refused

    def _spec(self, text: str) -> AssistantSpec:
        """The candidate as an assistant; its name tells its content, so that it is known again."""
        if text not in self._specs:
            made = worded(self._preset, text)
            preset = made.model_copy(update={"name": f"{self._preset.name[:60]}-worded"})
            spec = replace(self._base, preset=preset)
            self._specs[text] = spec.named(f"{spec.model}:worded:{spec.content_hash()[:10]}")
        return self._specs[text]

    def _on(
        self, texts: Sequence[str], questions: Sequence[Question], metric: str, phase: str
    ) -> dict[str, dict[str, float]]:
        specs = {text: self._spec(text) for text in texts}
        style = self._run.plan.style or self._preset
        unique = list({spec.name: spec for spec in specs.values()}.values())
        found = measured(self._run, unique, questions, metric, phase, style=style)
        return {text: found.get(spec.name, {}) for text, spec in specs.items()}

    def _tested(self, likeliest: str, best: str) -> tuple[TestedCandidate, ...]:
        ways = {"start": "", "likeliest": likeliest}
        if self.options.metric:
            ways["best"] = best
        texts = list(dict.fromkeys(ways.values()))
        likely = self._on(texts, self._test, LIKELIHOOD, "likelihood on the test set")
        values = (
            self._on(texts, self._test, self.options.metric, "test set") if self.options.metric else likely
        )
        bounds = limits(self.options.metric or LIKELIHOOD)
        return tuple(
            TestedCandidate(
                name,
                text or self._preset.system,
                self._interval(likely[text], LIKELIHOOD),
                self._interval(values[text], self.options.metric) if self.options.metric else None,
                paired(values[text], values[""], seed=self._run.plan.seed, limits=bounds)
                if name != "start"
                else None,
            )
            for name, text in ways.items()
        )

    def _interval(self, values: Mapping[str, float], metric: str) -> Interval | None:
        bounds = limits(metric) if values else None
        return interval(list(values.values()), seed=self._run.plan.seed, limits=bounds)

    def _result(self, best: str, results: CandidateResults, tried: int) -> Preset:
        """The preset with its lineage and figures."""
        base = self._preset.derived(self.options.name)
        preset = worded(base, best) if best else base
        today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
        figures = []
        for row in results.tested:
            for metric, value in ((LIKELIHOOD, row.likelihood), (results.metric, row.value)):
                if value is not None:
                    figures.append(
                        PresetResult(
                            measure=f"{metric}, test, {row.name}",
                            value=value.mean,
                            model=model_label(self._base.model),
                            n=value.n,
                            date=today,
                        )
                    )
        said = "the best" if best else "none was better than the preset's own"
        return preset.model_copy(
            update={
                "title": "",
                "results": tuple(figures),
                "notes": f"Of {tried} candidates for the wording, ranked by {results.metric or LIKELIHOOD} "
                f"on {len(self._validation)} questions: {said}.",
            }
        )


def _ranked_by(measured: Mapping[str, Mapping[str, float]], sign: int) -> dict[str, float]:
    """Each candidate's mean, turned so that more is better.

    One that lacks a question which another has, as where it does not fit the context, ranks last: it must be
    no better for it.
    """
    most = max(map(len, measured.values()), default=0)
    return {
        text: sign * sum(values.values()) / len(values) if values and len(values) == most else -math.inf
        for text, values in measured.items()
    }


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's, ties at their mean rank; None below three pairs or where one side is constant."""
    if len(pairs) < 3:
        return None
    one, other = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    if one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _ranks(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    data = np.asarray(values, np.float64)
    below = (data[:, None] > data[None, :]).sum(axis=1)
    same = (data[:, None] == data[None, :]).sum(axis=1)
    ranks: np.ndarray[tuple[int], np.dtype[np.float64]] = below + (same - 1) / 2
    return ranks
