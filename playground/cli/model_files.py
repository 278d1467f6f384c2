"""``models pull|info|add|rename|remove|verify``: models from the Hub and from this machine's disk."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import models_app, one_line, print_json, print_table, reported
from playground.settings import Settings

if TYPE_CHECKING:
    from playground.models.catalog import ModelKind
    from playground.services.downloads import Downloads, DownloadState
    from playground.services.model_facts import Inspected
    from playground.services.model_shelf import ModelShelf

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_EVERY_S = 0.25
_LINE_EVERY_S = 5.0


def _shelf() -> ModelShelf:
    from playground.models.catalog import Catalog
    from playground.services.model_shelf import ModelShelf

    settings = Settings.load()
    catalog = Catalog(settings.shipped_models, settings.models_dir, downloads=settings.downloads_dir)
    return ModelShelf(settings, catalog)


@models_app.command("pull")
def models_pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models, pairs, or OWNER/NAME with --file. None: what was left unfinished."),
    ] = None,
    file: Annotated[str, typer.Option(help="Of OWNER/NAME: which file.")] = "",
    revision: Annotated[str, typer.Option(help="Of OWNER/NAME: branch, tag or commit.")] = "",
    engine: Annotated[str, typer.Option(help="transformers: the safetensors in place of the GGUF.")] = "",
    as_json: Json = False,
) -> None:
    """Download models. Interrupted, it keeps what came; the same command, or none, goes on."""
    from playground.services.downloads import Downloads

    with reported():
        shelf = _shelf()
        wanted = [
            pull
            for name in names or []
            for pull in shelf.pulls(name, file=file, revision=revision, engine=engine)
        ]
        downloads = Downloads(Settings.load().downloads_dir, resume=not names)
        try:
            keys = [downloads.pull(pull.title, pull.reference) for pull in wanted]
            keys = keys or [state.key for state in downloads.states()]
            if not names:
                for key in keys:
                    downloads.resume(key)
            _watch(downloads, keys)
        finally:
            states = [state for state in downloads.states() if state.key in keys]
            downloads.close()
        _report(states, as_json)


def _watch(downloads: Downloads, keys: Sequence[str]) -> None:
    """Show progress until every download has ended: one line that changes, or a line now and then."""
    said = 0.0
    terminal = sys.stderr.isatty()
    for key in keys:
        while downloads.wait(key, _EVERY_S).status in ("queued", "waiting", "running", "checking"):
            line = " | ".join(_line(state) for state in downloads.states() if state.key in keys)
            if terminal:
                sys.stderr.write(f"\r\x1b[K{line}")
            elif time.monotonic() - said > _LINE_EVERY_S:
                said = time.monotonic()
                sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
    if terminal and keys:
        sys.stderr.write("\r\x1b[K")


def _line(state: DownloadState) -> str:
    title = one_line(state.title)
    if state.status in ("running", "checking") and state.total_bytes:
        part = f"{state.done_bytes / 1e6:,.0f} of {state.total_bytes / 1e6:,.0f} MB"
        if state.status == "checking":
            return f"{title}: {part}, checking"
        eta = f", {_duration(state.eta_s)} left" if state.eta_s is not None else ""
        said = f" ({one_line(state.sentence)})" if state.sentence else ""
        return f"{title}: {part}, {state.bytes_per_s / 1e6:.1f} MB/s{eta}{said}"
    return f"{title}: {one_line(state.sentence) or state.status}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
    )


def _report(states: Sequence[DownloadState], as_json: bool) -> None:
    if as_json:
        print_json({"downloads": [asdict(state) for state in states]})
    elif not states:
        typer.echo("There is nothing left to download.")
    for state in states if not as_json else ():
        if state.status == "done":
            typer.echo(f"{one_line(state.title)}\t{state.path}")
        elif state.status == "failed":
            typer.echo(f"error: {one_line(state.title)}: {one_line(state.sentence)}", err=True)
    if any(state.status == "failed" for state in states):
        raise typer.Exit(1)


@models_app.command("info")
def models_info(
    name: Annotated[str, typer.Argument(help="A model, a path, or OWNER/NAME on the Hub.")],
    n_ctx: Annotated[int | None, typer.Option(help="Estimate memory for this context.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what a model is: base or instruct and why, what memory it takes, what pairs with it."""
    with reported():
        from playground.errors import ModelNotFoundError

        shelf = _shelf()
        try:
            entry = shelf.entry(name)
        except ModelNotFoundError:
            if name.count("/") != 1 or Path(name).exists():
                raise
            _print_repository(name, as_json)
            return
        rows: dict[str, object] = shelf.describe(entry)
        if entry.present and entry.sources[0].engine != "server":
            inspected = shelf.inspector.inspect(entry.path)
            rows |= _inspected_rows(inspected)
            rows["memory"] = shelf.memory(entry, n_ctx)
            rows["pairs_with"] = [
                {"model": other, "why": pairing.reason, "warning": pairing.warning}
                for other, pairing in shelf.partners(inspected, entry.id)
            ]
        if as_json:
            print_json(rows)
            return
        print_table(
            ("", ""), [(key, _shown(value)) for key, value in rows.items() if value not in ("", None, [])]
        )


