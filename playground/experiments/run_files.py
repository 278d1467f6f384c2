"""A run on disk: a folder of JSON and JSONL that can be read without this program.

``manifest.json`` says what was asked of what, with hashes, versions, seed and machine; ``questions.jsonl``
what was asked; ``answers.jsonl`` what was answered, a line as soon as it is finished; ``scores.jsonl`` what
a model said of the answers; ``verdicts.jsonl`` what a judge said; ``results.json`` the figures. Nothing runs
here.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from playground.datasets import RowProblem
from playground.experiments.assistants import AssistantSpec, ExperimentError, Host, Tag, unique_names
from playground.experiments.machine import machine, versions
from playground.experiments.private_files import FILE_MODE, make_private_folder
from playground.experiments.questions import QuestionSet, stored_questions, write_questions
from playground.presets.library import write_atomically
from playground.presets.preset import Preset
from playground.prompts.thinking import find_thinking
from playground.types import FinishReason

FORMAT = 1
METRIC_OPTIONS = {"perplexity": "--scorer", "shift": "--shift-base"}
"""Metrics that are taken under another model, and the option that names it."""
AnswerKey = tuple[str, str, int, int]
"""Assistant, question, turn and sample: what finished work is known by."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does, complete enough to be done again.

    Attributes:
        kind: ``evaluate``, ``ablate``, ``search``.
        assistants: Asked every question; a search adds its candidates as it goes.
        questions: What is asked.
        metrics: Names; see ``metrics.METRICS`` and ``model_metrics.MODEL_METRICS``.
        samples: Answers to each question, each with a seed of its own.
        seed: Of everything that is drawn.
        exact: The same floats whatever else runs; slower.
        reference: Name of the assistant that gaps are measured to; empty for none.
        style: The preset whose manner the format metrics look for; None for each assistant's own.
        scorer: The instruct model under which all answers' perplexity is taken; empty: see ``scorers``.
        shift_base: The base model under which all answers' tokens are ranked; empty: see ``shift_bases``.
        scorers, shift_bases: The same by an assistant's model: those of its pair.
        options: What a kind needs besides, in plain JSON values.
        notes: What whoever reads the results must know, such as a default metric that is left out.
        command: The command line that started the run; empty where the page did.
    """

    kind: str
    assistants: tuple[AssistantSpec, ...]
    questions: QuestionSet
    metrics: tuple[str, ...] = ()
    samples: int = 1
    seed: int = 0
    exact: bool = False
    reference: str = ""
    style: Preset | None = None
    scorer: str = ""
    shift_base: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    command: str = ""
    scorers: Mapping[str, str] = field(default_factory=dict)
    shift_bases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of ``answers.jsonl``: what an assistant said to one turn of a question.

    Attributes:
        assistant, question, turn, sample: Its key; turn and sample count from 0.
        text: The answer, without stop, lead and thinking. A text that starts with thinking in the usual
            markers gives it up to ``thinking``.
        seed: That it was drawn with.
        stop: The stop rule's text that ended it, if one did.
        error: Why there is no answer, as a sentence.
        dropped_turns: How many turns of the conversation did not fit.
        prompt_tokens, cached_tokens, completion_tokens: Of the request.
        prefill_s, decode_s: Seconds of wall clock.
        thinking: What the model wrote before its answer, with its markers.
        thinking_tokens: How many of the completion's tokens that took; 0 where it is not known.
        thinking_open: Whether the answer ended inside its thinking.
    """

    assistant: str
    question: str
    turn: int
    sample: int
    text: str
    finish_reason: FinishReason
    seed: int
    stop: str | None = None
    error: str | None = None
    dropped_turns: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    thinking: str = ""
    thinking_tokens: int = 0
    thinking_open: bool = False

    def __post_init__(self) -> None:
        """Metrics, judges and votes never see what a model thought, whoever wrote the answer down."""
        found = find_thinking(self.text)
        if found.end:
            object.__setattr__(self, "thinking", self.thinking + self.text[: found.end])
            object.__setattr__(self, "thinking_open", found.is_open)
            object.__setattr__(self, "text", self.text[found.end :])

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What finished work is known by."""
        return self.assistant, self.question, self.turn, self.sample


def write_manifest(folder: Path, plan: Plan, host: Host) -> None:
    """Begin a run's folder: manifest and questions.

    Raises:
        ExperimentError: The folder holds something already, or cannot be written.
        PlaygroundError: A model of the plan cannot be had.
    """
    unique_names(plan.assistants)
    if not plan.questions.questions:
        raise ExperimentError(f"{plan.questions.name} has no question to ask; choose another set.")
    check_metric_models(plan)
    models = sorted(asked_models(plan) | _metric_models(plan))
    manifest = {
        "format": FORMAT,
        "kind": plan.kind,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": plan.seed,
        "samples": plan.samples,
        "exact": plan.exact,
        "metrics": list(plan.metrics),
        "reference": plan.reference,
        "scorer": plan.scorer,
        "shift_base": plan.shift_base,
        "scorers": dict(plan.scorers),
        "shift_bases": dict(plan.shift_bases),
        "style": plan.style.model_dump(mode="json", by_alias=True) if plan.style else None,
        "questions": {
            "name": plan.questions.name,
            "format": plan.questions.format,
            "n": len(plan.questions.questions),
            "sha256": replace(plan.questions, rivals=_used_rivals(plan.questions)).sha256(),
            "problems": [{"place": p.place, "message": p.message} for p in plan.questions.problems],
            "notes": list(plan.questions.notes),
            "rivals": _used_rivals(plan.questions),
            "openings": plan.questions.openings,
            "closings": plan.questions.closings,
        },
        "assistants": [spec.as_dict() for spec in plan.assistants],
        "models": {model: dict(host.model_facts(model)) for model in models},
        "options": dict(plan.options),
        "notes": list(plan.notes),
        "command": plan.command,
        "versions": versions(),
        "machine": machine(),
    }
    try:
        make_private_folder(folder)
        if any(path.name != ".lock" for path in folder.iterdir()):
            raise ExperimentError(
                f"{folder} is not empty; name a new folder with --out, or go on with --resume {folder}."
            )
        write_questions(folder / "questions.jsonl", plan.questions.questions)
        write_atomically(folder / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise ExperimentError(f"{folder} cannot be written: {error.strerror}.") from error


def read_manifest(folder: Path) -> dict[str, object]:
    """The manifest as it stands on disk.

    Raises:
        ExperimentError: There is none, or it is of another format.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise ExperimentError(f"{folder} holds no run (no manifest.json); name a run's folder.") from error
    except ValueError as error:
        raise ExperimentError(
            f"{folder / 'manifest.json'} is not JSON: {error}; start the run again."
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ExperimentError(
            f"{folder / 'manifest.json'} is not of format {FORMAT}, which is what this program reads; "
            "use the program that wrote it."
        )
    return manifest


def read_plan(folder: Path) -> Plan:
    """The plan of a stored run.

    Raises:
        ExperimentError: It cannot be read, or its questions were changed.
    """
    stored = read_manifest(folder)
    try:
        asked = stored["questions"]
        assistants = stored["assistants"]
        assert isinstance(asked, dict)
        assert isinstance(assistants, list)
        questions = QuestionSet(
            asked["name"],
            stored_questions(folder / "questions.jsonl"),
            asked["format"],
            tuple(RowProblem(p["place"], p["message"]) for p in asked["problems"]),
            {name: tuple(values) for name, values in asked["rivals"].items()},
            tuple(asked["openings"]),
            tuple(asked["closings"]),
            tuple(asked.get("notes", ())),  # runs of earlier versions have none
        )
        told = asked["sha256"]
        style = stored["style"]
        options = stored["options"]
        metrics = stored["metrics"]
        assert isinstance(options, dict)
        assert isinstance(metrics, list)
        plan = Plan(
            str(stored["kind"]),
            tuple(AssistantSpec.from_dict(spec) for spec in assistants),
            questions,
            tuple(str(name) for name in metrics),
            int(str(stored["samples"])),
            int(str(stored["seed"])),
            bool(stored["exact"]),
            str(stored["reference"]),
            None if style is None else Preset.checked(style, source="the run's style"),
            str(stored["scorer"]),
            str(stored["shift_base"]),
            options,
            msgspec.convert(stored.get("notes", _old_notes(stored)), tuple[str, ...]),
            str(stored.get("command", "")),
            msgspec.convert(stored.get("scorers", {}), dict[str, str]),
            msgspec.convert(stored.get("shift_bases", {}), dict[str, str]),
        )
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AssertionError) as error:
        raise ExperimentError(
            f"{folder / 'manifest.json'} lacks what a run needs ({error!r}); start it again."
        ) from error
    if questions.sha256() != told:
        raise ExperimentError(
            f"The questions in {folder} were changed after the run was started; start a new run."
        )
    return plan


