"""The models page in a browser: downloads from a hub on the loopback, adding, memory, loading."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.models.hub_server import Hosted, HubServer
from tests.ui.conftest import Server, Tab, fake_home, free_port, serve
from tests.ui.test_keys import check

WREN = Path(__file__).parents[2] / "models" / "wren"
PAIR = """
pair: {name}
title: {name}
license: Apache-2.0
languages: [en]
parameters: 2_000_000
tried: false
architecture: hybrid
historic: true
base:
  gguf: {{repository: someone/{name}, file: {name}.Q8_0.gguf}}
"""
FAR = """
pair: far
title: Far
license: Apache-2.0
languages: [en, de]
context: 1024
base:
  gguf: {repository: someone/Far-GGUF, file: far.F16.gguf}
  sampling: {source: "A paper", temperature: 0.3, repetition_penalty: 1.15}
instruct:
  gguf: {repository: someone/Far-Instruct-GGUF, file: far-instruct.F16.gguf}
"""
# By repository: how it fails, and what the page says.
FAULTS: dict[str, tuple[Hosted, str]] = {
    "damaged": (Hosted({}, sent={"damaged.Q8_0.gguf": b"y" * 5000}), "arrived damaged"),
    "private": (Hosted({}, token="secret"), "or it is private"),
    "gated": (Hosted({}, status=401, code="GatedRepo"), "accept its terms at"),
    "gone": (Hosted({}, status=404, code="EntryNotFound"), "is gone from"),
    "full": (Hosted({}, claimed={"full.Q8_0.gguf": 10**16}), "the download needs 10000000.0 GB more"),
}


class Gate:
    """Holds a file back once ``share`` of it was sent, until it is opened."""

    def __init__(self, hub: HubServer, size: int) -> None:
        self.open = threading.Event()
        self._hub, self._from = hub, size // 2

    def __call__(self, sent: int) -> None:
        while sent > self._from and not self.open.wait(0.05) and not self._hub.closing.is_set():
            continue


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        for kind in ("base", "instruct"):
            data = (WREN / f"wren-{kind}-f16.gguf").read_bytes()
            name = "Far-GGUF" if kind == "base" else "Far-Instruct-GGUF"
            file = "far.F16.gguf" if kind == "base" else "far-instruct.F16.gguf"
            server.repositories[f"someone/{name}"] = Hosted({file: data, "README.md": b"x"})
        for name, (hosted, _) in FAULTS.items():
            hosted.files[f"{name}.Q8_0.gguf"] = b"x" * 5000
            server.repositories[f"someone/{name}"] = hosted
        stalled = Hosted({"stalled.Q8_0.gguf": b"x" * 500_000}, stall_after=[200_000])
        server.repositories["someone/stalled"] = stalled
        yield server


@pytest.fixture(scope="module")
def server(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    user = tmp_path_factory.mktemp("user")
    (home / "models").mkdir()
    (home / "models" / "far.yaml").write_text(FAR)
    for name in (*FAULTS, "stalled"):
        (home / "models" / f"{name}.yaml").write_text(PAIR.format(name=name))
    studio = user / ".lmstudio" / "models" / "someone" / "finch"
    studio.mkdir(parents=True)
    shutil.copy(WREN / "wren-base-f16.gguf", studio / "Finch-Instruct.F16.gguf")
    surroundings = {
        "HOME": str(user),
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(user / "hf"),
        "HF_HUB_DOWNLOAD_TIMEOUT": "60",
    }
    port = str(free_port())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in surroundings.items():
            patch.setenv(name, value)
        for name in ("HF_TOKEN", "HF_HUB_CACHE", "OLLAMA_MODELS"):
            patch.delenv(name, raising=False)
        yield from serve([sys.executable, "-m", "playground", "serve", "--no-browser", "--port", port], home)


@pytest.fixture
def tab(open_tab: Callable[..., Tab], server: Server) -> Tab:
    opened: Tab = open_tab(server)
    return opened


def open_models(tab: Tab) -> Page:
    tab.page.click(".pages-nav [data-page=models]")
    tab.page.wait_for_selector(".pair-card")
    return tab.page


def row(page: Page, model: str) -> Locator:
    return page.locator(f'.model-row[data-model="{model}"]')


def press(page: Page, model: str, action: str) -> None:
    row(page, model).locator(f"[data-action={action}]").click()


def wait_for(page: Page, model: str, action: str, group: str = "") -> None:
    """Until a model offers an action, in a group of the list where one is named."""
    place = page.locator(f"#models-{group}") if group else page.locator("body")
    button = place.locator(f'.model-row[data-model="{model}"] .model-actions [data-action={action}]')
    expect(button).to_be_visible(timeout=60_000)


def pick(page: Page, model: str, action: str) -> None:
    """Something in a model's menu."""
    row(page, model).locator(".menu-button").click()
    press(page, model, action)


