"""``bench``: the engine against the high-level library, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from playground.cli.app import app, print_json, reported


@app.command()
def bench(
    model: Annotated[
        Path | None, typer.Option(help="A .gguf file in place of the random 135M model.")
    ] = None,
    peer: Annotated[
        str, typer.Option(help="Address of a llama-server that has the same file loaded; measured too.")
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(help="preset, stream, questions, score, disk, edit, worker or peer; give it once each."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of each row; the median counts.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="For both sides.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Write the picture here, as SVG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and no table.")] = False,
) -> None:
    """Measure what the engine's shared prefix is worth. Writes its random models to the cache folder once."""
    import json

    from playground.experiments.bench import BenchOptions, json_line, run_bench, table
    from playground.experiments.bench_picture import picture
    from playground.settings import Settings

    with reported():
        folder = Settings.load().cache_dir / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        options = BenchOptions(folder, rounds=rounds, n_threads=threads, model=model, peer=peer)
        rows = []
        for row in run_bench(options, only=tuple(only or ())):
            rows.append(row)
            typer.echo(f"{row.work}: {row.ratio:.2f}", err=True)
        if out is not None:
            out.write_text(picture(rows, "Against the high-level library"), encoding="utf-8")
        if as_json:
            print_json(json.loads(json_line(rows)))
        else:
            typer.echo(table(rows))
            typer.echo(json_line(rows))