def _old_notes(stored: Mapping[str, object]) -> list[str]:
    """Notes for a run of an earlier version, which did not choose these models by the assistant's pair."""
    metrics = stored["metrics"]
    assert isinstance(metrics, list)
    named = {"perplexity": stored["scorer"], "shift": stored["shift_base"]}
    return [f"{metric} is taken under {model}." for metric, model in named.items() if metric in metrics]


def check_models(folder: Path, host: Host) -> None:
    """Refuse to go on with other weights than the run began with.

    Raises:
        ExperimentError: A model's fingerprint is another one now.
    """
    stored = read_manifest(folder).get("models")
    assert isinstance(stored, dict)
    for model, facts in stored.items():
        now = host.model_facts(model)
        if facts.get("fingerprint") != now.get("fingerprint"):
            raise ExperimentError(
                f"The model {model} is not the one that this run began with; its answers cannot be mixed. "
                "Start a new run."
            )


def note_engine(folder: Path, model: str, facts: Mapping[str, Tag]) -> None:
    """Remember in the manifest how a model was loaded; a resumed run may have it loaded otherwise.

    Raises:
        ExperimentError: The manifest cannot be read or written.
    """
    manifest = read_manifest(folder)
    engines = manifest.setdefault("engines", {})
    assert isinstance(engines, dict)
    known = engines.setdefault(model, [])
    if dict(facts) not in known:
        known.append(dict(facts))
        write_results(folder, manifest, "manifest.json")


