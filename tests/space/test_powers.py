"""Every power that a Space takes away, tried with its row in the table and without it.

A probe says whether the power can be had. With the whole table none can; with a row taken out that one can.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from playground.chat.compare import SideFinished
from playground.chat.conversation import Conversation
from playground.engines.base import Cancel
from playground.engines.fake import FakeEngine
from playground.errors import PlaygroundError, PresetError
from playground.models.catalog import ModelEntry
from playground.presets.hub import push
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.settings import Settings
from playground.space.config import Limits
from playground.space.gate import VISITOR, SpaceGate
from playground.space.powers import ARGUMENTS, BY_NAME, CALLS, PAGES, STREAMS, Powers
from playground.ui.api import PageApi
from playground.ui.streaming import Runs
from playground.ui.strings import Strings
from tests.presets.hub_server import TOKEN, SmallHub

LIMITS = Limits(tokens=5, requests_per_minute=1000, calls_per_minute=100_000, samples=2, idle_minutes=1)
PRESET = {"name": "mine", "template": "basechat", "system": "Be kind.", "sampling": {"max_tokens": 400}}
PAIR = "pair: fake\nbase: {gguf: base.gguf}\ninstruct: {gguf: instruct.gguf}\n"
OTHER = "pair: other\nbase: {gguf: base.gguf}\n"
SERVED = "pair: served\nbase: {server: 'http://127.0.0.1:9/v1'}\n"
LISTED = frozenset(("fake/base", "fake/instruct", "served/base"))


class Lab:
    """A Space's parts in one process, over fake engines, with some rows of the table."""

    def __init__(self, folder: Path, taken: frozenset[str]) -> None:
        self.folder = folder
        self.powers = Powers(taken)
        self.clock = 0.0
        models = folder / "shipped_models"
        models.mkdir(parents=True, exist_ok=True)
        for name, text in {"fake": PAIR, "other": OTHER, "served": SERVED}.items():
            (models / f"{name}.yaml").write_text(text)
        for name in ("base", "instruct"):
            (models / f"{name}.gguf").write_text("")
        settings = dataclasses.replace(
            Settings.load({"PLAYGROUND_HOME": str(folder / "home")}),
            shipped_models=models,
            confined=self.powers.confinement(LISTED, LIMITS),
        )
        self.bench = Workbench(settings, opener=self.open)
        self.gate = SpaceGate(self.powers, LIMITS, lambda: self.clock)
        api = PageApi(self.bench, Runs(), Strings.load(), self.gate)
        self.calls = {call.__name__: call for call in api.calls()}
        self.streams = {stream.kind: stream for stream in api.streams()}

    def open(self, entry: ModelEntry) -> FakeEngine:
        return FakeEngine(name=entry.id)

    def call(self, name: str, /, **body: object) -> object:
        """A call as the page makes it; its refusal is raised."""
        answer = json.loads(self.calls[name](json.dumps(body)))
        if "error" in answer:
            raise PlaygroundError(answer["error"])
        return answer["value"]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    labs: list[Lab] = []

    def build(without: str | None = None) -> Lab:
        taken = frozenset(BY_NAME) - {without}
        labs.append(Lab(tmp_path / str(len(labs)), taken))
        return labs[-1]

    yield build
    for one in labs:
        one.bench.close()


def names_another_model(lab: Lab) -> bool:
    with suppress(PlaygroundError):
        return bool(lab.bench.engine("other/base").info)
    return False


def reads_by_path(lab: Lab) -> bool:
    """A preset, a GGUF and a folder, by the calls that take names of presets and models."""
    preset = lab.folder / "secret.yaml"
    preset.write_text("name: secret\nsystem: A secret.\n")
    model = lab.folder / "secret.gguf"
    model.write_text("")
    (lab.folder / "config.json").write_text("{}")
    got = []
    with suppress(PlaygroundError):
        side = {"id": "A", "model": "fake/base", "preset": str(preset)}
        shown = lab.call(
            "preview", sides=[side], draft=PRESET, conversation=CONVERSATION, text="hi", pieces=True
        )
        got.append("A secret." in json.dumps(shown))
    for path in (model, lab.folder):
        with suppress(PlaygroundError):
            got.append(bool(lab.bench.catalog.get(str(path))))
    with suppress(PlaygroundError):
        got.append(bool(lab.bench.presets.load(str(preset))))
    return any(got)


CONVERSATION = Conversation().ask("hi").to_json()


def leaves_an_upload(lab: Lab) -> bool:
    with suppress(PlaygroundError):
        lab.call(
            "data_part", file="f", name="a.jsonl", text='{"prompt": "a", "completion": "b"}\n', last=True
        )
        return bool(lab.call("data_rows", file="f"))
    return False


def writes_to_disk(lab: Lab) -> bool:
    from playground.engines.cores import CoreShare
    from playground.services.opening import ModelOpener

    opener = ModelOpener(lab.bench.settings, CoreShare(), lab.bench.load_settings)
    keeps = bool(opener.spec(lab.bench.catalog.get("fake/base")).cache_dir)
    with suppress(PlaygroundError):
        keeps |= bool(lab.bench.downloads)
    return keeps


def fetches(lab: Lab) -> bool:
    """An address that nobody answers is another refusal than that of the table."""
    try:
        lab.call("import_presets", address="http://127.0.0.1:9/preset.yaml")
    except PlaygroundError as error:
        return str(error) != BY_NAME["fetching"].refused
    return True


