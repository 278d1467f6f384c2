"""Runs every recorded experiment on the bundled pair and writes its tables, charts and findings into docs/.

Each experiment is one ``playground`` command, shown in docs/experiments.md above its table. A run that was
stopped goes on. Runs lie in a folder by the weights' fingerprint, so that other weights begin their own; one
whose command changed begins again, and so do all with ``--fresh``. ``--quick`` asks few questions, and leaves
the page as it is: its figures go beside its runs.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one, however this is loaded

from findings import findings

from playground.experiments.candidates import CandidateResults
from playground.experiments.candidates_report import (
    candidate_test_rows,
    ranking_chart,
    ranking_rows,
    summary,
)
from playground.experiments.evaluate import stored
from playground.experiments.report_parts import Rows, axis_chart
from playground.experiments.results import Results
from playground.experiments.run_files import Plan, read_manifest
from playground.experiments.search import SearchResults
from playground.experiments.search_report import tested_chart, validation_chart
from playground.services import Workbench
from playground.services.experiments import WorkbenchHost

DOCS = Path(__file__).parent.parent
PAGE = DOCS / "experiments.md"
CHARTS = Path(__file__).parent
QUICK = {"--limit": 8, "--validation": 4, "--test": 6, "--pool": 4, "--most": 1, "--halving": 0}
"""Sizes of a quick run, in place of an experiment's own; ``--pool`` where it is a number."""


@dataclass(frozen=True)
class Recorded:
    """An experiment: its name in the page, its command, and the metrics that are charted."""

    name: str
    command: str
    charts: tuple[str, ...] = ("right",)


ALL = (
    Recorded(
        "gap",
        "evaluate --assistant wren/base:friendly --assistant wren/base:none --assistant wren/base:zero-shot "
        "--assistant wren/instruct --questions wren:seen+told --limit 120 --retrieve wren:seen "
        "--retrieve-by bm25,likelihood "
        "--metrics right,rouge_l,in_style,tokens,stopped,role_leaked,shift,perplexity --style friendly",
        ("right", "shift"),
    ),
    Recorded(
        "turns",
        "evaluate --assistant wren/base:friendly --assistant wren/instruct --questions wren:two_turns "
        "--limit 80",
    ),
    Recorded(
        "languages",
        "evaluate --assistant wren/base:friendly --assistant wren/base:chinese --assistant wren/instruct "
        "--questions wren:seen+chinese --limit 160 --metrics right,same_language,rouge_l,stopped",
    ),
    Recorded("k", "ablate k --questions wren:told --limit 80", ("right", "in_style")),
    Recorded(
        "k-invented",
        "ablate k --assistant wren/base:invented-greeting --questions wren:seen --pool wren:told --limit 60 "
        "--counts 0,1,2,3,5,8",
        ("right", "in_style"),
    ),
    Recorded("corrupt", "ablate corrupt --questions wren:told --limit 100", ("right", "in_style")),
    Recorded("leave-one-out", "ablate leave-one-out --questions wren:told --limit 100"),
    Recorded("order", "ablate order --questions wren:told --limit 100"),
    Recorded("system", "ablate system --questions wren:told --limit 100"),
    Recorded("template", "ablate template --questions wren:told --limit 100"),
    Recorded("decoding", "ablate decoding --questions wren:told --limit 60"),
    Recorded(
        "search",
        "search --questions wren:told+hurried --pool 16 --validation 32 --test 96 --most 3 --halving 8",
        (),
    ),
    Recorded(
        "candidates",
        "candidates --questions wren:told+hurried --file docs/experiments/wordings.txt --keep 0 "
        "--validation 48 --test 96",
        (),
    ),
)


