"""Asking: both sides stream at once, follow-ups, stops, failures, and what is shown of an answer."""

from __future__ import annotations

from collections.abc import Callable

from tests.ui.conftest import Server, Tab, wait_until

RECORD = """() => {
  window.order = [];
  for (const pane of document.querySelectorAll('.pane')) {
    new MutationObserver(() => {
      if (window.order.at(-1) !== pane.dataset.side) window.order.push(pane.dataset.side);
    }).observe(pane.querySelector('.turns'), { characterData: true, subtree: true });
  }
}"""


def test_both_sides_stream_at_once(tab: Tab) -> None:
    tab.page.evaluate(RECORD)
    tab.send("count for me")
    tab.page.wait_for_function("window.order.length > 8")
    assert tab.answer("A").startswith("0 1 2")
    assert tab.answer("B").startswith("0 1 2")
    tab.page.click("#stop")
    tab.wait_answered()


def test_stop_ends_soon_and_what_was_written_stands(tab: Tab) -> None:
    tab.send("count for me")
    tab.page.wait_for_function("document.querySelector('[data-side=A] .answer')?.textContent.length > 50")
    took_ms = tab.page.evaluate(
        """() => new Promise((resolve) => {
          const began = performance.now();
          const stop = document.getElementById('stop');
          new MutationObserver(() => stop.hidden && resolve(performance.now() - began))
            .observe(stop, { attributes: true });
          document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
        })"""
    )
    assert took_ms < 1000, "the buttons come back (0.1 s on an idle machine)"
    wait_until(lambda: tab.server.running() == 0, 0.5)
    for side in "AB":
        assert tab.answer(side).startswith("0 1 2")
        assert "cancelled" in tab.figures(side)
    tab.ask("markup please")  # and the next question works
    assert "bold" in tab.answer("A")


def test_a_follow_up_sees_what_was_said(tab: Tab) -> None:
    tab.ask("first question")
    first = tab.answer("A")
    tab.ask("second question")
    sent = tab.server.prompts()[-2:]
    assert any("first question" in prompt and first in prompt for prompt in sent)
    assert tab.page.locator("[data-side=A] .turn").count() == 2


def test_figures_under_each_answer(tab: Tab) -> None:
    tab.ask("hello there")
    for side in "AB":
        figures = tab.figures(side)
        for part in ("tokens", "tok/s", "first after", "stop", "cached"):
            assert part in figures
        reason = tab.page.locator(f"[data-side={side}] .figures span[title^=finish_reason]")
        assert reason.inner_text() == "stop"


def test_length_is_named(tab: Tab) -> None:
    tab.page.click(".sampling summary")
    tab.page.fill("#sampling-max_tokens", "4")
    # A side without a preset has a limit of its own, and would count for long.
    tab.page.select_option("#preset-B", "@draft")
    tab.ask("count for me")
    assert tab.figures("A").startswith("4 tokens")
    assert "length" in tab.figures("A")


def test_markup_is_text_and_markdown_comes_at_the_end(tab: Tab) -> None:
    tab.ask("markup <img src=x onerror='window.hacked=1'><script>window.hacked=1</script>")
    tab.page.wait_for_selector("[data-side=A] .answer.markdown h1")
    answer = tab.page.locator("[data-side=A] .answer.markdown")
    assert answer.locator("strong").inner_text() == "bold"
    assert answer.locator("pre code").inner_text() == "    indented\n"
    assert "<script>window.hacked = 1</script>" in answer.inner_text()
    assert answer.locator("script, img").count() == 0
    links = answer.locator("a").evaluate_all("all => all.map((a) => [a.href, a.rel, a.target])")
    outside = ["noopener noreferrer nofollow", "_blank"]
    assert links == [["https://example.org/x.png", *outside], ["https://example.org/", *outside]]
    assert "onerror" in tab.page.locator("[data-side=A] .query").inner_text()
    assert tab.page.evaluate("window.hacked") is None
    tab.page.click("[data-raw=true]")
    assert (
        tab.page.locator("[data-side=A] .answer").evaluate("e => e.textContent").startswith("# Title\n\n**")
    )


