"""The guard by itself: who is let in, to what, with how much; and what every answer carries."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.ui import access, guard
from playground.ui.access import Guesses, check_access, is_loopback, is_shared
from playground.ui.guard import GuardRules, PageGuard
from playground.ui.strings import Strings

STRINGS = Strings.load()
HTML = b"<!doctype html><script>one()</script><script type=module src=x></script><scripture>"


async def _page(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/config":
        raise RuntimeError("/home/ann/secret broke")
    kind = b"text/html; charset=utf-8" if scope["path"] == "/" else b"text/plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": HTML[:9], "more_body": True})
    await send({"type": "http.response.body", "body": HTML[9:]})


def ask(
    path: str = "/",
    method: str = "GET",
    *,
    rules: GuardRules | None = None,
    guarded: PageGuard | None = None,
    client: str = "127.0.0.1",
    **headers: str,
) -> tuple[int, Mapping[str, str], str]:
    """The guard's answer: status, headers, text. ``Host`` is the loopback address unless given."""
    given = {"host": "127.0.0.1:7860"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if method == "POST":
        given = {"content-length": "2", "content-type": "application/json"} | given
    said: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "client": (client, 1),
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items() if value != "-"],
    }
    page = guarded or PageGuard(_page, rules=rules or GuardRules(), strings=STRINGS)
    with ThreadPoolExecutor(1) as pool:  # Playwright keeps a loop in the main thread
        pool.submit(asyncio.run, page(scope, receive, send)).result(20)
    found = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], found, b"".join(one.get("body", b"") for one in said[1:]).decode()


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7860", "localhost:1", "[::1]:7860", "192.168.1.5", "Mine.Example"]
)
def test_own_names_and_addresses_are_answered(host: str) -> None:
    assert ask(host=host, rules=GuardRules(frozenset({"mine.example"})))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "0x7f000001", "2130706433", "", "-"],
)
def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    status, _, text = ask(host=host)
    assert status == 400
    assert text.endswith("Open it at the address that the program printed.")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:3000", "http://127.0.0.1:1", "null"]
)
def test_another_sites_page_may_neither_call_nor_read(method: str, origin: str) -> None:
    path = "/gradio_api/queue/join" if method == "POST" else "/config"
    assert ask(path, method, origin=origin)[0] == 403


def test_our_own_page_may_call() -> None:
    assert ask("/gradio_api/queue/join", "POST", origin="http://127.0.0.1:7860")[0] == 200
    rules = GuardRules(frozenset({"mine.example"}))
    behind = {"host": "127.0.0.1:7860", "origin": "https://mine.example"}
    assert ask("/gradio_api/queue/join", "POST", rules=rules, **behind)[0] == 200


@pytest.mark.parametrize(
    ("path", "site", "mode", "goal", "framed", "status"),
    [
        ("/", "cross-site", "navigate", "document", (), 200),  # a link on another site
        ("/config", "cross-site", "navigate", "document", (), 403),
        ("/", "cross-site", "no-cors", "image", (), 403),
        ("/page/app.js", "cross-site", "no-cors", "script", (), 403),
        ("/", "same-site", "cors", "empty", (), 403),  # another port of this machine
        ("/", "cross-site", "navigate", "iframe", (), 403),
        ("/", "cross-site", "navigate", "iframe", ("https://host.example",), 200),
        ("/theme.css", "same-origin", "cors", "empty", (), 200),
    ],
)
def test_only_the_page_itself_is_opened_from_elsewhere(
    path: str, site: str, mode: str, goal: str, framed: tuple[str, ...], status: int
) -> None:
    said = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": goal}
    assert ask(path, rules=GuardRules(framed_by=framed), **said)[0] == status


def test_a_refusal_by_what_the_browser_says_of_the_site_names_the_host_that_was_asked() -> None:
    rules = GuardRules(frozenset({"mine.example"}))
    said = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
    status, _, text = ask("/config", host="mine.example:7860", rules=rules, **said)
    assert status == 403
    assert "mine.example:7860" in text
    assert "?" not in text
    foreign = ask("/config", origin="https://evil.example")
    assert "https://evil.example" in foreign[2]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/upload"),
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/gradio_api/proxy=https://evil.hf.space/"),
        ("GET", "/gradio_api/deep_link"),
        ("GET", "/gradio_api/token"),
        ("POST", "/gradio_api/run/ask"),
        ("POST", "/gradio_api/api/ask"),
        ("POST", "/gradio_api/vibe-edit/"),
        ("POST", "/gradio_api/process_recording"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/monitoring"),
        ("GET", "/gradio_api/mcp/sse"),
        ("PUT", "/"),
        ("POST", "/"),
        ("GET", "/page/../app.py"),
        ("GET", "/assets/..\\x"),
        ("GET", "//evil.example/"),
        ("GET", "/page/\0"),
    ],
)
def test_what_is_on_no_list_is_not_there(method: str, path: str) -> None:
    assert ask(path, method)[0] == 404


