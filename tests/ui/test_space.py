"""Exported Spaces, started from their own files: the page as a visitor sees it, and programs that call it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser

from playground.space.config import FILE_NAME, Limits, SpaceConfig, config_text, read_config
from playground.space.export import export
from tests.ui.conftest import Server, Tab, free_port, serve, wait_until

MARK = "A Space of its own"
STAND_INS = Path(__file__).parent.parent / "space" / "stand_ins"


@dataclass
class Space:
    """A running Space: its server, its folder, and what its files were before it started."""

    server: Server
    folder: Path
    files: set[str]


def written(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


def run(folder: Path, home: Path, limits: Limits, **variables: str) -> Iterator[Space]:
    """Start ``app.py`` with this interpreter; the package beside the script is the one that it finds."""
    config = read_config(folder / FILE_NAME)
    changed = SpaceConfig(models=config.models, engine=config.engine, limits=limits)
    (folder / FILE_NAME).write_text(config_text(changed))
    strings = folder / "playground" / "ui" / "strings.json"
    said = json.loads(strings.read_text(encoding="utf-8"))
    strings.write_text(json.dumps(said | {"app.title": MARK}), encoding="utf-8")
    files = written(folder)
    environment = {
        "GRADIO_SERVER_PORT": str(free_port()),
        "GRADIO_TEMP_DIR": str(home / "gradio"),
        "OWNERS_SECRET": "xyzzy",
        **variables,
    }
    command = ["env", *(f"{name}={value}" for name, value in environment.items())]
    for server in serve([*command, sys.executable, str(folder / "app.py")], home):
        yield Space(server, folder, files)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    folder = tmp_path_factory.mktemp("space") / "space"
    export(folder)
    limits = Limits(tokens=24, samples=2, requests_per_minute=12, sessions=3)
    yield from run(folder, tmp_path_factory.mktemp("home"), limits)


@pytest.fixture
def tab(open_tab: Callable[..., Tab], space: Space) -> Tab:
    opened: Tab = open_tab(space.server)
    opened.page.wait_for_function("document.querySelectorAll('.chip.ready').length === 2", timeout=60_000)
    opened.page.set_default_timeout(60_000)
    return opened


def keeps(tab: Tab) -> list[str]:
    names: list[str] = tab.page.eval_on_selector_all(
        "#preset option", "options => options.map(({ value }) => value)"
    )
    return names


def test_a_visitor_asks_and_saves_in_their_own_browser(tab: Tab, space: Space) -> None:
    page = tab.page
    assert page.locator("h1").inner_text() == MARK, "the package beside app.py, and no other"
    assert page.locator(".pages-nav a:visible").all_inner_texts() == ["Chat", "Notebook", "Shift"]
    assert not page.locator("[data-needs=data_part]").is_visible()
    tab.ask("What is the capital of Japan?")
    for side in "AB":
        assert tab.answer(side).strip()
        assert int(re.search(r"(\d+) tokens?", tab.figures(side))[1]) <= 24  # type: ignore[index]

    if page.locator(".more").is_visible():
        page.click(".more")
    page.click("[data-action=save_as]")
    page.fill("#save-title", "Mine")
    page.fill("#save-name", "mine")
    page.click("dialog[open] button.filled")
    page.wait_for_function("document.querySelector('#preset').value === 'mine'")
    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")
    assert "mine" in keeps(tab), "after a reload, from the browser"
    assert page.locator("#preset").input_value() == "mine"
    page.select_option("#preset", "pirate")
    page.wait_for_function("document.querySelector('#preset').value === 'pirate'")
    page.select_option("#preset", "mine")
    page.wait_for_function("document.querySelector('#preset').value === 'mine'")
    own = page.locator("[data-side=A] select").nth(1).locator("option[value=mine]")
    assert own.count() == 0, "a side cannot name what the server does not have"

    assert not (space.server.home / "space").exists(), "nothing is written"
    assert not list((space.server.home / "gradio").rglob("*.*"))
    assert written(space.folder) == space.files


def test_another_visitor_sees_none_of_it(open_tab: Callable[..., Tab], space: Space) -> None:
    other = open_tab(space.server)
    assert "mine" not in keeps(other)
    assert "friendly" in keeps(other)


def test_a_full_space_says_so_and_a_closed_tab_makes_room(
    open_tab: Callable[..., Tab], browser: Browser, space: Space
) -> None:
    newcomer = browser.new_context().request
    tabs = []
    for _ in range(3):
        # A program that has gone is noticed at its next heartbeat, of which there is one every 15 s.
        wait_until(lambda: newcomer.get(space.server.url).ok, 40)
        tabs.append(open_tab(space.server))
    wait_until(lambda: newcomer.get(space.server.url).status == 503, 10)
    assert "is full" in newcomer.get(space.server.url).text()
    tabs[2].page.close()
    wait_until(lambda: newcomer.get(space.server.url).ok, 40)
    newcomer.dispose()


def test_programs_are_let_in_within_the_limits(space: Space) -> None:
    client = Client(space.server.url, verbose=False, headers={"X-Forwarded-For": "9.9.9.9"})
    answer = client.predict("What is the capital of Japan?", "wren/instruct", "none", api_name="/ask")
    assert answer["text"].strip()
    asked = client.predict("Go on.", "wren/base", "none", None, None, 1.0, 400, 1, api_name="/ask")
    assert asked["usage"]["completion_tokens"] <= 24
    for wrong in (
        "smollm2-135m/base",
        str(space.folder / "playground/_shipped/models/wren/wren-base-f16.gguf"),
    ):
        with pytest.raises(AppError, match="There is no model") as unknown:
            client.predict("hi", wrong, api_name="/tokens")
        assert str(space.folder) not in str(unknown.value).replace(wrong[:80], "")
    with pytest.raises(AppError, match="There is no preset"):
        client.predict(str(space.folder / "playground/_shipped/presets/pirate.yaml"), api_name="/preset")
    asks = [
        client.submit("hi", "wren/instruct", "none", None, None, 0.0, 1, 1, api_name="/ask")
        for _ in range(20)
    ]
    refused = [str(job.exception(60)) for job in asks if job.exception(60) is not None]
    assert any("more than one visitor may ask" in one for one in refused)
    assert any("of your requests are under way" in one for one in refused)
    client.close()
    another = Client(space.server.url, verbose=False, headers={"X-Forwarded-For": "8.8.8.8"})
    assert another.predict("hi", "wren/instruct", "none", api_name="/ask")["text"]
    another.close()


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """The ZeroGPU Space, its decorator replaced by one that forks and pickles as the platform does."""
    folder = tmp_path_factory.mktemp("lent") / "space"
    export(folder, zero_gpu=True)
    home = tmp_path_factory.mktemp("lent-home")
    path = os.pathsep.join(filter(None, [str(STAND_INS), os.environ.get("PYTHONPATH")]))
    log = str(home / "spaces.log")
    yield from run(folder, home, Limits(tokens=200), PYTHONPATH=path, SPACES_LOG=log, CUDA_VISIBLE_DEVICES="")


def noted(space: Space) -> list[dict[str, object]]:
    log = space.server.home / "spaces.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_the_same_page_where_the_gpu_is_lent(open_tab: Callable[..., Tab], lent: Space) -> None:
    tab = open_tab(lent.server)
    tab.page.set_default_timeout(60_000)
    tab.page.wait_for_function("document.querySelectorAll('.chip.ready').length === 2", timeout=60_000)
    tab.ask("What is the capital of Japan?")
    assert tab.answer("A").startswith("Hello there!")
    assert tab.answer("B").strip()
    wait_until(lambda: len(noted(lent)) == 2, 10)
    calls = noted(lent)
    children = {call["child"] for call in calls}
    assert len(children) == 2, "a process for each call"
    assert not children & {call["parent"] for call in calls}
    assert {call["exit"] for call in calls} == {0}

    tab.page.fill("#message", "Tell me about the horse and the cow and the sheep.")
    tab.page.press("#message", "Enter")
    tab.page.wait_for_selector(".turn.open")
    tab.page.keyboard.press("Escape")
    tab.wait_answered()
    wait_until(lambda: len(noted(lent)) == 4, 10)

    tab.page.click("[data-page=shift]")
    tab.page.fill("#shift-question", "What is the capital of Japan?")
    tab.page.click("section.page[data-page=shift] button.filled")
    tab.page.wait_for_selector(".shift-contexts .shift-card", timeout=30_000)
    assert all(call["exit"] == 0 for call in noted(lent)), "scores come by the same way"
    assert not (lent.server.home / "space").exists()
