"""The page's Python parts by themselves: catalog, Markdown, stream, guard, port, calls."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from playground.chat.compare import SideDelta, SideEvent, SideFinished, SideStarted
from playground.engines.base import Cancel
from playground.engines.fake import FakeEngine
from playground.errors import EngineError, PlaygroundError
from playground.services import Workbench
from playground.settings import Settings
from playground.types import Prompt, Reply, Token
from playground.ui.api import PageApi
from playground.ui.guard import host_name
from playground.ui.markdown import MarkdownRenderer
from playground.ui.page_files import static_folder
from playground.ui.serving import check_port
from playground.ui.streaming import Runs, ndjson
from playground.ui.strings import Strings

T = TypeVar("T")
UI = Path(static_folder()).parent


def _used_keys() -> tuple[set[str], set[str]]:
    """Keys that the code names, and the fixed beginnings of those it puts together."""
    whole: set[str] = set()
    begun: set[str] = set()
    for path in [*UI.rglob("*.py"), *UI.glob("static/**/*.js")]:
        text = re.sub(r"\bh\(\s*['`][^'`]*['`]", "", path.read_text(encoding="utf-8"))  # elements
        # every quoted dotted name, since some are chosen before they are looked up
        whole |= set(re.findall(r"[\"'`]([a-z]+(?:\.[\w.]+)+)[\"'`]", text))
        begun |= set(re.findall(r"`([a-z]+\.[\w.]*)\$\{", text))
    return whole, begun


def test_every_text_of_the_catalog_is_used_and_none_is_missing() -> None:
    keys = Strings.load().keys()
    whole, begun = _used_keys()
    groups = {key.partition(".")[0] for key in keys}
    files = {".py", ".js", ".css", ".json", ".svg", ".yaml"}
    named = {k for k in whole if k.partition(".")[0] in groups and not k.endswith(tuple(files))}
    assert named - keys == set(), "named in the code and not in strings.json"
    unused = {
        key
        for key in keys
        if key not in named and not key.startswith(tuple(begun)) and not key.endswith((".one", ".hint"))
    }
    assert unused == set()


def test_a_missing_text_or_value_fails_loudly() -> None:
    strings = Strings.load()
    with pytest.raises(KeyError):
        strings("no.such.key")
    with pytest.raises(KeyError):
        strings("server.port_in_use", port=1)


@pytest.mark.parametrize(
    ("text", "held", "absent"),
    [
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;", "<b>"),
        ("<script>x</script>", "&lt;script&gt;", "<script"),
        ("![i](http://x/y.png)", "http://x/y.png", "<img"),
        ("[x](javascript:alert(1))", "javascript:alert(1)", "href"),
        ("[x](data:text/html,hi)", "[x]", "href"),
        ("```\n<i>\n```", "<code>&lt;i&gt;", "<i>"),
        ("a\nb", "a<br />\nb", "script"),
        ("| a |\n| - |\n| b |", "<table>", "script"),
    ],
)
def test_markdown_never_lets_html_through(text: str, held: str, absent: str) -> None:
    html = MarkdownRenderer().html(text)
    assert held in html
    assert absent not in html


def _token(n: int) -> Token:
    return Token(n, b"x")


def in_a_loop(work: Coroutine[object, object, T]) -> T:
    """What a coroutine gives; in a thread, because Playwright keeps a loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result(60)


def _lines(texts: list[str]) -> list[dict[str, object]]:
    """What the texts say; each continues the one before, or is another part."""
    for before, after in pairwise(texts):
        assert after.startswith(before) or _part(after) == _part(before) + 1
    return [json.loads(line) for line in texts[-1].splitlines()]


def _part(text: str) -> int:
    return int(json.loads(text.splitlines()[0])["part"])


async def _collect(start, cancel: Cancel, sides: tuple[str, ...] = ("A", "B")) -> list[str]:  # type: ignore[no-untyped-def]
    stream = ndjson(start, run="r1", sides=sides, cancel=cancel, unexpected="Something failed.")
    return [text async for text in stream]


def test_the_stream_grows_line_by_line_and_ends_with_every_side() -> None:
    def events(cancel: Cancel) -> Iterator[SideEvent]:
        for side in "AB":
            yield SideStarted(side, Prompt(()), 3)
        for n in range(50):
            yield SideDelta("AB"[n % 2], f"{n}<b>", (_token(n),))
        for side in "AB":
            yield SideFinished(side, Reply("done"), seed=7, first_token_s=0.1)

    texts = in_a_loop(_collect(events, Cancel()))
    assert all("<" not in text for text in texts)
    lines = _lines(texts)
    assert lines[0] == {"run": "r1", "part": 0, "at": "open"}
    for side, first in (("A", 0), ("B", 1)):
        mine = [line for line in lines if line.get("side") == side]
        assert [mine[0]["at"], mine[-1]["at"]] == ["start", "end"]
        shown = "".join(str(line["text"]) for line in mine if line["at"] == "text")
        assert shown == "".join(f"{n}<b>" for n in range(first, 50, 2))
        assert sum(int(str(line["tokens"])) for line in mine if line["at"] == "text") == 25


