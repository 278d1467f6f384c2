"""The commands' common ground: the entry point, the default command, and how errors and JSON are printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from playground import __version__
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    from playground.services import Workbench

app = typer.Typer(
    help="A desktop playground for base-model in-context alignment.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
presets_app = typer.Typer(help="The presets at hand.", no_args_is_help=True)
models_app = typer.Typer(help="The models at hand.", no_args_is_help=True)
app.add_typer(presets_app, name="presets")
app.add_typer(models_app, name="models")
servers_app = typer.Typer(help="Servers that models run on.", no_args_is_help=True)
app.add_typer(servers_app, name="servers")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"playground {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A desktop playground for base-model in-context alignment. Without a command it opens the page."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 7860,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name that the page goes by, as behind a proxy.")
    ] = None,
    password: Annotated[
        bool | None,
        typer.Option(
            "--password/--no-password",
            help="Ask for a password (PLAYGROUND_PASSWORD, or typed here), needed beyond this machine.",
        ),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(help="Address of a proxy in front of the page, whose X-Forwarded-For is believed."),
    ] = None,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Offer the endpoints as tools (Model Context Protocol).")
    ] = False,
) -> None:
    """Open the playground in the browser (the default command)."""
    with reported():
        from playground.ui.access import check_access, check_mcp, environment_password
        from playground.ui.serving import check_port
        from playground.ui.strings import Strings

        said = environment_password()
        if password and said is None:
            said = _secret("Password for the page")
        if password is False:
            said = None
        # `launch` checks too; here a refusal need not wait for Gradio to be imported.
        strings = Strings.load()
        check_access(host, said, open_to_all=password is False, strings=strings)
        if mcp:
            check_mcp(said, strings)
        check_port(host, port, strings)

        from playground.services import Workbench
        from playground.settings import Settings
        from playground.ui.app import launch

        with Workbench(Settings.load().by_name_only()) as workbench:
            launch(
                workbench,
                host=host,
                port=port,
                open_browser=browser,
                allowed_hosts=allow_host or (),
                password=said,
                open_to_all=password is False,
                proxies=proxy or (),
                mcp=mcp,
                on_ready=lambda url: typer.echo(
                    f"The playground is at {url} - press Ctrl+C to end it.", err=True
                ),
            )
        # Models are freed and everything is stored. The server's threads may still wait for streams that
        # nobody reads any more, and Python would wait for them.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _secret(prompt: str) -> str:
    """Typed without echo, or the first line of a pipe; never an argument, which a shell keeps."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True))
    return sys.stdin.readline().rstrip("\r\n")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 1 with one clear line on stderr, or 2 for wrong usage."""
    from playground.cli import (  # noqa: F401  (they add their commands)
        ablate,
        bench,
        candidates,
        doctor,
        evaluate,
        judge,
        model_files,
        models,
        presets,
        presets_travel,
        search,
        servers,
        shift,
        space,
        talk,
        templates,
    )

    given = [_text_argument(text) for text in (sys.argv[1:] if arguments is None else arguments)]
    # Options alone are the page's: `playground --port 8000`.
    if not given or (given[0].startswith("-") and given[0] not in ("--help", "--version")):
        given.insert(0, "serve")
    try:
        app(args=given, prog_name="playground")
    except BrokenPipeError:
        # Who read our output has had enough (`| head`); Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def _text_argument(text: str) -> str:
    """An argument as text: bytes that are not UTF-8 become U+FFFD, except in an existing path."""
    mended = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if mended == text or os.path.exists(text):
        return text
    typer.echo(f"note: bytes that are not UTF-8 became U+FFFD in {mended[:80]!r}", err=True)
    return mended


@contextmanager
def reported() -> Iterator[None]:
    """Print an error of ours as one line on stderr and exit with 1; an interrupt exits with 130."""
    try:
        yield
    except PlaygroundError as error:
        typer.echo(f"error: {one_line(str(error))}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise typer.Exit(130) from None


def with_notices(workbench: Workbench) -> Workbench:
    """The workbench, which prints on stderr what its models have to say once, when it is closed."""

    def tell() -> None:
        for notice in workbench.notices():
            typer.echo(f"note: {one_line(notice.text)}", err=True)

    workbench.at_close(tell)
    return workbench


def one_line(text: str) -> str:
    """The text on one line, and without control characters that a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def print_json(value: object) -> None:
    """One object on stdout, in UTF-8 whatever the terminal's encoding."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # A lone surrogate, as in a file's name that is not UTF-8, stays an escape of JSON.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table on a terminal, and tab-separated lines where the output is piped."""
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
