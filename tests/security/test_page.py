"""A real browser: the policy lets the page alone work, hostile texts stay texts, other sites are kept out."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from playground.ui.page_files import page_path
from tests.security.conftest import Watched, start
from tests.security.hostile import TEXTS
from tests.ui.conftest import Tab, free_port

PATIENT_MS = 120_000  # nothing here is about time
VIOLATIONS = """
window.violations = [];
addEventListener('securitypolicyviolation', (event) =>
  window.violations.push([event.effectiveDirective, event.blockedURI, event.sample]));
"""


DRAWN = """name => document.querySelector(`.pages-nav a[data-page=${name}]`).hasAttribute('aria-current')
  && (name === 'chat' || document.querySelector(`section.page[data-page=${name}]`)?.childElementCount > 0)"""


def violations(tab: Tab) -> list[list[str]]:
    found: list[list[str]] = tab.page.evaluate("window.violations")
    return found


def test_the_page_works_under_its_policy_and_nothing_else_does(
    watched: Watched, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(watched)
    tab.page.set_default_timeout(PATIENT_MS)
    tab.context.add_init_script(VIOLATIONS)
    tab.open()
    tab.ask("markup please")
    pages = tab.page.eval_on_selector_all(".pages-nav a", "all => all.map((one) => one.dataset.page)")
    assert {"chat", "notebook", "shift"} <= set(pages)
    for name in pages:
        tab.page.evaluate("name => { location.hash = `#/${name}`; }", name)
        tab.page.wait_for_function(DRAWN, arg=name)
    assert violations(tab) == []

    tab.forgive += ["Content Security Policy", "Content-Security-Policy", "https://example.org", "ERR_"]
    tab.page.evaluate(
        """() => {
          const place = document.createElement('div');
          document.body.append(place);
          place.innerHTML = `<img src="data:," onerror="window.hacked = 1">
            <svg onload="window.hacked = 2"></svg>
            <img src="https://example.org/x.png"><iframe src="https://example.org/"></iframe>
            <a id="bad" href="javascript:window.hacked = 3">x</a>`;
          const script = document.createElement('script');
          script.textContent = 'window.hacked = 4';
          place.append(script);
          const elsewhere = document.createElement('script');
          elsewhere.src = 'https://example.org/x.js';
          place.append(elsewhere);
          document.getElementById('bad').click();
        }"""
    )
    tab.page.wait_for_function("window.violations.length >= 6")
    assert tab.page.evaluate("window.hacked") is None
    refused = tab.page.evaluate("fetch('https://example.org/').then(() => 'read', () => 'refused')")
    assert refused == "refused"
    blocked = {directive for directive, *_ in violations(tab)}
    assert {"script-src-elem", "script-src-attr", "img-src", "frame-src", "connect-src"} <= blocked


def test_hostile_texts_are_shown_as_texts(watched: Watched, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(watched)
    page = tab.page
    page.set_default_timeout(PATIENT_MS)
    texts = [text for text in TEXTS if text.strip() and "\0" not in text and text != "\ud800"]
    hostile = "\n".join(text for text in texts if len(text) < 1_000)
    page.fill("#draft-system", hostile)
    page.fill(".example textarea.query", hostile)
    page.fill(".example textarea.answer", hostile)
    tab.ask(hostile)
    shown = page.locator(".turn .question").first.evaluate("e => e.textContent")
    for text in (
        "<script>window.hacked = 1</script>",
        "{{ ''.__class__",
        "${window.hacked = 1}",
        "\u202etxt.exe",
    ):
        assert text in shown
    tab.ask("markup")
    assert page.evaluate("window.hacked") is None
    assert page.locator(".answer script, .answer img, .answer iframe, .answer svg[onload]").count() == 0
    assert page.locator("a[href^='javascript:']").count() == 0
    tab.open()  # what was kept is drawn again
    assert page.evaluate("window.hacked") is None


class _OtherSite(BaseHTTPRequestHandler):
    """A page of somebody else, on another port of this machine, that tries what it can."""

    goal = ""

    def do_GET(self) -> None:
        body = f"""<!doctype html><title>other</title><body><script>
          const tries = {{
            read: () => fetch('{self.goal}config', {{credentials: 'include'}}).then((a) => a.text()),
            call: () => fetch('{self.goal}gradio_api/queue/join', {{method: 'POST', mode: 'no-cors',
              headers: {{'Content-Type': 'text/plain'}}, body: '{{}}'}}).then((a) => a.type),
            json: () => fetch('{self.goal}gradio_api/queue/join', {{method: 'POST',
              headers: {{'Content-Type': 'application/json'}}, body: '{{}}'}}).then((a) => a.text()),
            script: () => new Promise((done, fail) => {{ const s = document.createElement('script');
              s.src = '{self.goal}{page_path()}/dom.js'; s.onload = done; s.onerror = fail;
              document.body.append(s); }}),
            frame: () => new Promise((done) => {{ const f = document.createElement('iframe');
              f.src = '{self.goal}'; f.onload = () => done('framed'); document.body.append(f); }}),
          }};
          Promise.all(Object.entries(tries).map(([name, run]) =>
            run().then((got) => [name, String(got)], () => [name, 'refused'])))
            .then((all) => {{ window.results = Object.fromEntries(all); }});
        </script>""".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other_site(watched: Watched) -> Iterator[str]:
    handler = type("Handler", (_OtherSite,), {"goal": watched.url.replace("127.0.0.1", "localhost")})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_another_site_in_the_same_browser_reaches_nothing(
    watched: Watched, open_tab: Callable[..., Tab], other_site: str
) -> None:
    tab = open_tab(watched)
    tab.forgive += ["request to another host", "console:"]
    page = tab.context.new_page()
    page.goto(other_site)
    page.wait_for_function("window.results")
    results = page.evaluate("window.results")
    assert "components" not in results["read"]
    assert results["read"] == "refused" or "does not go by the name" in results["read"]
    assert "event_id" not in results["json"]
    assert results["script"] == "refused"
    frame = next(frame for frame in page.frames if frame != page.main_frame)
    assert frame.url.startswith("chrome-error:")


def test_a_password_keeps_everybody_else_out(tmp_path: Path, open_tab: Callable[..., Tab]) -> None:
    port = free_port()
    (tmp_path / "home").mkdir()
    command = [sys.executable, "-m", "playground", "serve", "--no-browser", "--port", str(port)]
    for page in start(command, tmp_path, tmp_path / "home", PLAYGROUND_PASSWORD="correct horse"):
        assert page.ask("GET", "/").status == 401
        assert page.ask("GET", "/config").status == 401
        tab = open_tab(page, http_credentials={"username": "me", "password": "correct horse"})
        tab.page.set_default_timeout(PATIENT_MS)
        tab.ask("What is the capital of Japan?")
        assert tab.answer("A").strip()
        key = base64.b64encode(b"me:correct horse").decode()
        program = (
            "import sys; from gradio_client import Client\n"
            "page = Client(sys.argv[1], headers={'Authorization': 'Basic ' + sys.argv[2]}, verbose=False)\n"
            "print(page.predict('What is a wren?', api_name='/render')['text'])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, page.url, key], capture_output=True, text=True, timeout=60
        )
        assert "What is a wren?" in done.stdout, done.stderr[-2000:]
        assert "correct horse" not in page.log.read_text()
        assert urlsplit(page.url).hostname == "127.0.0.1"
        tab.page.close()  # before its server is