def test_a_model_is_pulled_paused_resumed_loaded_verified_and_deleted(
    tab: Tab, hub: HubServer, server: Server
) -> None:
    page = open_models(tab)
    hosted = hub.repositories["someone/Far-GGUF"]
    hosted.wait = gate = Gate(hub, len(hosted.files["far.F16.gguf"]))
    facts = page.locator("[data-pair=far] .pair-facts").inner_text()
    assert facts == "context 1,024 · English, German · Apache-2.0"
    gone = page.locator("[data-pair=gone] .pair-facts").inner_text()
    assert all(word in gone for word in ("historic", "hybrid", "not tried yet"))
    assert "F16 · someone/Far-GGUF" in row(page, "far/base").inner_text()
    press(page, "far/base", "download")
    expect(row(page, "far/base").locator(".model-state")).to_contain_text(
        re.compile(r"[\d.]+ [kM]B of [\d.]+ MB"), timeout=60_000
    )
    page.wait_for_function("""document.querySelector('[data-model="far/base"] progress').value > 0.2""")
    press(page, "far/base", "pause")
    expect(row(page, "far/base").locator(".model-state")).to_contain_text("paused at ")
    tab.open()
    page.wait_for_selector(".pair-card")
    expect(row(page, "far/base").locator(".model-state")).to_contain_text("paused at ")
    gate.open.set()
    press(page, "far/base", "resume")
    wait_for(page, "far/base", "load", "here")
    asked = [request[2] for request in hub.requests if "resolve" in request[1] and "far.F16" in request[1]]
    assert (len(asked), asked[0]) == (2, "")
    assert int(asked[1].removeprefix("bytes=").removesuffix("-")) > 0

    press(page, "far/base", "load")
    wait_for(page, "far/base", "unload")
    expect(row(page, "far/base").locator(".model-state")).to_have_text(
        re.compile(r"loaded · context 1,024 · takes \d+(\.\d)? MB")
    )
    assert re.search(r"\d models loaded, \d+", page.locator("#models-resources").inner_text())

    pick(page, "far/base", "verify")
    press(page, "far/base", "unload")
    wait_for(page, "far/base", "load")
    expect(row(page, "far/base").locator(".model-state")).to_have_text("files are as downloaded")
    path = server.home / "models" / "files" / "someone--Far-GGUF" / "far.F16.gguf"
    right = path.read_bytes()
    path.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    pick(page, "far/base", "verify")
    expect(row(page, "far/base").locator(".model-problem")).to_contain_text("is not what was downloaded")

    pick(page, "far/base", "delete")
    assert "far.F16.gguf" in page.locator("dialog").inner_text()
    page.click("dialog button.danger")
    wait_for(page, "far/base", "download")
    assert not path.exists()


def test_what_goes_wrong_with_a_download_is_said_in_its_row(tab: Tab, server: Server) -> None:
    page = open_models(tab)
    for name in FAULTS:
        press(page, f"{name}/base", "download")
    for name, (_, words) in FAULTS.items():
        expect(row(page, f"{name}/base").locator(".model-problem")).to_contain_text(words, timeout=90_000)
        expect(row(page, f"{name}/base").locator("[data-action=resume]")).to_be_visible()
    # One that stalls is said to, and given up at once.
    press(page, "stalled/base", "download")
    expect(row(page, "stalled/base").locator(".model-state")).to_contain_text(
        re.compile(r"\d+ kB of 500 kB · Nothing has come for \d+ s; it is tried again"), timeout=90_000
    )
    for name in (*FAULTS, "stalled"):
        press(page, f"{name}/base", "cancel")
        wait_for(page, f"{name}/base", "download")
    left = [path.name for path in (server.home / "models" / "files").rglob("*") if path.suffix == ".part"]
    assert left == []
    page.fill("#models-search", "gon apache")
    assert page.locator(".pair-card:visible").count() == 1
    page.fill("#models-search", "nothing like it")
    assert page.locator("text=No model fits these words.").is_visible()


