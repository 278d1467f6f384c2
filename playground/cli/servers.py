"""``servers key set|remove``: keys of servers in the platform's keyring."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from playground.cli.app import reported, servers_app

key_app = typer.Typer(help="Keys of servers, kept in the platform's keyring.", no_args_is_help=True)
servers_app.add_typer(key_app, name="key")

Host = Annotated[str, typer.Argument(help="The server's address, or its HOST:PORT.")]


@key_app.command("set")
def servers_key_set(host: Host) -> None:
    """Keep a server's key; it is asked for, or read from a pipe, and never shown."""
    from playground.engines.server.keys import host_of, store_key

    with reported():
        name = host_of(host)
        key = typer.prompt(f"Key for {name}", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
        store_key(host, key)
        typer.echo(f"The key for {name} is in the keyring.")


@key_app.command("remove")
def servers_key_remove(host: Host) -> None:
    """Forget a server's key."""
    from playground.engines.server.keys import host_of, remove_key

    with reported():
        remove_key(host)
        typer.echo(f"The key for {host_of(host)} is no longer in the keyring.")
