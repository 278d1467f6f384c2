"""Experiments over the workbench's models: started, watched, cancelled, resumed and read by name.

The page and the command line both come here. A run goes on in a thread of its own whatever becomes of who
started it; its folder holds all that it found.
"""

from __future__ import annotations

import datetime
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from playground.chat.assistant import Assistant
from playground.engines.base import Cancel, Engine
from playground.engines.llamacpp.fingerprint import file_fingerprint
from playground.errors import PlaygroundError
from playground.experiments.assistants import ExperimentError, Tag
from playground.experiments.evaluate import evaluate
from playground.experiments.progress import Progress, Snapshot
from playground.experiments.questions import QuestionSet, pair_questions, read_questions
from playground.experiments.run import Run, RunCancelled
from playground.experiments.run_files import Plan, read_manifest
from playground.experiments.search_report import search_and_report
from playground.presets.preset import Preset
from playground.services.workbench import DRAFT, NO_PRESET, SideSpec, Workbench

RunWork = Callable[[Run], object]


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


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A stored run in a list. ``results`` tells whether it got to its figures."""

    id: str
    folder: Path
    kind: str
    created: str
    assistants: tuple[str, ...]
    questions: str
    n: int
    results: bool


class Experiments:
    """The runs of one person: those at work and those on disk. Thread-safe."""

    def __init__(self, workbench: Workbench) -> None:
        self.host = WorkbenchHost(workbench)
        self._workbench = workbench
        self.folder = workbench.settings.data_dir / "runs"
        self._lock = threading.Lock()
        self._active: dict[str, tuple[Progress, Cancel, threading.Thread]] = {}

    def questions(self, name: str) -> QuestionSet:
        """A question set: a data file's path, or a pair's name, with ``:category+category`` behind it.

        Raises:
            DataFileError: No such file or category, or nothing in it can be asked.
        """
        path, _, wanted = name.rpartition(":")
        if not path or Path(name).exists() or re.fullmatch("[A-Za-z]", path):
            path, wanted = name, ""
        if re.fullmatch(r"[\w.-]+", path) and not Path(path).exists():
            entries = [e for e in self._workbench.catalog.entries() if e.pair == path and e.kind == "base"]
            checks = [entry.path.with_name("check.jsonl") for entry in entries]
            found = next((check for check in checks if check.is_file()), None)
            if found is not None:
                path_set = pair_questions(found, name=path)
                return path_set.only(wanted.split("+")) if wanted else path_set
        read = read_questions(Path(path).expanduser())
        return read.only(wanted.split("+")) if wanted else read

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
        for folder in self.folder.glob("*/manifest.json"):
            try:
                found.append(_entry(folder.parent))
            except (PlaygroundError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda entry: entry.created, reverse=True)

    def close(self) -> None:
        """Cancel what is at work and wait for it."""
        with self._lock:
            active = list(self._active.values())
        for _, cancel, _ in active:
            cancel.set()
        for _, _, thread in active:
            thread.join()

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
    return search_and_report if kind == "search" else evaluate


def _entry(folder: Path) -> RunEntry:
    manifest = read_manifest(folder)
    asked, assistants = manifest["questions"], manifest["assistants"]
    if not isinstance(asked, dict) or not isinstance(assistants, list):
        raise TypeError
    return RunEntry(
        folder.name,
        folder,
        str(manifest["kind"]),
        str(manifest["created"]),
        tuple(str(spec["name"]) for spec in assistants),
        str(asked["name"]),
        int(asked["n"]),
        (folder / "results.json").is_file(),
    )
