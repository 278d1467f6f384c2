"""``models list|check|quantize``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import models_app, print_json, print_table, reported
from playground.settings import Settings

if TYPE_CHECKING:
    from playground.experiments.pair_cases import Cases
    from playground.experiments.pair_check import PairCheck
    from playground.experiments.pair_rows import Row
    from playground.models.catalog import ModelEntry
    from playground.services import Workbench

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_QUANTIZATIONS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0")


@models_app.command("list")
def models_list(
    load: Annotated[
        list[str] | None,
        typer.Option(help="Load this model and tell where it runs and what it cannot do; give it once each."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the models of the catalog."""
    from playground.models.catalog import Catalog

    with reported():
        settings = Settings.load()
        catalog = Catalog(settings.shipped_models, settings.models_dir, downloads=settings.downloads_dir)
        entries, problems = catalog.entries(), catalog.problems()
        loaded = {name: _facts(name) for name in load or ()}
        if as_json:
            rows = [
                {
                    "id": e.id,
                    "kind": e.kind,
                    "title": e.title,
                    "path": str(e.path),
                    "present": e.present,
                    "license": e.license,
                    "engines": [source.engine for source in e.sources],
                    "parameters": e.parameters or None,
                    "context": e.context or None,
                    "gated": e.gated,
                    "tried": e.tried,
                    "architecture": e.architecture,
                    "historic": e.historic,
                    "suggested": e.suggested,
                    "repository": e.hub.repository if e.hub else None,
                }
                for e in entries
            ]
            said = [f"{p.path.name}: {p.message}" for p in problems]
            print_json({"models": rows, "problems": said, "loaded": loaded})
            return
        print_table(
            ("model", "title", "file"),
            [(e.id, e.title, _file(e)) for e in entries],
        )
        for name, facts in loaded.items():
            _print_facts(name, facts)
        for problem in problems:
            typer.echo(f"passed over: {problem.message}", err=True)


def _file(entry: ModelEntry) -> str:
    """The name of its file, and what is to be known of it before it is downloaded."""
    notes = ["suggested first download"] if entry.suggested and not entry.present else []
    notes += ["historic"] if entry.historic else []
    if not entry.present:
        notes += ["pull it"] if entry.hub is not None else ["missing"]
        notes += ["gated"] if entry.hub is not None and entry.hub.gated else []
        notes += [] if entry.tried else ["not tried yet"]
    return f"{entry.path.name} ({', '.join(notes)})" if notes else entry.path.name


def _facts(model: str) -> dict[str, object]:
    """What the engine of a model says of itself, once it is loaded."""
    from playground.services import Workbench

    with Workbench() as workbench:
        workbench.engine(model)
        return next(state.facts() for state in workbench.model_states() if state.id == model)


def _print_facts(model: str, facts: dict[str, object]) -> None:
    typer.echo(f"{model}: runs on {facts['device']} in {facts['dtype'] or 'numbers that are not told'}")
    if facts["estimated_counts"]:
        typer.echo("  its token counts are estimates")
    lacks = facts["lacks"]
    assert isinstance(lacks, dict)
    for capability, reason in lacks.items():
        typer.echo(f"  no {capability}: {reason}")


@models_app.command("check")
def models_check(
    pair: Annotated[str, typer.Argument(help="A pair that ships with its own questions.")] = "wren",
    n: Annotated[int, typer.Option("-n", min=1, help="Questions a row.")] = 200,
    samples: Annotated[Path | None, typer.Option(help="Write every answer here, as JSONL, to read.")] = None,
    as_json: Json = False,
) -> None:
    """Measure what the pair's card promises: asks its questions through the product's prompts and engine."""
    from playground.experiments.pair_check import PairCheck, PairSubjects
    from playground.services import Workbench

    with reported(), Workbench() as workbench:
        check = PairCheck(
            PairSubjects(
                workbench.engine(f"{pair}/base"),
                workbench.engine(f"{pair}/instruct"),
                workbench.presets.load,
                _cases(workbench, pair),
            ),
            n=n,
        )
        rows: list[Row] = []
        for row in _all_rows(workbench, pair, check, n):
            rows.append(row)
            if not as_json:
                _print_row(row)
        if samples is not None:
            _write_samples(samples, check)
        if as_json:
            facts = {state.id: state.facts() for state in workbench.model_states() if state.info}
            print_json({"pair": pair, "n": n, "rows": [row.as_dict() for row in rows], "models": facts})


