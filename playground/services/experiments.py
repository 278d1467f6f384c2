"""Experiments over the workbench's models: started, watched, cancelled, resumed and read by name.

The page and the command line both come here. A run goes on in a thread of its own whatever becomes of who
started it; its folder holds all that it found.
"""

from __future__ import annotations

import datetime
import json
import re
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from playground.chat.assistant import Assistant
from playground.engines.base import Cancel, Engine
from playground.engines.llamacpp.fingerprint import file_fingerprint
from playground.errors import PlaygroundError
from playground.experiments.assistants import ExperimentError, Tag
from playground.experiments.candidates_report import rank_and_report
from playground.experiments.evaluate import evaluate, rewrite_report
from playground.experiments.judge import Judge, judge_pairs, judge_scores, write_judged
from playground.experiments.progress import Progress, Snapshot
from playground.experiments.questions import QuestionSet
from playground.experiments.run import Run, RunCancelled
from playground.experiments.run_files import Plan, is_locked, lock, read_manifest
from playground.experiments.search_report import search_and_report
from playground.presets.preset import Preset
from playground.services.question_sets import QuestionSets
from playground.services.workbench import DRAFT, NO_PRESET, SideSpec, Workbench

RunWork = Callable[[Run], object]
_CLOSE_S = 10.0
_WORK: dict[str, RunWork] = {"search": search_and_report, "candidates": rank_and_report}


class WorkbenchHost:
    """The workbench as experiments see it."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def engine(self, model: str) -> Engine:
        """The loaded model, loading it first if it must."""
        return self._workbench.engine(model)

    def assistant(self, model: str, preset: Preset | None) -> Assistant:
        """A model prompted with a preset."""
        side = SideSpec(model, DRAFT if preset else NO_PRESET)
        return self._workbench.assistant(side, preset)

    def model_facts(self, model: str) -> Mapping[str, Tag]:
        """What tells a model from every other, read off its file; no model is loaded."""
        entry = self._workbench.catalog.get(model)
        source = entry.source(self._workbench.settings.engine)
        facts: dict[str, Tag] = {
            "title": entry.title,
            "kind": entry.kind,
            "engine": source.engine,
            "source": source.path,
        }
        path = Path(source.path)
        if path.is_dir():
            weights = sorted(path.glob("*.safetensors"))
            facts["fingerprint"] = " ".join(file_fingerprint(part) for part in weights)
        elif path.is_file():
            facts["bytes"] = path.stat().st_size
            facts["fingerprint"] = file_fingerprint(path)
        else:
            facts["fingerprint"] = f"{source.path} {source.served_model}"
        return facts


RunState = Literal["running", "finished", "cancelled", "failed", "interrupted", "elsewhere"]


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A stored run in a list.

    Attributes:
        results: Whether it got to its figures.
        state: ``interrupted`` was cancelled, or its program ended; ``elsewhere`` another program works on it.
        error: Why it failed, where that is known.
        answered: Lines of answers that are on the disk.
        planned: Answers in all; 0 where a search finds out as it goes.
    """

    id: str
    folder: Path
    kind: str
    created: str
    assistants: tuple[str, ...]
    questions: str
    n: int
    results: bool
    state: RunState = "interrupted"
    error: str = ""
    answered: int = 0
    planned: int = 0


