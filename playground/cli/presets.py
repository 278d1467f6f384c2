"""``presets list|show|lint|diff``."""

from __future__ import annotations

from typing import Annotated

import typer

from playground.cli.app import one_line, presets_app, print_json, print_table, reported
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
        print_table(
            ("name", "what it shows", "from"),
            [
                (one_line(e.name), one_line(e.error or e.description or e.title), _from(e.shipped))
                for e in entries
            ],
        )


def _from(shipped: bool) -> str:
    return "shipped" if shipped else "yours"


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


@presets_app.command("lint")
def presets_lint(
    names: Annotated[list[str], typer.Argument(help="Presets' names or .yaml files.")],
    model: Annotated[str | None, typer.Option(help="Ask this model too: context, special tokens.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is likely wrong with presets; exit 1 if any of it is an error."""
    from playground.services import Workbench
    from playground.studio.lint import lint

    with reported(), Workbench() as workbench:
        engine = workbench.engine(model) if model else None
        found = [(name, f) for name in names for f in lint(workbench.presets.load(name), engine=engine)]
        rows = [
            {
                "preset": name,
                "rule": f.rule,
                "severity": f.severity,
                "place": f.place,
                "message": f.message,
                "fixable": f.fix is not None,
            }
            for name, f in found
        ]
        if as_json:
            print_json({"findings": rows})
        else:
            for name, f in found:
                typer.echo(f"{name}: {f.severity}: {f.place}: {f.message} [{f.rule}]")
            if not found:
                typer.echo("nothing found", err=True)
        if any(f.severity == "error" for _, f in found):
            raise typer.Exit(1)


@presets_app.command("diff")
def presets_diff(
    old: Annotated[str, typer.Argument(help="A preset's name or a .yaml file.")],
    new: Annotated[str, typer.Argument(help="The one to compare it with.")],
    as_json: Json = False,
) -> None:
    """Show how two presets differ by part, and what that does to the rendered prompt."""
    from playground.presets.library import PresetLibrary
    from playground.studio.diff import diff_presets

    with reported():
        settings = Settings.load()
        library = PresetLibrary(settings.shipped_presets, settings.presets_dir)
        diff = diff_presets(library.load(old), library.load(new))
        if as_json:
            parts = [{"part": p.part, "change": p.change, "lines": list(p.lines)} for p in diff.parts]
            print_json({"parts": parts, "prompt": list(diff.prompt), "same_content": diff.same_content})
            return
        for part in diff.parts:
            typer.secho(f"{part.part}: {part.change}", bold=True)
            for line in part.lines:
                typer.secho(line, fg={"+": "green", "-": "red"}.get(line[:1]))
        typer.secho("the rendered prompt:", bold=True)
        for line in diff.prompt or ("  no difference",):
            typer.secho(line, fg={"+": "green", "-": "red"}.get(line[:1]))
