"""Conversations are trees of turns that never lose a branch."""

from __future__ import annotations

import pytest

from playground.chat.conversation import Conversation
from playground.errors import ConversationError
from playground.types import Alternative, Message, Reply, Token, Usage


def _talk() -> Conversation:
    return (
        Conversation()
        .ask("q0", turn_id="t0")
        .with_reply("A", Reply("a0"))
        .with_reply("B", Reply("b0"))
        .ask("q1", turn_id="t1")
    )


def test_each_side_sees_its_own_answers() -> None:
    talk = _talk()
    assert talk.messages("A") == (Message("user", "q0"), Message("assistant", "a0"), Message("user", "q1"))
    assert talk.messages("B")[1] == Message("assistant", "b0")
    assert talk.messages("C")[1] == Message("user", "q1")


def test_an_error_is_a_field_and_never_enters_the_next_prompt() -> None:
    talk = Conversation().ask("q").with_reply("A", Reply("", finish_reason="error", error="It broke."))
    assert talk.messages("A") == (Message("user", "q"),)
    assert "It broke." not in str(talk.ask("again").messages("A"))


def test_retry_is_a_branch_and_nothing_is_lost() -> None:
    talk = _talk().with_reply("A", Reply("a1"))
    again = talk.without_replies()
    assert [t.query for t in again.path()] == ["q0", "q1"]
    assert again.path()[-1].replies == {}
    assert again.turns["t1"].replies["A"].text == "a1"
    assert again.undo().head == "t0"


@pytest.mark.parametrize("empty", ["", "  \n\t"])
def test_an_empty_message_is_told(empty: str) -> None:
    with pytest.raises(ConversationError, match="empty"):
        Conversation().ask(empty)


def test_json_keeps_everything() -> None:
    token = Token(3, b"\xe4\xb8", -0.5, 2, 1.25, (Alternative(4, b" x", -0.1),))
    reply = Reply("中 <b>", (token,), "length", Usage(5, 4, 1, 0.25, 0.5), error=None)
    talk = _talk().with_reply("A", reply)
    assert Conversation.from_json(talk.to_json()) == talk


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        '{"turns": {}, "head": "t9"}',
        '{"turns": {"a": {"id": "a", "parent": "zz", "query": "q", "replies": {}}}, "head": null}',
        '{"turns": {"a": {"id": "b", "parent": null, "query": "q", "replies": {}}}, "head": null}',
        '{"turns": {"a": {"id": "a", "parent": "a", "query": "q", "replies": {}}}, "head": "a"}',
    ],
)
def test_json_that_is_no_conversation(text: str) -> None:
    with pytest.raises(ConversationError, match="cannot be read"):
        Conversation.from_json(text)


def test_what_cannot_be_answered() -> None:
    with pytest.raises(ConversationError, match="ask something first"):
        Conversation().with_reply("A", Reply("x"))
    with pytest.raises(ConversationError, match="ask something first"):
        Conversation().without_replies()


def test_answers_of_a_turn_stand_beside_each_other() -> None:
    one, two, three = Reply("one"), Reply("two"), Reply("three")
    talk = Conversation().ask("q").with_reply("A", one).with_reply("B", Reply("b"))
    talk = talk.with_answer("A", two).with_answer("A", three)
    (turn,) = talk.path()
    assert [reply.text for reply in turn.answers("A")] == ["one", "two", "three"]
    assert talk.messages("A")[-1].content == "three"
    back = talk.show_answer("A", 0)
    assert back.messages("A")[-1].content == "one"
    assert [reply.text for reply in back.path()[0].answers("A")] == ["one", "two", "three"]
    assert Conversation.from_json(back.to_json()) == back
    pruned = back.show_answer("A", 1).prune_answer("A")
    assert [reply.text for reply in pruned.path()[0].answers("A")] == ["one", "three"]
    assert pruned.messages("A")[-1].content == "one"
    last = pruned.prune_answer("A")
    assert last.path()[0].others == {}
    assert last.messages("B")[-1].content == "b"
    with pytest.raises(ConversationError, match="only answer"):
        last.prune_answer("A")
    with pytest.raises(ConversationError, match="no answer 4"):
        talk.show_answer("A", 3)


def test_a_conversation_from_before_there_were_branches_loads() -> None:
    old = '{"head":"t","turns":{"t":{"id":"t","parent":null,"query":"q","replies":{"A":{"text":"x"}}}}}'
    assert Conversation.from_json(old).path()[0].answers("A")[0].text == "x"
    torn = old.replace('"replies"', '"others":{"A":{"place":3,"replies":[]}},"replies"')
    with pytest.raises(ConversationError, match="an answer is missing"):
        Conversation.from_json(torn)
