"""A hostile program against a running page: what it may not reach, and that the page outlives it."""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.services import Workbench
from playground.settings import Settings
from playground.ui.api import PageApi
from playground.ui.streaming import Runs
from playground.ui.strings import Strings
from tests.security.conftest import CANARY, ROOT, SECRET, Watched
from tests.security.hostile import CONVERSATION, DRAFT, TEXTS, Arguments

CALLS = int(os.environ.get("FUZZ_CALLS", "12"))
"""How many calls of each kind; `make fuzz` makes 1,000."""
STRINGS = Strings.load()
BY_PATH = {"shelf_look", "shelf_add"}
"""Calls that take a model's path on purpose."""
UNEXPECTED = STRINGS("server.unexpected")
WRITING = re.compile("[wax+]")
# Addresses in numbers, for which nobody is asked: IPv6, and IPv4 in all that a resolver takes.
NUMBERS = re.compile(r"[\da-f.]*:[\da-f.:]*|(?:0x[\da-f]+|\d+)(?:\.(?:0x[\da-f]+|\d+))*|localhost|None")


def told_too_much(text: str, page: Watched) -> list[str]:
    """What an error's sentence must not hold."""
    banned = [CANARY, SECRET, "Traceback", 'File "', str(page.place), str(page.home), str(ROOT), sys.prefix]
    return [one for one in banned if one in text]


def outside(page: Watched, start: int, on_purpose: set[str]) -> list[tuple[str, list[str]]]:
    """What was read, written or begun elsewhere than it may be, since byte ``start`` of the notes."""
    person, temporary = page.place / "person", page.place / "tmp"
    written = (str(page.home), str(temporary), str(person / ".cache"), "/dev/", "/proc/self/", "pipe:")
    code = (sys.prefix, sys.base_prefix, str(ROOT / "playground"), str(ROOT / "tests" / "ui"))
    system = ("/usr/", "/etc/", "/proc/", "/sys/", "/dev/", "/lib")
    read = (*written, *code, *system, str(ROOT / "presets"), str(ROOT / "models"))
    names = ("secret.txt", "secret.yaml", "person/.ssh/id_rsa", "person/secret.yaml", "cwd/secret.txt")
    secrets = {str(page.place / name) for name in (*names, "cwd/secret.yaml")} | {"/etc/passwd"}
    secrets |= {str(page.home / name) for name in ("secret.txt", "secret.yaml")}
    found = []
    for event, told in page.events(start):
        if event == "open":
            path, mode, flags = told[0], told[1], told[2]
            writes = WRITING.search(mode) if mode != "None" else int(flags) & (os.O_WRONLY | os.O_RDWR)
            if path.isdecimal() or (not writes and os.path.abspath(page.place / "cwd" / path) in on_purpose):
                continue  # an open handle, or a model's path
            wrong = not os.path.abspath(path).startswith(written if writes else read)
            wrong = wrong or os.path.abspath(page.place / "cwd" / path) in secrets
        elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
            wrong = "template_child.py" not in "".join(told) and "playground" not in "".join(told)
        elif event == "socket.getaddrinfo":
            wrong = not NUMBERS.fullmatch(told[0])  # a name that is looked up
        elif event in ("socket.connect", "socket.sendto"):
            wrong = "127.0.0.1" not in "".join(told) and "AF_UNIX" not in told[0]
        else:
            wrong = not all(os.path.abspath(one).startswith(written) for one in told[:1])
        if wrong:
            found.append((event, told))
    return found


