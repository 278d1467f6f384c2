"""The page as a Gradio app: islands drawn by JavaScript, one streaming event, and a server to show it.

Launch comes first; models load behind status chips. Nothing here renders a prompt or draws a token.
"""

from __future__ import annotations

import logging
import os
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence

import gradio as gr
from pydantic import ValidationError
from starlette.middleware import Middleware

from playground.errors import PlaygroundError
from playground.services import Workbench
from playground.ui.access import check_access, check_mcp, is_shared
from playground.ui.api import PageApi, default_sides
from playground.ui.api.binding import read_request
from playground.ui.gate import Caller, Gate, OpenGate
from playground.ui.guard import page_guard
from playground.ui.islands import island
from playground.ui.page_files import page_head, page_routes, static_folder
from playground.ui.public import PublicApi
from playground.ui.redaction import plain_log
from playground.ui.serving import bypass_proxy, check_port, trust_proxies
from playground.ui.streaming import Runs, ndjson
from playground.ui.strings import Strings
from playground.ui.theme import page_theme

MAX_FILE_SIZE = "4mb"
# Gradio keeps a copy of the page's settings, some 70 KB, for each of the last sessions: 10,000 unless told.
# Nothing here is stored in one; a tab whose copy is gone gets another.
SESSIONS_KEPT = 64
# Lines that each carry one run at a time, and the event that tells the page that the run is over.
LINES = {
    "wire": "playground-run-over",
    "page_wire": "playground-page-run-over",
    "notebook_wire": "playground-notebook-run-over",
}


def build_app(
    workbench: Workbench,
    strings: Strings | None = None,
    *,
    gate: Gate | None = None,
    runs: Runs | None = None,
    looks_at_paths: bool = True,
) -> gr.Blocks:
    """The page over a workbench; ``launch`` shows it.

    ``looks_at_paths``: whether a path that is typed into the Models page is looked at. A page that others
    reach must not tell them which files there are.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # parts of Gradio read only this
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000"  # a table of timings after each event
    strings = strings or Strings.load()
    runs = runs or Runs()
    gate = gate or OpenGate()
    api = PageApi(workbench, runs, strings, gate, looks_at_paths=looks_at_paths)
    streams = {stream.kind: stream for stream in api.streams()}

    async def run(event: gr.EventData, request: gr.Request) -> AsyncIterator[str]:
        try:
            stream, query = read_request(event.request, streams)
        except (AttributeError, ValidationError, PlaygroundError) as error:
            raise gr.Error(strings("server.bad_request"), print_exception=False) from error
        cancel = runs.open(query.run, request.session_hash or "")
        caller = Caller(request.request.scope, request.session_hash or "")
        try:
            async for text in ndjson(
                lambda stop: gate.run(stream, query, stop, caller),
                run=query.run,
                sides=query.side_ids(),
                cancel=cancel,
                unexpected=strings("server.unexpected"),
                sentence=gate.sentence,
            ):
                yield text
        finally:
            runs.close(query.run)

    def closed(request: gr.Request) -> None:
        runs.stop_session(request.session_hash or "")

    with gr.Blocks(
        title=strings("app.title"), analytics_enabled=False, fill_width=True, fill_height=True
    ) as app:
        island("header")
        with gr.Row(elem_id="frame"):
            with gr.Column(elem_id="sidebar"):
                island("editor")
            with gr.Column(elem_id="main"):
                island("panes")
                island("composer")
                island("pages")
        for line, over in LINES.items():
            wire = island(line, module="wire", calls=api.calls() if line == "wire" else ())
            asked = wire.click(run, outputs=wire, show_progress="hidden", concurrency_limit=None)
            # also after a failure, so that no button stays waiting
            asked.then(None, js=f"() => window.dispatchEvent(new Event('{over}'))")
        app.unload(closed)
        for event in app.fns.values():
            event.api_visibility = "private"
        for endpoint in PublicApi(workbench, streams["run"], gate, strings).endpoints():
            gr.api(endpoint, api_name=endpoint.__name__)
    return app


def launch(
    workbench: Workbench,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
    allowed_hosts: Sequence[str] = (),
    password: str | None = None,
    open_to_all: bool = False,
    framed_by: Sequence[str] = (),
    proxies: Sequence[str] = (),
    mcp: bool = False,
    gate: Gate | None = None,
    runs: Runs | None = None,
    middleware: Sequence[Middleware] = (),
    on_ready: Callable[[str], None] | None = None,
    until: threading.Event | None = None,
) -> None:
    """Show the page until it is interrupted; the caller closes the workbench.

    Args:
        workbench: What the page works on. The default sides' models start loading at once.
        host: Address to listen on; ``0.0.0.0`` for every one.
        port: Port to listen on; 0 takes a free one.
        open_browser: Open the page in the person's browser.
        allowed_hosts: Names besides ``host`` and ``localhost`` by which the page may be asked for.
        password: What a browser or program must bring with every request.
        open_to_all: Listen beyond this machine without a password.
        framed_by: Origins of pages that may show this one in a frame.
        proxies: Addresses of proxies whose ``X-Forwarded-For`` is believed; none by default.
        mcp: Offer the public endpoints as tools by the Model Context Protocol; needs the extra ``mcp``.
        gate: Who may ask for what; everybody for everything by default.
        runs: Where the runs under way are noted, for who wants to see or stop them from outside.
        middleware: Further ASGI middleware, behind the guard.
        on_ready: Called with the page's address once it answers.
        until: Ends the page when it is set.

    Raises:
        PlaygroundError: The port is taken or forbidden, or a password or package is needed.
    """
    strings = Strings.load()
    check_access(host, password, open_to_all=open_to_all, strings=strings)
    if mcp:
        check_mcp(password, strings)
    port = check_port(host, port, strings)
    plain_log(password)
    runs = runs or Runs()
    shared = is_shared(host, names=allowed_hosts, proxies=proxies, password=password)
    app = build_app(workbench, strings, gate=gate, runs=runs, looks_at_paths=not shared)
    app.queue(default_concurrency_limit=None)
    bypass_proxy()
    trust_proxies(proxies)
    _, url, _ = app.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=mcp,
        enable_monitoring=False,
        run_history=False,
        state_session_capacity=SESSIONS_KEPT,
        footer_links=[],
        max_file_size=MAX_FILE_SIZE,
        theme=page_theme(),
        head=page_head(),
        favicon_path=str(static_folder() / "icon.svg"),
        _frontend=False,  # else Gradio asks for the page once more, and gives up after three slow seconds
        app_kwargs={
            "middleware": [
                page_guard(
                    host,
                    strings,
                    allowed_hosts=allowed_hosts,
                    password=password,
                    framed_by=framed_by,
                    mcp=mcp,
                ),
                *middleware,
            ],
            "routes": page_routes(),
        },
    )
    for side in default_sides(workbench.model_states()):
        workbench.load(side["model"])
    workbench.resume_downloads()
    if on_ready is not None:
        on_ready(url)
    if open_browser:
        webbrowser.open(url)
    try:
        (until or threading.Event()).wait()
    except KeyboardInterrupt:
        pass
    finally:
        runs.stop_all()
        # Else the server waits for every open stream, and Gradio five seconds for it. uvicorn then logs
        # a traceback for the lifespan that it leaves out, which is no news to a person who pressed Ctrl+C.
        if app.server is not None:
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            app.server.force_exit = True
        app.close(verbose=False)
