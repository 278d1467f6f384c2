"""ASGI middleware of a Space: tells visitors apart, counts connected tabs, stops what a closed one left."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from playground.space.gate import SCOPE_KEY, VISITOR
from playground.space.powers import BY_NAME
from playground.space.visitors import Places, address_of
from playground.ui.streaming import Runs

_HEARTBEAT = "/gradio_api/heartbeat/"
_ENTRANCES = ("/", "/config")


class Door:
    """Stands behind the page's guard.

    Args:
        app: The page.
        places: The tabs that are connected.
        runs: The runs under way.
        proxied: Whether a proxy in front names the visitor's address.
    """

    def __init__(self, app: ASGIApp, *, places: Places, runs: Runs, proxied: bool) -> None:
        self._app = app
        self._places = places
        self._runs = runs
        self._proxied = proxied

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; say that the Space is full where a newcomer finds no place."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer = (scope.get("client") or ("",))[0]
        forwarded = ", ".join(Headers(scope=scope).getlist("x-forwarded-for"))
        visitor = address_of(peer, forwarded, proxied=self._proxied)
        scope[SCOPE_KEY] = visitor
        VISITOR.set(visitor)
        path = scope["path"]
        if path.startswith(_HEARTBEAT):
            await self._while_connected(path.removeprefix(_HEARTBEAT), scope, receive, send)
            return
        if path in _ENTRANCES and self._places.is_full():
            full = PlainTextResponse(BY_NAME["idle places"].refused, 503, {"Retry-After": "60"})
            await full(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _while_connected(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """A tab holds this request open as long as it lives."""
        self._places.connect(session)
        try:
            await self._app(scope, receive, send)
        finally:
            if self._places.disconnect(session):
                self._runs.stop_session(session)
