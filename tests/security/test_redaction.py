"""What is kept out of sentences and of the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from playground.chat.compare import SideEvent, SideFinished
from playground.engines.base import Cancel
from playground.errors import EngineError
from playground.settings import Settings
from playground.types import Reply
from playground.ui.api.binding import Binding, Call, Stream
from playground.ui.gate import OpenGate
from playground.ui.redaction import Folders, PlainFormatter
from playground.ui.strings import Strings
from playground.ui.wire_format import RunIn


class Asked(BaseModel):
    """An argument of the tests' own."""

    key: int


def bound(home: Path) -> Binding:
    settings = Settings.load({"PLAYGROUND_HOME": str(home)})
    return Binding(Strings.load(), OpenGate(), Folders.of(settings))


def fails(asked: object, *_: object) -> object:
    raise EngineError(f"The file {asked}/models/x.gguf is no model; choose another.")


def test_a_sentence_names_the_file_and_not_its_folder(tmp_path: Path) -> None:
    for folder in (tmp_path, Path.home(), Path.cwd(), Path(__file__).parent.parent.parent):
        call = Call("broken", lambda text, folder=folder: fails(folder), Asked)
        answer = json.loads(bound(tmp_path).bound(call)("{}"))
        assert answer == {"error": "The file …/models/x.gguf is no model; choose another."}


def test_a_reply_that_failed_says_no_more(tmp_path: Path) -> None:
    def ends(query: object, cancel: Cancel) -> Iterator[SideEvent]:
        yield SideFinished("A", Reply(f"{tmp_path} as written", error=f"{tmp_path}/x is gone."))

    stream = bound(tmp_path).bound_stream(Stream("run", RunIn.model_validate_json, ends, RunIn))
    (event,) = stream.answer(RunIn.model_construct(), Cancel())
    assert isinstance(event, SideFinished)
    assert event.reply.error == "…/x is gone."
    assert event.reply.text == f"{tmp_path} as written", "what a model wrote stays as it is"


def test_what_was_sent_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    call = Call.of("broken", Asked, lambda asked: None)
    logging.getLogger("playground").propagate = True
    bound(tmp_path).bound(call)(json.dumps({"key": "hf_secret_token", "more": "my private words"}))
    assert "broken" in caplog.text
    assert "'key'" in caplog.text
    assert "secret" not in caplog.text
    assert "private" not in caplog.text


def test_the_log_holds_no_key_and_nothing_that_a_terminal_obeys() -> None:
    formatter = PlainFormatter(["sk-secret-1", "", "abc"])
    try:
        raise ValueError("sk-secret-1 \x1b[2J \x9b31m \u202e")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "abc %s\n\tline", ("\x1b]0;t\x07",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    text = formatter.format(record)
    assert "sk-secret-1" not in text
    assert "abc" in text, "what is too short to be a key stays"
    assert all(c.isprintable() or c in "\n\t" for c in text)
    assert "\\x1b[2J" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ann/x.gguf is gone.", "…/x.gguf is gone."),
        ("/home/ann", "…"),
        ("It lies in /home/ann.", "It lies in …."),
        ("'/home/ann'", "'…'"),
        ("file:///home/ann/x", "file://…/x"),
        ("/home/ann:/usr/bin", "…:/usr/bin"),
        ("in /home/ann and /tmp/x", "in … and /tmp/x"),
        ("/home/anna/x", "/home/anna/x"),
        ("/home/ann.old/x", "/home/ann.old/x"),
        ("/home/ann-2", "/home/ann-2"),
        ("/home/ann smith/x", "/home/ann smith/x"),
        ("/home/ann's files/x", "/home/ann's files/x"),
        ("/home/ann(1)/x", "/home/ann(1)/x"),
        ("/home/ann安/x", "/home/ann安/x"),
        ("/mnt/home/ann/x", "/mnt/home/ann/x"),
        ("/home/anna and /home/ann/b", "/home/anna and …/b"),
    ],
)
def test_a_folder_is_hidden_as_a_whole_or_not_at_all(text: str, shown: str) -> None:
    assert Folders([Path("/home/ann")]).hidden_in(text) == shown


def test_the_longest_folder_goes_first() -> None:
    folders = Folders([Path("/home/ann"), Path("/home/ann/share/playground")])
    assert folders.hidden_in("/home/ann/share/playground/x, /home/ann/share/y") == "…/x, …/share/y"
