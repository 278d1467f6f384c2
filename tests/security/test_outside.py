"""No telemetry: from its start through a scripted use the page asks no host but this machine.

Seen in two ways: an audit hook in each of its processes notes every connection and every name looked up, and
the environment names a proxy that records. What the browser asks is seen by Playwright.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.security.conftest import Recorder, Watched
from tests.ui.conftest import Tab

HERE = ("127.0.0.1", "::1", "localhost")


def asked(page: Watched) -> list[str]:
    """Every address that was connected to and every name that was looked up, but for local sockets."""
    found = []
    for event, told in page.events():
        if event == "socket.connect" and told[1].startswith("("):
            found.append(told[1])
        elif event in ("socket.getaddrinfo", "socket.sendto"):
            found.append(" ".join(told))
    return found


def test_a_start_and_its_use_ask_nobody_outside(
    real: Watched, recorder: Recorder, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(real)
    page = tab.page
    page.set_default_timeout(120_000)  # nothing here is about time
    tab.ask("What is the capital of Japan?")
    page.fill("#draft-system", "You are brief. ![x](https://example.org/x.png)")
    tab.ask("Say ![picture](https://example.org/y.png) and <img src=https://example.org/z.png>")
    for name in ("notebook", "shift", "chat"):
        page.evaluate("name => { location.hash = `#/${name}`; }", name)
        page.wait_for_selector(f"[data-page={name}][aria-current=page]", state="attached")
    tab.open()
    asks = asked(real)
    assert asks, "the hook notes nothing"
    assert [one for one in asks if not any(here in one for here in HERE)] == []
    assert recorder.seen == []