def test_tools_are_there_only_where_they_are_offered() -> None:
    assert ask("/gradio_api/mcp/", "POST", rules=GuardRules(mcp=True))[0] == 200
    assert ask("/gradio_api/mcp/", "POST")[0] == 404


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"content-length": "33000000"}, 413),
        ({"content-length": "-"}, 411),
        ({"content-length": "-5"}, 411),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_requests_are_json_and_of_bounded_size(changed: dict[str, str], status: int) -> None:
    assert ask("/gradio_api/component_server/", "POST", **changed)[0] == status


def test_the_document_alone_runs_its_scripts() -> None:
    status, headers, text = ask()
    policy = headers["content-security-policy"]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert status == 200
    assert len(nonce) >= 16
    assert text.count(f'<script nonce="{nonce}"') == 2
    assert "<scripture>" in text
    assert int(headers["content-length"]) == len(text)
    assert ask()[1]["content-security-policy"] != policy, "a nonce is used once"


def test_every_answer_carries_the_headers() -> None:
    for answer in (ask(), ask(host="evil.example"), ask("/nothing"), ask("/config")):
        headers = answer[1]
        policy = headers["content-security-policy"]
        script = next(part for part in policy.split("; ") if part.startswith("script-src "))
        assert "unsafe-inline" not in script
        assert "https:" not in policy
        assert "*" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
    framed = ask(rules=GuardRules(framed_by=("https://host.example",)))[1]
    assert "frame-ancestors https://host.example" in framed["content-security-policy"]
    assert "x-frame-options" not in framed


def test_what_fails_is_told_without_its_cause() -> None:
    status, _, text = ask("/config")
    assert status == 500
    assert text == STRINGS("server.unexpected")


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"any:{password}".encode()).decode()


def test_with_a_password_nothing_is_answered_without_it() -> None:
    rules = GuardRules(password="correct horse 马")
    status, headers, _ = ask(rules=rules)
    assert status == 401
    assert headers["www-authenticate"].startswith("Basic ")
    for wrong in ("", "wrong", "correct horse", "Correct horse 马"):
        assert ask(rules=rules, authorization=basic(wrong))[0] == 401
    assert ask(rules=rules, authorization="Bearer correct horse 马".encode().decode("latin-1"))[0] == 401
    assert ask(rules=rules, authorization="Basic %%%")[0] == 401
    assert ask(rules=rules, authorization="Basic \xe9\xe9\xe9\xe9")[0] == 401
    assert ask(rules=rules, authorization=basic("correct horse 马"))[0] == 200
    for path in ("/page/app.js", "/gradio_api/heartbeat/x", "/gradio_api/call/ask/x"):
        assert ask(path, rules=rules)[0] == 401
    assert ask("/gradio_api/cancel", "POST", rules=rules)[0] == 401


def test_guessing_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(access.time, "monotonic", lambda: now[0])
    guarded = PageGuard(_page, rules=GuardRules(password="long enough"), strings=STRINGS)
    for _ in range(access.GUESSES):
        assert ask(guarded=guarded, authorization=basic("guess"))[0] == 401
    assert ask(guarded=guarded, authorization=basic("long enough"))[0] == 429
    assert ask(guarded=guarded, authorization=basic("long enough"), client="10.0.0.2")[0] == 200
    now[0] += access.GUESS_WINDOW_S + 1
    assert ask(guarded=guarded, authorization=basic("long enough"))[0] == 200


