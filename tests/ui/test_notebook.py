"""The notebook in a browser: a bare text that is continued from the cursor, and the way back."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.ui.conftest import Tab, module, wait_until

MARKS = module("notebook/marks.js")
STORE = module("store.js")
RANDOM_EDITS = """() => MARKS.then(({ edited, marked, difference, moved }) => {
  let seed = 7;
  const pick = (n) => (seed = (seed * 16807) % 2147483647) % n;
  let text = '';
  let owner = ''; // for each character: 'm' of a model, 'p' of a person
  let marks = [];
  for (let n = 0; n < 3000; n += 1) {
    const from = pick(text.length + 1);
    const to = Math.min(text.length, from + pick(4));
    const more = 'ab'.repeat(3).slice(0, pick(6));
    if (n % 5 === 0) {
      text = text.slice(0, from) + more + text.slice(from);
      owner = owner.slice(0, from) + 'm'.repeat(more.length) + owner.slice(from);
      marks = edited(marks, from, from, more.length);
      if (more) marks = marked(marks, from, from + more.length);
    } else {
      const after = text.slice(0, from) + more + text.slice(to);
      const change = difference(text, after, from);
      const put = after.slice(change.from, change.from + change.length);
      if (text.slice(0, change.from) + put + text.slice(change.to) !== after) return `difference at ${n}`;
      owner = owner.slice(0, change.from) + 'p'.repeat(change.length) + owner.slice(change.to);
      marks = edited(marks, change.from, change.to, change.length);
      text = after;
    }
    const said = Array.from(text, (_, i) => (marks.some(([a, b]) => a <= i && i < b) ? 'm' : 'p')).join('');
    if (said !== owner) return `marks at ${n}`;
    if (marks.some(([a, b], i) => a >= b || marks[i + 1]?.[0] < b)) return `order at ${n}`;
  }
  return moved(5, 2, 4, 7) === 10 && moved(3, 2, 4, 7) === 9 && moved(1, 2, 4, 7) === 1 && marks.length > 0;
})""".replace("MARKS", MARKS)


def open_notebook(tab: Tab) -> Page:
    page = tab.page
    page.click(".pages-nav [data-page=notebook]")
    page.wait_for_selector("#notebook-text")
    return page


def book(page: Page) -> dict[str, object]:
    """The open notebook, as it is kept."""
    found: dict[str, object] = page.evaluate(f"{STORE}.then(({{ openNotebook }}) => openNotebook())")
    return found


def continued(page: Page) -> None:
    """Continue, and wait for the end."""
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#notebook-go:not([hidden])")


def at(page: Page, place: int) -> None:
    page.evaluate("n => document.getElementById('notebook-text').setSelectionRange(n, n)", place)


def test_marks_follow_every_edit(tab: Tab) -> None:
    assert tab.page.evaluate(RANDOM_EDITS) is True


def test_a_text_is_continued_from_the_cursor_marked_and_taken_back(tab: Tab) -> None:
    page = open_notebook(tab)
    page.fill("#notebook-max_tokens", "50")
    head, tail = "  Once <|turn|>\n", "\nthe end"
    page.fill("#notebook-text", head + tail)
    at(page, len(head))
    page.wait_for_function("document.getElementById('notebook-behind').textContent.includes('8 characters')")
    page.wait_for_function("document.getElementById('notebook-count').textContent.includes(' in all')")
    # one token a byte, and a BOS
    assert page.locator("#notebook-count").inner_text().startswith(f"{len(head) + 1} of 65,536 tokens")
    continued(page)
    assert tab.server.prompts()[-1] == head
    assert page.input_value("#notebook-text") == f"{head}Bare it is.{tail}"
    assert page.locator(".sheet-layer mark").all_text_contents() == ["Bare it is."]
    assert "stop" in page.locator("#notebook-figures").inner_text()
    assert page.evaluate("document.getElementById('notebook-text').selectionEnd") == len(head) + 11

    page.keyboard.type(" me")
    continued(page)
    assert tab.server.prompts()[-1] == f"{head}Bare it is. me"
    assert page.input_value("#notebook-text") == f"{head}Bare it is. meBare it is.{tail}"
    at(page, len(head) + 2)
    page.keyboard.type("XX")
    page.wait_for_function("document.querySelectorAll('.sheet-layer mark').length === 3")
    assert page.locator(".sheet-layer mark").all_text_contents() == ["Ba", "re it is.", "Bare it is."]

    texts = []
    for _ in range(4):
        page.keyboard.press("Control+z")
        texts.append(page.input_value("#notebook-text"))
    assert texts == [
        f"{head}Bare it is. meBare it is.{tail}",
        f"{head}Bare it is. me{tail}",
        f"{head}Bare it is.{tail}",
        head + tail,
    ]
    assert book(page)["marks"] == []
    page.keyboard.press("Control+Shift+Z")
    assert page.input_value("#notebook-text") == f"{head}Bare it is.{tail}"

    # the switch makes the special token one: a byte less for each of its eight but one
    page.check("#notebook-special")
    page.wait_for_function(
        "n => document.getElementById('notebook-count').textContent.startsWith(`${n} of`)",
        arg=len(f"{head}Bare it is.") + 1 - 7,
    )


def test_typing_while_a_model_writes_loses_nothing_and_esc_stops(tab: Tab) -> None:
    page = open_notebook(tab)
    page.fill("#notebook-max_tokens", "20000")
    page.fill("#notebook-text", "count:\n\nafter")
    at(page, 6)
    page.keyboard.press("Control+Enter")
    page.wait_for_function("document.getElementById('notebook-text').value.includes('3 4 ')")
    at(page, 0)
    typed = "Typed while it writes, 中文 too. "
    page.keyboard.type(typed)
    page.keyboard.press("Control+End")
    page.keyboard.type("!")
    page.keyboard.press("Escape")
    page.wait_for_selector("#notebook-go:not([hidden])")
    wait_until(lambda: tab.server.running() == 0, 5)
    assert "cancelled" in page.locator("#notebook-figures").inner_text()
    text = page.input_value("#notebook-text")
    assert text.startswith(f"{typed}count:0 1 2 3 4 ")
    assert text.endswith("\n\nafter!")
    written = text[len(typed) + 6 : -len("\n\nafter!")]
    assert written.split() == [str(n) for n in range(len(written.split()))]
    assert book(page)["text"] == text
    assert book(page)["marks"] == [[len(typed) + 6, len(typed) + 6 + len(written)]]
    page.keyboard.press("Control+z")
    assert page.input_value("#notebook-text") == "count:\n\nafter", "a generation is one step"


def test_notebooks_are_pages_of_their_own_and_are_kept(tab: Tab) -> None:
    page = tab.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_notebook(tab)
    assert any(url.endswith("/notebook/page.js") for url in asked), "fetched when it is first opened"
    assert page.title().startswith("Notebook")
    page.fill("#notebook-text", "first")
    page.get_by_label("New notebook").click()
    page.fill("#notebook-text", "second <b>")
    page.get_by_label("This notebook").first.click()
    page.get_by_text("Rename…").click()
    page.fill("#notebook-name", "Mine <i>")
    page.click(".dialog button[type=submit]")
    page.wait_for_function("document.querySelector('#notebook option:checked')?.text === 'Mine <i>'")
    page.go_back()
    page.wait_for_selector("#message", state="visible")
    assert not page.locator("#notebook-text").is_visible()
    page.go_forward()
    page.wait_for_selector("#notebook-text", state="visible")
    page.reload()
    page.wait_for_selector("#notebook-text", state="visible")
    assert page.url.endswith("#/notebook")
    assert page.input_value("#notebook-text") == "second <b>"
    page.select_option("#notebook", label="Notebook 1")
    assert page.input_value("#notebook-text") == "first"
    page.get_by_label("This notebook").first.click()
    page.locator(".menu-list").get_by_text("Delete", exact=True).click()
    assert page.input_value("#notebook-text") == "second <b>"
    page.locator(".notice").get_by_text("Undo").click()
    assert page.input_value("#notebook-text") == "first"
