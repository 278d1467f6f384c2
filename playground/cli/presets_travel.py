"""``presets import|export|schema|link|history|push|pull``: presets on their way in and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import presets_app, print_json, print_table, reported

if TYPE_CHECKING:
    from playground.imports.result import Imported
    from playground.imports.source import SourceText
    from playground.presets.library import PresetLibrary

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PresetName = Annotated[str, typer.Argument(help="A preset's name or a .yaml file.")]


@presets_app.command("import")
def presets_import(
    source: Annotated[
        str | None, typer.Argument(help="A file, OWNER/NAME on the Hub, an http(s) address, a link, or '-'.")
    ] = None,
    name: Annotated[str | None, typer.Option("--as", help="Name to save it under.")] = None,
    check_dir: Annotated[
        Path | None, typer.Option(help="Save nothing; check the prompts of a folder of URIAL-style files.")
    ] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Even out a verbatim prompt; shows what changes.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace presets of the same names.")
    ] = False,
    drop_comments: Annotated[
        bool, typer.Option("--drop-comments", help="Replace a file although its comments go with it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would be; save nothing.")] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Read addresses of this machine and its network too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make presets of other programs' prompts; the format is told by the content."""
    if (source is None) == (check_dir is None):
        raise typer.BadParameter("name one: what to import, or a folder with --check-dir")
    with reported():
        if check_dir is not None:
            _check(check_dir, as_json=as_json)
            return
        from playground.errors import PresetError

        read, found = _read(str(source), name, allow_private=allow_private)
        if name is not None:
            if len(found) > 1:
                names = ", ".join(imported.preset.name for imported in found[:10])
                raise PresetError(f"It holds {len(found)} presets ({names}); import them without --as.")
            found = (found[0].named(name),)
        library = _library()
        rows = []
        for imported in found:
            preset = imported.preset
            if normalise and imported.normalised is not None:
                if not as_json:
                    _show_difference(imported)
                preset = imported.normalised
            saved = None
            if not dry_run:
                saved = library.save(preset, overwrite=overwrite, drop_comments=drop_comments)
            notes = (*read.notes, *imported.notes)
            rows.append(
                {
                    "name": preset.name,
                    "format": imported.format,
                    "kind": "structured" if preset is imported.normalised else imported.kind,
                    "examples": len(preset.examples),
                    "notes": list(notes),
                    "path": str(saved) if saved else None,
                }
            )
            if not as_json:
                where = f"saved as {saved}" if saved else "not saved"
                typer.echo(f"{preset.name}: {imported.format}, {rows[-1]['kind']}, {where}")
                for note in notes:
                    typer.echo(f"  {note}")
        if as_json:
            print_json({"presets": rows})


def _read(source: str, name: str | None, *, allow_private: bool) -> tuple[SourceText, tuple[Imported, ...]]:
    """What was named, and the presets in it; data sets may name columns, and lie on the Hub."""
    from playground.datasets import read_data
    from playground.datasets.source import parse_source
    from playground.imports.recognise import import_text
    from playground.imports.rows import import_data
    from playground.imports.source import SourceText, read_source

    if source != "-" and "://" not in source.removeprefix("hf://") and "#preset=" not in source:
        asked = parse_source(source)
        columns = any(asked.columns.items())
        if asked.repository or columns or asked.path.suffix.lower() == ".parquet":
            title = asked.name.rpartition("/")[2].rpartition(".")[0] or asked.name.rpartition("/")[2]
            imported = import_data(read_data(source), name=name or title, source=asked.name)
            return SourceText("", asked.name, title), (imported,)
    read = read_source(source, allow_private=allow_private)
    path = Path(source).expanduser()
    folder = path.parent if "://" not in source and path.is_file() else None
    return read, import_text(read.text, name=name or read.name, source=read.source, folder=folder)


def _check(folder: Path, *, as_json: bool) -> None:
    from playground.imports.check_dir import check_folder

    checked = list(check_folder(folder))
    if as_json:
        rows = [
            {
                "file": str(c.path.relative_to(folder)),
                "rendering": c.rendering,
                "kind": c.kind,
                "examples": c.examples,
                "equal": c.equal,
                "difference": c.difference or None,
            }
            for c in checked
        ]
        print_json({"files": rows, "equal": all(c.equal for c in checked)})
    else:
        print_table(
            ("file", "kind", "rendering", "examples", "prompt and live turns"),
            [
                (
                    str(c.path.relative_to(folder)),
                    c.kind or "-",
                    c.rendering or "-",
                    str(c.examples),
                    "byte-equal" if c.equal else f"NOT EQUAL: {c.difference}",
                )
                for c in checked
            ],
        )
    if not all(c.equal for c in checked):
        raise typer.Exit(1)


