"""Sides: one to four of them, expanded, on a phone; turns: edited, branched, answered again, taken back."""

from __future__ import annotations

import json
from collections.abc import Callable

from playground.ui.page_files import page_path
from tests.ui.conftest import Server, Tab

LENGTHS = "() => [...document.querySelectorAll('.turn .answer')].map((e) => e.textContent.length)"
PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}
WIDTHS = "all => all.filter((e) => !e.hidden).map((e) => Math.round(e.getBoundingClientRect().width))"


def sides(tab: Tab) -> list[str]:
    """The ids of the sides, in their order."""
    ids: list[str] = tab.page.locator(".pane").evaluate_all("all => all.map((e) => e.dataset.side)")
    return ids


def answers(tab: Tab) -> list[str]:
    """The last answer of each side, as shown."""
    return [tab.answer(side) for side in sides(tab)]


def questions(tab: Tab, side: str = "A") -> list[str]:
    return tab.page.locator(f"[data-side={side}] .query").all_inner_texts()


def from_menu(tab: Tab, side: str, item: str) -> None:
    tab.page.click(f"[data-side={side}] .pane-head .menu-button")
    tab.page.click(f"[data-side={side}] .pane-head .menu-list .{item}")


def chosen(tab: Tab, side: str) -> tuple[str, str]:
    """The model and the preset of a side."""
    return tab.page.input_value(f"#model-{side}"), tab.page.input_value(f"#preset-{side}")


def asked_again(tab: Tab, click: str) -> list[str]:
    """The prompts that a click has sent, once its answers are there."""
    before = len(tab.server.prompts())
    tab.page.click(click)
    tab.wait_answered()
    return tab.server.prompts()[before:]


def test_sides_are_added_copied_removed_and_come_back(tab: Tab) -> None:
    page = tab.page
    tab.ask("first question")
    page.click(".add-side")
    page.click(".add-side")
    assert sides(tab) == ["A", "B", "C", "D"]
    assert chosen(tab, "C") == ("fake/base", "none"), "the bare model is the next useful one"
    assert chosen(tab, "D") == ("fake/instruct", "@draft")
    assert page.locator(".add-side").is_disabled()
    assert min(page.locator(".pane").evaluate_all(WIDTHS)) >= 320
    assert page.evaluate("e => e.scrollWidth > e.clientWidth", page.query_selector("#sides"))
    assert page.evaluate("document.activeElement.id") == "model-D"
    assert "not asked" in page.locator("[data-side=C] .turn").inner_text()
    sent = asked_again(tab, "[data-side=C] .again")
    assert sent == ["first question"], "only this side, for the turn that it had missed"
    assert page.locator("[data-side=A] .branches").is_hidden(), "in its place, since there was no answer"
    tab.ask("to all four")
    assert answers(tab) == ["Hello! it is.", "Bare it is.", "Bare it is.", "Bare it is."]

    from_menu(tab, "B", "remove")
    assert sides(tab) == ["A", "C", "D"]
    page.click(".notice .link")
    assert sides(tab) == ["A", "B", "C", "D"]
    assert tab.answer("B", 0) == "Bare it is.", "with its answers"
    from_menu(tab, "D", "remove")
    from_menu(tab, "A", "duplicate")
    copy = sides(tab)[1]
    assert sides(tab) == ["A", copy, "B", "C"]
    assert copy != "D", "the answers of the former D are not its own"
    assert page.locator(f"[data-side={copy}] .letter").inner_text() == "D"
    assert tab.answer(copy, 0) == tab.answer("A", 0)
    tab.open()
    assert sides(tab) == ["A", copy, "B", "C"]
    tab.ask("once more")
    assert tab.answer(copy) == "Hello! it is."
    for side in ("A", copy, "B"):
        from_menu(tab, side, "remove")
    page.click("[data-side=C] .pane-head .menu-button")
    assert page.locator("[data-side=C] .remove").is_disabled(), "one side stays"