def _cases(workbench: Workbench, pair: str) -> Cases:
    from playground.experiments.pair_cases import read_cases

    return read_cases(workbench.catalog.get(f"{pair}/base").path.with_name("check.jsonl"))


def _all_rows(workbench: Workbench, pair: str, check: PairCheck, n: int) -> Iterator[Row]:
    """The check's own rows, then quantized against f16, then llama.cpp against transformers."""
    from playground.chat.assistant import preset_renderer
    from playground.errors import EngineMissingError
    from playground.experiments.pair_parity import parity
    from playground.types import Message

    yield from check.rows()
    yield from _quantized_row(workbench, pair, check, n)
    folder = workbench.catalog.get(f"{pair}/base").path.with_name("hf-base")
    if not folder.is_dir():
        typer.echo("The comparison with transformers needs the repository's safetensors.", err=True)
        return
    renderer = preset_renderer(workbench.presets.load("friendly"))
    prompts = [
        renderer.render([Message("user", turns[0].question)])
        for turns in check.cases.take("seen", min(n, 100))
    ]
    try:
        yield from parity(workbench.engine(f"{pair}/base"), folder, prompts)
    except EngineMissingError as error:
        typer.echo(str(error), err=True)


def _quantized_row(workbench: Workbench, pair: str, check: PairCheck, n: int) -> Iterator[Row]:
    """The first line of the table again, asked of a Q8_0 copy of the base model."""
    from dataclasses import replace

    from playground.engines.llamacpp.quantize import quantize
    from playground.experiments.pair_check import PairCheck

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{pair}-base-q8_0.gguf"
        quantize(workbench.catalog.get(f"{pair}/base").path, path, "Q8_0")
        again = PairCheck(replace(check.subjects, base=workbench.engine(str(path))), n=n)
        row = next(again.rows())
        workbench.unload(str(path))
        yield replace(row, name=f"Q8_0 {row.name}")


def _print_row(row: Row) -> None:
    shown = f"{row.value:7.1%}" if row.unit == "share" else f"{row.value:7.4f}"
    goal = ""
    if row.goal is not None:
        wanted = f"{row.goal:.0%}" if row.unit == "share" else f"{row.goal:g}"
        goal = f"{'at most' if row.at_most else 'at least'} {wanted}"
    mark = {True: "met", False: "SHORT", None: ""}[row.met]
    note = f"  ({row.note})" if row.note else ""
    typer.echo(f"{row.name:62} {shown}  {goal:14} {mark:6} n={row.n}{note}")
    sys.stdout.flush()


def _write_samples(path: Path, check: PairCheck) -> None:
    import json
    from dataclasses import asdict

    lines = [json.dumps(asdict(sample), ensure_ascii=False) for sample in check.samples]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@models_app.command("quantize")
def models_quantize(
    source: Annotated[Path, typer.Argument(help="A .gguf file in f16, bf16 or f32.")],
    target: Annotated[Path, typer.Argument(help="Where to write.")],
    to: Annotated[str, typer.Option(help=f"One of {', '.join(_QUANTIZATIONS)}.")] = "Q4_K_M",
) -> None:
    """Write a quantized copy of a model file."""
    from playground.errors import PlaygroundError

    with reported():
        if to not in _QUANTIZATIONS:
            raise PlaygroundError(
                f"There is no quantization '{to}'. Use one of: {', '.join(_QUANTIZATIONS)}."
            )
        if not source.is_file():
            raise PlaygroundError(f"There is no file {source}; check the path of the GGUF file.")
        from playground.engines.llamacpp.quantize import Quantization, quantize

        kind: Quantization = to  # type: ignore[assignment]
        quantize(source, target, kind)
        before, after = source.stat().st_size, target.stat().st_size
        typer.echo(f"{target}: {after / 1e6:.1f} MB ({after / before:.0%} of {before / 1e6:.1f} MB)")
