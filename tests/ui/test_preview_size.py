"""What a typing pause costs in a long conversation: the branch is sent, and not the whole tree."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Request

from tests.ui.conftest import Server, Tab, module

# As much as a page keeps: 60,000 tokens, 12,000 of them with alternatives, over two branches and two sides.
FILL = """([store, size]) => store.then(({ session, touch }) => {
  const OTHERS = [1, ' a', -1.2345, 2, ' b', -2.3456, 3, ' c', -3.4567, 4, ' d', -4.5678];
  const turns = {};
  let parent = null, left = size.described;
  for (let n = 0; n < size.turns; n += 1) {
    for (const id of [`a${n}`, `b${n}`]) {
      const replies = {};
      for (const side of session.sides.map(({ id }) => id)) {
        const rows = Array.from({ length: size.tokens }, (_, i) =>
          [i, ' word', -0.1234, 1, 0.5678, left-- > 0 ? OTHERS : []]);
        replies[side] = { text: ' word'.repeat(size.tokens), finish_reason: 'stop', error: null, rows };
      }
      turns[id] = { id, parent, query: `question ${n}`, replies };
    }
    parent = `a${n}`;
  }
  session.conversation = { head: parent, turns };
  touch('conversation');
  return JSON.stringify(session.conversation).length;
})"""
SPENT = """([store, tree]) => Promise.all([store, tree]).then(([{ session }, { branch }]) => {
  const times = [];
  for (let n = 0; n < 5; n += 1) {
    const began = performance.now();
    const { sides, draft, composer: text } = session;
    const conversation = branch(session.conversation);
    const body = JSON.stringify({ sides, draft, conversation, text, pieces: false, tokens: false });
    times.push([performance.now() - began, body.length]);
  }
  return times.sort((one, other) => one[0] - other[0])[2];
})"""
GOAL_BYTES, GOAL_MS = 200_000, 10


def fill(tab: Tab, *, turns: int = 15, tokens: int = 1_000, described: int = 12_000) -> int:
    size = {"turns": turns, "tokens": tokens, "described": described}
    return int(tab.page.evaluate(f"size => ({FILL})([{module('store.js')}, size])", size))


def test_a_typing_pause_sends_the_branch_and_not_the_tree(
    open_tab: Callable[..., Tab], fake_server: Server
) -> None:
    tab = open_tab(fake_server)
    tree = fill(tab)
    assert tree > 2_500_000
    sent: dict[str, int] = {}

    def note(request: Request) -> None:
        body = request.post_data or ""
        for name in ("preview", "warm"):
            if f'"fn_name":"{name}"' in body:
                sent[name] = max(sent.get(name, 0), len(body))

    tab.page.on("request", note)
    tab.page.fill("#message", "a word")
    tab.page.wait_for_timeout(1_500)
    spent_ms, size = tab.page.evaluate(
        f"() => ({SPENT})([{module('store.js')}, {module('conversation.js')}])"
    )
    print(f"tree {tree:,} characters; sent {sent}; a body of {size:,} takes {spent_ms:.1f} ms")
    assert set(sent) == {"preview", "warm"}
    assert max(sent.values()) <= GOAL_BYTES
    assert spent_ms <= GOAL_MS
