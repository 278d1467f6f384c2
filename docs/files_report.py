"""What becomes of public files: read whole, in part with the reason, or refused with the reason.

    python docs/files_report.py FOLDER [--json]

``FOLDER`` holds a folder for each repository, such as one made by ``git archive``. Nothing is written and
nothing is fetched. Data files are read as ``evaluate`` reads questions, others as ``presets import`` does.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from playground.datasets import DataFile, read_file
from playground.errors import PlaygroundError
from playground.imports.recognise import import_text
from playground.imports.source import read_source

DATA = (".jsonl", ".csv", ".tsv", ".parquet", ".json")
PROMPTS = (".json", ".yaml", ".yml", ".txt", ".jinja", ".jinja2", ".gotmpl", ".settings", ".prompt")
# What other programs do not read as a prompt, a sampler, a template or rows either.
ABOUT = re.compile(
    r"(^|/)(LICENSE|README|requirements|setup|package|dataset_info|pyproject|index|.*\.egg-info|moving-ui|"
    r"quick-replies|grammars|training|tools?|mcp|ds_|fsdp|images?|output_tokens)",
    re.IGNORECASE,
)
_PARTLY = re.compile(
    r"left out|No place for|not replaced|skipped|cannot be kept|has no place|stays? as it is"
)


def outcome(path: Path) -> tuple[str, str]:
    """Whole, part or refused, and the reason."""
    data_error = ""
    if path.suffix in DATA:
        try:
            return _of_data(read_file(path))
        except PlaygroundError as error:
            data_error = str(error)
    try:
        text = read_source(str(path)).text
        found = import_text(text, name=path.stem, source=path.name, folder=path.parent)
    except PlaygroundError as error:
        return "refused", str(error) if path.suffix != ".jsonl" else data_error
    lost = [note for one in found for note in one.notes if _PARTLY.search(note)]
    return ("part", lost[0]) if lost else ("whole", "")


def _of_data(data: DataFile) -> tuple[str, str]:
    changed = [*data.problems, *data.repaired]
    if not changed:
        return "whole", ""
    first = changed[0]
    return (
        "part",
        f"{len(data.records)} rows read, {len(changed)} not or with a change; {first.place}: {first.message}",
    )


def main(arguments: list[str]) -> int:
    """Print a table a repository, and each file that was not read whole."""
    folder = Path(next(a for a in arguments if not a.startswith("-")))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    rows = []
    kinds = {*DATA, *PROMPTS}
    for path in sorted(
        p for p in folder.rglob("*") if p.is_file() and (p.suffix in kinds or p.name == "Modelfile")
    ):
        repository, *rest = path.relative_to(folder).parts
        if ABOUT.search("/".join(rest)):
            continue
        kind, reason = outcome(path)
        counts[repository][kind] += 1
        rows.append({"repository": repository, "file": "/".join(rest), "outcome": kind, "reason": reason})
    if "--json" in arguments:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return 0
    print("| repository | files | whole | in part | refused |\n|---|---|---|---|---|")
    for repository, found in counts.items():
        cells = (found.total(), found["whole"], found["part"], found["refused"])
        print(f"| {repository.replace('+', '/')} | " + " | ".join(map(str, cells)) + " |")
    for row in rows:
        if row["outcome"] == "refused":
            print(f"refused {row['repository']} {row['file']}: {row['reason'][:300]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
