"""A run on disk: a folder of JSON and JSONL that can be read without this program.

``manifest.json`` says what was asked of what, with hashes, versions, seed and machine; ``questions.jsonl``
what was asked; ``answers.jsonl`` what was answered, a line as soon as it is finished; ``scores.jsonl`` what
a model said of the answers; ``verdicts.jsonl`` what a judge said; ``results.json`` the figures. Nothing runs
here.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from filelock import FileLock, Timeout

from playground import __version__
from playground.datasets import RowProblem
from playground.experiments.assistants import AssistantSpec, ExperimentError, Host, Tag, unique_names
from playground.experiments.questions import QuestionSet, stored_questions, write_questions
from playground.presets.library import write_atomically
from playground.presets.preset import Preset
from playground.types import FinishReason

FORMAT = 1
AnswerKey = tuple[str, str, int, int]
"""Assistant, question, turn and sample: what finished work is known by."""
_PACKAGES = ("llama-cpp-python", "torch", "transformers", "numpy", "openai", "rouge-score", "bm25s")


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
        scorer: The instruct model under which answers' perplexity is taken.
        shift_base: The base model under which answers' tokens are ranked.
        options: What a kind needs besides, in plain JSON values.
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
    scorer: str = "wren/instruct"
    shift_base: str = "wren/base"
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of ``answers.jsonl``: what an assistant said to one turn of a question.

    Attributes:
        assistant, question, turn, sample: Its key; turn and sample count from 0.
        text: The answer, without stop and lead.
        seed: That it was drawn with.
        stop: The stop rule's text that ended it, if one did.
        error: Why there is no answer, as a sentence.
        dropped_turns: How many turns of the conversation did not fit.
        prompt_tokens, cached_tokens, completion_tokens: Of the request.
        prefill_s, decode_s: Seconds of wall clock.
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
    models = sorted({spec.model for spec in plan.assistants} | _metric_models(plan))
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
        "versions": _versions(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count() or 0,
            "python": sys.version.split()[0],
        },
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
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
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ExperimentError(
            f"{folder / 'manifest.json'} lacks what a run needs ({error!r}); start it again."
        ) from error
    if questions.sha256() != told:
        raise ExperimentError(
            f"The questions in {folder} were changed after the run was started; start a new run."
        )
    return plan


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


def lock(folder: Path) -> FileLock:
    """The run's lock, taken; two programs cannot go on with one run.

    Raises:
        ExperimentError: Another one has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = FileLock(folder / ".lock", timeout=0)
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


def _metric_models(plan: Plan) -> set[str]:
    """Models that are needed besides the assistants'."""
    needed = set()
    if "perplexity" in plan.metrics:
        needed.add(plan.scorer)
    if "shift" in plan.metrics:
        needed.add(plan.shift_base)
    # A search's second model, and who paraphrases.
    named = (plan.options.get(key) for key in ("transfer", "writer"))
    return needed | {model for model in named if isinstance(model, str) and model}


def _used_rivals(questions: QuestionSet) -> dict[str, tuple[str, ...]]:
    used = {turn.relation for question in questions.questions for turn in question.turns}
    return {name: tuple(values) for name, values in questions.rivals.items() if name in used}


def _versions() -> dict[str, Tag]:
    found: dict[str, Tag] = {"icl-playground": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