def _show_difference(imported: Imported) -> None:
    """The exact prompt against the normalised one, as a unified diff in which spaces can be seen."""
    from playground.studio.conflict import prompt_difference

    assert imported.normalised is not None
    for line in prompt_difference(imported.preset, imported.normalised):
        typer.secho(line, fg={"+": "green", "-": "red"}.get(line[:1]))


@presets_app.command("export")
def presets_export(
    name: PresetName,
    to: Annotated[str, typer.Option("--to", help="Format; an unknown one lists them.")] = "yaml",
    output: Annotated[Path | None, typer.Option(help="Write here instead of to standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Write a preset as another program wants it; what is lost is said on standard error."""
    import sys

    from playground.errors import PresetError
    from playground.exports.formats import export_preset

    with reported():
        exported = export_preset(_library().load(name), to)
        if as_json:
            print_json({"format": to, "text": exported.text, "lost": list(exported.lost)})
            return
        if output is None:
            sys.stdout.buffer.write(exported.text.encode())
            sys.stdout.buffer.flush()
        else:
            try:
                with output.open("x", encoding="utf-8", newline="") as file:
                    file.write(exported.text)
            except OSError as error:
                raise PresetError(f"{output} was not written: {error.strerror}.") from error
        for sentence in exported.lost:
            typer.echo(f"note: {sentence}", err=True)


@presets_app.command("schema")
def presets_schema() -> None:
    """Print the JSON Schema of a preset file."""
    from playground.presets.schema import schema_text

    typer.echo(schema_text(), nl=False)


@presets_app.command("link")
def presets_link(
    name: PresetName,
    base: Annotated[str, typer.Option(help="Address of the page that opens it.")] = "http://127.0.0.1:7860/",
) -> None:
    """Print a link that holds the whole preset behind its '#', where no server sees it."""
    from playground.presets.link import encode_link

    with reported():
        typer.echo(base.partition("#")[0] + encode_link(_library().load(name)))


@presets_app.command("history")
def presets_history(
    name: Annotated[str, typer.Argument(help="A preset's name.")], as_json: Json = False
) -> None:
    """Show where a preset comes from and what was made of it."""
    from playground.presets.lineage import lineage

    with reported():
        rows = [(depth, node) for depth, node in lineage(_library(), name).walk()]
        if as_json:
            nodes = [
                {"depth": d, "name": n.name, "hash": n.hash, "present": n.present, "link": n.link}
                for d, n in rows
            ]
            print_json({"nodes": nodes})
            return
        said = {"changed": " (its parent was changed since)", "root": "", "same": "", "missing": ""}
        for depth, node in rows:
            here = "" if node.present else " (not here)"
            mark = " <" if node.name == name else ""
            typer.echo(f"{'  ' * depth}{node.name} {node.hash[:12]}{said[node.link]}{here}{mark}")


@presets_app.command("push")
def presets_push(
    name: PresetName,
    repository: Annotated[str, typer.Argument(help="OWNER/NAME of a dataset repository on the Hub.")],
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another preset there.")] = False,
    as_json: Json = False,
) -> None:
    """Put a preset into a dataset repository on the Hub; a new repository is private."""
    from playground.presets.hub import push

    with reported():
        done = push(_library().load(name), repository, public=public, overwrite=overwrite)
        if as_json:
            row = {"repository": done.repository, "path": done.path, "commit": done.commit or None}
            print_json({**row, "created": done.created})
        elif done.commit:
            made = ", which was made" if done.created else ""
            typer.echo(f"{done.path} is in {done.repository}{made} (commit {done.commit[:12]})")
        else:
            typer.echo(f"{done.path} in {done.repository} is the same already")


@presets_app.command("pull")
def presets_pull(
    repository: Annotated[str, typer.Argument(help="OWNER/NAME of a dataset repository on the Hub.")],
    name: Annotated[str | None, typer.Argument(help="One preset; all by default.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace presets of the same names.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Save the presets of a dataset repository as your own; exit 1 if one of them was not."""
    from playground.errors import PresetError
    from playground.presets.hub import pull

    with reported():
        library = _library()
        rows: list[dict[str, str | None]] = []
        for found in pull(repository, name, revision=revision):
            error, path = found.error, None
            if found.preset is not None:
                try:
                    path = str(library.save(found.preset, overwrite=overwrite))
                except PresetError as refused:
                    error = str(refused)
            rows.append({"name": found.name, "path": path, "error": error or None})
        if as_json:
            print_json({"presets": rows})
        else:
            for row in rows:
                typer.echo(f"{row['name']}: {row['error'] or 'saved as ' + str(row['path'])}")
            if not rows:
                typer.echo(f"{repository} holds no presets", err=True)
        if any(row["error"] for row in rows):
            raise typer.Exit(1)


def _library() -> PresetLibrary:
    from playground.presets.library import PresetLibrary
    from playground.settings import Settings

    settings = Settings.load()
    return PresetLibrary(settings.shipped_presets, settings.presets_dir)
