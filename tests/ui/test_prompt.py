"""The exact prompt in a browser: what is shown is what the engine gets, as text and as tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from playwright.sync_api import Page

from tests.ui.conftest import Server, Tab, module

CLIPBOARD = ["clipboard-read", "clipboard-write"]
STORE = module("store.js")
TOKENS = module("prompt_tokens.js")
LONG = 40_000  # characters, each a token of the fake engine, whose context holds 65,536


def show(tab: Tab, tab_name: str) -> None:
    tab.page.click(f"#tab-{tab_name}")


def with_session(page: Page, change: str, *topics: str) -> None:
    """Change the session as the page's own modules do."""
    page.evaluate(
        f"topics => {STORE}.then(({{ session, touch }}) => {{ {change}; touch(...topics); }})", topics
    )


def shown(tab: Tab, sides: str, text: str) -> list[str]:
    """Every side's prompt as it is shown, once the message is in it."""
    tab.page.fill("#message", text)
    for side in sides:
        tab.page.wait_for_function(
            "([side, text]) => document.querySelector(side).textContent.includes(text)",
            arg=[f"[data-side={side}] .prompt-text", text],
        )
    return [tab.prompt(side) for side in sides]


def sent(tab: Tab, count: int, before: int) -> list[str]:
    """The prompts that engines got for the message that is sent now."""
    tab.page.press("#message", "Enter")
    tab.wait_answered()
    prompts = tab.server.prompts()[before:]
    assert len(prompts) == count
    return prompts