def test_guesses_of_many_addresses_take_bounded_room() -> None:
    guesses = Guesses()
    for n in range(5_000):
        guesses.add(str(n))
    assert len(guesses._times) <= 1_000


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.8.8.8", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "", "192.168.1.5", "mine.example")],
)
def test_what_reaches_only_this_machine(host: str, own: bool) -> None:
    assert is_loopback(host) is own
    if own:
        check_access(host, None, open_to_all=False, strings=STRINGS)
    else:
        with pytest.raises(PlaygroundError, match="--password"):
            check_access(host, None, open_to_all=False, strings=STRINGS)
        check_access(host, None, open_to_all=True, strings=STRINGS)
        check_access(host, "long enough", open_to_all=False, strings=STRINGS)
    with pytest.raises(PlaygroundError, match="8 characters"):
        check_access(host, "short", open_to_all=True, strings=STRINGS)


@pytest.mark.parametrize(
    ("host", "more", "shared"),
    [
        ("127.0.0.1", {}, False),
        ("localhost", {}, False),
        ("::1", {}, False),
        ("0.0.0.0", {}, True),
        ("192.168.1.5", {}, True),
        ("127.0.0.1", {"names": ["mine.example"]}, True),
        ("127.0.0.1", {"proxies": ["127.0.0.1"]}, True),
        ("127.0.0.1", {"password": "long enough"}, True),
    ],
)
def test_a_page_is_shared_where_others_are_meant_to_reach_it(host: str, more: Any, shared: bool) -> None:
    assert is_shared(host, **more) is shared


def test_web_sockets_are_not_spoken() -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("it was passed on")

    page = PageGuard(never, rules=GuardRules(), strings=STRINGS)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, page({"type": "websocket"}, never, never)).result(20)


def test_the_script_knows_the_guards_limit(repository: Path) -> None:
    script = (repository / "playground/ui/static/wire.js").read_text()
    assert f"MAX_REQUEST_BYTES = {guard.MAX_REQUEST_BYTES:_};" in script


OPEN = {
    *("GET /", "HEAD /", "GET /config", "GET /theme.css", "GET /manifest.json", "GET /favicon.ico"),
    *("GET /pwa_icon", "GET /robots.txt", "GET /assets/{path:path}", "GET /static/{path:path}"),
    *(
        f"GET /gradio_api/{name}"
        for name in ("info", "openapi.json", "app_id", "theme.css", "startup-events")
    ),
    *("GET /gradio_api/queue/data", "GET /gradio_api/heartbeat/{session_hash}"),
    *("GET /gradio_api/call/{api_name}/{event_id}", "GET /gradio_api/call/v2/{api_name}/{event_id}"),
    *("POST /gradio_api/call/{api_name}", "POST /gradio_api/call/v2/{api_name}"),
    *(f"POST /gradio_api/{name}" for name in ("queue/join", "component_server", "cancel", "reset")),
}


ROUTES = """
import json, re
from gradio.routes import App
from playground.services import Workbench
from playground.ui.app import build_app
from playground.ui.guard import GuardRules, PageGuard
from playground.ui.strings import Strings

def flat(routes):
    for route in routes:
        inner = getattr(route, "original_router", None) or route
        if getattr(inner, "routes", None):
            yield from flat(inner.routes)
        elif hasattr(route, "path"):
            yield from ((method, route.path) for method in getattr(route, "methods", None) or ("GET",))

with Workbench() as workbench:
    app = App.create_app(build_app(workbench))
guard = PageGuard(app, rules=GuardRules(), strings=Strings.load())
is_open = lambda method, path: guard._is_open(re.sub(r"[{][^}]*[}]", "x", path), method)
print(json.dumps([[method, path, is_open(method, path)] for method, path in flat(app.routes)]))
"""


def test_gradio_opens_no_route_that_nobody_looked_at() -> None:
    done = subprocess.run([sys.executable, "-c", ROUTES], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    routes = json.loads(done.stdout)
    assert len(routes) > 60
    found = {f"{method} {path.removesuffix('/') or '/'}" for method, path, is_open in routes if is_open}
    assert found == OPEN


def test_the_document_names_tests_that_are_there(repository: Path) -> None:
    text = (repository / "docs" / "security.md").read_text(encoding="utf-8")
    there = "".join(path.read_text(encoding="utf-8") for path in (repository / "tests").rglob("test_*.py"))
    named = set(re.findall(r"test_\w+(?=`)", text)) - {
        path.stem for path in (repository / "tests").rglob("*.py")
    }
    assert len(named) > 15
    assert [name for name in named if f"def {name}(" not in there] == []
    for file in re.findall(r"`([a-z]+/\w+\.py)", text):
        assert (repository / "tests" / file).exists() or (repository / file).exists(), file
