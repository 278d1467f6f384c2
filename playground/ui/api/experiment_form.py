"""What the page asks an experiment for, checked; and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from playground.datasets import DataFileError
from playground.experiments.ablate import Axis, Order
from playground.experiments.assistants import RetrievedBy
from playground.experiments.candidates import CandidateOptions
from playground.experiments.questions import QuestionSet
from playground.experiments.run_files import Plan
from playground.experiments.search import SearchOptions
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.services.experiment_plans import (
    Ablation,
    Asking,
    Splits,
    ablation,
    evaluation,
    example_search,
    spec_for,
    wording_search,
)
from playground.services.experiments import Experiments
from playground.services.metric_models import with_metric_models
from playground.ui.wire_format import Incoming

MAX_ASSISTANTS = 12
_Count = Annotated[int, Field(ge=1, le=100_000)]
_Some = Annotated[int, Field(ge=0, le=100_000)]


class AssistantIn(Incoming):
    """A model and a preset (``@draft``, ``none``), and options of the model's chat template."""

    model: str
    preset: str
    options: dict[str, bool | int | float | str] = Field(default_factory=dict, max_length=50)


class SetIn(Incoming):
    """A question set of the list, some of its categories, and at most so many questions."""

    name: str
    categories: Annotated[tuple[str, ...], Field(max_length=200)] = ()
    limit: _Count | None = None


class AblateIn(Incoming):
    """The knob; see ``Ablation``."""

    axis: Axis = "k"
    counts: Annotated[tuple[_Some, ...], Field(min_length=1, max_length=30)] = (0, 1, 2, 3, 5, 8)
    order: Order = "random"
    seeds: Annotated[int, Field(ge=1, le=20)] = 3
    orders: Annotated[int, Field(ge=2, le=50)] = 6
    templates: Annotated[tuple[str, ...], Field(min_length=1, max_length=20)] = ("basechat",)
    temperatures: Annotated[tuple[float, ...], Field(min_length=1, max_length=20)] = (0.0, 0.5, 1.0)
    penalties: Annotated[tuple[float, ...], Field(min_length=1, max_length=20)] = (1.0, 1.15)


class SearchIn(Incoming):
    """A search of examples; see ``SearchOptions``."""

    metric: str = "right"
    pool: _Count = 24
    most: Annotated[int, Field(ge=1, le=50)] = 3
    keep: bool = False
    budget: _Some = 0
    halving: _Some = 0
    transfer: str = ""


class WordingIn(Incoming):
    """Candidates for the wording; see ``CandidateOptions``."""

    metric: str = ""
    texts: Annotated[tuple[str, ...], Field(max_length=200)] = ()
    mine: str = ""
    mined: _Count = 16
    paraphrases: Annotated[int, Field(ge=0, le=50)] = 0
    writer: str = ""
    keep: _Some = 8


class PlanIn(Incoming):
    """An experiment as the form says it."""

    kind: Literal["evaluate", "ablate", "search", "candidates"]
    assistants: Annotated[tuple[AssistantIn, ...], Field(max_length=MAX_ASSISTANTS)]
    draft: Mapping[str, object] | None
    questions: SetIn
    metrics: tuple[str, ...] = ()
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    samples: Annotated[int, Field(ge=1, le=64)] = 1
    exact: bool = False
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] | None = None
    pool: SetIn | None = None
    retrieve: tuple[RetrievedBy, ...] = ()
    k: Annotated[int, Field(ge=1, le=50)] = 3
    validation: _Count = 32
    test: _Count = 64
    name: Annotated[str, Field(max_length=80)] = ""
    scorer: str = ""
    shift_base: str = ""
    ablate: AblateIn = AblateIn()
    search: SearchIn = SearchIn()
    wording: WordingIn = WordingIn()


def plan_of(query: PlanIn, workbench: Workbench, experiments: Experiments) -> Plan:
    """The plan that a form asks for, with the models that its metrics need.

    Raises:
        PlaygroundError: It cannot be asked; the sentence says why.
    """
    return with_metric_models(_plan_of(query, workbench, experiments), workbench.catalog)


def _plan_of(query: PlanIn, workbench: Workbench, experiments: Experiments) -> Plan:
    draft = None if query.draft is None else Preset.checked(query.draft)
    specs = tuple(
        spec_for(
            workbench, one.model, one.preset, draft=draft, max_tokens=query.max_tokens, options=one.options
        )
        for one in query.assistants
    )
    asked = _questions(query.questions, experiments, query.seed)
    asking = Asking(
        specs, asked, query.metrics, query.seed, query.samples, query.exact, query.scorer, query.shift_base
    )
    pool = _questions(query.pool, experiments, query.seed) if query.pool is not None else None
    splits = Splits(query.search.pool, query.validation, query.test)
    match query.kind:
        case "evaluate":
            return evaluation(
                workbench, asking, pool=pool if query.retrieve else None, k=query.k, by=query.retrieve
            )
        case "ablate":
            return ablation(asking, Ablation(**query.ablate.model_dump()), pool)
        case "search":
            if query.search.transfer:
                workbench.catalog.get(query.search.transfer)
            options = query.search.model_dump(exclude={"pool"})
            return example_search(
                asking, SearchOptions(pool=(), validation=(), test=(), name=_name(query), **options), splits
            )
        case "candidates":
            if query.wording.writer:
                workbench.catalog.get(query.wording.writer)
            chosen = query.wording.model_dump(exclude={"mine", "mined"})
            return wording_search(
                asking,
                CandidateOptions(mined=(), validation=(), test=(), name=_name(query), **chosen),
                splits,
                text=query.wording.mine,
                most_mined=query.wording.mined,
            )


def _questions(wanted: SetIn, experiments: Experiments, seed: int) -> QuestionSet:
    """A set of the list: a page names no other files of this machine."""
    if wanted.name not in {one.name for one in experiments.sets.offered()}:
        raise DataFileError("This question set is not in the list any more; choose another.")
    found = experiments.questions(wanted.name)
    if wanted.categories:
        found = found.only(wanted.categories)
    return found if wanted.limit is None else found.take(wanted.limit, seed=seed)


def _name(query: PlanIn) -> str:
    return query.name.strip() or "found"
