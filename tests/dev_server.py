"""The page for development, run by ``make dev``: ``dev_server.py [--port N]``.

A change of Python, JavaScript, CSS, a string, a preset or a catalog entry restarts the server; the browser
tab then reloads by itself. The tab keeps its session, and models are loaded again. The server restarts for
JavaScript too, because the addresses of the page's files are fixed while it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOT = Path(__file__).resolve().parent.parent
WATCHED = ("playground", "presets", "models")
SUFFIXES = (".py", ".js", ".css", ".json", ".svg", ".yaml")
LOOK_EVERY_S = 0.5
STOP_WITHIN_S = 5.0
FROM_TERMINAL_S = 2.0  # a terminal sends Ctrl+C to the server as well
# Below the folder of the page's own files, which the guard lets a browser read.
SCRIPT_PATH, VERSION_PATH = "/page/development.js", "/page/development"
TAG = b'<script type="module" src="page/development.js"></script>'
SCRIPT = """
const ask = async () => (await fetch('page/development', { cache: 'no-store' })).text();
const begun = await ask();
setInterval(async () => {
  try {
    if ((await ask()) !== begun) location.reload();
  } catch {
    // the server is restarting
  }
}, 500);
"""


class Reload:
    """ASGI middleware: tells a tab which start of the server answers, so that it reloads after another."""

    def __init__(self, app: ASGIApp, *, version: str) -> None:
        self._app = app
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the two addresses of its own, and add the script to the page."""
        path = scope.get("path", "")
        if path == VERSION_PATH:
            await PlainTextResponse(self._version)(scope, receive, send)
        elif path == SCRIPT_PATH:
            await Response(SCRIPT, media_type="text/javascript")(scope, receive, send)
        elif path == "/" and scope.get("method") == "GET":
            # Uncompressed, so that the script's tag can be added.
            headers = [one for one in scope["headers"] if one[0] != b"accept-encoding"]
            await self._app({**scope, "headers": headers}, receive, _with_script(send))
        else:
            await self._app(scope, receive, send)


def _with_script(send: Send) -> Send:
    start: Message | None = None
    body = b""

    async def rewritten(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            start = message
            return
        assert start is not None
        body += message.get("body", b"")
        if message.get("more_body"):
            return
        whole = body.replace(b"</head>", TAG + b"</head>", 1)
        kept = [one for one in start["headers"] if one[0].lower() != b"content-length"]
        await send({**start, "headers": [*kept, (b"content-length", str(len(whole)).encode())]})
        await send({**message, "body": whole})

    return rewritten


def stamps(folders: Sequence[Path]) -> dict[Path, int]:
    """When each watched file was changed last, in nanoseconds."""
    found: dict[Path, int] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in SUFFIXES:
                try:
                    found[path] = path.stat().st_mtime_ns
                except OSError:
                    continue  # it was there a moment ago
    return found


def serve(port: int, *, open_browser: bool) -> None:
    """Serve the page until it is interrupted."""
    from playground.services import Workbench
    from playground.settings import Settings
    from playground.ui.app import launch

    reload = Middleware(Reload, version=uuid.uuid4().hex)
    with Workbench(Settings.load().by_name_only()) as workbench:
        launch(
            workbench,
            port=port,
            open_browser=open_browser,
            middleware=[reload],
            on_ready=lambda url: print(f"The playground is at {url}", file=sys.stderr, flush=True),
        )


def watch(port: int) -> None:
    """Run the server, and start it again after each change; one that failed to start waits for the next."""
    folders = [ROOT / name for name in WATCHED]
    seen = stamps(folders)
    process = _start(port, "--open-browser")
    try:
        while True:
            time.sleep(LOOK_EVERY_S)
            now = stamps(folders)
            if now == seen:
                continue
            changed = sorted(path for path in {*now, *seen} if now.get(path) != seen.get(path))
            print(f"{changed[0].relative_to(ROOT)} changed; restarting.", file=sys.stderr, flush=True)
            seen = now
            _stop(process)
            process = _start(port)
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(FROM_TERMINAL_S)
        _stop(process)


def _start(port: int, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, "--serve", "--port", str(port), *options], cwd=ROOT)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Watch, or with ``--serve`` be the server that is watched."""
    parser = argparse.ArgumentParser(description="The page for development.")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--open-browser", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.port, open_browser=given.open_browser)
    else:
        watch(given.port)


if __name__ == "__main__":
    main()
