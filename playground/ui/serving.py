"""What stands between the network and the page: host check, content-security policy, static files, port.

Gradio answers any ``Host`` header, takes calls from other sites' pages and sends no content-security
policy. A page that keeps files and runs models must do better: a foreign name in ``Host`` (DNS rebinding)
and a call from another site (request forgery) are refused, and the page may load nothing from elsewhere.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.errors import PlaygroundError
from playground.ui.islands import STATIC_PATH
from playground.ui.strings import CATALOG_NAME, Strings, catalog_json

# Gradio's own front end needs inline scripts and styles and builds functions from text.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
WILDCARD_HOSTS = ("0.0.0.0", "::", "")


class PageGuard:
    """ASGI middleware: refuses foreign hosts and origins, and adds the security headers to every answer.

    Addresses written as numbers are let through, since only a *name* can be rebound to this machine.
    """

    def __init__(self, app: ASGIApp, *, names: Sequence[str], refusal: str) -> None:
        self._app = app
        self._known = frozenset(name.lower() for name in names)
        self._names = self._known | {"localhost"}
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = host_name(headers.get("host", ""))
        if not (host in self._names or _is_address(host)):
            await PlainTextResponse(self._refusal.format(host=host), 400)(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD") and not self._same_origin(headers):
            origin = headers.get("origin", "")
            await PlainTextResponse(self._refusal.format(host=origin), 403)(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Content-Type-Options"] = "nosniff"
                if scope["path"].lstrip("/").startswith(STATIC_PATH + "/"):
                    headers["Cache-Control"] = "no-cache"  # revalidated, so an upgrade shows at once
            await send(message)

        await self._app(scope, receive, guarded)

    def _same_origin(self, headers: Headers) -> bool:
        """Whether the page that sent this is ours; programs send no origin and are none's page."""
        origin = headers.get("origin")
        if origin is None:
            return True
        place = urlsplit(origin).netloc.lower()
        # behind a proxy the page's own name may differ from the host that is asked
        return place == headers.get("host", "").lower() or host_name(place) in self._known


def host_name(header: str) -> str:
    """The name in a ``Host`` header without its port, in lower case: ``[::1]:7860`` gives ``::1``."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def page_middleware(host: str, strings: Strings, allowed_hosts: Sequence[str] = ()) -> Middleware:
    """The guard for a page bound to ``host``; ``allowed_hosts`` are further names it is known by."""
    names = [*allowed_hosts]
    if host in WILDCARD_HOSTS:
        names.append(socket.gethostname())
    elif not _is_address(host) and host != "localhost":
        names.append(host)
    return Middleware(PageGuard, names=names, refusal=strings("server.foreign_host", host="{host}"))


def static_folder() -> Path:
    """The folder of the page's scripts and styles."""
    return Path(str(resources.files("playground.ui").joinpath("static")))


def page_routes() -> list[BaseRoute]:
    """Routes of the page's own files."""
    catalog = catalog_json()

    async def strings(request: Request) -> Response:
        return Response(catalog, media_type="application/json")

    return [
        Route(f"/{STATIC_PATH}/{CATALOG_NAME}", strings),
        Mount(f"/{STATIC_PATH}", StaticFiles(directory=static_folder())),
    ]


def bypass_proxy() -> None:
    """Keep requests of this process to its own page away from the proxy that the environment may name.

    Gradio asks the page that it starts for itself, and would ask the proxy.
    """
    for name in ("no_proxy", "NO_PROXY"):
        named = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
        os.environ[name] = ",".join(dict.fromkeys([*named, "localhost", "127.0.0.1", "::1"]))


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