def _inspected_rows(inspected: Inspected) -> dict[str, object]:
    facts, verdict = inspected.facts, inspected.verdict
    return {
        "reads_as": verdict.kind,
        "because": verdict.reason,
        "certainty": verdict.certainty,
        "note": verdict.note,
        "architecture": facts.architecture,
        "counted_parameters": facts.parameters or None,
        "trained_context": facts.n_ctx_train or None,
        "chat_template": facts.chat_template is not None,
        "template_options": _options(facts.chat_template),
        "size_bytes": inspected.size_bytes,
    }


def _options(source: str | None) -> list[str]:
    """The options of a chat template with what they take, such as ``enable_thinking=true|false``."""
    from playground.prompts.template_options import options_of

    flags = ("true", "false")
    return [
        f"{one.name}={'|'.join(flags if one.kind == 'flag' else one.choices) or one.kind}"
        for one in (options_of(source) if source else ())
    ]


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "; ".join(_shown(one) for one in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else one_line(str(value))


def _print_repository(name: str, as_json: bool) -> None:
    from playground.models.hub import list_repository

    found = list_repository(name)
    files = [(file.name, found.size_of(file)) for file in found.models()]
    if as_json:
        models = [{"file": file, "size_bytes": size} for file, size in files]
        print_json(
            {
                "repository": name,
                "gated": found.gated,
                "license": found.license,
                "commit": found.commit,
                "files": models,
            }
        )
        return
    typer.echo(f"{name}: licence {found.license or 'not stated'}{', gated' if found.gated else ''}", err=True)
    print_table(("file", "size"), [(one_line(file), f"{size / 1e6:,.0f} MB") for file, size in files])
    if not files:
        typer.echo("It holds no GGUF; its safetensors can be pulled with --engine transformers.", err=True)


@models_app.command("add")
def models_add(
    source: Annotated[
        str | None,
        typer.Argument(help="A .gguf, a folder of safetensors, or OWNER/NAME. None: list what is found."),
    ] = None,
    pair: Annotated[str, typer.Option(help="The pair that it belongs to.")] = "",
    kind: Annotated[str, typer.Option(help="base or instruct, in place of what the file says.")] = "",
    file: Annotated[str, typer.Option(help="Of OWNER/NAME: which GGUF.")] = "",
    revision: Annotated[str, typer.Option(help="Of OWNER/NAME: branch, tag or commit.")] = "",
    as_json: Json = False,
) -> None:
    """Put a model into your catalog; without a source, list the models that other programs left here."""
    from playground.errors import PlaygroundError

    with reported():
        shelf = _shelf()
        if source is None:
            _print_found(shelf, as_json)
            return
        if kind not in ("", "base", "instruct"):
            raise PlaygroundError(f"There is no kind '{kind}'; say base or instruct.")
        chosen: ModelKind | None = kind or None  # type: ignore[assignment]
        added = shelf.add(source, pair=pair, kind=chosen, file=file, revision=revision)
        if as_json:
            print_json(asdict(added))
            return
        verdict = added.verdict
        typer.echo(added.id)
        typer.echo(f"It reads as {verdict.kind}: {verdict.reason}.", err=True)
        if added.overridden:
            typer.echo("You said otherwise, and that stands.", err=True)
        elif verdict.note:
            typer.echo(verdict.note, err=True)
        for other, pairing in added.partners[:3]:
            warning = f" {pairing.warning}" if pairing.warning else ""
            typer.echo(f"It may pair with {other}: {pairing.reason}.{warning}", err=True)
        if added.pull is not None:
            typer.echo(f"Download it with: playground models pull {added.id}", err=True)


def _print_found(shelf: ModelShelf, as_json: bool) -> None:
    found = shelf.found()
    if as_json:
        rows = [
            {"owner": f.owner, "name": f.name, "path": str(f.path), "size_bytes": f.size_bytes} for f in found
        ]
        print_json({"found": rows})
        return
    print_table(
        ("program", "model", "size", "path"),
        [(f.owner, one_line(f.name), f"{f.size_bytes / 1e6:,.0f} MB", str(f.path)) for f in found],
    )
    if not found:
        typer.echo("No other program's models were found.", err=True)


@models_app.command("rename")
def models_rename(
    name: Annotated[str, typer.Argument(help="A model of your catalog.")],
    new: Annotated[
        str, typer.Argument(help="Its new name: PAIR, or PAIR/base; none changes the title.")
    ] = "",
    title: Annotated[str, typer.Option(help="How it is shown.")] = "",
) -> None:
    """Give a model of your catalog another name or title. Its former name still finds it."""
    with reported():
        typer.echo(_shelf().rename(name, new, title))


@models_app.command("remove")
def models_remove(
    name: Annotated[str, typer.Argument(help="A model of the catalog.")],
    files: Annotated[
        bool, typer.Option("--files", help="Delete what was downloaded for it instead.")
    ] = False,
) -> None:
    """Take a model out of your catalog, or delete what was downloaded for it. Nothing else is touched."""
    with reported():
        shelf = _shelf()
        typer.echo(str(shelf.delete_files(name) if files else shelf.remove(name)))


@models_app.command("verify")
def models_verify(
    name: Annotated[str, typer.Argument(help="A model; none for all that was downloaded.")] = "",
    as_json: Json = False,
) -> None:
    """Read what was downloaded from the disk again and compare its checksums."""
    with reported():
        checked = []
        for one in _shelf().verify(name):
            checked.append(one)
            if not as_json:
                typer.echo(f"{'right' if one.right else 'WRONG'}\t{one.path}")
        if as_json:
            print_json(
                {"files": [{"path": str(c.path), "right": c.right, "sentence": c.sentence} for c in checked]}
            )
        elif not checked:
            typer.echo("Nothing was downloaded yet.")
        if not all(one.right for one in checked):
            raise typer.Exit(1)


@models_app.command("set")
def models_set(
    name: Annotated[str, typer.Argument(help="A model of the catalog.")],
    n_ctx: Annotated[int | None, typer.Option(help="Most tokens of one text.")] = None,
    n_threads: Annotated[int | None, typer.Option(help="Instead of a share of the machine's cores.")] = None,
    n_batch: Annotated[int | None, typer.Option(help="Most tokens of one pass.")] = None,
    n_gpu_layers: Annotated[int | None, typer.Option(help="Layers that a GPU holds.")] = None,
    k_type: Annotated[str | None, typer.Option(help="Precision of K: f16, q8_0 or q4_0.")] = None,
    v_type: Annotated[str | None, typer.Option(help="Precision of V: f16, q8_0 or q4_0.")] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Forget what was chosen before.")] = False,
    as_json: Json = False,
) -> None:
    """Keep how a model is loaded from then on; without options, tell what is kept."""
    import msgspec

    from playground.services.load_settings import LoadSettings, LoadSettingsStore, load_settings

    with reported():
        entry = _shelf().entry(name)
        store = LoadSettingsStore.of(Settings.load())
        kept = LoadSettings() if defaults else store.get(entry.id)
        given = {
            "n_ctx": n_ctx,
            "n_threads": n_threads,
            "n_batch": n_batch,
            "n_gpu_layers": n_gpu_layers,
            "k_type": k_type,
            "v_type": v_type,
        }
        chosen = {key: value for key, value in given.items() if value is not None}
        if chosen or defaults:
            store.set(entry.id, load_settings({**msgspec.to_builtins(kept), **chosen}))
        values: dict[str, object] = msgspec.to_builtins(store.get(entry.id))
        if as_json:
            print_json({"id": entry.id, "settings": values})
            return
        shown = ", ".join(f"{key} {value}" for key, value in values.items())
        typer.echo(f"{entry.id}\t{shown or 'all left to the program'}")
