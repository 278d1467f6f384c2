"""What a person asks for, as a plan that can be run: one way for the command line, Python and the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from playground.experiments.ablate import (
    AXES,
    ORDERS,
    Axis,
    Order,
    apart,
    corruptions,
    decoding_grid,
    example_counts,
    leave_one_out,
    permutations,
    without_system,
)
from playground.experiments.ablate import templates as in_templates
from playground.experiments.assistants import (
    RETRIEVED_BY,
    AssistantSpec,
    ExperimentError,
    Retrieval,
    RetrievedBy,
)
from playground.experiments.candidates import CandidateOptions
from playground.experiments.metric_choice import (
    check_goal,
    check_measurable,
    check_metrics,
    default_metrics,
)
from playground.experiments.model_metrics import LIKELIHOOD
from playground.experiments.pools import in_style_of
from playground.experiments.questions import Question, QuestionSet
from playground.experiments.retrieve import check_retrieval
from playground.experiments.run_files import Plan
from playground.experiments.search import SearchOptions, split_for_search
from playground.experiments.wordings import QUERY, mined, worded
from playground.presets.preset import Preset
from playground.prompts.template_options import check_options
from playground.services.workbench import DRAFT, NO_PRESET, Workbench
from playground.types import OptionValue


@dataclass(frozen=True, slots=True)
class Asking:
    """What every experiment says: who is asked what, and how it is measured.

    Attributes:
        assistants: One or more; a search takes one.
        questions: What is asked, or for a search what its parts are drawn from.
        metrics: Names; none takes what suits the questions.
        seed: Of everything that is drawn.
        samples: Answers to each question.
        exact: The same floats whatever else runs; slower.
        scorer, shift_base: The models under which ``perplexity`` and ``shift`` of all answers are taken;
            empty for those of each assistant's pair.
    """

    assistants: tuple[AssistantSpec, ...]
    questions: QuestionSet
    metrics: tuple[str, ...] = ()
    seed: int = 0
    samples: int = 1
    exact: bool = False
    scorer: str = ""
    shift_base: str = ""

    def metric_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The metrics, and a note for each that is left out because its package is not installed.

        Raises:
            PlaygroundError: There is no such metric, or one that was asked for cannot be computed here.
        """
        check_metrics(self.metrics)
        if self.metrics:
            return self.metrics, ()
        return default_metrics([turn for q in self.questions.questions for turn in q.turns])

    def plan(
        self,
        kind: str,
        assistants: Sequence[AssistantSpec],
        questions: QuestionSet,
        metrics: tuple[str, ...],
        notes: tuple[str, ...] = (),
        *,
        samples: int = 1,
        reference: str = "",
        style: Preset | None = None,
        options: Mapping[str, object] | None = None,
    ) -> Plan:
        """A plan with what every kind of experiment has in common."""
        return Plan(
            kind, tuple(assistants), questions, metrics, samples, self.seed, self.exact, reference, style,
            self.scorer, self.shift_base, options or {}, notes,
        )  # fmt: skip

    def one(self) -> AssistantSpec:
        """The only assistant.

        Raises:
            ExperimentError: There are more, or none.
        """
        if len(self.assistants) != 1:
            raise ExperimentError(
                f"A search begins with one assistant, not {len(self.assistants)}; choose one base model with "
                "a preset."
            )
        return self.assistants[0]


@dataclass(frozen=True, slots=True)
class Ablation:
    """Which knob is turned, and how far; see ``experiments.ablate``."""

    axis: Axis = "k"
    counts: tuple[int, ...] = (0, 1, 2, 3, 5, 8)
    order: Order = "random"
    seeds: int = 3
    orders: int = 6
    templates: tuple[str, ...] = ("basechat", "plain", "urial_backticks")
    temperatures: tuple[float, ...] = (0.0, 0.5, 1.0)
    penalties: tuple[float, ...] = (1.0, 1.15)


@dataclass(frozen=True, slots=True)
class Splits:
    """How many questions are shown as examples, chosen by, and kept for the end."""

    pool: int = 24
    validation: int = 32
    test: int = 64