def test_a_long_answer_keeps_the_stream_short() -> None:
    words = [f"word{n} " for n in range(4_000)]

    def events(cancel: Cancel) -> Iterator[SideEvent]:
        yield SideStarted("A", Prompt(()), 3)
        yield SideFinished("B", Reply("at once"))
        for n, word in enumerate(words):
            yield SideDelta("A", word, (_token(n),))
            time.sleep(0.0005)
        yield SideFinished("A", Reply("".join(words)))

    texts = in_a_loop(_collect(events, Cancel()))
    assert _part(texts[-1]) > 0
    assert max(map(len, texts)) < 4 * sum(map(len, words)) + 17_000
    shown, tokens, read, part = "", 0, 0, 0
    for text in texts[::3] + texts[-1:]:  # a browser that skips redraws
        if _part(text) != part:
            part, read = _part(text), 0
        for line in map(json.loads, text[read:].splitlines()):
            if line.get("side") != "A":
                continue
            if line["at"] == "text":
                shown, tokens = shown + line["text"], tokens + line["tokens"]
            elif line["at"] == "all":
                shown, tokens = shown + line["text"][len(shown) :], line["tokens"]
        read = len(text)
    assert shown == "".join(words)
    assert tokens == 4_000


def test_redraws_come_at_a_fixed_rate() -> None:
    def events(cancel: Cancel) -> Iterator[SideEvent]:
        for n in range(200):
            time.sleep(0.002)
            yield SideDelta("A", str(n))
        yield SideFinished("A", Reply(""))

    assert len(in_a_loop(_collect(events, Cancel(), ("A",)))) < 40


@pytest.mark.parametrize(
    ("error", "said"),
    [(EngineError("It broke; try again."), "It broke; try again."), (ValueError("x"), "Something failed.")],
)
def test_a_run_that_fails_ends_every_open_side(error: Exception, said: str) -> None:
    def events(cancel: Cancel) -> Iterator[SideEvent]:
        yield SideFinished("A", Reply("fine"))
        raise error

    lines = _lines(in_a_loop(_collect(events, Cancel())))
    assert lines[-1] == {"side": "B", "at": "cut", "finish_reason": "error", "error": said}


def test_a_stop_that_nobody_confirms_still_ends_the_run() -> None:
    cancel, release = Cancel(), threading.Event()

    def events(stop: Cancel) -> Iterator[SideEvent]:
        yield SideDelta("A", "x")
        cancel.set()
        release.wait(20)

    started = time.perf_counter()
    lines = _lines(in_a_loop(_collect(events, cancel)))
    release.set()
    assert time.perf_counter() - started < 5
    assert [line["finish_reason"] for line in lines[-2:]] == ["cancelled", "cancelled"]


def test_closing_the_stream_stops_the_run() -> None:
    cancel = Cancel()

    def events(stop: Cancel) -> Iterator[SideEvent]:
        n = 0
        while not stop.is_set():
            time.sleep(0.01)
            n += 1
            yield SideDelta("A", str(n))

    async def leave() -> None:
        stream = ndjson(events, run="r", sides=["A"], cancel=cancel, unexpected="")
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    in_a_loop(leave())
    assert cancel.is_set()


def test_runs_stop_one_by_one_and_by_session() -> None:
    runs = Runs()
    one, two, other = runs.open("1", "s"), runs.open("2", "s"), runs.open("3", "t")
    runs.stop("1")
    assert (one.is_set(), two.is_set()) == (True, False)
    runs.stop_session("s")
    assert (two.is_set(), other.is_set()) == (True, False)
    runs.close("3")
    assert other.is_set()
    runs.stop("3")
    assert len(runs) == 2


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PlaygroundError, match=rf"Port {port} is already in use.*--port"):
            check_port("127.0.0.1", port, Strings.load())


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(PlaygroundError, match=r"192\.0\.2\.1.*--host"):
        check_port("192.0.2.1", 0, Strings.load())


@pytest.mark.parametrize(
    ("header", "name"),
    [("localhost:7860", "localhost"), ("[::1]:7860", "::1"), ("Evil.Example", "evil.example"), ("", "")],
)
def test_the_host_header_without_its_port(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.fixture
def api(tmp_path: Path) -> Iterator[PageApi]:
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path)})
    (tmp_path / "secret.yaml").write_text("name: secret\n")
    with Workbench(settings, opener=lambda entry: FakeEngine()) as workbench:
        yield PageApi(workbench, Runs(), Strings.load())


def _call(api: PageApi, name: str, body: object) -> dict[str, object]:
    call = next(call for call in api.calls() if call.__name__ == name)
    answer: dict[str, object] = json.loads(call(json.dumps(body)))
    return answer


def test_a_page_reads_no_file_by_its_path(api: PageApi, tmp_path: Path) -> None:
    for name in (str(tmp_path / "secret.yaml"), "../secret.yaml", "secret.yaml"):
        assert "There is no preset" in str(_call(api, "open_preset", {"name": name})["error"])


def test_a_call_that_makes_no_sense_is_answered_in_words(api: PageApi) -> None:
    assert "reload the page" in str(_call(api, "open_preset", {"nom": "x"})["error"])
    assert "reload the page" in str(_call(api, "preview", [1])["error"])


def test_a_draft_with_a_typo_is_named(api: PageApi) -> None:
    body = {
        "sides": [],
        "draft": {"name": "x", "sytem": ""},
        "conversation": '{"turns":{},"head":null}',
        "text": "",
    }
    assert "unknown key 'sytem'" in str(_call(api, "preview", body)["error"])
