"""Rates, places and turns, each with a clock of the test's own or with events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.chat.compare import SideDelta, SideEvent, SideFinished
from playground.engines.base import Cancel, GenerateRequest
from playground.engines.bounded import BoundedEngine
from playground.engines.fake import FakeEngine
from playground.errors import PlaygroundError, UnsupportedError
from playground.space.config import Limits, SpaceConfig, config_text, read_config
from playground.space.gate import SCOPE_KEY, SpaceGate
from playground.space.powers import Powers
from playground.space.turns import Turns
from playground.space.visitors import Places, Rate, address_of
from playground.types import Origin, Piece, Reply, SamplingParams
from playground.ui.api.binding import Stream
from playground.ui.gate import Caller
from playground.ui.wire_format import RunIn, StreamIn


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_visitor_has_so_many_a_minute_and_others_have_their_own() -> None:
    clock = Clock()
    rate = Rate(3, clock)
    assert [rate.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert rate.take("a") == pytest.approx(20.0)
    assert rate.take("b") == 0.0
    clock.now += 20.0
    assert rate.take("a") == 0.0
    assert rate.take("a") > 0
    clock.now += 600.0
    assert sum(rate.take("a") == 0.0 for _ in range(10)) == 3, "what was not used is not saved up"


def test_the_table_of_visitors_does_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.space.visitors._MOST_VISITORS", 50)
    rate = Rate(1)
    for n in range(500):
        rate.take(f"visitor {n}")
    assert len(rate) == 50


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxied", "address"),
    [
        ("10.0.0.9", "9.9.9.9", True, "9.9.9.9"),
        ("10.0.0.9", "1.1.1.1, 9.9.9.9, 10.1.2.3", True, "9.9.9.9"),  # what a visitor writes stands in front
        ("10.0.0.9", "1.1.1.1, 9.9.9.9", False, "10.0.0.9"),
        ("10.0.0.9", "", True, "10.0.0.9"),
        ("10.0.0.9", "nonsense", True, "10.0.0.9"),
        ("127.0.0.1", "192.168.1.5", True, "192.168.1.5"),
        ("::1", "2a00:1450:1:2:3:4:5:6", True, "2a00:1450:1:2::/64"),
        ("unknown", "", True, "unknown"),
    ],
)
def test_an_address_is_what_the_outermost_proxy_saw(
    peer: str, forwarded: str, proxied: bool, address: str
) -> None:
    assert address_of(peer, forwarded, proxied=proxied) == address


def test_an_idle_tab_gives_up_its_place_and_a_closed_one_is_forgotten() -> None:
    clock = Clock()
    places = Places(2, 60.0, clock)
    places.connect("a")
    places.connect("b")
    places.connect("b")
    assert places.is_full()
    clock.now += 59.0
    places.hear("a")
    clock.now += 2.0
    assert not places.is_full(), "b was not heard of for a minute"
    assert not places.disconnect("b")
    assert places.disconnect("b"), "its last connection"
    assert not places.disconnect("b")
    places.hear("b")
    assert len(places) == 1


def test_turns_come_in_order_and_whoever_has_fewer_comes_first() -> None:
    turns = Turns(running=2, queue=3, each=3)
    entered: list[str] = []
    leave = {name: threading.Event() for name in ("a1", "a2", "a3", "b1", "c1")}
    waiting = threading.Condition()

    def visit(name: str) -> None:
        with turns.turn(name[0], Cancel()) as mine:
            assert mine
            with waiting:
                entered.append(name)
                waiting.notify_all()
            assert leave[name].wait(10)

    def start(name: str, *, runs: bool) -> threading.Thread:
        thread = threading.Thread(target=visit, args=(name,))
        thread.start()
        with waiting:
            assert waiting.wait_for(lambda: not runs or name in entered, 10)
        while not runs and turns.counts()[1] < 3 and name not in queued():
            pass
        return thread

    def queued() -> list[str]:
        return ["a3", "b1", "c1"][: turns.counts()[1]]

    threads = [start("a1", runs=True), start("a2", runs=True)]
    threads += [start(name, runs=False) for name in ("a3", "b1", "c1")]
    with pytest.raises(PlaygroundError, match="3 others are waiting"), turns.turn("d", Cancel()):
        pass
    with pytest.raises(PlaygroundError, match="3 of your requests"), turns.turn("a", Cancel()):
        pass
    for name in ("a1", "a2", "b1", "a3", "c1"):
        leave[name].set()
        with waiting:
            wanted = min(len(entered) + 1, 5)
            waiting.wait_for(lambda wanted=wanted: len(entered) >= wanted, 10)
    for thread in threads:
        thread.join(10)
    assert entered == ["a1", "a2", "b1", "a3", "c1"], "b came before a, which had another place still"
    assert turns.counts() == (0, 0)


def test_who_waits_and_stops_leaves_the_queue() -> None:
    turns = Turns(running=1, queue=5, each=2)
    stop = Cancel()
    got: list[bool] = []

    def wait() -> None:
        with turns.turn("b", stop) as mine:
            got.append(mine)

    with turns.turn("a", Cancel()):
        thread = threading.Thread(target=wait)
        thread.start()
        while turns.counts()[1] == 0:
            pass
        stop.set()
        thread.join(10)
        assert got == [False]
        assert turns.counts() == (1, 0)


def request(**changed: object) -> RunIn:
    return RunIn.model_validate(
        {
            "run": "r1",
            "sides": [{"id": "A", "model": "m", "preset": "none"}],
            "draft": {},
            "conversation": "{}",
            **changed,
        }
    )


def caller(address: str = "9.9.9.9") -> Caller:
    return Caller({SCOPE_KEY: address}, "session")


def gate(**limits: object) -> SpaceGate:
    return SpaceGate(Powers(), Limits.model_validate(limits))


def stream_of(*events: SideEvent, kind: str = "run") -> Stream:
    def answer(query: StreamIn, cancel: Cancel) -> Iterator[SideEvent]:
        yield from events

    return Stream.of(kind, RunIn, answer)


def test_a_run_takes_its_turn_and_gives_it_back() -> None:
    door = gate(requests_per_minute=2, samples=2)
    events = [SideDelta("A", "x"), SideFinished("A", Reply("x"))]
    assert list(door.run(stream_of(*events), request(), Cancel(), caller())) == events
    assert door.turns.counts() == (0, 0)
    begun = door.run(stream_of(*events), request(), Cancel(), caller())
    next(begun)
    assert door.turns.counts() == (1, 0)
    begun.close()  # type: ignore[attr-defined]
    assert door.turns.counts() == (0, 0), "a run that nobody reads any more has no place"
    with pytest.raises(PlaygroundError, match="more than one visitor may ask"):
        door.run(stream_of(*events), request(), Cancel(), caller())
    assert list(door.run(stream_of(*events), request(), Cancel(), caller("8.8.8.8"))) == events
    sides = [{"id": f"S{n}", "model": "m", "preset": "none"} for n in range(3)]
    with pytest.raises(PlaygroundError, match="At most 2 answers"):
        door.run(stream_of(*events), request(sides=sides), Cancel(), caller("7.7.7.7"))
    with pytest.raises(PlaygroundError, match="not offered"):
        door.run(stream_of(*events, kind="new"), request(), Cancel(), caller("7.7.7.7"))


def test_a_run_ends_when_its_time_is_over() -> None:
    stopped = threading.Event()

    def answer(query: StreamIn, cancel: Cancel) -> Iterator[SideEvent]:
        cancel.on_set(stopped.set)
        assert stopped.wait(10)
        yield SideFinished("A", Reply("", finish_reason="cancelled"))

    stream = Stream.of("run", RunIn, answer)
    assert len(list(gate(seconds=0.05).run(stream, request(), Cancel(), caller()))) == 1


def test_the_engine_writes_no_more_than_the_limit() -> None:
    engine = BoundedEngine(FakeEngine(), max_tokens=5, samples=3)
    prompt = (Piece("Say something long.", Origin("turn", "query")),)
    asked = GenerateRequest(prompt, SamplingParams(max_tokens=500))
    written = [event for event in engine.generate([asked]) if hasattr(event, "usage")]
    assert written[0].usage.completion_tokens <= 5
    with pytest.raises(UnsupportedError, match="4 samples were asked for and at most 3"):
        list(engine.generate([GenerateRequest(prompt, n=4)]))
    engine.close()


def test_the_settings_file_says_every_limit_and_is_read_back(tmp_path: Path) -> None:
    config = SpaceConfig(
        title='A "Space" 中文',
        models=("wren/base",),
        hosts=("a.example",),
        limits=Limits(tokens=99, idle_minutes=2.5, proxied=False),
    )
    path = tmp_path / "space.toml"
    path.write_text(config_text(config), encoding="utf-8")
    assert read_config(path) == config
    for name in Limits.model_fields:
        assert f"\n{name} = " in config_text(config)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models = []", "space.toml: models: "),
        ('models = ["a"]\n[limits]\ntoken = 3', "space.toml: limits.token: "),
        ('models = ["a"]\n[limits]\ntokens = 0', "space.toml: limits.tokens: "),
        ("models = [", "no TOML file"),
    ],
)
def test_a_wrong_settings_file_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(PlaygroundError, match=said) as refused:
        read_config(tmp_path / "space.toml")
    assert "\n" not in str(refused.value)
    with pytest.raises(PlaygroundError, match="cannot be read"):
        read_config(tmp_path / "nothing.toml")
