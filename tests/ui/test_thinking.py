"""Models that think, on the page: thinking folded and counted, template options, what is adapted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playground.ui.page_files import page_path
from tests.ui.conftest import Server, Tab, fake_home, free_port, serve
from tests.ui.test_keys import check

THINKER = "pair: thinker\ntitle: Thinker\ninstruct: {gguf: instruct.gguf}\n"


@pytest.fixture(scope="module")
def thinking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page over fake engines, one of which thinks."""
    home = fake_home(tmp_path_factory.mktemp("thinking-home"))
    (home / "shipped_models" / "thinker.yaml").write_text(THINKER, encoding="utf-8")
    script = Path(__file__).with_name("fake_page.py")
    yield from serve([sys.executable, str(script), str(free_port()), str(home)], home)


@pytest.fixture
def thinking(open_tab: Callable[..., Tab], thinking_server: Server) -> Tab:
    """A tab whose side B is the model that thinks, loaded."""
    tab = open_tab(thinking_server)
    tab.page.select_option("#model-B", "thinker/instruct")
    tab.page.wait_for_selector("#option-B-enable_thinking")
    return tab


def test_thinking_is_folded_with_its_tokens_and_left_out_of_history(thinking: Tab) -> None:
    thinking.ask("ponder this")
    thought = thinking.page.locator("[data-side=B] details.thinking")
    assert thought.locator("summary").inner_text() == "Thinking · 30 tokens"
    assert thought.get_attribute("open") is None
    assert thinking.answer("B") == "It is so."
    thought.locator("summary").click()
    assert thought.locator("pre").inner_text().strip() == "<think>\nLet me see.\n</think>"
    # A base model has no markers of thinking: what it writes is its answer.
    assert thinking.page.locator("[data-side=A] details.thinking").is_hidden()
    thinking.ask("ponder again")
    last = next(p for p in reversed(thinking.server.prompts()) if p.startswith("<|turn|>"))
    assert "It **is** so." in last
    assert "Let me see" not in last


def test_an_answer_that_ends_inside_its_thinking_says_so(thinking: Tab) -> None:
    thinking.ask("brood over it")
    assert thinking.page.locator("[data-side=B] .answer").inner_text() == ""
    assert "ended inside its thinking" in thinking.page.locator("[data-side=B] .state").last.inner_text()
    assert "unfinished thinking" in thinking.figures("B")


def test_options_of_the_template_reach_the_prompt_and_the_preset(thinking: Tab) -> None:
    page = thinking.page
    page.get_by_role("tab", name="Prompt").click()
    page.fill("#message", "hi")
    page.wait_for_function("document.querySelector('[data-side=B] .prompt-text').textContent.includes('hi')")
    assert "<think></think>" not in thinking.prompt("B")
    page.select_option("#option-B-enable_thinking", "false")
    page.wait_for_function(
        "document.querySelector('[data-side=B] .prompt-text').textContent.includes('<think></think>')"
    )
    page.locator("[data-side=B] .keep-options").click()
    draft = "async () => (await import(new URL('{0}', document.baseURI).href)).session.draft.template_options"
    assert page.evaluate(draft.replace("{0}", f"{page_path()}/store.js")) == {"enable_thinking": False}
    assert page.locator("[data-side=A] .side-options").is_hidden()


def test_what_is_adapted_to_the_template_is_shown(thinking: Tab) -> None:
    page = thinking.page
    page.select_option("#preset-B", "@draft")
    page.get_by_role("tab", name="Prompt").click()
    page.fill("#message", "hi")
    notes = page.locator("[data-side=B] .prompt-notes")
    notes.wait_for()
    assert "no system role: the system text is at the start of the first user message" in notes.inner_text()
    thinking.ask("ponder this")
    page.get_by_role("tab", name="Chat").click()
    assert "messages adapted" in thinking.figures("B")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_thinking_options_and_notes_can_be_read_by_everybody(thinking: Tab, theme: str) -> None:
    page = thinking.page
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.select_option("#preset-B", "@draft")
    page.select_option("#option-B-enable_thinking", "false")
    thinking.ask("ponder this")
    page.locator("[data-side=B] details.thinking summary").click()
    check(thinking, "thinking")
    page.get_by_role("tab", name="Prompt").click()
    page.fill("#message", "hi")
    page.locator("[data-side=B] .prompt-notes").wait_for()
    check(thinking, "notes")