def lock(folder: Path) -> FileLock:
    """The run's lock, taken; two programs cannot go on with one run.

    Raises:
        ExperimentError: Another one has it.
    """
    try:
        make_private_folder(folder)
        # Not of one thread: a run is closed by another thread than the one that opened it.
        taken = FileLock(folder / ".lock", timeout=0, mode=FILE_MODE, thread_local=False)
        taken.acquire()
    except Timeout as error:
        raise ExperimentError(
            f"Another program is working on {folder}; wait for it, or stop it first."
        ) from error
    except OSError as error:
        raise ExperimentError(f"{folder} cannot be written: {error.strerror}.") from error
    return taken


def is_locked(folder: Path) -> bool:
    """Whether a program is at work on the run."""
    try:
        lock(folder).release()
    except ExperimentError:
        return True
    return False


def write_results(folder: Path, results: Mapping[str, object], name: str = "results.json") -> None:
    """Write the figures, atomically.

    Raises:
        ExperimentError: The disk is full or gone.
    """
    try:
        write_atomically(folder / name, json.dumps(results, ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise ExperimentError(
            f"{folder / name} was not written: {error.strerror}. The answers are kept; resume the run."
        ) from error


def asked_models(plan: Plan) -> set[str]:
    """The models whose answers a run measures: the assistants', and the one that a search transfers to."""
    transfer = plan.options.get("transfer")
    return {spec.model for spec in plan.assistants} | (
        {transfer} if isinstance(transfer, str) and transfer else set()
    )


def metric_model(plan: Plan, metric: str, model: str) -> str:
    """The model under which a metric of another model's answers is taken.

    Raises:
        ExperimentError: The plan names none.
    """
    named, table, kind = (
        (plan.scorer, plan.scorers, "instruct")
        if metric == "perplexity"
        else (plan.shift_base, plan.shift_bases, "base")
    )
    found = named or table.get(model)
    if not found:
        raise ExperimentError(
            f"The metric {metric} is taken under the {kind} model of the assistant's pair, and {model} has "
            f"none here. Name one with {METRIC_OPTIONS[metric]}, or leave {metric} out."
        )
    return found


def check_metric_models(plan: Plan) -> None:
    """Refuse a plan that measures answers under a model that it does not name.

    Raises:
        ExperimentError: A model is missing.
    """
    for metric in METRIC_OPTIONS:
        if metric in plan.metrics:
            for model in sorted(asked_models(plan)):
                metric_model(plan, metric, model)


def _metric_models(plan: Plan) -> set[str]:
    """Models that are needed besides the assistants'."""
    needed = set()
    for metric in METRIC_OPTIONS:
        if metric in plan.metrics:
            needed |= {metric_model(plan, metric, model) for model in asked_models(plan)}
    writer = plan.options.get("writer")  # who paraphrases
    return needed | ({writer} if isinstance(writer, str) and writer else set())


def _used_rivals(questions: QuestionSet) -> dict[str, tuple[str, ...]]:
    used = {turn.relation for question in questions.questions for turn in question.turns}
    return {name: tuple(values) for name, values in questions.rivals.items() if name in used}
