"""The real page in a real browser: one server a session, and a tab of its own for each test."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from playground.ui.page_files import page_path
from tests.presets.hub_server import SmallHub

START_S = 90
PRESET = """
schema: 1
name: friendly
title: Friendly
description: Greets and helps.
template: basechat
system: You are a friendly assistant.
examples:
  - {query: "Who are you?", answer: Hello! I am a friend.}
  - {query: Name a colour., answer: Hello! Red is one.}
  - {query: Say nothing., answer: "", enabled: false}
sampling: {temperature: 0.7, max_tokens: 20000, seed: 1}
questions: ["What is a wren?", "Where does it live?"]
"""
CHINESE = """
name: zh
title: 中文助手
language: zh
system: 你是一个乐于助人的助手。
examples:
  - {query: 你好吗？, answer: 你好！我很好。}
"""
# Without a preset a model is decoded by its own settings: these leave room for the longest script.
SAMPLING = "sampling: {source: the tests, max_tokens: 20000}"
PAIR = (
    f"pair: fake\ntitle: Fake\nbase: {{gguf: base.gguf, {SAMPLING}}}\n"
    f"instruct: {{gguf: instruct.gguf, {SAMPLING}}}\n"
)


@dataclass
class Server:
    """A running page: its address, its home folder and its process."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]

    def running(self) -> int:
        """Generations under way, over all fake engines."""
        return sum(int(path.read_text() or 0) for path in self.home.glob("running-*"))

    def prompts(self) -> list[str]:
        """Every prompt that fake engines were sent so far."""
        return [json.loads(line) for line in (self.home / "prompts").read_text().splitlines()]


@dataclass
class PresetServer(Server):
    """A page whose Hub is ``hub``; a token for it is the file ``hub-token`` of its home."""

    hub: SmallHub

    def own(self, name: str) -> Path:
        """The file of a person's own preset."""
        return self.home / "presets" / f"{name}.yaml"


