"""Twenty visitors at once on the bundled pair, for ten minutes (SOAK_S seconds). Run by ``make soak``.

Each is a tab: it holds a heartbeat, asks both sides through the page's own line, reads the answer as it
comes, pauses as a person would, and asks on, within the limits that a Space ships with. Now and then another
one begins to ask and is gone in mid-answer.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from playground.chat.conversation import Conversation
from playground.presets.library import PresetLibrary
from playground.settings import Settings
from playground.space.export import export
from tests.ui.conftest import Server, free_port, serve

SOAK_S = float(os.environ.get("SOAK_S", "600"))
VISITORS = 20
PAUSE_S = (2.0, 4.0)
FIRST_TOKEN_S = 2.0
STOPPED_S = 0.5
LEAVE_EVERY_S = 5.0
LOOK_EVERY_S = 60.0
LONG_ANSWERS = 4
SLACK_BYTES = 24 * 2**20
QUESTIONS = (
    "What is the capital of Japan?",
    "What does a horse eat?",
    "How do I boil an egg?",
    "What is the opposite of hot?",
    "What is 3 plus 4?",
    "What is a hammer for?",
)


@dataclass
class Visit:
    """What one visitor got."""

    served: int = 0
    tokens: int = 0
    first_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Tab:
    """A browser tab of a visitor, as its requests."""

    def __init__(self, url: str, address: str) -> None:
        self.session = f"s{random.getrandbits(60):x}"
        # A browser asks again where the server has just closed an idle connection; here none is kept.
        self.http = httpx.Client(
            base_url=url,
            headers={"X-Forwarded-For": address},
            timeout=60,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self.alive = threading.Event()
        self.heart = httpx.Client(
            base_url=url, headers={"X-Forwarded-For": address}, timeout=None, trust_env=False
        )
        config = self.http.get("/config").raise_for_status().json()
        wire = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "wire")
        self.line = next(
            one["id"]
            for one in config["dependencies"]
            if [wire, "click"] in one["targets"] and one["backend_fn"]
        )
        self.wire = wire
        self.beating = threading.Thread(target=self._beat, daemon=True)
        self.beating.start()
        assert self.alive.wait(30)

    def _beat(self) -> None:
        try:
            with self.heart.stream("GET", f"/gradio_api/heartbeat/{self.session}") as answer:
                for _ in answer.iter_raw():
                    self.alive.set()
        except (httpx.HTTPError, RuntimeError, OSError):
            return

    def ask(self, body: dict[str, object]) -> Iterator[str]:
        """What comes of a run, message by message; the last holds both ends."""
        joined = self.http.post(
            "/gradio_api/queue/join",
            json={
                "data": [],
                "event_data": {"request": json.dumps(body)},
                "fn_index": self.line,
                "trigger_id": self.wire,
                "session_hash": self.session,
            },
        )
        joined.raise_for_status()
        path = f"/gradio_api/queue/data?session_hash={self.session}"
        with self.http.stream("GET", path) as answer:
            for line in answer.iter_lines():
                if not line.startswith("data:"):
                    continue
                said = json.loads(line[5:])
                if said["msg"] in ("process_generating", "process_completed"):
                    yield json.dumps(said.get("output", {}))
                if said["msg"] == "process_completed":
                    return

    def leave(self) -> None:
        """Close every connection, as a closed tab does."""
        self.http.close()
        self.heart.close()


def body(draft: object, question: str, **sampling: float) -> dict[str, object]:
    """A run as the page asks for it: the base model behind the draft beside the instruct model."""
    sampling = draft["sampling"] | sampling  # type: ignore[index]
    return {
        "run": f"r{random.getrandbits(60):x}",
        "kind": "run",
        "sides": [
            {"id": "A", "model": "wren/base", "preset": "@draft"},
            {"id": "B", "model": "wren/instruct", "preset": "none"},
        ],
        "draft": {**draft, "sampling": sampling},  # type: ignore[dict-item]
        "conversation": Conversation().ask(question).to_json(),
    }


def visit(url: str, number: int, draft: object, until: float, told: Visit) -> None:
    """Ask, read, pause, until the time is over."""
    draw = random.Random(number)
    tab = Tab(url, f"9.9.9.{number + 1}")
    try:
        while time.monotonic() < until:
            time.sleep(draw.uniform(*PAUSE_S))
            began = time.monotonic()
            first = None
            said = ""
            for said in tab.ask(body(draft, draw.choice(QUESTIONS))):
                if first is None and r"\"at\":\"text\"" in said:
                    first = time.monotonic() - began
            ends = said.count(r"\"at\":\"end\"") or 2
            if first is None or r"\"error\":\"" in said or ends < 2:
                told.problems.append(said[:400])
                continue
            told.served += 1
            told.first_s.append(first)
            told.whole_s.append(time.monotonic() - began)
    except Exception as error:  # noqa: BLE001  (said by the test)
        told.problems.append(f"{type(error).__name__}: {error}")
    finally:
        tab.leave()


def leave_in_mid_answer(url: str, watch: str, number: int, draft: object) -> float:
    """Begin a long answer and go; seconds until nothing works for that visitor any more.

    At this temperature nearly every token is as likely as any, so that neither a stop nor an end comes soon.
    Negative where the answer had ended before it could be left.
    """
    address = f"8.8.{number // 250}.{number % 250 + 1}"
    tab = Tab(url, address)
    answers = tab.ask(body(draft, "What does a horse eat?", max_tokens=256, temperature=10.0))
    for said in answers:
        if r"\"at\":\"text\"" in said:
            break
    with httpx.Client(base_url=watch, trust_env=False) as watching:
        working = watching.get(f"/{address}").json()["mine"]
        answers.close()  # type: ignore[attr-defined]
        tab.leave()
        gone = time.monotonic()
        while watching.get(f"/{address}").json()["mine"]:
            assert time.monotonic() - gone < 30
            time.sleep(0.005)
        return time.monotonic() - gone if working else -1.0


def fill_caches(url: str, draft: object) -> None:
    """Have the models use all of their caches once, which take memory only as they are used."""

    def one(number: int) -> None:
        for again in range(LONG_ANSWERS):
            tab = Tab(url, f"7.7.{number}.{again + 1}")
            for _ in tab.ask(body(draft, f"{number} and {again}?", max_tokens=256, temperature=10.0)):
                pass
            tab.leave()

    with ThreadPoolExecutor(VISITORS) as pool:
        list(pool.map(one, range(VISITORS)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    export(tmp_path / "space")
    watch = free_port()
    script = Path(__file__).with_name("watched_space.py")
    ports = [str(free_port()), str(watch)]
    home = tmp_path / "home"
    home.mkdir()
    for running in serve([sys.executable, str(script), str(tmp_path / "space"), *ports], home):
        yield running, f"http://127.0.0.1:{watch}"


def held_bytes(server: Server) -> tuple[int, int]:
    """Of the page's process, and of the models' together."""
    page = psutil.Process(server.process.pid)
    models = sum(process.memory_info().rss for process in page.children(recursive=True))
    return page.memory_info().rss, models


def megabytes(held: tuple[int, int]) -> str:
    """What the page and the models hold, to be read."""
    return f"{held[0] / 1e6:.0f} + {held[1] / 1e6:.0f} MB"


def test_twenty_visitors(server: tuple[Server, str]) -> None:
    running, watch = server
    url = running.url.rstrip("/")
    library = PresetLibrary(Settings.load().shipped_presets, Path("/nonexistent"))
    draft = library.load("friendly").model_dump(mode="json", by_alias=True)
    fill_caches(url, draft)
    until = time.monotonic() + SOAK_S
    visits = [Visit() for _ in range(VISITORS)]
    threads = [
        threading.Thread(target=visit, args=(url, number, draft, until, told))
        for number, told in enumerate(visits)
    ]
    for thread in threads:
        thread.start()
    time.sleep(min(60.0, SOAK_S / 3))
    held = [held_bytes(running)]
    seen = time.monotonic()
    stops: list[float] = []
    while time.monotonic() < until - LEAVE_EVERY_S:
        stops.append(leave_in_mid_answer(url, watch, len(stops), draft))
        time.sleep(LEAVE_EVERY_S)
        if time.monotonic() - seen >= LOOK_EVERY_S:
            seen = time.monotonic()
            held.append(held_bytes(running))
    held.append(held_bytes(running))
    for thread in threads:
        thread.join(120)
    served = [told.served for told in visits]
    first = sorted(value for told in visits for value in told.first_s)
    whole = sorted(value for told in visits for value in told.whole_s)
    late = first[int(len(first) * 0.95)]
    left_early = [value for value in stops if value >= 0]
    print(
        f"\n{VISITORS} visitors for {SOAK_S:.0f} s: {sum(served)} messages to two sides, "
        f"{min(served)} to {max(served)} a visitor\n"
        f"first token: median {statistics.median(first):.2f} s, 95 % {late:.2f} s, most {first[-1]:.2f} s; "
        f"whole answers: median {statistics.median(whole):.2f} s\n"
        f"page and models, each minute: {', '.join(map(megabytes, held))}\n"
        f"{len(left_early)} of {len(stops)} tabs closed in mid-answer"
    )
    assert len(left_early) > len(stops) / 2
    print(f"work ended after {statistics.median(left_early):.2f} s (median), {max(left_early):.2f} s (most)")
    problems = [problem for told in visits for problem in told.problems]
    assert not problems, problems[:5]
    assert max(served) <= 2 * min(served)
    assert late < FIRST_TOKEN_S
    assert sum(held[-1]) - sum(held[0]) < SLACK_BYTES
    assert max(left_early) < STOPPED_S
    left = httpx.get(watch, trust_env=False).json()
    assert (left["running"], left["waiting"]) == (0, 0)
