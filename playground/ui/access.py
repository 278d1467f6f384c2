"""Who may reach the page at all: listening beyond this machine, the password for that, and guessing it."""

from __future__ import annotations

import ipaddress
import os
import time
from collections import deque
from collections.abc import Sequence
from importlib.util import find_spec

from playground.errors import PlaygroundError
from playground.extras import install_command
from playground.ui.strings import Strings

WILDCARD_HOSTS = ("0.0.0.0", "::", "")
PASSWORD_VARIABLE = "PLAYGROUND_PASSWORD"
MIN_PASSWORD = 8
GUESSES = 10
GUESS_WINDOW_S = 60.0
_MOST_ADDRESSES = 1_000


def is_address(host: str) -> bool:
    """Whether it is an address in numbers."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on ``host``."""
    name = host.strip("[]")
    return name == "localhost" or (is_address(name) and ipaddress.ip_address(name).is_loopback)


def is_shared(
    host: str, *, names: Sequence[str] = (), proxies: Sequence[str] = (), password: str | None = None
) -> bool:
    """Whether others than this machine's own user are meant to reach the page.

    They reach it by its address, or through a proxy, which goes by another name or is named itself; and a
    password is set for others.
    """
    return bool(names or proxies or password) or not is_loopback(host)


def check_access(host: str, password: str | None, *, open_to_all: bool, strings: Strings) -> None:
    """Refuse to be reached from elsewhere without a password, unless that was asked for.

    Raises:
        PlaygroundError: Says what to do.
    """
    if password is not None and len(password) < MIN_PASSWORD:
        raise PlaygroundError(strings("server.password_short", least=MIN_PASSWORD))
    if password is None and not open_to_all and not is_loopback(host):
        raise PlaygroundError(strings("server.open_to_all", host=host))


def check_mcp(password: str | None, strings: Strings) -> None:
    """Refuse to offer tools where that cannot be done.

    Raises:
        PlaygroundError: The package is missing, or there is a password, which Gradio does not pass on.
    """
    if password is not None:
        raise PlaygroundError(strings("server.mcp_and_password"))
    if find_spec("mcp") is None:
        raise PlaygroundError(strings("server.mcp_missing", command=install_command("mcp")))


def environment_password() -> str | None:
    """The password that the environment names, if any; it is taken out, so that no child process gets it."""
    return os.environ.pop(PASSWORD_VARIABLE, None) or None


class Guesses:
    """Wrong passwords by the address they came from. For one event loop.

    All addresses of an IPv6 network of 64 bits count as one, because a single machine has all of them.
    """

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def too_many(self, address: str) -> bool:
        """Whether the address has guessed wrong too often in the last minute."""
        times = self._times.get(_network(address))
        while times and times[0] < time.monotonic() - GUESS_WINDOW_S:
            times.popleft()
        return times is not None and len(times) >= GUESSES

    def add(self, address: str) -> None:
        """Note a wrong guess."""
        if len(self._times) >= _MOST_ADDRESSES:
            del self._times[next(iter(self._times))]
        self._times.setdefault(_network(address), deque(maxlen=GUESSES)).append(time.monotonic())


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