def main() -> None:
    """Run what was asked for, and write the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=Path, default=DOCS.parent / "build" / "experiments")
    asked.add_argument("--second", default="", help="a second base model, for the transfer")
    asked.add_argument("--only", nargs="*", default=[], help="names of experiments")
    asked.add_argument("--fresh", action="store_true", help="begin all runs again")
    asked.add_argument("--quick", action="store_true", help="few questions; the page stays as it is")
    options = asked.parse_args()
    names = [experiment.name for experiment in ALL]
    if unknown := [name for name in options.only if name not in names]:
        sys.exit(f"There is no experiment '{unknown[0]}'; the names are: {', '.join(names)}.")
    if options.second and not Path(options.second).is_file():
        sys.exit(f"{options.second} is no file; name the second base's GGUF.")
    runs = options.runs.resolve() / ("quick" if options.quick else "whole") / weights()
    page, charts = PAGE, CHARTS
    if options.quick:
        page, charts = runs / PAGE.name, runs / "experiments"
        charts.mkdir(parents=True, exist_ok=True)
        page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    began = time.perf_counter()
    for experiment in ALL:
        if options.only and experiment.name not in options.only:
            continue
        command = experiment.command
        if experiment.name == "search" and options.second:
            command += f" --transfer {Path(options.second).resolve()}"
        if options.quick:
            command = quick(command)
        seconds = run(command, runs / experiment.name, fresh=options.fresh)
        record(experiment, command, runs / experiment.name, seconds, page, charts)
    put("findings", "\n".join(findings(runs)), page)
    print(f"{page} is written; {time.perf_counter() - began:.0f} s.")


def weights() -> str:
    """What tells the bundled pair's weights from others, as a folder's name."""
    with Workbench() as workbench:
        host = WorkbenchHost(workbench)
        prints = [str(host.model_facts(model)["fingerprint"]) for model in ("wren/base", "wren/instruct")]
    return "-".join(one[:8] for one in prints)


def quick(command: str) -> str:
    """The command with few questions."""
    words = command.split()
    for option, size in QUICK.items():
        if option in words and words[words.index(option) + 1].isdigit():
            words[words.index(option) + 1] = str(size)
    return " ".join(words)


def run(command: str, folder: Path, *, fresh: bool = False) -> float:
    """Begin or go on with a run; seconds that all its stretches took together."""
    said, clock = folder.with_suffix(".command"), folder.with_suffix(".seconds")
    known = said.read_text(encoding="utf-8") if said.is_file() else ""
    if fresh or known != command:
        shutil.rmtree(folder, ignore_errors=True)
        clock.unlink(missing_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    said.write_text(command, encoding="utf-8")
    before = float(clock.read_text()) if clock.is_file() else 0.0
    if (folder / "results.json").is_file():
        print(f"playground {command}\n  is there already: {folder}", flush=True)
        return before
    print(f"playground {command}", flush=True)
    if (folder / "manifest.json").is_file():
        arguments = [command.split()[0], "--resume", str(folder)]
    else:
        shutil.rmtree(folder, ignore_errors=True)  # killed before it had begun
        arguments = [*command.split(), "--out", str(folder)]
    started = time.perf_counter()
    try:
        subprocess.run([sys.executable, "-m", "playground", *arguments], check=True, cwd=DOCS.parent)
    finally:
        before += time.perf_counter() - started
        clock.write_text(f"{before:.1f}")
    return before


def record(
    experiment: Recorded, command: str, folder: Path, seconds: float, page: Path, charts_folder: Path
) -> None:
    """Put an experiment's tables and charts into the page."""
    manifest = read_manifest(folder)
    created = str(manifest["created"])[:10]
    shown = re.sub(r"(--transfer) \S+", r"\1 SECOND.gguf", command)
    lines = [f"    playground {shown}", "", f"Begun {created}; {seconds:.0f} s in all.", ""]
    found = (folder / "results.json").read_bytes()
    if manifest["kind"] == "search":
        results = msgspec.json.decode(found, type=SearchResults)
        charts = {"test": tested_chart(results).svg(), "validation": validation_chart(results).svg()}
        lines += search_table(results)
    elif manifest["kind"] == "candidates":
        ranked = msgspec.json.decode(found, type=CandidateResults)
        charts = {"ranking": ranking_chart(ranked).svg()}
        lines += [
            summary(ranked),
            "",
            *markdown(candidate_test_rows(ranked)),
            "",
            *markdown(ranking_rows(ranked)),
        ]
    else:
        plan, figures, _ = stored(folder)
        charts = {metric: axis_chart(plan, figures, metric).svg() for metric in experiment.charts}
        lines += figures_table(plan, figures)
    for name, svg in charts.items():
        path = charts_folder / f"{experiment.name}-{name}.svg"
        path.write_text(public(svg), encoding="utf-8")
        lines += ["", f"![{experiment.name}: {name}](experiments/{path.name})"]
    put(experiment.name, "\n".join(lines), page)