def test_a_side_is_expanded_and_goes_back(tab: Tab) -> None:
    page = tab.page
    both = page.locator(".pane").evaluate_all(WIDTHS)
    page.click("[data-side=B] .expand")
    (alone,) = page.locator(".pane").evaluate_all(WIDTHS)
    assert alone > 1.9 * max(both)
    tab.open()
    assert page.locator(".pane:visible").evaluate_all("all => all.map((e) => e.dataset.side)") == ["B"]
    page.click(".jumps >> text=A")
    assert page.locator("[data-side=A]").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".pane").evaluate_all(WIDTHS) == both
    page.click("[data-side=A] .expand")
    page.click("[data-side=A] .expand")
    assert page.locator(".pane").evaluate_all(WIDTHS) == both


def test_an_earlier_question_is_edited_on_a_new_branch(tab: Tab) -> None:
    page = tab.page
    tab.ask("first question")
    tab.ask("second question")
    page.locator("[data-side=B] .turn").first.hover()
    page.locator("[data-side=B] .edit").first.click()
    page.keyboard.type(" unsent")
    tab.open()
    edited = page.locator("[data-side=B] .question-edit textarea")
    assert edited.input_value() == "first question unsent", "kept over a reload"
    edited.fill("another question")
    before = len(tab.server.prompts())
    edited.press("Enter")
    tab.wait_answered()
    assert questions(tab) == questions(tab, "B") == ["another question"]
    sent = tab.server.prompts()[before:]
    assert len(sent) == 2
    assert not any("first question" in prompt or "second question" in prompt for prompt in sent)

    assert "2/2" in page.locator("[data-side=A] .branches").inner_text()
    page.click("[data-side=A] .previous")
    assert questions(tab) == ["first question", "second question"], "as deep as it was"
    assert page.evaluate("document.activeElement.matches('[data-side=A] .next')"), "the other way is at hand"
    assert tab.answer("A", 1) == "Hello! it is."
    page.keyboard.press("Enter")
    assert questions(tab) == ["another question"]
    page.click("#undo")
    assert questions(tab) == ["first question", "second question"], "the switch is taken back"
    tab.open()
    assert questions(tab) == ["first question", "second question"]
    page.click("[data-side=A] .next")
    tab.ask("further on")
    assert "another question" in tab.server.prompts()[-1]


def test_one_side_answers_again_and_the_other_stands(tab: Tab) -> None:
    page = tab.page
    page.get_by_label("Example 1: answer").fill("Old way.")
    tab.ask("first question")
    page.get_by_label("Example 1: answer").fill("New way.")
    figures = tab.figures("B")
    assert len(asked_again(tab, "[data-side=A] .again")) == 1
    assert tab.answer("A") == "New it is."
    assert tab.figures("B") == figures
    page.keyboard.press("Control+z")
    assert tab.answer("A") == "Old it is.", "taken back, and not lost:"
    page.keyboard.press("Control+Shift+z")
    assert tab.answer("A") == "New it is."
    tab.ask("second question")
    assert len(asked_again(tab, "[data-side=A] .turn:first-child .again")) == 1
    assert questions(tab, "B") == ["first question"], "what followed the old answer is on the other branch"
    page.click("[data-side=B] .previous")
    assert questions(tab, "B") == ["first question", "second question"]


def test_steps_are_taken_back_in_turn(tab: Tab) -> None:
    page = tab.page
    assert page.locator("#undo").is_disabled()
    tab.ask("a question")
    page.click("#new")
    assert questions(tab) == []
    page.fill("#message", "typed")
    page.press("#message", "Control+z")
    assert questions(tab) == [], "in a field it takes back what was typed"
    page.fill("#message", "")
    page.locator("[data-side=A] .pane-scroll[role=group]").focus()
    page.keyboard.press("Control+z")
    assert questions(tab) == ["a question"]
    assert page.locator(".said").inner_text() == "Undone: new conversation"
    page.keyboard.press("Control+z")
    assert questions(tab) == []
    assert page.input_value("#message") == "a question", "to be asked otherwise"
    page.locator("[data-side=A] .pane-scroll[role=group]").focus()
    page.keyboard.press("Control+Shift+z")
    assert questions(tab) == ["a question"]
    page.select_option("#preset-A", "none")
    page.click("#undo")
    assert chosen(tab, "A") == ("fake/base", "@draft")


