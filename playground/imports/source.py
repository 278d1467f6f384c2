"""The text behind ``FILE``, ``URL`` or ``-``: within a size and a time, and from no private address unasked.

A name is looked up once and the connection goes to the very address that was judged, so that a name which
points elsewhere the next moment gains nothing. Proxies of the environment are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from playground.datasets import DataFileError
from playground.datasets.decoding import decode, unpack
from playground.imports.addresses import is_public
from playground.imports.readers.card import PNG, card_in_png
from playground.imports.result import PresetImportError
from playground.presets.preset import MAX_BYTES

MAX_REDIRECTS = 5
CONNECT_S = 10.0
TOTAL_S = 30.0


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text, what to call it, a wish for a preset's name, and notes on how it was read."""

    text: str
    source: str
    name: str
    notes: tuple[str, ...] = ()


def read_source(given: str, *, allow_private: bool = False) -> SourceText:
    """The text of a file, an address or standard input.

    Args:
        given: A path, an ``http(s)://`` address, or ``-``.
        allow_private: Take addresses of this machine and of private networks too.

    Raises:
        PresetImportError: It cannot be had, is too large, or is no text.
    """
    if given == "-":
        return decoded(sys.stdin.buffer.read(MAX_BYTES + 1), source="standard input", name="imported")
    if given.lower().startswith(("http://", "https://")):
        if "#preset=" in given:
            return SourceText(given, "the link", "imported")
        content, address = fetch(given, allow_private=allow_private)
        path = PurePosixPath(unquote(urlsplit(address).path))
        return decoded(content, source=path.name or address, name=path.stem or "imported")
    if "://" in given[:20]:
        raise PresetImportError(
            f"'{given[:60]}' is no address that is read; use http://, https:// or a file."
        )
    path_ = Path(given).expanduser()
    try:
        with path_.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PresetImportError(f"The file {given[:200]} cannot be read: {reason}.") from error
    return decoded(content, source=path_.name, name=path_.stem)


def decoded(content: bytes, *, source: str, name: str) -> SourceText:
    """Bytes as text in any encoding that can be told; of a picture, the character card in it.

    Raises:
        PresetImportError: Too large, or no text.
    """
    if content.startswith(PNG):
        card = card_in_png(content)
        if card is None:
            raise PresetImportError(
                f"{source} is a picture without a character card in it; choose another file."
            )
        content = card
    if len(content) > MAX_BYTES:
        raise PresetImportError(f"{source} is larger than {MAX_BYTES // 1_000_000} MB; import a part of it.")
    try:
        read = decode(unpack(content, source=source, limit=MAX_BYTES), source=source)
    except DataFileError as error:
        raise PresetImportError(str(error)) from error
    # A mark of UTF-8 stays: a prompt file is kept byte for byte.
    text = content.decode() if content.startswith(b"\xef\xbb\xbf") and not read.repaired else read.text
    replaced = [f"Line {one.place}: {one.message}." for one in read.repaired[:5]]
    return SourceText(text, source, name, (*read.notes, *replaced))


def fetch(address: str, *, allow_private: bool = False) -> tuple[bytes, str]:
    """What lies at an address, and the address that it came from in the end.

    Raises:
        PresetImportError: No such host, a private address, a time-out, an HTTP error, too large.
    """
    deadline = time.monotonic() + TOTAL_S
    for _ in range(MAX_REDIRECTS + 1):
        found = _get(address, deadline, allow_private=allow_private)
        if isinstance(found, bytes):
            return found, address
        target = urljoin(address, found)
        if not target.lower().startswith(("http://", "https://")):
            raise PresetImportError(f"{address} leads to '{target[:80]}', which is no http address.")
        address = target
    raise PresetImportError(f"{address} leads on more than {MAX_REDIRECTS} times; give the last address.")


def _get(address: str, deadline: float, *, allow_private: bool) -> bytes | str:
    """The content, or where a redirect points."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise PresetImportError(f"'{address[:80]}' is no address: {error}.") from error
    if not host:
        raise PresetImportError(f"'{address[:80]}' names no host; give a whole address.")
    secure = parts.scheme.lower() == "https"
    ip = _public_ip(host, port or (443 if secure else 80), allow_private=allow_private)
    connection = _Pinned(host, ip, port or (443 if secure else 80), secure=secure)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        headers = {"User-Agent": "icl-playground", "Accept": "*/*", "Accept-Encoding": "identity"}
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        if answer.status in (301, 302, 303, 307, 308) and answer.headers.get("Location"):
            return str(answer.headers["Location"])
        if answer.status != 200:
            raise PresetImportError(f"{address} answers {answer.status} {answer.reason}; check the address.")
        return _body(answer, connection, address, deadline)
    except TimeoutError as error:
        raise PresetImportError(f"{host} did not answer in time; try again later.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise PresetImportError(f"{address} cannot be fetched: {error}.") from error
    finally:
        connection.close()


def _body(answer: http.client.HTTPResponse, connection: _Pinned, address: str, deadline: float) -> bytes:
    content = b""
    while chunk := answer.read1(65_536):
        content += chunk
        if len(content) > MAX_BYTES:
            raise PresetImportError(f"{address} is larger than {MAX_BYTES // 1_000_000} MB; import a part.")
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(min(left, CONNECT_S))
    return content


def _public_ip(host: str, port: int, *, allow_private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PresetImportError(
            f"There is no host '{host[:80]}', or no network; check the address."
        ) from error
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
        if not allow_private and not is_public(ip):
            raise PresetImportError(
                f"{host} is {ip}, an address of this machine or of a private network; "
                "such ones are read only with --allow-private."
            )
    return str(found[0][4][0])


class _Pinned(http.client.HTTPConnection):
    """A connection to one address that was judged before; TLS still checks the host's name."""

    def __init__(self, host: str, ip: str, port: int, *, secure: bool) -> None:
        super().__init__(host, port, timeout=CONNECT_S)
        self._ip = ip
        self._secure = secure

    def connect(self) -> None:
        """Open the socket to the pinned address."""
        plain = socket.create_connection((self._ip, self.port), self.timeout)
        self.sock = plain
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
