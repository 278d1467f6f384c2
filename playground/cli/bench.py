"""``bench``: the engine against what its users would do otherwise, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from playground.cli.app import app, print_json, reported

_ENGINES = ("llama.cpp", "transformers")


@app.command()
def bench(
    engine: Annotated[
        str,
        typer.Option(help="llama.cpp, against its high-level library, or transformers, against generate."),
    ] = "llama.cpp",
    model: Annotated[
        Path | None,
        typer.Option(help="A .gguf file (transformers: a folder) in place of the random 135M model."),
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
    device: Annotated[
        str | None, typer.Option(help="For transformers: cpu, cuda, cuda:1 ...; a GPU where there is one.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="For transformers: float32, bfloat16 or float16.")] = None,
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Tiny models and texts: shows in a minute that it runs, no more.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the picture here, as SVG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and no table.")] = False,
) -> None:
    """Measure what the engine's shared prefix is worth. Writes its random models to the cache folder once."""
    import json
    from typing import Literal

    from playground.errors import PlaygroundError
    from playground.experiments.bench import BenchOptions, LeftOut, Row, json_line, run_bench, table
    from playground.experiments.bench_picture import picture
    from playground.settings import Settings

    with reported():
        if engine not in _ENGINES:
            raise PlaygroundError(f"There is no benchmark of '{engine}'; use one of: {', '.join(_ENGINES)}.")
        kind = cast(Literal["llama.cpp", "transformers"], engine)
        folder = Settings.load().cache_dir / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        options = BenchOptions(
            folder, rounds=rounds, n_threads=threads, model=model, peer=peer, engine=kind, device=device,
            dtype=dtype,
        )  # fmt: skip
        rows: list[Row | LeftOut] = []
        for row in run_bench(options.tiny() if tiny else options, only=tuple(only or ())):
            rows.append(row)
            said = f"{row.ratio:.2f}" if isinstance(row, Row) else f"left out: {row.reason}"
            typer.echo(f"{row.work}: {said}", err=True)
        if out is not None:
            against = "the high-level library" if kind == "llama.cpp" else "plain generate"
            measured = [row for row in rows if isinstance(row, Row)]
            out.write_text(picture(measured, f"Against {against}"), encoding="utf-8")
        if as_json:
            print_json(json.loads(json_line(rows)))
        else:
            typer.echo(table(rows))
            typer.echo(json_line(rows))
