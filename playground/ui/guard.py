"""What stands between the network and the page: who may ask, from where, for what, and how much.

Gradio answers any ``Host`` header, lets other pages of this machine read its answers, takes uploads, serves
files by path and sends no content-security policy. A page that keeps files and runs models must do better:
here everything is refused that is not on a list, before Gradio sees it. Knows no model and no preset.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.ui.access import WILDCARD_HOSTS, Guesses, is_address
from playground.ui.page_files import STATIC_PATH, cache_control
from playground.ui.strings import Strings

MAX_REQUEST_BYTES = 32_000_000
"""Largest body of a request. A data file comes in parts, so this is for one preset, text or conversation."""

# All that the page, gradio_client and a browser ask for. Everything else that Gradio serves stays shut:
# files and folders by path, uploads, its proxy, direct calls without the queue, monitoring, deep links.
_READ = frozenset(
    (
        "/",
        "/config",
        "/theme.css",
        "/manifest.json",
        "/favicon.ico",
        "/pwa_icon",
        "/robots.txt",
        "/gradio_api/app_id",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/theme.css",
        "/gradio_api/startup-events",
        "/gradio_api/queue/data",
    )
)
_READ_BELOW = (f"/{STATIC_PATH}/", "/assets/", "/static/", "/gradio_api/heartbeat/", "/gradio_api/call/")
_WRITE = frozenset(
    (
        "/gradio_api/queue/join",
        "/gradio_api/component_server",
        "/gradio_api/cancel",
        "/gradio_api/reset",
    )
)
_WRITE_BELOW = ("/gradio_api/call/",)
_MCP = "/gradio_api/mcp/"
# A browser asks for these without the password, and Gradio asks itself for the last while it starts.
_WITHOUT_PASSWORD = frozenset(
    ("/manifest.json", "/favicon.ico", "/pwa_icon", "/robots.txt", "/gradio_api/startup-events")
)
log = logging.getLogger(__name__)
_SCRIPT = re.compile(rb"<script(?=[\s>])")


def content_security_policy(nonce: str, framed_by: Sequence[str] = ()) -> str:
    """The policy of one answer; docs/security.md says why each part is as it is.

    Gradio's front end builds functions from text, and sets styles as text. Inline scripts run only with the
    ``nonce``, which the page's own have.
    """
    ancestors = " ".join(framed_by) or "'none'"
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "script-src-attr 'none'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "media-src 'none'",
            "worker-src 'self' blob:",
            "frame-src 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'none'",
            f"frame-ancestors {ancestors}",
        )
    )


@dataclass(frozen=True, slots=True)
class GuardRules:
    """What the guard goes by.

    Attributes:
        names: Names besides ``localhost`` that the page goes by, in lower case.
        password: That every request must bring, by HTTP's basic authentication; None asks for none.
        framed_by: Origins of pages that may show this one in a frame.
        mcp: Whether tools are offered to other programs by the Model Context Protocol.
        max_bytes: Largest body of a request.
    """

    names: frozenset[str] = frozenset()
    password: str | None = None
    framed_by: tuple[str, ...] = ()
    mcp: bool = False
    max_bytes: int = MAX_REQUEST_BYTES


class PageGuard:
    """ASGI middleware: refuses what the rules do not let in, and adds the security headers to every answer.

    Addresses written as numbers are let through, since only a *name* can be rebound to this machine.
    """

    def __init__(self, app: ASGIApp, *, rules: GuardRules, strings: Strings) -> None:
        self._app = app
        self._rules = rules
        self._strings = strings
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or say why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks over web sockets; the server closes the connection
        headers = Headers(scope=scope)
        nonce = secrets.token_urlsafe(16)
        secured = self._secured(scope["path"], nonce, send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, secured)
        elif scope["path"] == "/" and scope["method"] == "GET":
            await self._answer(scope, receive, _with_nonces(nonce, secured))
        else:
            await self._answer(scope, receive, secured)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; what fails before the answer begins is told in words, and logged here."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            if begun:
                raise
            log.exception("a request of %s failed", scope["path"])
            await self._said(500, "server.unexpected")(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        """What is answered in place of the page, if anything."""
        host = host_name(headers.get("host", ""))
        if not (host in self._rules.names or host == "localhost" or is_address(host)):
            return self._said(400, "server.foreign_host", host=_shown(host))
        if not self._is_ours(scope, headers):
            site = headers.get("origin")
            if site is None:  # the browser says only that another site asks
                return self._said(403, "server.other_site", host=_shown(headers.get("host", "")))
            return self._said(403, "server.foreign_host", host=_shown(site))
        if not self._is_open(scope["path"], scope["method"]):
            return self._said(404, "server.nothing_here")
        if self._rules.password is not None and scope["path"] not in _WITHOUT_PASSWORD:
            wrong = self._wrong_password(scope, headers, self._rules.password)
            if wrong is not None:
                return wrong
        return self._wrong_body(scope, headers)

    def _is_ours(self, scope: Scope, headers: Headers) -> bool:
        """Whether no other site's page asks; programs send no origin and are none's page."""
        origin = headers.get("origin")
        if origin is not None:
            place = urlsplit(origin).netloc.lower()
            # behind a proxy the page's own name may differ from the host that is asked
            return place == headers.get("host", "").lower() or host_name(place) in self._rules.names
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return True
        # a link on another site may open the page itself, where it may be framed also inside a frame
        goals = ("document", "iframe") if self._rules.framed_by else ("document",)
        opens = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") in goals
        return opens and scope["method"] == "GET" and scope["path"] == "/"

    def _is_open(self, path: str, method: str) -> bool:
        if "//" in path or "\\" in path or "\0" in path or ".." in path.split("/"):
            return False
        if self._rules.mcp and f"{path}/".startswith(_MCP) and method in ("GET", "POST", "DELETE"):
            return True
        plain = path.removesuffix("/") or "/"
        if method in ("GET", "HEAD"):
            return plain in _READ or path.startswith(_READ_BELOW)
        return method == "POST" and (plain in _WRITE or path.startswith(_WRITE_BELOW))

    def _wrong_password(self, scope: Scope, headers: Headers, password: str) -> PlainTextResponse | None:
        address = (scope.get("client") or ("",))[0]
        if self._guesses.too_many(address):
            return self._said(429, "server.too_many_guesses")
        given = _basic_password(headers.get("authorization", ""))
        if given is not None and hmac.compare_digest(given.encode(), password.encode()):
            return None
        if given is not None:
            self._guesses.add(address)
        refusal = self._said(401, "server.password_needed")
        refusal.headers["WWW-Authenticate"] = 'Basic realm="ICL Playground", charset="UTF-8"'
        return refusal

    def _wrong_body(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        if scope["method"] != "POST":
            return None
        length = headers.get("content-length", "")
        if not length.isdecimal():
            return self._said(411, "server.no_length")
        if int(length) > self._rules.max_bytes:
            return self._said(413, "server.too_large", limit=self._rules.max_bytes // 1_000_000)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        return None if kind == "application/json" else self._said(415, "server.wrong_type")

    def _said(self, status: int, key: str, **values: str | int) -> PlainTextResponse:
        return PlainTextResponse(self._strings(key, **values), status)

    def _secured(self, path: str, nonce: str, send: Send) -> Send:
        policy = content_security_policy(nonce, self._rules.framed_by)

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = policy
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
                if not self._rules.framed_by:
                    headers["X-Frame-Options"] = "DENY"
                if message["status"] in (200, 304) and (kept := cache_control(path)):
                    headers["Cache-Control"] = kept
            await send(message)

        return secured


def _with_nonces(nonce: str, send: Send) -> Send:
    """Give the scripts of an HTML document the nonce.

    The document is Gradio's own and holds nothing that a person or a model wrote: its data stands in it as
    JSON without ``<``.
    """
    start: Message | None = None
    parts: list[bytes] = []

    async def rewritten(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if kind.startswith("text/html"):
                start = message
                return
        elif start is not None:
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = _SCRIPT.sub(f'<script nonce="{nonce}"'.encode(), b"".join(parts))
            MutableHeaders(scope=start)["Content-Length"] = str(len(body))
            await send(start)
            message = {**message, "body": body}
        await send(message)

    return rewritten


def host_name(header: str) -> str:
    """The name in a ``Host`` header without its port, in lower case: ``[::1]:7860`` gives ``::1``."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _basic_password(header: str) -> str | None:
    """The password of an ``Authorization`` header; any user name will do. None where there is none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _shown(name: str) -> str:
    """A name from a header, fit to be repeated."""
    return "".join(c for c in name[:80] if c.isprintable())


def page_guard(
    host: str,
    strings: Strings,
    *,
    allowed_hosts: Sequence[str] = (),
    password: str | None = None,
    framed_by: Sequence[str] = (),
    mcp: bool = False,
) -> Middleware:
    """The guard for a page bound to ``host``; ``allowed_hosts`` are further names it is known by."""
    names = {host_name(name) for name in allowed_hosts}
    if host in WILDCARD_HOSTS:
        names.add(socket.gethostname().lower())
    elif not is_address(host) and host != "localhost":
        names.add(host.lower())
    rules = GuardRules(frozenset(names), password, tuple(framed_by), mcp)
    return Middleware(PageGuard, rules=rules, strings=strings)
