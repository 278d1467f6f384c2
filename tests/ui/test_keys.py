"""Everything by keyboard, the list of keys, and what a screen reader is told."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from playground.ui.page_files import page_path
from tests.ui.conftest import Tab
from tests.ui.test_sides import questions

LETTERS = "npefrm?/[]"


def focused(tab: Tab) -> str:
    """The label, or else the id, of what has the focus."""
    label: str = tab.page.evaluate("document.activeElement.ariaLabel || document.activeElement.id")
    return label


def test_everything_is_done_by_keys(tab: Tab) -> None:
    page = tab.page
    press = page.keyboard.press
    page.keyboard.type("a question")  # the composer has the focus from the start
    press("Enter")
    page.wait_for_selector("[data-side=B] .figures:not([hidden]) span")
    tab.wait_answered()
    page.locator("[data-side=A] .pane-scroll[role=group]").focus()
    press("]")
    assert focused(tab) == "Side B: chat"
    press("]")
    assert focused(tab) == "Side A: chat"
    press("[")
    press("f")
    assert page.locator(".pane:visible").count() == 1
    assert page.locator("[data-side=B]").is_visible()
    press("Escape")
    assert page.locator(".pane:visible").count() == 2
    press("p")
    assert page.locator("#tab-prompt").get_attribute("aria-selected") == "true"
    press("p")
    press("m")
    assert page.locator("[data-raw=true]").get_attribute("aria-pressed") == "true"
    press("e")
    assert focused(tab) == "The question, edited"
    press("Escape")
    assert focused(tab) == "Edit the question"
    press("e")
    press("Control+a")
    page.keyboard.type("count for me")
    press("Enter")
    page.wait_for_function("document.querySelector('[data-side=B] .answer')?.textContent.length > 20")
    press("Escape")
    tab.wait_answered()
    assert questions(tab) == ["count for me"]
    page.locator("[data-side=B] .pane-scroll[role=group]").focus()
    press("Control+z")
    assert questions(tab) == ["a question"]
    press("r")
    tab.wait_answered()
    assert "3/3" in page.locator("[data-side=B] .branches").inner_text()
    page.locator("[data-side=B] .pane-scroll[role=group]").focus()
    press("n")
    assert questions(tab) == []
    page.locator("[data-side=B] .pane-scroll[role=group]").focus()
    press("/")
    assert focused(tab) == "Message to all sides"
    page.keyboard.type(LETTERS)
    assert page.input_value("#message") == LETTERS, "in a field a letter is a letter"
    assert page.locator("dialog").count() == 0


def test_the_list_of_keys_is_the_table(tab: Tab) -> None:
    page = tab.page
    page.locator("[data-side=A] .pane-scroll[role=group]").focus()
    page.keyboard.press("?")
    dialog = page.locator(".keys-dialog")
    rows = dict(
        zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd").all_inner_texts(), strict=True)
    )
    for action, keys in {
        "Send": "Enter",
        "Stop all answers": "Esc",
        "Write a message": "/ or Alt+M",
        "Next side": "] or Alt+]",
        "Previous side": "[ or Alt+[",
        "Expand a side, and back": "F",
        "Chat or exact prompt": "P or Alt+P",
        "New conversation": "N",
        "Undo the last step": "Ctrl+Z",
        "Edit the question": "E",
    }.items():
        assert re.sub(r"\s+", " ", rows[action]) == keys
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.click(".help")
    assert dialog.is_visible()


def test_a_key_cannot_have_two_meanings(tab: Tab) -> None:
    problem = tab.page.evaluate(
        """async (files) => {
          const { register } = await import(`./${files}/keys.js`);
          try {
            register({ keys: ['?'], group: 'page', label: 'keys.list', run: () => {} });
          } catch (error) {
            return error.message;
          }
        }""",
        page_path(),
    )
    assert problem == "'?' has two meanings"


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_screen_reader_finds_its_way_through_four_sides(tab: Tab, colours: str) -> None:
    page = tab.page
    page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
    page.click(".add-side")
    page.click(".add-side")
    tab.ask("markup please")
    page.wait_for_selector("[data-side=D] .answer.markdown h1")
    places = {"chat": "", "prompt": "#tab-prompt", "menu": "[data-side=D] .pane-head .menu-button"}
    for place, click in places.items():
        if click:
            page.click(click)
        check(tab, place)
    page.keyboard.press("Escape")
    page.click(".help")
    check(tab, "keys")


def check(tab: Tab, place: str) -> None:
    """No violation of WCAG 2.2 AA that axe-core can find."""
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(tab.page, options={**options, "resultTypes": ["violations"]}).response["violations"]
    told = [(one["id"], [node["target"] for node in one["nodes"]][:4]) for one in found]
    assert told == [], place


def test_the_focus_goes_in_reading_order(tab: Tab) -> None:
    page = tab.page
    tab.ask("hello")
    page.locator("#tab-chat").focus()
    order = []
    for _ in range(60):
        page.keyboard.press("Tab")
        order.append(
            page.evaluate(
                """() => {
                  const e = document.activeElement;
                  return e.closest('.pane')?.dataset.side ?? e.closest('#panes, #composer')?.id ?? '';
                }"""
            )
        )
        if page.evaluate("document.activeElement.id") == "send":
            break
    seen = list(dict.fromkeys(order))
    assert seen == ["panes", "A", "B", "composer"]
    assert [one for one, after in zip(order, [*order[1:], ""], strict=True) if one != after] == seen