def markdown(rows: Rows) -> list[str]:
    """A table's rows as Markdown."""
    head, *body = rows
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in body]
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row) + " |" for row in cells),
    ]


def figures_table(plan: Plan, results: Results) -> list[str]:
    """Means with their intervals, a row an assistant, and again for each turn and category."""
    lines: list[str] = []
    for turn, category in dict.fromkeys((f.turn, f.category) for f in results.figures):
        kept = [f for f in results.figures if (f.turn, f.category) == (turn, category)]
        metrics = list(dict.fromkeys(f.metric for f in kept))
        title = f"turn {turn}" if turn else category
        lines += [
            *([f"{title}:", ""] if title else []),
            "| assistant | " + " | ".join(metrics) + " | n |",
            "|---|" + "---|" * (len(metrics) + 1),
        ]
        for name in dict.fromkeys(f.assistant for f in kept):
            cells = {f.metric: f.value for f in kept if f.assistant == name}
            shown = [
                f"{cells[m].mean:.3g} [{cells[m].low:.3g}, {cells[m].high:.3g}]" if m in cells else ""
                for m in metrics
            ]
            most = max(value.n for value in cells.values())
            lines.append(f"| {name} | {' | '.join(shown)} | {most} |")
        lines.append("")
    first = plan.metrics[0] if plan.metrics else ""
    for gap in results.gaps:
        if gap.metric == first and gap.turn == 0:
            v = gap.value
            lines.append(
                f"- {gap.assistant} less {gap.reference}, {first}: {v.difference:+.3f} "
                f"[{v.low:+.3f}, {v.high:+.3f}], {v.wins} above, {v.losses} below, "
                f"sign test p = {v.p_sign:.2g}"
            )
    return lines


def search_table(results: SearchResults) -> list[str]:
    """Both searches, on validation and on test."""
    lines = [
        "| way | model | test | against the start |",
        "|---|---|---|---|",
    ]
    for row in results.tested:
        if row.value is not None:
            gap = row.against_start
            told = "" if gap is None else f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
            lines.append(
                f"| {row.name} | {row.model} | {row.value.mean:.3f} [{row.value.low:.3f}, "
                f"{row.value.high:.3f}] n={row.value.n} | {told} |"
            )
    lines += [
        "",
        f"Validation: start {results.start.value:.3f}, greedy {results.greedy.value:.3f}, random "
        f"{results.random.value:.3f}; {results.cost['greedy']} pairs of candidate and question for greedy, "
        f"{results.cost['random']} for random search. {results.stopped.capitalize()}.",
    ]
    return lines


def public(text: str) -> str:
    """The text without the path at which the second base lies here."""
    return re.sub(r"/[^\s|<>]*\.gguf", "the second base", text)


def put(name: str, text: str, path: Path) -> None:
    """Replace what stands between an experiment's marks in the page."""
    page = path.read_text(encoding="utf-8")
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        sys.exit(f"{path} has no marks for '{name}'; write {begin} and {end} where its table belongs.")
    path.write_text(pattern.sub(lambda _: f"{begin}\n{public(text)}\n{end}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
