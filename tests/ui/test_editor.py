"""The preset editor: typing is never lost, the list keeps its order, prompts and counts follow."""

from __future__ import annotations

import re

from tests.ui.conftest import Tab

SENTENCE = "The quick brown fox jumps over the lazy dog, again and again. "


def test_typing_while_both_sides_stream_loses_nothing(tab: Tab) -> None:
    tab.send("count for me")
    tab.page.wait_for_function("document.querySelector('[data-side=B] .answer')?.textContent.length > 20")
    box = tab.page.get_by_label("Example 1: answer")
    box.click()
    box.press("Control+A")
    tab.page.keyboard.type(SENTENCE * 4, delay=1)
    assert tab.page.locator("#stop").is_visible(), "it still streams"
    assert box.input_value() == SENTENCE * 4
    assert box.evaluate("e => e === document.activeElement")
    tab.page.keyboard.press("Escape")
    tab.wait_answered()
    assert box.input_value() == SENTENCE * 4


def test_a_changed_example_changes_the_answer(tab: Tab) -> None:
    tab.ask("first")
    assert tab.answer("A") == "Hello! it is."
    tab.page.get_by_label("Example 1: answer").fill("Arr! I be a pirate.")
    tab.ask("second")
    assert tab.answer("A") == "Arr! it is."


def test_the_prompt_that_is_shown_is_the_prompt_that_is_sent(tab: Tab) -> None:
    tab.page.click("#tab-prompt")
    tab.page.get_by_label("Example 2: query").fill("Häßlich  \n\tund 中文 <b>?")
    tab.page.fill("#message", "  What now?\n")
    tab.page.wait_for_function(
        "['A', 'B'].every((s) => document.querySelector(`[data-side=${s}] .prompt-text`).textContent"
        ".includes('  What now?\\n'))"
    )
    shown = {tab.prompt("A"), tab.prompt("B")}
    assert any("Häßlich  \n\tund 中文 <b>?" in prompt for prompt in shown)
    tab.page.click("#send")
    tab.wait_answered()
    assert set(tab.server.prompts()[-2:]) == shown


def test_the_prompt_follows_a_keystroke_soon(tab: Tab) -> None:
    tab.page.click("#tab-prompt")
    tab.page.wait_for_selector("[data-side=A] .prompt-text .of-turn", state="attached")
    took_ms = tab.page.evaluate(
        """() => new Promise((resolve) => {
          const text = document.querySelector('[data-side=A] .prompt-text');
          const box = document.getElementById('draft-system');
          const began = performance.now();
          new MutationObserver(() => {
            if (text.textContent.startsWith('Changed')) resolve(performance.now() - began);
          }).observe(text, { childList: true });
          box.value = 'Changed';
          box.dispatchEvent(new Event('input', { bubbles: true }));
        })"""
    )
    assert took_ms < 900, "0.3 s on an idle machine"


def test_every_stretch_of_the_prompt_says_where_it_came_from(tab: Tab) -> None:
    tab.ask("earlier")
    tab.page.click("#tab-prompt")
    tab.page.wait_for_selector("[data-side=A] .prompt-text .of-history", state="attached")
    titles = tab.page.locator("[data-side=A] .prompt-text span").evaluate_all(
        "all => all.map((e) => e.title)"
    )
    for title in ("system", "example 1 · query", "example 2 · answer", "conversation 1 · answer"):
        assert title in titles
    assert titles[-1] == "your message · template"


def test_switching_an_example_off_takes_it_out(tab: Tab) -> None:
    tab.page.click("#tab-prompt")
    tab.page.wait_for_function(
        "document.querySelector('[data-side=A] .prompt-text').textContent.includes('I am a friend')"
    )
    total = tab.page.locator(".total").inner_text()
    tab.page.get_by_label("Use Example 1").uncheck()
    tab.page.wait_for_function(
        "!document.querySelector('[data-side=A] .prompt-text').textContent.includes('I am a friend')"
    )
    assert tab.page.locator(".example .tokens").first.inner_text() == "off"
    assert tab.page.locator(".total").inner_text() != total


def test_examples_move_copy_go_and_come_back(tab: Tab) -> None:
    page = tab.page

    def queries() -> list[str]:
        return page.locator(".example textarea.query").evaluate_all("all => all.map((e) => e.value)")

    page.locator(".example").nth(0).get_by_label("Move down").click()
    assert queries() == ["Name a colour.", "Who are you?", "Say nothing."]
    assert page.evaluate("document.activeElement.title") == "Move down"
    page.locator(".example").nth(2).get_by_label("Move up").click()
    assert queries() == ["Name a colour.", "Say nothing.", "Who are you?"]
    page.locator(".example").nth(0).get_by_label("Duplicate").click()
    page.keyboard.press("End")
    page.keyboard.type(" Twice.")
    assert queries() == ["Name a colour.", "Name a colour. Twice.", "Say nothing.", "Who are you?"]
    page.locator(".example").nth(0).get_by_label("Delete").click()
    assert queries() == ["Name a colour. Twice.", "Say nothing.", "Who are you?"]
    page.click(".notice .link")
    assert queries()[0] == "Name a colour."
    page.click("button.add")
    page.keyboard.type("New one")
    assert queries()[-1] == "New one"
    names = page.locator(".example-name").all_inner_texts()
    assert names == [f"Example {n}" for n in range(1, 6)]


def test_forty_examples_stay_quick(tab: Tab) -> None:
    for _ in range(38):
        tab.page.locator(".example").nth(0).get_by_label("Duplicate").click()
    took_ms = tab.page.evaluate(
        """() => {
          const box = document.querySelector('.example textarea.answer');
          const began = performance.now();
          for (const letter of 'abcdefghij') {
            box.value += letter;
            box.dispatchEvent(new Event('input', { bubbles: true }));
          }
          return performance.now() - began;
        }"""
    )
    assert took_ms < 400, "ten keystrokes are handled at once"
    tab.page.wait_for_function(
        "[...document.querySelectorAll('.example:not(.off) .tokens')]"
        ".filter((e) => /\\d/.test(e.textContent)).length === 40"
    )


def test_sampling_takes_only_what_is_in_range(tab: Tab) -> None:
    tab.page.click(".sampling summary")
    top_p = tab.page.get_by_label("Top-p")
    top_p.fill("3")
    assert top_p.get_attribute("aria-invalid") == "true"
    top_p.blur()
    assert top_p.input_value() == "1"
    top_p.fill("0.5")
    assert top_p.get_attribute("aria-invalid") == "false"
    seed = tab.page.get_by_label("Seed")
    seed.fill("")
    assert seed.get_attribute("aria-invalid") == "false"
    tab.page.get_by_label("Temperature").press("ArrowUp")
    assert tab.page.get_by_label("Temperature").input_value() == "0.8"
    assert re.search(r"temperature 0\.8", tab.page.locator(".sampling summary").inner_text())
    tab.ask("still works")
    assert "stop" in tab.figures("A")


def test_a_template_that_does_not_fit_is_said_in_words(tab: Tab) -> None:
    tab.page.get_by_label("Example 1: answer").fill("x" * 70_000)
    tab.page.click("#tab-prompt")
    trouble = tab.page.locator("[data-side=A] .prompt .problem")
    trouble.wait_for()
    assert "switch some examples off" in trouble.inner_text()
    tab.page.click("#tab-chat")
    tab.ask("will it fit?")
    assert "switch some examples off" in tab.page.locator("[data-side=A] .trouble").inner_text()
    assert "stop" in tab.figures("B")
