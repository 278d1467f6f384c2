"""Presets kept and opened again, what survives a reload, colours, narrow screens, and a dead worker."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from playground.ui.page_files import page_path
from tests.ui.conftest import Server, Tab, fake_home, free_port, serve

SMALL = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}


def choose(tab: Tab, action: str) -> None:
    """Choose something in the menu of the preset."""
    tab.page.get_by_label("Preset actions").click()
    tab.page.click(f"[data-action={action}]")


def save_as(tab: Tab, title: str) -> None:
    choose(tab, "save_as")
    tab.page.fill("#save-title", title)
    tab.page.click(".dialog button[type=submit]")


def test_a_preset_is_saved_reloaded_opened_again_and_deleted(tab: Tab) -> None:
    page = tab.page
    page.fill("#draft-system", "You speak 中文 and <b>Latin</b>.")
    assert page.locator(".unsaved").is_visible()
    save_as(tab, "My own")
    page.wait_for_selector(".notice >> text=Saved")
    assert not page.locator(".unsaved").is_visible()
    assert (tab.server.home / "presets" / "my-own.yaml").is_file()
    page.fill("#draft-system", "Changed once more.")
    page.click("[data-action=save]")
    page.wait_for_function("document.querySelector('.unsaved')?.hidden")
    page.select_option("#preset", "friendly")
    page.wait_for_function("document.getElementById('draft-system').value.includes('friendly')")
    tab.open()
    page.select_option("#preset", "my-own")
    page.wait_for_function("document.getElementById('draft-system').value === 'Changed once more.'")
    choose(tab, "delete")
    page.click(".dialog button[type=submit]")
    page.wait_for_selector("#preset option[value=my-own]", state="detached")
    assert not (tab.server.home / "presets" / "my-own.yaml").exists()
    assert page.input_value("#draft-system") == "Changed once more.", "nothing is lost"


def test_a_name_that_is_taken_is_refused_in_the_dialog(tab: Tab) -> None:
    choose(tab, "save_as")
    tab.page.fill("#save-name", "friendly")
    tab.page.click(".dialog button[type=submit]")
    problem = tab.page.locator(".dialog-problem")
    problem.wait_for()
    assert "save under another name" in problem.inner_text()
    tab.page.keyboard.press("Escape")
    tab.page.wait_for_selector(".dialog", state="detached")  # its close event comes a task later


def test_unsaved_changes_are_not_dropped_without_a_word(tab: Tab) -> None:
    tab.page.fill("#draft-system", "Mine.")
    tab.page.select_option("#preset", "zh")
    tab.page.click(".dialog button.small")
    assert tab.page.input_value("#draft-system") == "Mine."
    assert tab.page.input_value("#preset") == "friendly"
    tab.page.select_option("#preset", "zh")
    tab.page.click(".dialog button[type=submit]")
    tab.page.wait_for_function("document.getElementById('draft-system').value.startsWith('你')")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nexmples: []\n", "unknown key 'exmples'"),
        ("name: x\nsystem: [1]\n", "'system'"),
        ("name: [", "not valid YAML"),
        ("name: x\nsystem: " + "y" * 3_000_000, "at most 2 MB"),
    ],
)
def test_a_file_that_is_no_preset_is_one_sentence(tab: Tab, text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    before = tab.page.input_value("#draft-system")
    tab.page.set_input_files("input[type=file]", file)
    notice = tab.page.locator(".notice.error")
    notice.wait_for()
    assert said in notice.inner_text()
    assert "mine.yaml" in notice.inner_text()
    assert tab.page.input_value("#draft-system") == before


def test_a_preset_file_is_opened(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ntitle: Mine\nsystem: From a file.\n")
    tab.page.set_input_files("input[type=file]", file)
    tab.page.wait_for_function("document.getElementById('draft-system').value === 'From a file.'")
    assert tab.page.locator(".unsaved").is_visible()


def test_a_reload_keeps_everything(tab: Tab) -> None:
    page = tab.page
    page.get_by_label("Example 1: answer").fill("Ahoy! I am here.")
    page.select_option("#preset-B", "zh")
    tab.ask("Who is it?")
    tab.page.click("[data-raw=true]")
    page.click(".sampling summary")
    page.fill("#message", "half a thou")
    answers = [tab.answer("A"), tab.answer("B")]
    figures = tab.figures("A")
    tab.open()
    assert page.get_by_label("Example 1: answer").input_value() == "Ahoy! I am here."
    assert page.input_value("#preset-B") == "zh"
    assert page.input_value("#message") == "half a thou"
    assert [tab.answer("A"), tab.answer("B")] == answers
    assert tab.figures("A") == figures
    assert page.locator("[data-raw=true]").get_attribute("aria-pressed") == "true"
    assert page.locator(".sampling").get_attribute("open") is not None
    assert page.locator(".unsaved").is_visible()
    tab.ask("And now?")
    assert any("Ahoy! it is." in prompt for prompt in tab.server.prompts()[-2:])


def test_a_reload_in_mid_answer_keeps_what_was_written(tab: Tab) -> None:
    tab.send("count for me")
    tab.page.wait_for_function("document.querySelector('[data-side=A] .answer')?.textContent.length > 50")
    tab.forgive += ["AbortError", "Connection errored out"]  # Gradio's words on leaving in mid-stream
    tab.open()
    assert tab.answer("A").startswith("0 1 2 3")
    assert "cancelled" in tab.figures("A")
    assert tab.page.locator("#send").is_visible()


def test_colours_follow_the_system_and_the_toggle(open_tab: Callable[..., Tab], fake_server: Server) -> None:
    tab = open_tab(fake_server, color_scheme="dark")
    is_dark = "document.body.classList.contains('dark')"
    assert tab.page.evaluate(is_dark)
    tab.page.get_by_label("Colours: as the system").click()
    assert not tab.page.evaluate(is_dark)
    tab.open()
    assert not tab.page.evaluate(is_dark), "kept over a reload"
    tab.page.get_by_label("Colours: light").click()
    assert tab.page.evaluate(is_dark)


def test_a_phone(open_tab: Callable[..., Tab], fake_server: Server) -> None:
    tab = open_tab(fake_server, **SMALL)
    page = tab.page
    assert not page.locator("#editor").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.fill("#message", "hello")
    page.tap("#send")
    page.wait_for_selector("[data-side=A] .figures:not([hidden]) span")
    page.get_by_role("button", name="Conversation").tap()
    for id_ in ("#send", "#message", "#new", "#retry", "#undo"):
        box = page.locator(id_).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844
    page.keyboard.press("Escape")
    page.get_by_label("Side B", exact=True).and_(page.locator("button")).tap()
    page.wait_for_function("document.querySelector('[data-side=B]')?.getBoundingClientRect().x < 20")
    page.get_by_label("Show or hide the preset").tap()
    page.fill("#draft-system", "From a phone.")
    page.get_by_label("Preset actions").tap()
    assert page.locator("[data-action=save_as]").is_visible()
    page.get_by_label("Show or hide the preset").tap()
    assert not page.locator("#editor").is_visible()


def test_three_sides_go_down_the_same_path(tab: Tab) -> None:
    kept = tab.page.wait_for_function("sessionStorage.getItem('icl-playground/session')").json_value()
    session = json.loads(kept)
    session["sides"].append({"id": "C", "model": "fake/base", "preset": "none"})
    tab.page.goto("about:blank")
    tab.page.goto(f"{tab.server.url}{page_path()}/icon.svg")
    tab.page.evaluate("text => sessionStorage.setItem('icl-playground/session', text)", json.dumps(session))
    tab.open()
    tab.ask("to all three")
    assert [tab.answer(side) for side in "ABC"] == ["Hello! it is.", "Bare it is.", "Bare it is."]


@pytest.fixture(scope="module")
def worker_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page over fake engines in worker processes of their own."""
    home = fake_home(tmp_path_factory.mktemp("worker-home"))
    other = home / "shipped_models" / "other.yaml"
    other.write_text("pair: other\ntitle: Other\nbase: {gguf: base.gguf}\n")
    script = Path(__file__).with_name("fake_page.py")
    yield from serve([sys.executable, str(script), str(free_port()), str(home), "--workers"], home)


