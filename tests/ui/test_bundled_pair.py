"""The page as it ships: `playground serve` with the bundled pair in its worker processes."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.ui.conftest import Server, Tab, free_port, module, serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    port = str(free_port())
    command = [sys.executable, "-m", "playground", "serve", "--no-browser", "--port", port]
    yield from serve(command, home)


@pytest.fixture
def tab(open_tab: Callable[..., Tab], server: Server) -> Tab:
    opened: Tab = open_tab(server)
    opened.page.wait_for_function("document.querySelectorAll('.chip.ready').length === 2", timeout=60_000)
    return opened


def test_ask_and_follow_up(tab: Tab) -> None:
    tab.page.click(".suggestion >> nth=0")
    tab.page.wait_for_function("document.querySelectorAll('.turn:not(.open) .figures span').length >= 8")
    for side in "AB":
        assert tab.answer(side).strip()
        assert "tok/s" in tab.figures(side)
        assert "first after" in tab.figures(side)
    tab.ask("What does a horse eat?")
    assert tab.page.locator("[data-side=B] .turn").count() == 2
    cached = tab.figures("A").split(" cached")[0].split()
    assert int(cached[-3].replace(",", "")) > 100, "the preset's prefix is computed once"


def test_stop_in_mid_answer(tab: Tab) -> None:
    write_on(tab)
    tab.page.keyboard.press("Escape")
    tab.wait_answered()
    assert "cancelled" in tab.figures("A")
    assert len(tab.answer("A")) > 40


def test_a_changed_example_changes_the_style_of_the_answer(tab: Tab) -> None:
    tab.ask("What is the capital of Japan?")
    assert tab.answer("A").startswith("Hello there!")
    for n in (1, 2, 3):
        box = tab.page.get_by_label(f"Example {n}: answer")
        box.fill(box.input_value().replace("Hello there!", "Good morning!"))
    tab.page.click("#new")
    tab.ask("What is the capital of Japan?")
    assert tab.answer("A").startswith("Good morning!")


def test_a_preset_is_saved_and_opened_after_a_reload(tab: Tab) -> None:
    tab.page.get_by_label("Example 1: answer").fill("Arrr! Paris be the one.")
    tab.page.click("[data-action=save]")
    tab.page.fill("#save-title", "Mine")
    tab.page.click(".dialog button[type=submit]")
    tab.page.wait_for_selector("#preset option[value=mine]", state="attached")
    tab.page.select_option("#preset", "terse")
    tab.page.wait_for_function("!document.querySelector('.example textarea.answer').value.startsWith('Arrr')")
    tab.open()
    tab.page.select_option("#preset", "mine")
    tab.page.wait_for_function("document.querySelector('.example textarea.answer')?.value.startsWith('Arrr')")


def test_a_killed_worker_is_said_and_the_next_message_loads_it_again(tab: Tab, server: Server) -> None:
    write_on(tab)
    for child in psutil.Process(server.process.pid).children(recursive=True):
        if "resource_tracker" not in " ".join(child.cmdline()):
            child.kill()
    trouble = tab.page.locator("[data-side=A] .trouble")
    trouble.wait_for(timeout=2_000)
    assert "The model's process was killed (SIGKILL)" in trouble.inner_text()
    assert "The next message loads the model again." in trouble.inner_text()
    assert len(tab.answer("A")) > 40
    tab.wait_answered()
    tab.page.select_option("#preset-A", "friendly")
    tab.ask("What does a horse eat?")
    for side in "AB":
        # The conversation stands, with its long first answer; the second may fill the context.
        assert "killed" not in tab.page.locator(f"[data-side={side}] .turn:last-child .trouble").inner_text()
        assert tab.answer(side).strip()


@pytest.mark.parametrize("name", ["corrupt", "missing"])
def test_a_model_that_cannot_be_loaded_is_that_sides_notice(
    open_tab: Callable[..., Tab], server: Server, name: str
) -> None:
    models = server.home / "models"
    models.mkdir(exist_ok=True)
    (models / f"{name}.yaml").write_text(f"pair: {name}\nbase: {{gguf: {name}.gguf}}\n")
    if name == "corrupt":
        (models / "corrupt.gguf").write_bytes(b"GGUF" + bytes(range(256)) * 40)
    tab = open_tab(server)
    tab.page.select_option("#model-A", f"{name}/base")
    tab.ask("What does a horse eat?")
    trouble = tab.page.locator("[data-side=A] .trouble").inner_text()
    assert f"{name}.gguf" in trouble
    assert trouble.endswith(".")
    assert "\n" not in trouble
    assert tab.answer("B").strip()
    tab.page.locator(".chip", has_text=f"{name} base").wait_for()
    wrong = tab.page.locator(".chip:is(.failed, .missing)")
    wrong.wait_for()  # chips are polled
    assert wrong.count() == 1


def write_on(tab: Tab) -> None:
    """Let the base model write until it is in mid-answer: behind a preset that holds nothing but sampling."""
    bare = "Object.assign(session.draft, { system: '', examples: [], template: 'raw', stop: [] })"
    tab.page.evaluate(
        f"() => {module('store.js')}.then(({{ session, touch }}) => {{ {bare}; touch('draft', 'opened'); }})"
    )
    tab.page.click(".sampling summary")
    tab.page.fill("#sampling-max_tokens", "900")
    tab.page.fill("#sampling-temperature", "0")
    tab.page.fill("#sampling-frequency_penalty", "-2")  # what was said is said again: it goes on and on
    tab.send("The opposite of hot is")
    tab.page.wait_for_function("document.querySelector('[data-side=A] .answer')?.textContent.length > 40")


def test_the_page_is_guarded(server: Server) -> None:
    with urllib.request.urlopen(server.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        config = answer.read().decode()
    assert "default-src 'self'" in policy
    assert "img-src 'self' data: blob:" in policy
    assert "fonts.googleapis.com" not in config
    foreign = urllib.request.Request(server.url, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(foreign)
    assert refused.value.code == 400
    assert "evil.example" in refused.value.read().decode()
    refused.value.close()
    forged = urllib.request.Request(
        server.url + "gradio_api/component_server", data=b"{}", headers={"Origin": "http://localhost:9"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(forged)
    assert refused.value.code == 403
    refused.value.close()
    with urllib.request.urlopen(server.url + "gradio_api/info") as answer:
        info = json.load(answer)
    assert info["unnamed_endpoints"] == {}
    assert sorted(info["named_endpoints"]) == [
        "/ask",
        "/models",
        "/preset",
        "/presets",
        "/render",
        "/score",
        "/tokens",
    ]
