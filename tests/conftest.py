"""Every test gets a home of its own, and no way to another host."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from playground.engines.llamacpp import selftest
from playground.prompts.template_process import template_process

# `make fuzz` looks longer. A shared machine may pause in mid-example, so there is no deadline.
settings.register_profile("default", deadline=None)
settings.register_profile("campaign", deadline=None, max_examples=10_000)
settings.load_profile("default")

# Nobody's own keys are looked at; keyring reads this once a process.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"

# The shell is Chromium without its own windows: it loads the page in two thirds of the time.
BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(scope="session", autouse=True)
def extra_buffers() -> str:
    """What the self-test of llama.cpp finds on this machine, for all tests; each home would make it anew."""
    found = "0" if selftest.self_test().verdict == "repaired" else "1"
    os.environ[selftest.VARIABLE] = found
    return found


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another host fails at once, and says which."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True, scope="module")
def _no_template_process_left() -> Iterator[None]:
    """The process that renders chat templates is begun anew by each module that needs it."""
    yield
    template_process().close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parent.parent


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a subprocess that lives in ``home``."""
    return {**os.environ, "PLAYGROUND_HOME": str(home), "GRADIO_ANALYTICS_ENABLED": "False", **more}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, "Chromium is needed: apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="session")
def kept_context(browser: Browser) -> Iterator[BrowserContext]:
    """A context whose cache outlives a test: a page that was loaded before loads in half the time."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context
    context.close()