def module(path: str) -> str:
    """JavaScript that imports one of the page's modules."""
    return f"import(new URL('{page_path()}/{path}', document.baseURI).href)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(command: list[str], home: Path) -> Iterator[Server]:
    """Run a command that prints the page's address; end it afterwards."""
    environment = {**os.environ, "PLAYGROUND_HOME": str(home), "PYTHONWARNINGS": "default"}
    environment |= {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}  # nobody answers
    log = home / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        deadline = time.monotonic() + START_S
        while not (found := re.search(r"http://\S+", log.read_text())):
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.05)
        yield Server(found[0], home, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert "Traceback" not in log.read_text(), log.read_text()[-4000:]


def fake_home(home: Path) -> Path:
    """A home whose gallery and catalog are the tests' own."""
    for folder, files in {
        "shipped_models": {"fake.yaml": PAIR, "base.gguf": "", "instruct.gguf": ""},
        "shipped_presets": {
            "friendly.yaml": PRESET,
            "zh.yaml": CHINESE,
            "broken.yaml": "name: broken\nexmples: []\n",
        },
    }.items():
        (home / folder).mkdir(parents=True)
        for name, text in files.items():
            (home / folder / name).write_text(text, encoding="utf-8")
    return home


@pytest.fixture(scope="session")
def fake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page over fake engines in its own process."""
    home = fake_home(tmp_path_factory.mktemp("fake-home"))
    script = Path(__file__).with_name("fake_page.py")
    yield from serve([sys.executable, str(script), str(free_port()), str(home)], home)


@pytest.fixture(scope="session")
def preset_server(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[PresetServer]:
    """The page over fake engines with the shipped gallery, beside a small Hub on loopback."""
    home = fake_home(tmp_path_factory.mktemp("preset-home"))
    shutil.rmtree(home / "shipped_presets")
    shutil.copytree(repository / "presets", home / "shipped_presets")
    script = Path(__file__).with_name("fake_page.py")
    hub = SmallHub()
    environment = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN_PATH": str(home / "hub-token"),
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": "",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        servers = serve([sys.executable, str(script), str(free_port()), str(home)], home)
        server = next(servers)
    yield PresetServer(server.url, server.home, server.process, hub)
    hub.close()
    next(servers, None)


@dataclass
class Tab:
    """A page in a context of its own, with what a test does over and over."""

    page: Page
    context: BrowserContext
    server: Server
    forgive: list[str] = field(default_factory=list)

    def open(self) -> None:
        self.page.goto(self.server.url)
        self.page.wait_for_selector("body[data-ready]", state="attached", timeout=START_S * 1000)
        ready = "document.querySelectorAll('.chip').length > 0 && !document.querySelector('.chip.loading')"
        self.page.wait_for_function(ready, timeout=START_S * 1000)

    def send(self, text: str) -> None:
        self.page.fill("#message", text)
        self.page.press("#message", "Enter")

    def wait_answered(self) -> None:
        self.page.wait_for_selector("#send:not([hidden])")

    def ask(self, text: str) -> None:
        """Send and wait for every side's answer."""
        turns = self.page.locator(".turn").count()
        self.send(text)
        self.page.wait_for_function(
            "n => document.querySelectorAll('.turn').length > n && !document.querySelector('.turn.open')",
            arg=turns,
        )
        self.wait_answered()

    def answer(self, side: str, turn: int = -1) -> str:
        """The text of a side's answer, as shown."""
        return self.page.locator(f"[data-side={side}] .answer").all()[turn].inner_text()

    def figures(self, side: str) -> str:
        return self.page.locator(f"[data-side={side}] .figures").last.inner_text()

    def prompt(self, side: str) -> str:
        """The exact prompt, as shown (``textContent`` keeps white space)."""
        return self.page.locator(f"[data-side={side}] .prompt-text").evaluate("e => e.textContent")


@pytest.fixture
def open_tab(browser: Browser, kept_context: BrowserContext) -> Iterator[Callable[..., Tab]]:
    """Open tabs; afterwards no page error, no console error and no request to another host.

    Each is alone with its storage: the first of a test has the kept context, emptied of what a page stores.
    """
    tabs: list[Tab] = []
    problems: list[str] = []

    def open_one(server: Server, *, width: int = 1440, height: int = 900, **options: object) -> Tab:
        if tabs or options:
            viewport: ViewportSize = {"width": width, "height": height}
            context = browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
            page = context.new_page()
        else:
            context = kept_context
            page = context.new_page()
            page.set_viewport_size({"width": width, "height": height})
            context.new_cdp_session(page).send(
                "Storage.clearDataForOrigin",
                {"origin": server.url.rstrip("/"), "storageTypes": "cookies,local_storage,indexeddb"},
            )
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
        page.on(
            "console",
            lambda said: said.type == "error" and problems.append(f"console: {said.text}"),
        )
        here = server.url.rstrip("/")
        page.on(
            "request",
            lambda request: (
                request.url.startswith((here, "data:", "blob:"))
                or problems.append(f"request to another host: {request.url}")
            ),
        )
        tab = Tab(page, context, server)
        tabs.append(tab)
        tab.open()
        return tab

    yield open_one
    for tab in tabs:
        if tab.context is kept_context:
            for page in kept_context.pages:
                page.close()
            kept_context.clear_cookies()
            kept_context.clear_permissions()
        else:
            tab.context.close()
    forgiven = [words for tab in tabs for words in tab.forgive]
    told = [problem for problem in problems if not any(words in problem for words in forgiven)]
    assert not told, told


@pytest.fixture
def tab(open_tab: Callable[..., Tab], fake_server: Server) -> Tab:
    """The page over fake engines, ready, at 1440 by 900."""
    return open_tab(fake_server)


def wait_until(condition: Callable[[], bool], within_s: float) -> float:
    """Seconds until the condition held; fails where it took longer. For what no event tells."""
    started = time.perf_counter()
    while not condition():
        assert time.perf_counter() - started < within_s, f"not within {within_s} s"
        time.sleep(0.01)
    return time.perf_counter() - started