def test_a_conversation_stands_while_its_models_are_unloaded_and_switched(tab: Tab) -> None:
    page = tab.page
    tab.ask("What is the capital of Japan?")
    before = tab.answer("A")
    assert before
    open_models(tab)
    wait_for(page, "wren/base", "unload")
    press(page, "wren/base", "unload")
    wait_for(page, "wren/base", "load")
    expect(page.locator(".chip.unloaded")).to_have_count(1)
    if row(page, "far/instruct").locator("[data-action=download]").count():
        press(page, "far/instruct", "download")
    wait_for(page, "far/instruct", "load", "here")
    pick(page, "far/instruct", "use_B")
    page.click(".pages-nav [data-page=chat]")
    assert page.input_value("#model-B") == "far/instruct"
    assert tab.answer("A") == before
    # Side A's model is loaded again by asking it.
    tab.ask("What is the capital of France?")
    assert page.locator(".turn").count() == 4
    assert tab.answer("A", 0) == before
    assert tab.answer("B")
    expect(page.locator(".chip.ready")).to_have_count(2)
    # The model selects list what has to be downloaded apart, with the way there.
    missing = page.locator("#model-A optgroup[label='Not downloaded'] option")
    assert "far/base" in missing.evaluate_all("all => all.map((one) => one.value)")
    page.select_option("#model-A", "@models")
    page.wait_for_selector(".models-page:visible")
    page.click(".pages-nav [data-page=chat]")
    assert page.input_value("#model-A") == "wren/base"


def test_models_are_added_judged_paired_and_taken_out_again(tab: Tab, server: Server) -> None:
    page = open_models(tab)
    page.click("#models-add")
    page.fill("#add-source", "/nowhere/x.gguf")
    page.press("#add-source", "Enter")
    expect(page.locator("dialog .dialog-problem").first).to_contain_text("There is no model at")
    assert page.locator("dialog button[type=submit]").is_disabled()
    # One click on what another program left here; its name says instruct, its file has no template.
    page.locator(".add-list li", has_text="Finch-Instruct").locator("button").click()
    wait_for(page, "finch-instruct-f16/instruct", "load", "here")
    added = row(page, "finch-instruct-f16/instruct")
    expect(added.locator(".model-remark")).to_contain_text("It carries no chat template")
    pick(page, "finch-instruct-f16/instruct", "kind")
    page.click("dialog button[type=submit]")
    treated = row(page, "finch-instruct-f16/base")
    expect(treated.locator(".model-remark")).to_contain_text(
        "Listed as base, but it reads as instruct: its name says 'instruct'."
    )
    listed = (server.home / "models" / "finch-instruct-f16.yaml").read_text()
    assert "base:" in listed
    assert "instruct:" not in listed

    # A copy of it, looked at first: what it may pair with is offered, and names that are taken are refused.
    copy = server.home / "finch.gguf"
    data = (WREN / "wren-instruct-f16.gguf").read_bytes()
    copy.write_bytes(data.replace(b"wren instruct", b"wren unmarked"))
    page.click("#models-add")
    assert "listed as finch-instruct-f16/base" in page.locator(".add-list").inner_text()
    page.fill("#add-source", str(copy))
    page.click("#add-look")
    expect(page.locator(".add-reads")).to_contain_text("reads as instruct: it carries a chat template")
    check(tab, "add")
    page.fill("#add-pair", "../escape")
    page.click("dialog button[type=submit]")
    expect(page.locator("dialog .dialog-problem").last).to_contain_text("is no name for a pair")
    page.fill("#add-pair", "wren")
    page.click("dialog button[type=submit]")
    expect(page.locator("dialog .dialog-problem").last).to_contain_text(
        "There is a model wren/instruct already"
    )
    page.fill("#add-pair", "finch")
    page.check("dialog input[value=base]")
    page.click("dialog button[type=submit]")
    wait_for(page, "finch/base", "load", "here")
    expect(row(page, "finch/base").locator(".model-remark")).to_contain_text(
        "It carries a chat template, which it is not given"
    )

    # It gets another name and title; a side that answers with it follows.
    pick(page, "finch/base", "use_B")
    pick(page, "finch/base", "rename")
    page.fill("#rename-pair", "wren")
    page.click("dialog button[type=submit]")
    expect(page.locator("dialog .dialog-problem")).to_contain_text("There is a model wren/base already")
    page.fill("#rename-pair", "goldfinch")
    page.fill("#rename-title", "Goldfinch, without its template")
    check(tab, "rename")
    page.click("dialog button[type=submit]")
    wait_for(page, "goldfinch/base", "load", "here")
    assert "Goldfinch, without its template" in row(page, "goldfinch/base").inner_text()
    page.wait_for_function("document.querySelector('#model-B').value === 'goldfinch/base'")
    assert not page.locator('[data-model="finch/base"]').count()

    # A file of a repository is chosen, listed and downloaded.
    page.click("#models-add")
    page.fill("#add-source", "someone/Far-GGUF")
    page.press("#add-source", "Enter")
    expect(page.locator(".add-files li")).to_have_text([re.compile(r"far\.F16\.gguf[\d.]+ MB")])
    page.fill("#add-pair", "near")
    page.click("dialog button[type=submit]")
    wait_for(page, "near/base", "load", "here")
    pick(page, "near/base", "delete")
    page.click("dialog button.danger")
    wait_for(page, "near/base", "download")

    for model in ("finch-instruct-f16/base", "goldfinch/base", "near/base"):
        pick(page, model, "take_out")
        page.click("dialog button.danger")
        expect(row(page, model)).to_have_count(0)
    assert copy.exists()
    assert not (server.home / "models" / "goldfinch.yaml").exists()