def test_typing_while_four_sides_stream_loses_nothing(tab: Tab) -> None:
    page = tab.page
    page.click(".add-side")
    page.click(".add-side")
    tab.send("count for me")
    page.wait_for_function("document.querySelector('[data-side=D] .answer')?.textContent.length > 20")
    text = "".join(chr(ord("a") + n % 26) for n in range(200))
    box = page.get_by_label("Example 2: answer")
    box.fill("")
    before = page.evaluate(LENGTHS)
    page.keyboard.type(text)
    assert box.input_value() == text
    page.wait_for_function(f"before => ({LENGTHS})().every((n, i) => n > before[i])", arg=before)
    page.keyboard.press("Escape")
    tab.wait_answered()
    assert box.input_value() == text
    saved = "() => JSON.parse(sessionStorage.getItem('icl-playground/session')).draft.examples[1].answer"
    page.wait_for_function(f"text => ({saved})() === text", arg=text)


def swipe_right(tab: Tab) -> None:
    """A finger drawn over the text of the side that is shown."""
    finger = tab.context.new_cdp_session(tab.page)
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 60, "y": 400}]})
    for x in range(80, 341, 20):
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": 400}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_phone_swipes_through_the_sides(open_tab: Callable[..., Tab], fake_server: Server) -> None:
    tab = open_tab(fake_server, **PHONE)
    page = tab.page
    page.get_by_role("button", name="View and sides").tap()
    page.tap(".add-side")
    page.wait_for_function("document.querySelector('[data-side=C]')?.getBoundingClientRect().x < 20")
    assert set(page.locator(".pane").evaluate_all(WIDTHS)) == {374}
    tab.ask("hello")
    swipe_right(tab)
    page.wait_for_function(
        "[...document.querySelectorAll('.jumps button')].map((e) => e.ariaPressed).join()"
        " === 'false,true,false'"
    )
    page.wait_for_function(
        "Math.abs(document.querySelector('[data-side=B]').getBoundingClientRect().x - 8) < 2"
    )
    page.get_by_role("button", name="Conversation").tap()
    page.tap("#new")
    assert questions(tab) == []
    page.set_viewport_size({"width": 390, "height": 420})  # what a keyboard leaves
    page.tap("#message")
    page.wait_for_function("document.querySelector('#send')?.getBoundingClientRect().bottom <= 420")
    page.fill("#message", "hello\n" * 12)
    send = page.locator("#send").bounding_box()
    assert send is not None
    assert send["y"] + send["height"] <= 420
    assert page.locator("[data-side=B]").bounding_box()["height"] > 80  # type: ignore[index]


def test_what_a_model_is_and_lacks_is_said(tab: Tab) -> None:
    title = tab.page.locator(".chip").first.get_attribute("title")
    assert title is not None
    assert "runs on cpu" in title
    assert "No engine of this program embeds texts yet." in title
    assert tab.page.locator("#model-A").get_attribute("title") == title
    model = {"title": "X", "status": "ready", "parameters": 1, "n_ctx": 8, "load_s": 1}
    model |= {"device": "cuda:0", "dtype": "bfloat16", "lacks": {}, "estimated_counts": True}
    facts = tab.page.evaluate(
        "async ([files, model]) => (await import(`./${files}/capabilities.js`)).factsOf(model)",
        [page_path(), model],
    )
    assert facts[2:] == [
        "runs on cuda:0 · bfloat16",
        "Token counts are estimates: its tokenizer is not here.",
    ]


def test_a_session_of_before_there_were_branches_opens(tab: Tab) -> None:
    tab.ask("kept")
    tab.page.wait_for_function(
        "JSON.parse(sessionStorage.getItem('icl-playground/session'))?.conversation?.head != null"
    )
    kept = json.loads(tab.page.evaluate("sessionStorage.getItem('icl-playground/session')"))
    del kept["edits"], kept["view"]["expanded"]
    for turn in kept["conversation"]["turns"].values():
        turn.pop("shown", None)
    tab.page.goto("about:blank")
    tab.page.goto(f"{tab.server.url}{page_path()}/icon.svg")
    tab.page.evaluate("text => sessionStorage.setItem('icl-playground/session', text)", json.dumps(kept))
    tab.open()
    assert questions(tab) == ["kept"]
    tab.ask("and on")
    assert questions(tab) == ["kept", "and on"]