def tree(folder: Path) -> dict[str, int]:
    """Every file below a folder, and its size."""
    return {str(path): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(autouse=True)
def on_purpose(watched: Watched) -> Iterator[set[str]]:
    """Every test here: nothing outside its folders is read, written or asked; the page lives on.

    What is yielded takes paths that a test has a model read from.
    """
    paths: set[str] = set()
    start = watched.notes.stat().st_size
    around = [watched.place / "person", watched.place / "cwd"]
    before = {**tree(around[0]), **tree(around[1])}
    yield paths
    assert watched.process.poll() is None, watched.log.read_text()[-4000:]
    assert watched.ask("GET", "/").status == 200
    assert "value" in watched.call("templates", {})
    assert not outside(watched, start, paths)
    assert {**tree(around[0]), **tree(around[1])} == before
    log = watched.log.read_text()
    assert CANARY not in log
    assert SECRET not in log
    assert "\x1b" not in log


def test_foreign_names_sites_and_files_are_refused(watched: Watched) -> None:
    assert watched.ask("GET", "/", Host="evil.example").status == 400
    assert watched.ask("GET", "/config", Origin="http://localhost:3000").status == 403
    assert watched.ask("POST", "/gradio_api/queue/join", {}, Origin="https://evil.example").status == 403
    preflight = {"Access-Control-Request-Method": "POST", "Origin": "https://evil.example"}
    answer = watched.ask("OPTIONS", "/gradio_api/queue/join", None, **preflight)
    assert "access-control-allow-origin" not in answer.headers
    upload = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../x"\r\n\r\nx\r\n--x--\r\n'
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    assert watched.ask("POST", "/gradio_api/upload", upload, **multipart).status == 404
    assert watched.ask("POST", "/gradio_api/component_server/", upload, **multipart).status == 415


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "[::1]", "0", "127.1", "2130706433", "0x7f.1", "[::ffff:7f00:1]"),
        *(
            "[::127.0.0.1]",
            "[::ffff:0:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::7f00:1]",
            "[2002:7f00:1::]",
        ),
        *("192.0.0.192", "192.88.99.1", "169.254.169.254", "10.0.0.1", "[fe80::1]", "[fec0::1]", "[100::1]"),
    ],
)
def test_no_address_of_this_machine_is_imported_from(watched: Watched, host: str) -> None:
    port = watched.url.rstrip("/").rpartition(":")[2]
    said = watched.call("import_presets", {"address": f"http://{host}:{port}/config"})
    assert "private network" in said["error"], said


PATHS = (
    "/gradio_api/file={}",
    "/gradio_api/file/{}",
    "/gradio_api/stream/a/b/1/{}.ts",
    "/page/{}",
    "/page/1/{}",
    "/assets/{}",
    "/static/{}",
    "/svelte/{}",
    "/gradio_api/custom_component/x/client/component/{}",
    "/?deep_link={}",
    "/config?deep_link={}",
)
CLIMBS = (
    "/etc/passwd",
    "../../../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "....//....//....//etc/passwd",
    "..%5c..%5csecret.yaml",
    "%00/etc/passwd",
    "secret.txt",
    "{home}/secret.yaml",
    "{cwd}/secret.txt",
)


def test_no_address_leads_to_a_file_outside(watched: Watched) -> None:
    for shape, climb in itertools.product(PATHS, CLIMBS):
        goal = climb.replace("{home}", str(watched.home)).replace("{cwd}", str(watched.place / "cwd"))
        answer = watched.ask("GET", shape.format(goal))
        assert CANARY not in answer.text
        assert "root:" not in answer.text
        assert answer.status in (400, 404) or "deep_link" in shape, (shape, goal, answer.status)


NAMES = (
    "/etc/passwd",
    "../secret.yaml",
    "secret.yaml",
    "secret",
    "../../secret",
    "~/secret.yaml",
    "{home}/secret.yaml",
    "{cwd}/secret.yaml",
    "{cwd}/model.gguf",
    "..\\secret.yaml",
    "secret.yaml\0",
    "file:///etc/passwd",
)


def test_no_call_takes_a_path_for_a_name(watched: Watched) -> None:
    (watched.place / "cwd" / "model.gguf").unlink(missing_ok=True)
    for shape in NAMES:
        name = shape.replace("{home}", str(watched.home)).replace("{cwd}", str(watched.place / "cwd"))
        sides = [
            {"id": "A", "model": "fake/base", "preset": name},
            {"id": "B", "model": name, "preset": "none"},
        ]
        asked = {"draft": DRAFT, "conversation": CONVERSATION, "text": "hi"}
        said = [
            watched.call("open_preset", {"name": name}),
            watched.call("delete_preset", {"name": name}),
            watched.call("load_model", {"name": name}),
            watched.call("lint", {"draft": DRAFT, "model": name}),
            watched.call("text_tokens", {"model": name, "before": "x"}),
            watched.call("diff", {"old": {"name": name}, "new": {"draft": DRAFT}}),
            watched.call("preview", {"sides": sides, "pieces": True, **asked}),
            watched.call("save_preset", {"draft": {**DRAFT, "name": name}}),
            watched.call(
                "score", {"side": sides[0], "draft": DRAFT, "conversation": CONVERSATION, "text": "x"}
            ),
            watched.call("shift", {"question": "x", "base": name, "aligned": name, "draft": None}),
        ]
        for answer in said:
            assert CANARY not in json.dumps(answer)
            assert answer.get("error") != UNEXPECTED, answer
    kept = sorted(path.name for path in (watched.home / "presets").iterdir())
    assert kept == ["secret.yaml", "secret.yaml.yaml"], "names, and what they hold is the draft"
    assert all(CANARY not in path.read_text() for path in (watched.home / "presets").iterdir())