def spec_for(
    workbench: Workbench,
    model: str,
    preset_name: str | None = None,
    *,
    draft: Preset | None = None,
    max_tokens: int | None = None,
    options: Mapping[str, OptionValue] | None = None,
) -> AssistantSpec:
    """An assistant by the names of its parts.

    Args:
        workbench: Where models and presets are.
        model: As in the catalog, or a path.
        preset_name: A preset, ``none``, ``@draft``; None is the model's own, or none for an instruct model.
        draft: What ``@draft`` stands for.
        max_tokens: In place of the preset's own.
        options: Named arguments of an instruct model's chat template, before those of the preset.

    Raises:
        PlaygroundError: No such model or preset, or an option that the model's chat template does not read.
    """
    entry = workbench.catalog.get(model)
    name = preset_name
    if name is None:
        name = entry.default_preset if entry.kind == "base" else NO_PRESET
    if name == DRAFT:
        if draft is None:
            raise ExperimentError("There is no draft to ask with; open a preset first.")
        preset: Preset | None = draft
        name = _draft_name(workbench, draft)
    else:
        preset = None if name == NO_PRESET else workbench.presets.load(name)
    # Without a preset a model is decoded by its own published settings, or by the neutral ones.
    sampling = entry.sampling if preset is None else None
    if options and entry.kind == "instruct":
        check_options(workbench.template_options(entry.id), options)
        # A preset without text prompts an instruct model by its chat template alone, and keeps the options.
        base = preset or Preset(name="chat template")
        preset = base.model_copy(update={"template_options": {**base.template_options, **options}})
    spec = AssistantSpec(f"{entry.id}:{name}", entry.id, preset, sampling)
    return (
        spec if max_tokens is None else replace(spec, sampling=replace(spec.params(), max_tokens=max_tokens))
    )


def split_model(text: str) -> tuple[str, str | None]:
    """``MODEL[:PRESET]`` as its two parts; a drive letter's colon is no separator."""
    model, colon, preset = text.rpartition(":")
    if not colon or re.fullmatch("[A-Za-z]", model):
        return text, None
    return model, preset or None


def evaluation(
    workbench: Workbench,
    asking: Asking,
    *,
    reference: str = "",
    style: Preset | None = None,
    pool: QuestionSet | None = None,
    k: int = 3,
    by: Sequence[str] = ("bm25",),
) -> Plan:
    """Assistants by questions by metrics.

    Args:
        workbench: Where models are.
        asking: Who and what.
        reference: The assistant that gaps are measured to; the first instruct model without it.
        style: The preset whose manner is looked for in every answer.
        pool: The first assistant is also asked with ``k`` examples retrieved from here for each question.
        k: Examples to retrieve.
        by: Ways to retrieve, an assistant each.

    Raises:
        ExperimentError: The reference is not among the assistants, or there is no such way.
    """
    specs = list(asking.assistants)
    if pool is not None and specs:
        examples = in_style_of(pool.examples(), specs[0].preset)
        specs += [_retrieving(specs[0], Retrieval(k, examples, _way(way))) for way in by]
        check_retrieval(Retrieval(k, examples))
    names = [spec.name for spec in specs]
    if reference and reference not in names:
        raise ExperimentError(f"{reference} is not among the assistants; name it with --assistant too.")
    if not reference:
        kinds = {spec.name: workbench.catalog.get(spec.model).kind for spec in specs}
        reference = next((n for n, kind in kinds.items() if kind == "instruct"), names[0] if names else "")
    metrics, notes = asking.metric_names()
    return asking.plan(
        "evaluate", specs, asking.questions, metrics, notes, samples=asking.samples, reference=reference,
        style=style,
    )  # fmt: skip


def ablation(asking: Asking, chosen: Ablation, pool: QuestionSet | None = None) -> Plan:
    """One knob of each assistant turned step by step.

    Args:
        asking: Who and what.
        chosen: The knob.
        pool: Where examples and wrong answers come from; what is asked is left out of it.

    Raises:
        ExperimentError: There is no such knob, or it cannot be turned on this preset.
    """
    if chosen.axis not in AXES:
        raise ExperimentError(f"There is no ablation '{chosen.axis}'. Use one of: {', '.join(AXES)}.")
    if chosen.order not in ORDERS:
        raise ExperimentError(f"There is no order '{chosen.order}'. Use one of: {', '.join(ORDERS)}.")
    made = tuple(v for spec in asking.assistants for v in _variants(spec, asking, chosen, pool))
    metrics, notes = asking.metric_names()
    return asking.plan(
        "ablate", made, asking.questions, metrics, notes, samples=asking.samples,
        reference=made[0].name if made else "", style=asking.assistants[0].preset if made else None,
    )  # fmt: skip


