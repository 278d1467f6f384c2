"""The page as a Gradio app: islands drawn by JavaScript, one streaming event, and a server to show it.

Launch comes first; models load behind status chips. Nothing here renders a prompt or draws a token.
"""

from __future__ import annotations

import os
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence

import gradio as gr

from playground.services import Workbench
from playground.ui.api import PageApi, default_sides
from playground.ui.api.binding import read_request
from playground.ui.islands import STATIC_PATH, island
from playground.ui.serving import bypass_proxy, check_port, page_middleware, page_routes, static_folder
from playground.ui.streaming import Runs, ndjson
from playground.ui.strings import Strings
from playground.ui.theme import page_theme

MAX_FILE_SIZE = "4mb"
# Lines that each carry one run at a time, and the event that tells the page that the run is over.
LINES = {
    "wire": "playground-run-over",
    "page_wire": "playground-page-run-over",
    "notebook_wire": "playground-notebook-run-over",
}


def build_app(workbench: Workbench, strings: Strings | None = None) -> gr.Blocks:
    """The page over a workbench; ``launch`` shows it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # parts of Gradio read only this
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000"  # a table of timings after each event
    strings = strings or Strings.load()
    runs = Runs()
    api = PageApi(workbench, runs, strings)
    streams = {stream.kind: stream for stream in api.streams()}

    async def run(event: gr.EventData, request: gr.Request) -> AsyncIterator[str]:
        stream, query = read_request(event.request, streams)
        cancel = runs.open(query.run, request.session_hash or "")
        try:
            async for text in ndjson(
                lambda stop: stream.answer(query, stop),
                run=query.run,
                sides=query.side_ids(),
                cancel=cancel,
                unexpected=strings("server.unexpected"),
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
    return app


def launch(
    workbench: Workbench,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
    allowed_hosts: Sequence[str] = (),
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
        on_ready: Called with the page's address once it answers.
        until: Ends the page when it is set.

    Raises:
        PlaygroundError: The port is taken or forbidden.
    """
    strings = Strings.load()
    port = check_port(host, port, strings)
    app = build_app(workbench, strings)
    app.queue(default_concurrency_limit=None)
    bypass_proxy()
    _, url, _ = app.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        max_file_size=MAX_FILE_SIZE,
        theme=page_theme(),
        head=page_head(),
        favicon_path=str(static_folder() / "icon.svg"),
        _frontend=False,  # else Gradio asks for the page once more, and gives up after three slow seconds
        app_kwargs={
            "middleware": [page_middleware(host, strings, allowed_hosts)],
            "routes": page_routes(),
        },
    )
    for side in default_sides(workbench.model_states()):
        workbench.load(side["model"])
    if on_ready is not None:
        on_ready(url)
    if open_browser:
        webbrowser.open(url)
    try:
        (until or threading.Event()).wait()
    except KeyboardInterrupt:
        pass
    finally:
        app.close(verbose=False)


def page_head() -> str:
    """Links to the page's own stylesheets, and to its modules so that they are fetched side by side.

    Modules in folders below are those of pages that are fetched when they are first opened.
    """
    names = (path.stem for path in static_folder().glob("css/*.css"))
    sheets = sorted(names, key=lambda name: (name != "base", name))
    links = [f'<link rel="stylesheet" href="{STATIC_PATH}/css/{name}.css">' for name in sheets]
    modules = sorted(path.name for path in static_folder().glob("*.js"))
    links += [f'<link rel="modulepreload" href="{STATIC_PATH}/{name}">' for name in modules]
    return "\n".join(links)