def test_what_is_shown_is_what_is_sent(open_tab: Callable[..., Tab], fake_server: Server) -> None:
    tab = open_tab(fake_server, permissions=CLIPBOARD)
    page = tab.page
    kinds = {"A": ("fake/base", "@draft"), "B": ("fake/base", "none"), "C": ("fake/instruct", "@draft")}
    sides = [{"id": side, "model": model, "preset": preset} for side, (model, preset) in kinds.items()]
    with_session(page, f"session.sides = {json.dumps(sides)}", "sides")
    show(tab, "prompt")
    log = tab.server.home / "prompts"
    before = len(log.read_text().splitlines()) if log.exists() else 0

    # twice, so that the second has a conversation in it
    for n, text in enumerate(
        ("  Wörld\t<|turn|> 你好 😀\n\n<script>window.hacked = 1</script>  ", "Once more.")
    ):
        seen = shown(tab, "ABC", text)
        ids = []
        for side in "ABC":
            page.get_by_label(f"Side {side}: copy the prompt").first.click()
            page.locator(f"[data-side={side}] .prompt").get_by_text("Copy as token ids").click()
            page.wait_for_selector(".notice >> text=ids are copied")
            ids.append(json.loads(page.evaluate("navigator.clipboard.readText()")))
            page.get_by_label("Close").first.click()
        assert seen[1].endswith(text), "the bare side gets the words, with their white space"
        assert sorted(sent(tab, 3, before + 3 * n)) == sorted(seen)
        got = (tab.server.home / "prompt_ids").read_text().splitlines()[-3:]
        assert sorted(map(json.loads, got)) == sorted(ids)
    assert page.evaluate("window.hacked") is None

    # a verbatim prefix, whatever its spacing, and turns that find no room
    with_session(page, f"session.sides = {json.dumps(sides[:1])}", "sides")
    with_session(page, "session.draft.prefix = ' \\nOdd  text\\t:\\n\\n\\n'", "restored", "draft")
    turn = {"query": "x" * LONG, "replies": {"A": {"text": "y", "finish_reason": "stop", "error": None}}}
    old = {**turn, "id": "t1", "parent": None}
    head = {**turn, "id": "t2", "parent": "t1", "query": "kept"}
    conversation = {"head": "t2", "turns": {"t1": old, "t2": head}}
    with_session(page, f"session.conversation = {json.dumps(conversation)}", "conversation")
    [seen_a] = shown(tab, "A", "And " + "z" * (LONG // 2))
    page.wait_for_function(
        "document.querySelector('[data-side=A] .prompt-facts').textContent.includes('left out')"
    )
    [seen_a] = [tab.prompt("A")]
    assert seen_a.startswith(" \nOdd  text\t:\n\n\n")
    assert "kept" in seen_a
    assert "x" * 10 not in seen_a
    assert sent(tab, 1, before + 6) == [seen_a]


def test_tokens_show_white_space_specials_and_halves(tab: Tab) -> None:
    page = tab.page
    show(tab, "prompt")
    page.fill("#message", "a ü\t<|turn|>\n")
    page.click("[data-tokens=true]")
    box = "[data-side=B] .tok"
    page.wait_for_function(
        "[...document.querySelectorAll('[data-side=B] .tok')].some((one) => one.textContent === 'C3')"
    )
    seen = page.locator(box).all_text_contents()
    assert seen[:2] == ["<|bos|>", "<|turn|>"]
    assert "".join(seen[2:14]) == "user⏎\na␣C3BC⇥\t<|"
    assert page.locator(f"{box}.special").all_text_contents() == ["<|bos|>", "<|turn|>", "<|turn|>"]
    assert page.locator(f"{box}.half").all_text_contents() == ["C3", "BC"]
    assert len(seen) == int(page.locator("[data-side=B] .prompt-facts").inner_text().split()[0])
    readout = page.locator("[data-side=B] .token-readout")
    page.locator(f"{box}.half").first.hover()
    assert "id 195" in readout.inner_text()
    assert "bytes C3" in readout.inner_text()
    assert "your message" in readout.inner_text()
    page.focus("[data-side=B] .prompt-text")
    page.keyboard.press("ArrowRight")
    assert "id 188" in readout.inner_text()
    page.click("[data-tokens=false]")
    page.wait_for_function("!document.querySelector('.tok')")
    assert tab.prompt("B").count("<|turn|>") == 3


DRAW = """() => TOKENS.then(({ readTokens, tokenBoxes }) => {
  const place = document.querySelector('[data-side=A] .prompt-text');
  const words = ['# Query', ':', '\\n', ' the', ' of', ' and', ' words', '.', '\\n\\n', ' more'];
  const ids = Array.from({ length: 20000 }, (_, i) => i);
  const sizes = ids.map((i) => words[i % words.length].length);
  const bytes = btoa(ids.map((i) => words[i % words.length]).join(''));
  const runs = Array.from({ length: 100 }, (_, i) => [i, 200]);
  place.classList.add('as-tokens');
  const tokens = readTokens({ ids, sizes, bytes, runs, special: [] });
  const classOf = (piece) => (piece % 2 ? 'of-example' : 'of-history');
  place.replaceChildren(...tokenBoxes(tokens, classOf));
  void place.offsetHeight;
  return place.querySelectorAll('.tok').length;
})""".replace("TOKENS", TOKENS)


def test_twenty_thousand_tokens_are_drawn_at_once(tab: Tab) -> None:
    """In time of the page's own thread, which other programs do not lengthen."""
    show(tab, "prompt")
    metrics = tab.context.new_cdp_session(tab.page)
    metrics.send("Performance.enable", {"timeDomain": "threadTicks"})

    def thread_s() -> float:
        told = metrics.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in told if one["name"] == "TaskDuration"))

    took_s = []
    for _ in range(5):
        before = thread_s()
        assert tab.page.evaluate(DRAW) == 20_000
        took_s.append(thread_s() - before)
    print(f"20,000 tokens drawn in {1000 * min(took_s):.0f} ms")
    assert 0.001 < min(took_s) < 0.2


def test_typing_waits_for_no_finding(tab: Tab) -> None:
    """The linter is asked after the preview, and a slow one delays no keystroke."""
    page = tab.page
    page.route("**/component_server*", lambda route: (time.sleep(0.05), route.continue_())[1])
    page.locator("#editor textarea.answer").first.click()
    page.keyboard.press("End")
    page.keyboard.type(" And so on, word by word.", delay=3)
    assert page.locator("#editor textarea.answer").first.input_value().endswith(" And so on, word by word.")