def pushes(lab: Lab) -> bool:
    """With the token that the owner gave the Space, and a Hub that takes it."""
    import huggingface_hub
    from huggingface_hub import constants

    hub = SmallHub()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.endpoint)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_TOKEN_PATH", "/nonexistent")
        patch.setenv("HF_TOKEN", TOKEN)
        environ = dict(os.environ)
        lab.powers.clear_environment(environ)
        if "HF_TOKEN" not in environ:
            patch.delenv("HF_TOKEN")
        try:
            push(Preset.checked(PRESET), "me/presets")
        except PresetError:
            return False
        finally:
            huggingface_hub.close_session()
            hub.close()
    return True


def uses_a_server(lab: Lab) -> bool:
    with suppress(PlaygroundError):
        return lab.bench.catalog.get("served/base").source().engine == "server"
    return False


def keeps_history(lab: Lab) -> bool:
    asked = {"question": "hi", "base": "fake/base", "aligned": "fake/instruct", "draft": None, "study": "s"}
    try:
        lab.call("shift", **asked)
    except PlaygroundError as error:
        return str(error) != BY_NAME["history"].refused
    return True


def saves_a_preset(lab: Lab) -> bool:
    with suppress(PlaygroundError):
        lab.bench.presets.save(Preset.checked(PRESET))
    with suppress(PlaygroundError):
        lab.call("save_preset", draft={**PRESET, "name": "other"})
    return any(lab.bench.settings.presets_dir.glob("*"))


def shows_the_environment(lab: Lab) -> bool:
    environ = {"PATH": "/bin", "MY_SECRET": "x", "GRADIO_TOKEN": "y", "DATABASE_URL": "z", "LANG": "C"}
    lab.powers.clear_environment(environ)
    said = lab.gate.sentence("The file /home/owner/private/model.gguf cannot be read.")
    return not {"MY_SECRET", "GRADIO_TOKEN", "DATABASE_URL"}.isdisjoint(environ) or "/home" in said


def works_without_bound(lab: Lab) -> bool:
    body = {
        "run": "r",
        "sides": [{"id": "A", "model": "fake/base", "preset": "@draft"}],
        "draft": PRESET,
        "conversation": CONVERSATION,
    }
    stream = lab.streams["run"]
    from playground.ui.gate import Caller

    events = lab.gate.run(stream, stream.read(json.dumps(body)), Cancel(), Caller({}, "s"))
    (end,) = [event for event in events if isinstance(event, SideFinished)]
    assert end.reply.error is None
    assert end.reply.usage.completion_tokens
    return end.reply.usage.completion_tokens > LIMITS.tokens


def an_idle_tab_keeps_its_place(lab: Lab) -> bool:
    for n in range(LIMITS.sessions):
        lab.gate.places.connect(str(n))
    lab.clock += 61
    return lab.gate.places.is_full()


def asks_what_nobody_listed(lab: Lab) -> bool:
    with suppress(PlaygroundError):
        lab.gate.enter("written_tomorrow", "{}")
        return True
    return False


PROBES: dict[str, Callable[[Lab], bool]] = {
    "other models": names_another_model,
    "paths": reads_by_path,
    "uploads": leaves_an_upload,
    "writes": writes_to_disk,
    "fetching": fetches,
    "pushes": pushes,
    "server engines": uses_a_server,
    "history": keeps_history,
    "presets on the server": saves_a_preset,
    "environment": shows_the_environment,
    "unbounded work": works_without_bound,
    "idle places": an_idle_tab_keeps_its_place,
    "unlisted": asks_what_nobody_listed,
}


def test_every_row_has_a_probe() -> None:
    assert set(PROBES) == set(BY_NAME)


@pytest.mark.parametrize("power", PROBES)
def test_a_power_is_gone_with_its_row_and_back_without_it(power: str, lab: Callable[..., Lab]) -> None:
    assert not PROBES[power](lab())
    assert PROBES[power](lab(without=power))


def test_every_call_of_a_row_is_refused_with_it_and_let_in_without_it() -> None:
    for name, needed in CALLS.items():
        whole = SpaceGate(Powers(), LIMITS)
        if needed is None:
            whole.enter(name, "{}")
            continue
        with pytest.raises(PlaygroundError) as refused:
            whole.enter(name, "{}")
        assert str(refused.value) == BY_NAME[needed].refused
        SpaceGate(Powers(frozenset(BY_NAME) - {needed}), LIMITS).enter(name, "{}")
    for (name, argument), needed in ARGUMENTS.items():
        with pytest.raises(PlaygroundError):
            SpaceGate(Powers(), LIMITS).enter(name, json.dumps({argument: "x"}))
        SpaceGate(Powers(), LIMITS).enter(name, json.dumps({argument: None}))
        assert needed in BY_NAME


def test_the_page_is_told_what_is_offered_and_nothing_else(lab: Callable[..., Lab]) -> None:
    page = lab()
    facts = page.call("boot", name="friendly")
    assert isinstance(facts, dict)
    offered = facts["space"]["calls"]
    assert set(offered) == {name for table in (CALLS, STREAMS) for name, need in table.items() if not need}
    assert facts["space"]["pages"] == [name for name, need in PAGES.items() if not need]
    assert [model["id"] for model in facts["models"]] == ["fake/base", "fake/instruct"]
    # Of all calls that the page has, those not offered are refused, whoever wrote them.
    for name in page.calls:
        answer = json.loads(page.calls[name]("{}"))
        if name not in offered:
            assert answer["error"] in {power.refused for power in BY_NAME.values()}, name


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    gate = SpaceGate(Powers(), Limits(calls_per_minute=3, requests_per_minute=1), lambda: 0.0)
    for address in ("a", "b"):
        VISITOR.set(address)
        for _ in range(3):
            gate.enter("preview", "{}")
        with pytest.raises(PlaygroundError, match="try again in 20 s"):
            gate.enter("preview", "{}")
        gate.enter("score", "{}")
        with pytest.raises(PlaygroundError, match="try again in 60 s"):
            gate.enter("score", "{}")
    VISITOR.set("")