def test_memory_is_told_before_loading_and_settings_are_kept(tab: Tab, server: Server) -> None:
    page = open_models(tab)
    model = row(page, "wren/base")
    if model.locator("[data-action=unload]").count():
        press(page, "wren/base", "unload")
        wait_for(page, "wren/base", "load")
    model.locator(".unfold").click()
    total = model.locator(".memory-total")
    expect(total).to_have_text(re.compile(r"takes about [\d.]+ MB of [\d.]+ GB free"), timeout=60_000)
    sheet = model.locator(".model-sheet")
    expect(sheet).to_contain_text("reads as base: its name says 'base'")
    expect(sheet).to_contain_text("wren/instruct: the same architecture (llama) and a name alike")
    check(tab, "models")
    slider = model.locator("input[type=range]")
    shown = [total.inner_text()]
    slider.focus()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    expect(model.locator("output")).to_have_text("512 tokens")
    shown.append(total.inner_text())
    kept = server.home / "load-settings.json"
    page.wait_for_function(
        "() => document.querySelector('[aria-busy=false] output')?.textContent === '512 tokens'"
    )
    model.locator("[data-setting=n_batch]").fill("8")
    model.locator("[data-setting=n_batch]").press("Tab")
    expect(model.locator(".model-loading .problem")).to_contain_text("Batch is a whole number from 32 to")
    model.locator("[data-setting=n_batch]").fill("64")
    model.locator("[data-setting=n_batch]").press("Tab")
    model.locator("[data-setting=k_type]").select_option("q8_0")
    expect(model.locator(".memory-legend")).not_to_have_text("")
    page.wait_for_function(
        "before => !document.querySelector('.memory-total').textContent.includes('estimating')"
        " && document.querySelector('.memory-total').textContent !== before",
        arg=shown[-1],
    )
    shown.append(total.inner_text())
    sizes = [float(re.findall(r"([\d.]+) MB", text)[0]) for text in shown]
    assert sizes[0] > sizes[1] > sizes[2]
    assert json.loads(kept.read_text())["wren/base"] == {"n_ctx": 512, "n_batch": 64, "k_type": "q8_0"}
    press(page, "wren/base", "load")
    expect(model.locator(".model-state")).to_contain_text("loaded · context 512", timeout=60_000)
    tab.open()
    page.wait_for_selector(".pair-card")
    row(page, "wren/base").locator(".unfold").click()
    expect(row(page, "wren/base").locator("output")).to_have_text("512 tokens", timeout=60_000)
    row(page, "wren/base").locator(".load-foot button").first.click()
    expect(row(page, "wren/base").locator("[data-action=reload]")).to_be_visible()
    press(page, "wren/base", "reload")
    expect(row(page, "wren/base").locator(".model-state")).to_contain_text("context 1,024", timeout=60_000)
    assert json.loads(kept.read_text()) == {}


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Over fake engines: a model that is slow to load, and one that fits only where nothing else is."""
    home = fake_home(tmp_path_factory.mktemp("slow-home"))
    (home / "models").mkdir()
    for name in ("slow", "huge"):
        (home / "models" / f"{name}.gguf").write_bytes(b"")
        (home / "models" / f"{name}.yaml").write_text(f"pair: {name}\nbase: {{gguf: ./{name}.gguf}}\n")
    script = Path(__file__).with_name("fake_page.py")
    yield from serve([sys.executable, str(script), str(free_port()), str(home)], home)


def test_a_load_is_cancelled_and_what_is_unloaded_to_make_room_is_said(
    open_tab: Callable[..., Tab], fake: Server
) -> None:
    tab = open_tab(fake)
    page = open_models(tab)
    press(page, "slow/base", "load")
    wait_for(page, "slow/base", "cancel_load")
    assert row(page, "slow/base").locator("progress").is_visible()
    press(page, "slow/base", "cancel_load")
    wait_for(page, "slow/base", "load")
    (fake.home / "go").write_text("")
    wait_for(page, "fake/base", "unload")
    press(page, "huge/base", "load")
    notice = page.locator(".notice", has_text="is unloaded to make room for huge/base, which needs about")
    expect(notice.first).to_be_visible()
    wait_for(page, "fake/base", "load")
    wait_for(page, "huge/base", "unload")