class Experiments:
    """The runs of one person: those at work and those on disk. Thread-safe."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.host = WorkbenchHost(workbench)
        self.sets = QuestionSets(workbench.catalog, workbench.settings.data_dir / "questions")
        self.folder = workbench.settings.data_dir / "runs"
        self._lock = threading.Lock()
        self._active: dict[str, tuple[Progress, Cancel, threading.Thread]] = {}
        self._entries: dict[Path, tuple[tuple[int, int], RunEntry]] = {}
        workbench.at_close(self.close)

    def questions(self, name: str) -> QuestionSet:
        """A question set by its name; see ``QuestionSets.get``."""
        return self.sets.get(name)

    def start(self, plan: Plan, *, name: str = "") -> str:
        """Begin a run in the background, by the plan's kind; ``snapshot`` tells how far it is.

        Returns its id, which is the name of its folder below ``folder``.

        Raises:
            PlaygroundError: The plan cannot be asked.
        """
        with self._lock:
            run_id = self._free_name(name or plan.kind)
            cancel = Cancel()
            run = Run.create(self.folder / run_id, plan, self.host, cancel=cancel)
        self._launch(run_id, run, cancel, _work_of(plan.kind))
        return run_id

    def resume(self, run_id: str, *, work: RunWork | None = None) -> None:
        """Go on with a stored run in the background, or do ``work`` on it, such as having it judged.

        Raises:
            PlaygroundError: There is none, it is at work, or its models are others now.
        """
        cancel = Cancel()
        run = Run.resume(self._folder(run_id), self.host, cancel=cancel)
        self._launch(run_id, run, cancel, work or _work_of(run.plan.kind))

    def snapshot(self, run_id: str) -> Snapshot | None:
        """How far a run of this process is; None for one that is only on disk."""
        with self._lock:
            active = self._active.get(run_id)
        return active[0].snapshot() if active else None

    def cancel(self, run_id: str) -> None:
        """Ask a run to end; it can be resumed. Nothing happens to one that is not at work."""
        with self._lock:
            active = self._active.get(run_id)
        if active:
            active[1].set()

    def wait(self, run_id: str, timeout_s: float | None = None) -> bool:
        """Wait until a run of this process has ended; whether it has."""
        with self._lock:
            active = self._active.get(run_id)
        if active:
            active[2].join(timeout_s)
        return active is None or not active[2].is_alive()

    def results(self, run_id: str) -> dict[str, object]:
        """The figures of a run, as ``results.json`` holds them.

        Raises:
            ExperimentError: It has none yet.
        """
        path = self._folder(run_id) / "results.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ExperimentError(f"{run_id} has no results yet; resume it and let it finish.") from error
        assert isinstance(found, dict)
        return found

    def entries(self) -> list[RunEntry]:
        """The stored runs, newest first; folders that hold no run are passed over."""
        found: list[RunEntry] = []
        for path in self.folder.glob("*/manifest.json"):
            try:
                found.append(self._now(self._known(path)))
            except (PlaygroundError, OSError, KeyError, TypeError, ValueError):
                continue
        return sorted(found, key=lambda entry: (entry.created, entry.id), reverse=True)

    def entry(self, run_id: str) -> RunEntry:
        """One stored run.

        Raises:
            ExperimentError: There is none of that name, or it cannot be read.
        """
        try:
            return self._now(self._known(self._folder(run_id) / "manifest.json"))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ExperimentError(f"There is no run '{run_id}' any more; choose another.") from error

    def judge(
        self, run_id: str, judge: Judge, *, reference: str = "", aspects: Sequence[str] = ("overall",)
    ) -> None:
        """Have a stored run's answers judged in the background, and its report written again.

        Args:
            run_id: The run.
            judge: Who judges.
            reference: Pairs with this assistant of the run are judged, in both orders; else scores.
            aspects: What is judged.

        Raises:
            PlaygroundError: There is no such run, or it is at work.
        """

        def work(run: Run) -> None:
            if reference:
                verdicts = judge_pairs(run, judge, reference, aspects)
            else:
                verdicts = judge_scores(run, judge, aspects)
            write_judged(run, verdicts, reference)
            rewrite_report(run.folder)

        self.resume(run_id, work=work)

    def remove(self, run_id: str) -> None:
        """Delete a run that is not at work.

        Raises:
            ExperimentError: It is at work, there is none, or it cannot be deleted.
        """
        entry = self.entry(run_id)
        if entry.state == "running":
            raise ExperimentError(f"{run_id} is at work; cancel it first.")
        taken = lock(entry.folder)
        try:
            shutil.rmtree(entry.folder)
        except OSError as error:
            raise ExperimentError(f"{entry.folder} cannot be deleted: {error.strerror}.") from error
        finally:
            taken.release()

    def close(self) -> None:
        """Cancel what is at work and wait for it, a while where a model is being loaded."""
        with self._lock:
            active = list(self._active.values())
        for _, cancel, _ in active:
            cancel.set()
        for _, _, thread in active:
            thread.join(_CLOSE_S)

    def _launch(self, run_id: str, run: Run, cancel: Cancel, work: RunWork) -> None:
        def drive() -> None:
            with run:
                try:
                    work(run)
                    run.progress.end("finished")
                except RunCancelled:
                    run.progress.end("cancelled")
                except PlaygroundError as error:
                    run.progress.end("failed", str(error))
                except Exception as error:  # noqa: BLE001  (whatever it is, who watches must be told)
                    run.progress.end("failed", f"The run failed: {error!r}. What is finished is kept.")

        thread = threading.Thread(target=drive, name=f"run-{run_id}", daemon=True)
        with self._lock:
            self._active[run_id] = (run.progress, cancel, thread)
        thread.start()

    def _known(self, manifest: Path) -> RunEntry:
        """What a manifest says; read again only where the file is another one."""
        stat = manifest.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        held = self._entries.get(manifest)
        if held is None or held[0] != stamp:
            held = self._entries[manifest] = (stamp, _entry(manifest.parent))
        return held[1]

    def _now(self, entry: RunEntry) -> RunEntry:
        """The entry with what changes while a run is at work."""
        results = (entry.folder / "results.json").is_file()
        shown = self.snapshot(entry.id)
        state: RunState
        if shown is not None and shown.state in ("running", "failed"):
            state = shown.state
        elif results:
            state = "finished"
        elif shown is not None:
            state = "cancelled"
        else:
            state = "elsewhere" if is_locked(entry.folder) else "interrupted"
        return replace(
            entry,
            results=results,
            state=state,
            error=shown.error if shown is not None else "",
            answered=_lines(entry.folder / "answers.jsonl"),
        )

    def _folder(self, run_id: str) -> Path:
        if not re.fullmatch(r"[\w][\w.-]*", run_id):
            raise ExperimentError(f"'{run_id}' is no run's name; use one from the list.")
        return self.folder / run_id

    def _free_name(self, stem: str) -> str:
        safe = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "run"
        base = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}-{safe}"
        number = 1
        while (self.folder / f"{base}-{number}").exists():
            number += 1
        return f"{base}-{number}"


def _work_of(kind: str) -> RunWork:
    return _WORK.get(kind, evaluate)


def _entry(folder: Path) -> RunEntry:
    manifest = read_manifest(folder)
    asked, assistants = manifest["questions"], manifest["assistants"]
    if not isinstance(asked, dict) or not isinstance(assistants, list):
        raise TypeError
    per_sample = _lines(folder / "questions.jsonl", turns=True)
    searches = manifest["kind"] in _WORK
    return RunEntry(
        folder.name,
        folder,
        str(manifest["kind"]),
        str(manifest["created"]),
        tuple(str(spec["name"]) for spec in assistants),
        str(asked["name"]),
        int(asked["n"]),
        (folder / "results.json").is_file(),
        planned=0 if searches else per_sample * len(assistants) * int(str(manifest["samples"])),
    )


def _lines(path: Path, *, turns: bool = False) -> int:
    """Lines of a JSONL file, or of questions the turns of all; 0 without a file."""
    try:
        data = path.read_bytes()
    except OSError:
        return 0
    if not turns:
        return data.count(b"\n")
    return sum(len(json.loads(line)["turns"]) for line in data.splitlines() if line.strip())
