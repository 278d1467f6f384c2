"""``space export|push``: the page as a Hugging Face Space."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from playground.cli.app import app, print_json, reported

space_app = typer.Typer(help="The page as a Hugging Face Space.", no_args_is_help=True)
app.add_typer(space_app, name="space")

Models = Annotated[
    list[str] | None, typer.Option("--models", help="A model or pair; again for more. Default: wren.")
]
ZeroGpu = Annotated[bool, typer.Option("--zero-gpu", help="For ZeroGPU: transformers on a lent GPU.")]
Title = Annotated[str, typer.Option(help="What the Space is called.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@space_app.command("export")
def space_export(
    folder: Annotated[Path, typer.Argument(help="Folder to write, empty or not there yet.")],
    models: Models = None,
    zero_gpu: ZeroGpu = False,
    title: Title = "ICL Playground",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write over an exported Space; its limits are kept.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a Space that runs with `python app.py`, here or on Hugging Face."""
    with reported():
        from playground.space.export import DEFAULT_MODELS, export

        done = export(folder, models or DEFAULT_MODELS, zero_gpu=zero_gpu, title=title, overwrite=overwrite)
        if as_json:
            print_json({**asdict(done), "folder": str(done.folder)})
            return
        typer.echo(f"{done.folder}: {', '.join(done.models)}; {done.size_bytes / 1e6:.1f} MB.")
        if done.downloaded:
            typer.echo(f"Downloaded when it starts: {', '.join(done.downloaded)}.")
        typer.echo("Its limits are in space.toml. Try it: pip install -r requirements.txt; python app.py")


@space_app.command("push")
def space_push(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The Space on the Hub.")],
    folder: Annotated[
        Path | None, typer.Option("--from", help="A folder that `space export` wrote; else it is written.")
    ] = None,
    models: Models = None,
    zero_gpu: ZeroGpu = False,
    title: Title = "ICL Playground",
    public: Annotated[bool, typer.Option("--public", help="Make a new Space public.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into one that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Upload a Space to the Hub; a new one is private unless told otherwise."""
    with reported(), tempfile.TemporaryDirectory() as scratch:
        from playground.space.export import DEFAULT_MODELS, export
        from playground.space.push import push

        if folder is None:
            folder = Path(scratch) / "space"
            export(folder, models or DEFAULT_MODELS, zero_gpu=zero_gpu, title=title)
        done = push(folder, repository, public=public, overwrite=overwrite)
        if as_json:
            print_json(asdict(done))
        else:
            typer.echo(f"{'Made' if done.created else 'Changed'} {done.url} ({done.commit[:8]}).")
