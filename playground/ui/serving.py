"""Where the page is served: its port, and the way to it past a proxy."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence

from playground.errors import PlaygroundError
from playground.ui.access import WILDCARD_HOSTS
from playground.ui.strings import Strings

TRUST_VARIABLE = "FORWARDED_ALLOW_IPS"


def bypass_proxy() -> None:
    """Keep requests of this process to its own page away from the proxy that the environment may name.

    Gradio asks the page that it starts for itself, and would ask the proxy.
    """
    for name in ("no_proxy", "NO_PROXY"):
        named = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
        os.environ[name] = ",".join(dict.fromkeys([*named, "localhost", "127.0.0.1", "::1"]))


def trust_proxies(addresses: Sequence[str]) -> None:
    """Believe ``X-Forwarded-For`` and ``X-Forwarded-Proto`` from these proxies alone.

    uvicorn believes them from 127.0.0.1 unless told otherwise. Then any program of this machine, and whoever
    reaches the page through a proxy that passes the headers on, is another visitor with each request, and
    the limit on wrong passwords counts nothing. Who sets uvicorn's own variable has named a proxy too.
    """
    named = ",".join(addresses) or os.environ.get(TRUST_VARIABLE, "")
    os.environ[TRUST_VARIABLE] = named


def check_port(host: str, port: int, strings: Strings) -> int:
    """The port, or a free one for 0; fails early and in words where it cannot be had.

    Raises:
        PlaygroundError: Another program listens there, this one may not, or there is no such address.
    """
    address = "127.0.0.1" if host in (*WILDCARD_HOSTS, "localhost") else host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere it would let the port be taken twice
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return int(probe.getsockname()[1])
        except PermissionError as error:
            raise PlaygroundError(strings("server.port_forbidden", port=port)) from error
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) == errno.EADDRINUSE:
                text = strings("server.port_in_use", port=port, next_port=port + 1)
            else:
                reason = getattr(error, "strerror", None) or str(error)
                text = strings("server.host_unusable", host=host, port=port, reason=reason)
            raise PlaygroundError(text) from error
