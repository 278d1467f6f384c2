"""The lens and the shift page over the bundled pair: real alternatives, exact branches, ratios that move."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.ui.conftest import Server, Tab, free_port, module, serve

RATIOS = ".shift-card[data-context=friendly] .shift-ratios"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    port = str(free_port())
    yield from serve([sys.executable, "-m", "playground", "serve", "--no-browser", "--port", port], home)


@pytest.fixture
def tab(open_tab: Callable[..., Tab], server: Server) -> Tab:
    opened: Tab = open_tab(server)
    opened.page.wait_for_function("document.querySelectorAll('.chip.ready').length === 2", timeout=90_000)
    return opened


def rows(tab: Tab, side: str) -> list[list[object]]:
    """The tokens of the side's last answer, as the session keeps them."""
    kept = tab.page.evaluate(
        "async (side) => {"
        f"const {{ session }} = await {module('store.js')};"
        """
          return JSON.stringify(session.conversation.turns[session.conversation.head].replies[side].rows);
        }""",
        side,
    )
    found: list[list[object]] = json.loads(kept)
    return found


def test_a_swapped_token_is_followed_by_what_the_model_writes_then(tab: Tab) -> None:
    page = tab.page
    page.select_option(".lens-mode", "rank")
    tab.ask("What is the capital of Japan?")
    before = rows(tab, "A")
    assert all(row[3] == 1 for row in before), "greedy"
    # The token with the likeliest second choice, at a place with something behind it.
    at = max(range(1, len(before) - 4), key=lambda i: before[i][5][5])  # type: ignore[index]
    second = before[at][5][3]  # type: ignore[index]
    page.locator("[data-side=A] .lens-token").nth(at).click()
    page.locator(f".token-card [data-id='{second}']").click()
    page.wait_for_selector("[data-side=A] .answer-branches", timeout=60_000)
    tab.wait_answered()
    after = rows(tab, "A")
    assert after[:at] == before[:at], "what was kept is known as before"
    assert after[at][0] == second
    assert after[at][3] == 2
    assert after[at][5] == before[at][5]
    assert all(row[3] == 1 for row in after[at + 1 :]), "and greedy from there on"
    assert page.locator("[data-side=A] .lens-token.h0").count() > 0
    page.select_option(".lens-mode", "difference")
    page.wait_for_selector("[data-side=A] .lens-token:is(.more5, .less5)", timeout=60_000)
    tab.open()
    assert rows(tab, "A") == after


def test_switching_an_example_off_moves_the_ratios(tab: Tab) -> None:
    page = tab.page
    page.click("[data-page=shift]")
    page.fill("#shift-question", "What is the capital of Japan?")
    page.press("#shift-question", "Enter")
    page.wait_for_selector(".shift-examples .chart", timeout=90_000)
    bare = page.locator("[data-context=bare] .shift-ratios").inner_text()
    assert "shifted" in bare
    assert "KL" in bare
    # What a capital is, is known to the base model; how the aligned one greets is not.
    words = page.locator("[data-context=bare] .lens-token")
    kinds = {
        words.nth(i).inner_text().strip(): words.nth(i).get_attribute("class") for i in range(words.count())
    }
    assert "shifted" in str(words.nth(0).get_attribute("class"))
    assert any("unshifted" in str(kind) for kind in kinds.values())
    for box in page.locator(".example input[type=checkbox]").all():
        behind = page.locator(RATIOS).inner_text()
        box.click()
        page.wait_for_function(
            f"b => document.querySelector({RATIOS!r}).innerText !== b", arg=behind, timeout=60_000
        )
    page.wait_for_selector(".shift-examples >> text=No example is switched on.")


def test_the_shift_page_explains_a_rise_and_offers_a_preset_in_the_same_style(tab: Tab) -> None:
    page = tab.page
    page.click("[data-page=shift]")
    offered = page.locator(".shift-page .suggestion:not([data-preset])")
    assert "How do I make tea?" not in offered.all_inner_texts()
    page.fill("#shift-question", "How do I make tea?")
    page.press("#shift-question", "Enter")
    note = page.locator(".shift-higher")
    note.wait_for(timeout=90_000)
    assert "of the tokens are shifted, against" in note.inner_text()
    page.click(".shift-page .suggestion[data-preset=same-style]")
    page.wait_for_selector(".shift-card[data-context=same-style] .shift-ratios", timeout=90_000)
    assert not note.count()
    assert not page.locator(".suggestion[data-preset]").count()