# These come before the drawn arguments below, which unload models and change their settings as the page may.


def test_texts_of_ten_megabytes_are_refused_or_taken(watched: Watched) -> None:
    large = "x <b>{{ 7*7 }}</b> " * 550_000  # 10.45 MB
    draft = {**DRAFT, "system": large}
    said = watched.call("save_preset", {"draft": draft})
    assert "at most 2 MB" in said["error"]
    asked = {"draft": DRAFT, "conversation": '{"turns":{},"head":null}', "text": large}
    sides = [{"id": "A", "model": "fake/base", "preset": "@draft"}]
    preview = watched.call("preview", {"sides": sides, **asked})
    assert "value" in preview, preview
    assert "context" in preview["value"]["sides"]["A"]["error"]
    html = watched.call("markdown", {"texts": ["*short*", large]})["value"]
    assert "<em>short</em>" in html[0]
    assert html[1].startswith("<pre>x &lt;b&gt;")
    too_large = watched.ask("POST", "/gradio_api/component_server/", {"data": "x" * 33_000_000})
    assert too_large.status == 413


def test_a_message_far_over_the_context_is_refused_at_once_and_keeps_nobody_waiting(watched: Watched) -> None:
    """Four megabytes: they were tokenized once, which took seconds in which the other tab got no answer."""
    huge = "the quick brown fox " * 200_000
    side = {"id": "A", "model": "fake/base", "preset": "@draft"}
    asked = {"draft": DRAFT, "conversation": '{"turns":{},"head":null}', "text": huge}
    component, _ = watched.wire()
    waited: list[float] = []

    def other_tab(done: threading.Event) -> None:
        while not done.wait(0.02):
            began = time.monotonic()
            watched.call("models", {}, component)
            waited.append(time.monotonic() - began)

    done = threading.Event()
    other = threading.Thread(target=other_tab, args=(done,))
    other.start()
    try:
        preview = watched.call(
            "preview", {"sides": [side], "pieces": True, "tokens": True, **asked}, component
        )
        copied = watched.call("copy_prompt", {"side": side, "form": "ids", **asked}, component)
        question = json.dumps(
            {"head": "a", "turns": {"a": {"id": "a", "parent": None, "query": huge, "replies": {}}}}
        )
        scored = watched.call(
            "score", {"side": side, "draft": DRAFT, "conversation": question, "text": "x"}, component
        )
        warmed = watched.call(
            "warm", {"tab": "t", "sides": [side], "draft": DRAFT, "conversation": question}, component
        )
        counted = watched.call("text_tokens", {"model": "fake/base", "before": huge}, component)
    finally:
        done.set()
        other.join()
    shown = preview["value"]["sides"]["A"]
    assert "The message has 4,000,000 characters, far more than fit" in shown["error"]
    assert (shown["counts"], shown["pieces"]) == (None, [])
    for refused in (copied, scored):
        assert "far more than fit into the context" in refused["error"]
    assert warmed == {"value": None}
    assert counted == {"value": None}
    assert len(waited) > 3
    assert max(waited) < 1.5, waited


def test_hostile_texts_come_back_as_they_are_or_escaped(watched: Watched) -> None:
    texts = [text for text in TEXTS if text != "\ud800"]
    for text, html in zip(texts, watched.call("markdown", {"texts": texts})["value"], strict=True):
        assert not re.search(r"<(script|img|svg|iframe)", html, re.IGNORECASE), text
        assert not re.search(r"(href|src)\s*=\s*.(javascript|data|file):", html, re.IGNORECASE), text
        draft = {**DRAFT, "system": text}
        sides = [{"id": "A", "model": "fake/base", "preset": "@draft"}]
        asked = {"draft": draft, "conversation": CONVERSATION, "text": "hi", "pieces": True}
        preview = watched.call("preview", {"sides": sides, **asked})
        assert "value" in preview, (text, preview)
        shown = preview["value"]["sides"]["A"]
        if not shown["error"] and text.strip():
            assert text in "".join(piece[0] for piece in shown["pieces"])


def incoming(home: Path) -> dict[str, dict[str, object]]:
    """The JSON schema of what each of the page's own calls takes."""
    with Workbench(Settings.load({"PLAYGROUND_HOME": str(home)})) as workbench:
        api = PageApi(workbench, Runs(), STRINGS)
        return {
            call.name: call.incoming.model_json_schema() for topic in api._topics for call in topic.calls()
        }


