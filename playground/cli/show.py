"""``presets list|show`` and ``models list|check``."""

from __future__ import annotations

from typing import Annotated

import typer

from playground.cli.app import models_app, presets_app, print_json, reported
from playground.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@presets_app.command("list")
def presets_list(as_json: Json = False) -> None:
    """List the presets: the shipped gallery and your own."""
    from playground.presets.library import PresetLibrary

    with reported():
        settings = Settings.load()
        entries = PresetLibrary(settings.shipped_presets, settings.presets_dir).entries()
        if as_json:
            rows = [
                {
                    "name": e.name,
                    "title": e.title,
                    "description": e.description,
                    "language": e.language,
                    "shipped": e.shipped,
                    "path": str(e.path),
                    "error": e.error,
                }
                for e in entries
            ]
            print_json({"presets": rows})
            return
        _table(
            ("name", "what it shows", "from"),
            [
                (e.name, e.error or e.description or e.title, "shipped" if e.shipped else "yours")
                for e in entries
            ],
        )


@presets_app.command("show")
def presets_show(
    name: Annotated[str, typer.Argument(help="A preset's name or a .yaml file.")], as_json: Json = False
) -> None:
    """Print a preset's file."""
    from playground.presets.library import PresetLibrary

    with reported():
        settings = Settings.load()
        preset = PresetLibrary(settings.shipped_presets, settings.presets_dir).load(name)
        if as_json:
            print_json(
                {**preset.model_dump(mode="json", by_alias=True), "content_hash": preset.content_hash()}
            )
        else:
            typer.echo(preset.to_yaml(), nl=False)


@models_app.command("list")
def models_list(as_json: Json = False) -> None:
    """List the models of the catalog."""
    from playground.models.catalog import Catalog

    with reported():
        settings = Settings.load()
        catalog = Catalog(settings.shipped_models, settings.models_dir)
        entries, problems = catalog.entries(), catalog.problems()
        if as_json:
            rows = [
                {
                    "id": e.id,
                    "kind": e.kind,
                    "title": e.title,
                    "path": str(e.path),
                    "present": e.present,
                    "license": e.license,
                }
                for e in entries
            ]
            print_json({"models": rows, "problems": [f"{p.path.name}: {p.message}" for p in problems]})
            return
        _table(
            ("model", "title", "file"),
            [(e.id, e.title, e.path.name if e.present else f"{e.path.name} (missing)") for e in entries],
        )
        for problem in problems:
            typer.echo(f"passed over: {problem.message}", err=True)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table on a terminal, and tab-separated lines where the output is piped."""
    import sys

    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    Console().print(table)