def test_white_space_is_exact(tab: Tab) -> None:
    tab.page.click("[data-raw=true]")
    tab.ask("  spaces\n   please ")
    shown = tab.page.locator("[data-side=A] .answer").evaluate("e => e.textContent")
    assert shown == "two  spaces\n\n\n\ttab\n  end"  # the engine drops white space before a stop
    assert tab.page.locator("[data-side=A] .query").evaluate("e => e.textContent") == "  spaces\n   please "


def test_a_failure_is_a_notice_beside_what_was_written(tab: Tab) -> None:
    tab.ask("failing question")
    trouble = tab.page.locator("[data-side=A] .trouble")
    assert trouble.inner_text() == "The engine failed; ask again."
    assert tab.answer("A") == "This was written."
    assert "error" in tab.figures("A").splitlines()
    tab.ask("and then")
    assert all("The engine failed" not in prompt for prompt in tab.server.prompts()[-2:])


def test_retry_asks_again_from_the_same_place(tab: Tab) -> None:
    tab.ask("only question")
    tab.page.click("#retry")
    tab.page.wait_for_function("document.querySelectorAll('.turn:not(.open) .figures span').length > 4")
    assert tab.page.locator("[data-side=A] .turn").count() == 1
    assert tab.server.prompts()[-1].count("only question") == 1


def test_new_clears_and_can_be_taken_back(tab: Tab) -> None:
    tab.ask("a question")
    tab.page.click("#new")
    assert tab.page.locator(".turn").count() == 0
    tab.page.click(".notice .link")
    assert tab.page.locator("[data-side=A] .turn").count() == 1


def test_an_empty_message_is_not_sent(tab: Tab) -> None:
    tab.page.fill("#message", "  \n ")
    tab.page.click("#send")
    assert tab.page.locator(".said").inner_text() == "Write a message first."
    assert tab.page.locator(".turn").count() == 0


def test_a_suggested_question_is_one_click(tab: Tab) -> None:
    tab.page.click(".suggestion >> text=What is a wren?")
    tab.page.wait_for_selector("[data-side=A] .figures:not([hidden]) span")
    assert tab.page.locator("[data-side=A] .query").inner_text() == "What is a wren?"
    assert tab.page.locator(".suggestion").count() == 0


def test_shift_enter_writes_a_line(tab: Tab) -> None:
    tab.page.fill("#message", "one")
    tab.page.press("#message", "Shift+Enter")
    tab.page.keyboard.type("two")
    assert tab.page.input_value("#message") == "one\ntwo"
    assert tab.page.locator(".turn").count() == 0


def test_a_bare_base_side_gets_the_words_alone(tab: Tab) -> None:
    tab.page.select_option("#preset-A", "none")
    tab.ask("Once upon a time")
    assert "Once upon a time" in tab.server.prompts()[-2:]
    assert tab.answer("A") == "Bare it is."


def test_an_instruct_side_takes_a_preset_as_chat_turns(tab: Tab) -> None:
    tab.page.select_option("#preset-B", "@draft")
    tab.ask("And you?")
    chats = [prompt for prompt in tab.server.prompts()[-2:] if prompt.startswith("<|turn|>system")]
    assert len(chats) == 1
    assert "<|turn|>assistant\nHello! I am a friend." in chats[0]


def test_a_closed_tab_stops_its_generations(open_tab: Callable[..., Tab], fake_server: Server) -> None:
    tab = open_tab(fake_server)
    tab.send("count for me")
    tab.page.wait_for_function("document.querySelector('[data-side=B] .answer')?.textContent.length > 20")
    assert fake_server.running() == 2
    tab.page.close()
    wait_until(lambda: fake_server.running() == 0, 0.5)


def test_a_flood_is_drawn_whole(tab: Tab) -> None:
    tab.page.click("[data-raw=true]")
    tab.ask("flood me")
    shown = tab.page.locator("[data-side=B] .answer").evaluate("e => e.textContent")
    assert shown == "".join(f"word{n} " for n in range(2_000))