def test_every_call_of_the_page_withstands_hostile_arguments(watched: Watched, tmp_path: Path) -> None:
    component, names = watched.wire()
    schemas = incoming(tmp_path)
    assert set(names) == set(schemas)
    assert set(names) > BY_PATH
    for name in sorted(set(names) - BY_PATH):
        arguments = Arguments(seed=len(name))
        for n in range(CALLS):
            argument: object = arguments.object_for(schemas[name])
            if n % 10 == 9:
                argument = arguments.text()
            answer = watched.call(name, argument, component)
            assert set(answer) in ({"value"}, {"error"})
            if "error" in answer:
                assert answer["error"] != UNEXPECTED, (name, argument, watched.log.read_text()[-3000:])
                assert not told_too_much(answer["error"], watched), (name, argument, answer)
            assert CANARY not in json.dumps(answer)


def test_a_model_is_looked_at_by_its_path_and_nothing_is_told_of_another_file(
    watched: Watched, on_purpose: set[str]
) -> None:
    person, cwd = watched.place / "person", watched.place / "cwd"
    paths = [
        str(person / "secret.yaml"),
        str(cwd),
        "/dev/zero",
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/tty",
    ]
    paths += [
        "~/.ssh/id_rsa",
        "secret.txt",
        "../secret.txt",
        str(watched.home / "presets"),
        "x" * 4096,
    ]
    on_purpose |= {str(cwd / os.path.expanduser(path.replace("~", str(person)))) for path in paths}
    on_purpose |= {os.path.abspath(path) for path in on_purpose}
    for path in paths:
        for name, argument in (
            ("shelf_look", {"source": path}),
            ("shelf_add", {"source": path, "pair": "stolen", "kind": "base"}),
        ):
            answer = watched.call(name, argument)
            assert "error" in answer, (name, path, answer)
            assert answer["error"] != UNEXPECTED, (name, path, watched.log.read_text()[-3000:])
            assert "root:" not in answer["error"]
            assert CANARY not in answer["error"]
            assert SECRET not in answer["error"]


def test_every_public_endpoint_withstands_hostile_arguments(watched: Watched) -> None:
    info = json.loads(watched.ask("GET", "/gradio_api/info").text)
    assert info["unnamed_endpoints"] == {}
    assert set(info["named_endpoints"]) == {
        f"/{name}" for name in ("models", "presets", "preset", "render", "tokens", "score", "ask")
    }
    for name, endpoint in info["named_endpoints"].items():
        arguments = Arguments(seed=len(name))
        for _ in range(CALLS):
            data = [arguments.value_for(part["type"], {}) for part in endpoint["parameters"]]
            joined = watched.ask("POST", f"/gradio_api/call{name}", {"data": data})
            assert joined.status == 200, (name, data, joined)
            event = json.loads(joined.text)["event_id"]
            said = watched.ask("GET", f"/gradio_api/call{name}/{event}").text
            assert said.startswith("event: "), (name, data, said)
            last = said.strip().rpartition("event: ")[2]
            assert last.startswith(("complete", "error")), (name, data, said)
            if last.startswith("error"):
                sentence = json.loads(last.partition("data: ")[2])
                assert sentence, (name, data, watched.log.read_text()[-3000:])
                assert sentence["error"] not in (UNEXPECTED, None), (
                    name,
                    data,
                    watched.log.read_text()[-3000:],
                )
                assert not told_too_much(sentence["error"], watched), (name, data, sentence)
            assert CANARY not in said


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"data":[]}',
        b'{"data":[],"fn_index":99999,"session_hash":"x"}',
        b'{"data":[],"fn_index":0,"session_hash":"x","event_data":{}}',
        b'{"data":[],"fn_index":0,"session_hash":"x","event_data":null}',
        b'{"data":[],"fn_index":0,"session_hash":"x","event_data":{"request":5}}',
        b'{"data":"x","component_id":99999,"session_hash":"x","fn_name":"models"}',
        b'{"data":"x","component_id":"a","session_hash":"x","fn_name":"models"}',
        b'{"data":"x","component_id":1,"session_hash":"x","fn_name":"__init__"}',
        b'{"data":"x","component_id":1,"session_hash":[],"fn_name":"models"}',
        b'{"data":' + b"[" * 50_000,
        b"\xff\xfe",
    ],
)
def test_gradios_own_routes_withstand_broken_requests(watched: Watched, body: bytes) -> None:
    for path in (
        "queue/join",
        "component_server/",
        "cancel",
        "reset",
        "call/ask",
        "call/nothing",
        "call/v2/ask",
    ):
        answer = watched.ask("POST", f"/gradio_api/{path}", body)
        assert answer.status < 600
        assert not told_too_much(answer.text, watched), (path, answer)
