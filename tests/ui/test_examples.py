"""Examples as objects: moved, switched, folded, noted, pasted, chosen from files; and every edit undone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.ui.conftest import Server, Tab

QUERIES = ["Who are you?", "Name a colour.", "Say nothing."]
TRANSCRIPT = "Be brief.\n\nUser: hi\nAssistant: Hello!\n\nUser: A wren?\nAssistant: A bird.\nIt sings.\n"


def queries(page: Page) -> list[str]:
    values: list[str] = page.locator(".example textarea.query").evaluate_all("all => all.map((e) => e.value)")
    return values


def enabled(page: Page) -> list[bool]:
    states: list[bool] = page.locator(".example-toggle input").evaluate_all(
        "all => all.map((e) => e.checked)"
    )
    return states


def middle(page: Page, selector: str, n: int) -> tuple[float, float]:
    box = page.locator(selector).nth(n).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_an_example_is_dragged_by_its_handle(tab: Tab) -> None:
    page = tab.page
    box = page.get_by_label("Example 1: answer")
    box.evaluate("e => { e.dataset.marked = 'yes'; }")
    page.mouse.move(*middle(page, ".grip", 0))
    page.mouse.down()
    x, y = middle(page, ".example", 1)
    page.mouse.move(x, y + 20, steps=4)
    page.locator(".drop-line").wait_for()
    page.keyboard.press("Escape")
    page.mouse.up()
    assert queries(page) == QUERIES, "Escape lets it stay"
    page.mouse.move(*middle(page, ".grip", 0))
    page.mouse.down()
    x, y = middle(page, ".example", 2)
    page.mouse.move(x, y + 20, steps=6)
    page.mouse.up()
    assert queries(page) == [*QUERIES[1:], QUERIES[0]]
    assert page.locator(".drop-line").count() == 0
    assert page.get_by_label("Example 3: answer").get_attribute("data-marked") == "yes", "the same element"
    page.keyboard.press("Control+Z")
    assert queries(page) == QUERIES
    page.locator(".grip").nth(1).press("ArrowUp")
    assert queries(page) == [QUERIES[1], QUERIES[0], QUERIES[2]]
    assert page.evaluate("document.activeElement.ariaLabel") == "Move Example 1"


def test_an_example_is_dragged_by_a_finger_and_the_list_scrolls(
    open_tab: Callable[..., Tab], fake_server: Server
) -> None:
    tab = open_tab(fake_server, width=390, height=500, has_touch=True)
    page = tab.page
    page.get_by_role("button", name="Show or hide the preset").click()
    page.locator(".grip").first.scroll_into_view_if_needed()
    scroller = page.locator(".editor-scroll")
    before = scroller.evaluate("e => e.scrollTop")
    x, y = middle(page, ".grip", 0)
    touch = tab.context.new_cdp_session(page)

    def send(kind: str, at: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x, "y": at}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", y)
    bottom = scroller.evaluate("e => e.getBoundingClientRect().bottom")
    for step in range(1, 6):
        send("touchMove", y + (bottom - 8 - y) * step / 5)
    page.wait_for_function(
        "() => { const e = document.querySelector('.editor-scroll');"
        " return e.scrollTop + e.clientHeight > e.scrollHeight - 2; }"
    )
    assert scroller.evaluate("e => e.scrollTop") > before
    send("touchEnd", bottom)
    page.wait_for_function("document.querySelector('.example textarea.query')?.value === 'Name a colour.'")
    assert queries(page)[-1] == QUERIES[0]


def test_every_edit_is_undone_and_redone_where_one_is(tab: Tab) -> None:
    page = tab.page
    undo, redo = page.get_by_role("button", name="Undo an edit"), page.get_by_role("button", name="Redo (")
    assert undo.is_disabled()
    assert redo.is_disabled()
    page.get_by_label("Example 3: answer").fill("Nothing. " * 60)
    page.locator("#draft-system").fill("Another system text.")
    page.locator(".example").nth(0).get_by_label("Duplicate").click()
    page.get_by_label("Use Example 2").uncheck()
    page.locator("#template").select_option("chatml")
    page.click(".sampling summary")
    page.get_by_label("Temperature").fill("0.25")
    answer = page.get_by_label("Example 1: answer")
    answer.click()
    page.keyboard.press("End")
    page.keyboard.type(" And more, letter by letter.", delay=5)
    scroll = page.locator(".editor-scroll").evaluate("e => e.scrollTop")
    page.keyboard.press("Control+Z")
    assert answer.input_value() == "Hello! I am a friend.", "one step for what was typed at one go"
    assert answer.evaluate("e => e === document.activeElement && e.selectionStart === e.value.length")
    assert page.locator(".editor-scroll").evaluate("e => e.scrollTop") == scroll
    page.keyboard.press("Control+Z")
    assert page.get_by_label("Temperature").input_value() == "0.7"
    page.keyboard.press("Control+Z")
    assert page.locator("#template").input_value() == "basechat"
    page.keyboard.press("Control+Z")
    assert enabled(page) == [True, True, True, False]
    undo.click()
    assert queries(page) == QUERIES
    undo.click()
    assert page.locator("#draft-system").input_value() == "You are a friendly assistant."
    undo.click()
    assert undo.is_disabled()
    assert page.locator(".unsaved").is_hidden(), "what is saved, again"
    for _ in range(7):
        page.keyboard.press("Control+Shift+Z")
    assert answer.input_value() == "Hello! I am a friend. And more, letter by letter."
    assert (queries(page)[:2], enabled(page)[1]) == ([QUERIES[0]] * 2, False)
    assert redo.is_disabled()
    undo.click()
    page.get_by_label("Example 1: query").fill("Another way")
    assert redo.is_disabled(), "a new edit ends what could be redone"
    page.locator("#message").fill("to the models")
    page.keyboard.press("Control+Z")
    assert page.get_by_label("Example 1: query").input_value() == "Another way", (
        "elsewhere undo is not the preset's"
    )


def test_the_first_k_in_one_move_and_back(tab: Tab) -> None:
    page = tab.page
    slider, said = page.get_by_label("Use the first k examples"), page.locator(".first-k output")
    page.get_by_label("Use Example 1").uncheck()
    page.get_by_label("Use Example 3").check()
    assert said.inner_text() == "2 of 3, picked"
    slider.focus()
    page.keyboard.press("Home")
    assert (enabled(page), said.inner_text()) == ([False] * 3, "zero-shot")
    page.keyboard.press("Control+Z")
    assert enabled(page) == [False, True, True], "the choice that was there"
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert (enabled(page), said.inner_text()) == ([True, False, False], "one-shot, of 3")
    page.keyboard.press("End")
    assert (enabled(page), said.inner_text()) == ([True] * 3, "few-shot: 3 of 3")


def test_notes_folds_and_keys(tab: Tab) -> None:
    page = tab.page
    note = page.get_by_label("Example 1: note")
    assert note.is_hidden()
    page.locator(".example").nth(0).get_by_label("Note", exact=True).click()
    page.keyboard.type("Sets the tone.")
    page.get_by_label("Example 2: query").click()
    assert note.input_value() == "Sets the tone."
    assert note.is_visible()
    page.keyboard.press("Alt+X")
    assert enabled(page) == [True, False, False]
    page.keyboard.press("Alt+ArrowUp")
    assert queries(page)[0] == QUERIES[1]
    page.keyboard.press("Alt+J")
    assert page.evaluate("document.activeElement.ariaLabel") == "Example 2: query"
    page.keyboard.press("Alt+C")
    folded = page.locator(".example.folded")
    assert folded.locator(".example-glimpse").inner_text() == "Who are you? → Hello! I am a friend."
    page.get_by_role("button", name="Fold all examples").click()
    assert folded.count() == 3
    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")
    assert folded.count() == 3, "kept over a reload"
    page.get_by_role("button", name="Unfold all examples").click()
    assert page.get_by_label("Example 2: note").input_value() == "Sets the tone."
    assert "note" not in tab.prompt("A").lower()


def test_a_pasted_text_is_split_into_examples(tab: Tab) -> None:
    page = tab.page
    page.click("button.add")
    query = page.get_by_label("Example 4: query")
    query.evaluate(
        """(box, text) => {
          const data = new DataTransfer();
          data.setData('text/plain', text);
          box.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
          document.execCommand('insertText', false, text);
        }""",
        TRANSCRIPT,
    )
    page.get_by_role("button", name="Split it…").click()
    found = page.locator(".paste-found")
    page.wait_for_function("document.querySelector('.paste-found')?.textContent.includes('2 examples')")
    assert found.inner_text() == "prompt of the template plain · 2 examples"
    page.get_by_label("Use its system text, too").check()
    page.locator(".dialog button[type=submit]").click()
    page.locator(".dialog").wait_for(state="detached")
    assert queries(page) == [*QUERIES, "hi", "A wren?"], "in place of what was pasted into"
    assert page.get_by_label("Example 5: answer").input_value() == "A bird.\nIt sings."
    assert page.locator("#draft-system").input_value() == "Be brief."
    page.get_by_role("button", name="Undo an edit").click()
    assert queries(page) == [*QUERIES, TRANSCRIPT], "all of it is one step"
    page.get_by_role("button", name="Paste…").click()
    page.fill("#paste-text", '{"instruction": "<b>q</b>", "output": "a"}\n{"output": "x"}\n')
    page.wait_for_function("document.querySelector('.paste-found')?.textContent.includes('row 2')")
    assert page.locator(".paste-preview .asked").inner_text() == "<b>q</b>"
    page.fill("#paste-text", "Why?\nHow?")
    page.wait_for_function("document.querySelector('.paste-found')?.textContent.includes('2 without')")
    page.select_option("#paste-kind", "1")
    page.get_by_label("Replace the examples").check()
    page.locator(".dialog button[type=submit]").click()
    page.locator(".dialog").wait_for(state="detached")
    assert queries(page) == ["Why?\nHow?"]


def test_the_columns_of_a_file_are_seen_and_changed(tab: Tab) -> None:
    page = tab.page
    table = "question;gloss;answer\nWhat is ice?;cold;Frozen water.\nWhat is dew?;wet;Drops.\n"
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="From a file…").click()
    content = table.encode("utf-16")  # with its mark
    chooser.value.set_files({"name": "table.csv", "mimeType": "text/csv", "buffer": content})
    page.wait_for_selector(".pick-rows li")
    assert page.locator(".pick-notes li").all_text_contents() == [
        "Its columns are separated by semicolons.",
        "Columns: query from 'question', answer from 'answer'; not read: gloss.",
    ]
    assert page.get_by_label("Query column").input_value() == "question"
    page.locator(".pick-rows li", has_text="Frozen water.").wait_for()
    page.get_by_label("Answer column").select_option("gloss")
    page.locator(".pick-rows li", has_text="cold").wait_for()
    page.get_by_label("Answer column").select_option("none")
    page.locator(".pick-facts", has_text="0 with an answer").wait_for()
    page.get_by_label("Query column").select_option("answer")
    page.locator(".pick-rows li", has_text="Drops.").click()
    page.get_by_role("button", name="Add 1 example").click()
    page.locator(".dialog").wait_for(state="detached")
    assert queries(page) == [*QUERIES, "Drops."]


def test_examples_are_chosen_from_a_file(tab: Tab) -> None:
    page = tab.page
    rows: list[dict[str, str]] = [
        {"instruction": f"Question {n} on {'birds' if n % 2 else 'trees'}", "output": "word " * (n % 7 + 1)}
        for n in range(400)
    ]
    data = "\n".join(map(json.dumps, [*rows, {"output": "no question"}]))

    def choose(content: bytes) -> None:
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="From a file…").click()
        chooser.value.set_files({"name": "rows.jsonl", "mimeType": "text/plain", "buffer": content})

    choose(b"caf\xe9")
    page.locator(".notice.error", has_text="rows.jsonl is not UTF-8 or UTF-16 text").wait_for()
    choose(data.encode())
    page.wait_for_selector(".pick-rows li")
    assert page.locator(".pick-facts").inner_text() == "Alpaca · 400 queries · 400 with an answer"
    page.click(".pick-problems summary")
    assert "Row 401" in page.locator(".pick-problems li").inner_text()
    place = page.locator(".pick-place")
    page.fill("#pick-search", "BIRDS question")
    page.wait_for_function("document.querySelector('.pick-place')?.textContent === '1–50 of 200'")
    page.locator(".pick-rows li").nth(1).click()
    page.get_by_label("Page after").click()
    page.wait_for_function("document.querySelector('.pick-place')?.textContent === '51–100 of 200'")
    page.locator(".pick-rows li").nth(0).click()
    page.fill("#pick-max_answer", "5")
    page.fill("#pick-search", "")
    page.select_option("#pick-sort", "query")
    page.wait_for_function("document.querySelector('.pick-place')?.textContent === '1–50 of 58'")
    assert "Question 0 on" in page.locator(".pick-rows .asked").first.inner_text()
    assert place.inner_text() == "1–50 of 58"
    page.get_by_role("button", name="Add 2 examples").click()
    page.locator(".dialog").wait_for(state="detached")
    assert queries(page) == [*QUERIES, "Question 3 on birds", "Question 101 on birds"]
    page.get_by_role("button", name="Undo an edit").click()
    assert queries(page) == QUERIES


def test_the_bar_shows_what_takes_how_much_of_the_context(tab: Tab) -> None:
    page = tab.page
    page.wait_for_selector(".context-bar:not([hidden])")
    label = page.locator(".context-bar").get_attribute("aria-label")
    assert label is not None
    assert label.startswith("Context of 65,536 tokens. System text: 30 tokens (0 %); Examples: 143 tokens")
    assert "Kept for the answer: 20,000 tokens (30.5 %)" in label
    page.click(".context summary")
    assert "Fake base" in page.locator(".context-table .counter").inner_text()
    page.get_by_label("Example 1: answer").fill("x" * 50_000)
    problem = page.locator(".context-problem")
    page.wait_for_function("document.querySelector('.context-problem')?.textContent.includes('are left')")
    page.keyboard.press("Tab")  # what is typed after that is a step of its own
    page.get_by_label("Example 1: answer").fill("x" * 66_000)
    page.wait_for_function("document.querySelector('.context-problem')?.textContent.includes('switch some')")
    assert "the context holds 65,536" in problem.inner_text()
    page.keyboard.press("Control+Z")
    page.wait_for_function("document.querySelector('.context-problem')?.textContent.includes('are left')")
    page.keyboard.press("Control+Z")
    page.wait_for_function("document.querySelector('.context-problem')?.textContent === ''")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_editor_keeps_its_width(open_tab: Callable[..., Tab], fake_server: Server, width: int) -> None:
    tab = open_tab(fake_server, width=width)
    if width < 1000:
        tab.page.get_by_role("button", name="Show or hide the preset").click()
    scroller = tab.page.locator(".editor-scroll")
    assert scroller.evaluate("e => e.scrollWidth <= e.clientWidth")
    sizes = tab.page.locator("#editor button:visible").evaluate_all(
        "all => all.map((e) => [e.offsetWidth, e.offsetHeight])"
    )
    assert min(min(size) for size in sizes) >= 24