def test_a_worker_that_dies_is_said_and_the_next_message_loads_it_again(
    open_tab: Callable[..., Tab], worker_server: Server
) -> None:
    tab = open_tab(worker_server)
    tab.page.select_option("#model-B", "other/base")
    tab.page.wait_for_function("document.querySelectorAll('.chip.ready').length === 2")
    tab.send("count for me")
    for side in "AB":
        tab.page.wait_for_function(
            f"document.querySelector('[data-side={side}] .answer')?.textContent.length > 50"
        )
    victim = newest_worker(worker_server)
    victim.kill()
    tab.page.wait_for_selector(".trouble:not([hidden])", timeout=1_500)
    side = tab.page.locator(".pane:has(.trouble:not([hidden]))").get_attribute("data-side")
    assert side is not None
    assert tab.answer(side).startswith("0 1 2")
    assert "was killed (SIGKILL)" in tab.page.locator(f"[data-side={side}] .trouble").inner_text()
    tab.page.click("#stop")
    tab.wait_answered()
    tab.ask("spaces please")
    assert tab.page.locator(f"[data-side={side}] .turn:last-child .trouble").is_hidden()
    assert tab.answer(side).startswith("two")


def newest_worker(server: Server) -> psutil.Process:
    """The model worker that was started last."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    others = ("resource_tracker", "template_child")
    workers = [child for child in children if not any(one in " ".join(child.cmdline()) for one in others)]
    assert len(workers) >= 2
    return max(workers, key=psutil.Process.create_time)
