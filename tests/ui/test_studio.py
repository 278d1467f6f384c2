"""Findings, comparisons and templates in a browser."""

from __future__ import annotations

import json

from playwright.sync_api import Page

from tests.ui.conftest import Tab, module

STORE = module("store.js")


def draft(page: Page, path: str) -> object:
    """A part of the draft, by its path in JavaScript."""
    return page.evaluate(f"{STORE}.then(({{ session }}) => session.draft.{path} ?? null)")


def test_a_finding_leads_to_its_field_and_is_fixed_and_taken_back(tab: Tab) -> None:
    page = tab.page
    badge = page.locator(".findings-badge")
    assert not badge.is_visible()
    page.locator("#editor textarea.answer").nth(1).fill("")
    page.wait_for_function("document.querySelector('.findings-badge.error')?.firstChild.data === '1'")
    assert page.locator(".findings").is_hidden(), "beside the prompt only"
    page.click("#tab-prompt")
    page.locator(".finding.info").get_by_text("chat template").wait_for()
    finding = page.locator(".finding.error")
    assert "has no answer" in finding.inner_text()
    finding.get_by_title("Go to this field").click()
    assert page.evaluate("document.activeElement.ariaLabel") == "Example 2: answer"
    finding.get_by_text("Fix").click()
    finding.wait_for(state="detached")
    assert not badge.is_visible()
    assert draft(page, "examples.map(({ enabled }) => enabled)") == [True, False, False]
    page.locator(".notice").get_by_text("Undo").click()
    finding.wait_for()
    assert draft(page, "examples.map(({ enabled }) => enabled)") == [True, True, False]
    # what asks the model: the fake one has special tokens
    page.fill("#draft-system", "Say <|turn|> now.")
    page.locator(".finding.warning").wait_for()
    assert "special token" in page.locator(".finding.warning").inner_text()


def test_two_presets_are_compared_side_by_side(tab: Tab) -> None:
    page = tab.page
    page.fill("#draft-system", "You are a hostile assistant.<b>")
    page.click(".unsaved")
    page.wait_for_selector("[data-part=prompt] .diff-table")
    parts = [one.get_attribute("data-part") for one in page.locator(".diff-part").all()]
    assert parts == ["system", "prompt"]
    cells = page.locator("[data-part=system] .diff-cell")
    assert cells.all_text_contents() == ["You are a friendly assistant.", "You are a hostile assistant.<b>"]
    assert page.locator("[data-part=system] del").inner_text() == "friendly assistant."
    page.get_by_label("Exchange the two").click()
    page.wait_for_function(
        "document.querySelector('[data-part=system] .diff-cell').textContent.includes('hostile')"
    )
    page.select_option("#diff-old", "zh")
    page.wait_for_selector("[data-part='examples.0']")
    assert "你好吗？" in page.locator("[data-part='examples.0']").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


def test_a_template_is_edited_as_data(tab: Tab) -> None:
    page = tab.page
    page.get_by_label("Edit the template").first.click()
    turn = page.locator("#template-turn")
    turn.wait_for()
    built_in = turn.input_value()
    page.wait_for_function(
        "document.querySelector('.template-stops').textContent"
    )  # Python is asked for them
    assert '"""' in page.locator(".template-stops").inner_text()
    assert "read back" in page.locator(".template-warnings").inner_text()

    turn.fill("Q: {query}")
    problem = page.locator("#template-turn-problem")
    page.wait_for_function("document.getElementById('template-turn-problem').textContent")
    assert "{answer} 0 times" in problem.inner_text()
    assert draft(page, "template") == "basechat", "the preset has the last that was right"
    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")
    page.get_by_label("Edit the template").first.click()
    turn.wait_for()
    assert turn.input_value() == "Q: {query}", "what is wrong is kept"

    turn.fill("Q: {query}\n\tA:{answer}<end>\n")
    page.wait_for_function("document.querySelector('.template-stops')?.textContent.includes('<end>')")
    assert problem.inner_text() == ""
    assert page.locator(".visible-area i").all_text_contents().count("⇥") == 1
    assert draft(page, "template.turn") == "Q: {query}\n\tA:{answer}<end>\n"
    assert page.locator("#template option:checked").inner_text() == "my-basechat (its own)"
    page.click("#tab-prompt")
    page.wait_for_function(
        "document.querySelector('[data-side=A] .prompt-text').textContent.includes('a friend.<end>')"
    )
    # what cannot be told apart again is said, and kept all the same
    turn.fill("{query}{answer}")
    page.wait_for_selector(".template-warnings.warning")
    assert "No stop follows" in page.locator(".template-warnings").inner_text()
    # undo goes through the preset's own history
    page.get_by_label("Undo an edit of the preset").click()
    page.wait_for_function("document.getElementById('template-turn').value.includes('<end>')")
    page.select_option("#template", "basechat")
    page.wait_for_function(
        "built_in => document.getElementById('template-turn').value === built_in", arg=built_in
    )
    assert json.dumps(draft(page, "template")) == '"basechat"'