def example_search(asking: Asking, options: SearchOptions, splits: Splits) -> Plan:
    """Which examples of a pool to show.

    Args:
        asking: One assistant; pool, validation and test are drawn from its questions.
        options: Of the search; its pool and questions are filled in here.
        splits: How many of each.

    Raises:
        PlaygroundError: There are not enough questions, or no such metric, or one without a direction.
    """
    check_goal(options.metric)
    spec = asking.one()
    shown, chosen_by, kept = split_for_search(
        asking.questions, pool=splits.pool, validation=splits.validation, test=splits.test, seed=asking.seed
    )
    options = replace(
        options,
        pool=in_style_of(shown.examples(), spec.preset),
        validation=_ids(chosen_by.questions),
        test=_ids(kept.questions),
    )
    asked = replace(chosen_by, questions=(*chosen_by.questions, *kept.questions))
    check_measurable(options.metric, [turn for q in chosen_by.questions for turn in q.turns])
    return asking.plan("search", (spec,), asked, (options.metric,), options=asdict(options))


def wording_search(
    asking: Asking, options: CandidateOptions, splits: Splits, *, text: str = "", most_mined: int = 16
) -> Plan:
    """Which wording of the system text, or of the question, does best.

    Args:
        asking: One assistant; validation and test are drawn from its questions.
        options: Of the ranking; its questions are filled in here.
        splits: How many of each; there is no pool.
        text: Candidates are mined from it, at most ``most_mined`` of them.
        most_mined: See ``text``.

    Raises:
        PlaygroundError: There is nothing to try, a candidate is none, or there are not enough questions.
    """
    if options.metric:
        check_goal(options.metric)
    spec = asking.one()
    if spec.preset is None:
        raise ExperimentError(f"{spec.name} has no preset whose wording could change; choose one.")
    given = tuple(dict.fromkeys(text.strip() for text in options.texts if text.strip()))
    found = tuple(mined(text, asking.questions, most_mined)) if text else ()
    for candidate in (*given, *found):
        worded(spec.preset, candidate)
    if not given and not found and not (options.paraphrases and spec.preset.system.strip()):
        raise ExperimentError(
            f"There is no candidate to try: write some, a line each (with {QUERY} for the question's place), "
            "name a text that holds some, or have a system text paraphrased."
        )
    parts = asking.questions.split((splits.validation, splits.test), seed=asking.seed)
    options = replace(
        options,
        texts=given,
        mined=found,
        validation=_ids(parts[0].questions),
        test=_ids(parts[1].questions),
    )
    asked = replace(parts[0], questions=(*parts[0].questions, *parts[1].questions))
    metrics = tuple(dict.fromkeys(name for name in (LIKELIHOOD, options.metric) if name))
    for name in metrics:
        check_measurable(name, [turn for q in parts[0].questions for turn in q.turns])
    return asking.plan("candidates", (spec,), asked, metrics, options=asdict(options))


def _variants(
    spec: AssistantSpec, asking: Asking, chosen: Ablation, pool: QuestionSet | None
) -> list[AssistantSpec]:
    match chosen.axis:
        case "leave-one-out":
            return leave_one_out(spec)
        case "order":
            return permutations(spec, n=chosen.orders, seed=asking.seed)
        case "system":
            return without_system(spec)
        case "template":
            return in_templates(spec, chosen.templates)
        case "decoding":
            return decoding_grid(
                spec, temperatures=chosen.temperatures, repetition_penalties=chosen.penalties
            )
    held = pool.examples() if pool is not None else ()
    examples = in_style_of(apart(held, asking.questions), spec.preset)
    if chosen.axis == "corrupt":
        return corruptions(spec, examples, seed=asking.seed)
    return example_counts(spec, examples, chosen.counts, seeds=range(chosen.seeds), order=chosen.order)


def _retrieving(spec: AssistantSpec, retrieval: Retrieval) -> AssistantSpec:
    way = "BM25" if retrieval.by == "bm25" else retrieval.by
    return replace(spec.named(f"{spec.name} + {way} {retrieval.k}"), retrieval=retrieval)


def _way(name: str) -> RetrievedBy:
    for way in RETRIEVED_BY:
        if way == name:
            return way
    raise ExperimentError(f"Nothing is retrieved by '{name}'. Use some of: {', '.join(RETRIEVED_BY)}.")


def _draft_name(workbench: Workbench, draft: Preset) -> str:
    """The draft's name, marked where it is not what the library holds under it."""
    kept = next(
        (e.name for e in workbench.presets.entries() if e.name == draft.name and e.error is None), None
    )
    if kept is not None and workbench.presets.load(kept).content_hash() == draft.content_hash():
        return draft.name
    return f"{draft.name} (edited)"


def _ids(questions: Sequence[Question]) -> tuple[str, ...]:
    return tuple(question.id for question in questions)
