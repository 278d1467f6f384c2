"""The gallery, and presets that come from elsewhere: pasted, dropped, out of a link."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from playground.chat.assistant import preset_renderer
from playground.imports.urial import import_prompt_file
from playground.presets.library import read_preset
from playground.presets.link import encode_link
from playground.presets.preset import Preset
from playground.types import Message
from tests.ui.conftest import PresetServer, Tab, module
from tests.ui.test_keys import check

FIXTURES = Path(__file__).parents[1] / "imports" / "fixtures"
DROP = """files => {
  const data = new DataTransfer();
  for (const [name, text] of files) {
    data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
  }
  const options = { dataTransfer: data, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new DragEvent('dragenter', options));
  const covered = !document.querySelector('.drop-veil').hidden;
  document.body.dispatchEvent(new DragEvent('drop', options));
  return [covered, document.querySelector('.drop-veil').hidden];
}"""
STORE = module("store.js")


@pytest.fixture
def here(open_tab: Callable[..., Tab], preset_server: PresetServer) -> Tab:
    return open_tab(preset_server)


def cards(page: Page) -> set[str]:
    names: list[str] = page.locator(".preset-card").evaluate_all("all => all.map((e) => e.dataset.name)")
    return set(names)


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    sent = [[name, base64.b64encode(content).decode()] for name, content in files]
    assert page.evaluate(DROP, sent) == [True, True], "the page is covered while a file is over it"


def draft(page: Page) -> dict[str, object]:
    found: dict[str, object] = page.evaluate(f"{STORE}.then(({{ session }}) => session.draft)")
    return found


def test_the_gallery_is_searched_looked_at_and_tried(here: Tab, preset_server: PresetServer) -> None:
    page = here.page
    shipped = {
        path.stem: read_preset(path) for path in (preset_server.home / "shipped_presets").glob("*.yaml")
    }
    page.fill("#draft-system", "Unsaved words.")
    page.click(".pages-nav [data-page=presets]")
    page.wait_for_selector(".preset-card[data-name=pirate]")
    assert cards(page) >= set(shipped)
    check(here, "gallery")

    page.fill("#gallery-search", "PIRATE")
    assert cards(page) == {"pirate", "chinese-pirate"}
    page.fill("#gallery-search", "pirate nothing-like-that")
    assert "take a word or a tag away" in page.locator(".gallery-found").inner_text()
    page.fill("#gallery-search", "")
    page.click("[data-tag=reasoning]")
    assert cards(page) == {name for name, preset in shipped.items() if "reasoning" in preset.tags}
    page.select_option("#gallery-language", "zh")
    both = {n for n, p in shipped.items() if "reasoning" in p.tags and p.language == "zh"}
    assert cards(page) == both == {"chinese-chain-of-thought"}
    page.click("[data-tag=reasoning]")
    page.select_option("#gallery-language", "")

    page.get_by_role("button", name="Classifier", exact=False).first.click()
    page.wait_for_function("document.querySelector('.gallery-panel h2')?.textContent.includes('lassifier')")
    preset = shipped["classifier"]
    prompt = preset_renderer(preset).render([Message("user", preset.questions[0])]).text
    assert page.locator(".gallery-panel .prompt-text").evaluate("e => e.textContent") == prompt
    assert page.locator(".gallery-panel .prompt-text .of-example").count() > 0

    page.click(".gallery-panel [data-action=try]")
    page.locator(".dialog").get_by_text("Discard your changes").wait_for()
    page.keyboard.press("Escape")
    assert page.locator(".gallery").is_visible(), "the person kept the draft"
    assert draft(page)["system"] == "Unsaved words."
    page.locator("[data-name=classifier] .try").click()
    page.click(".dialog button[type=submit]")
    page.wait_for_selector("#message", state="visible")
    assert draft(page)["name"] == "classifier"


def test_the_gallery_follows_its_folder_and_fits_a_phone(
    open_tab: Callable[..., Tab], preset_server: PresetServer
) -> None:
    here = open_tab(preset_server, width=390, height=844)
    page = here.page
    page.evaluate("location.hash = '#/presets'")
    page.wait_for_selector(".preset-card[data-name=pirate]")
    preset_server.own("x").parent.mkdir(exist_ok=True)
    preset_server.own("team").write_text("name: team\ntitle: From <b>afar</b>\ntags: [shared]\n")
    preset_server.own("torn").write_text("name: torn\nsystem: [\n")
    page.wait_for_selector("[data-tag=shared]")
    assert page.locator(".gallery-group").first.inner_text() == "Yours"
    assert "not valid YAML" in page.locator("[data-name=torn] .card-problem").inner_text()
    assert page.locator("[data-name=torn] .try").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="From <b>afar</b>").click()
    page.locator(".preset-sheet .prompt-text").wait_for()
    box = page.locator(".preset-sheet").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    page.keyboard.press("Escape")
    preset_server.own("team").unlink()
    page.wait_for_selector("[data-name=team]", state="detached")
    preset_server.own("torn").unlink()


def test_a_pasted_prompt_is_told_evened_out_and_saved_when_asked(
    here: Tab, preset_server: PresetServer
) -> None:
    page = here.page
    text = (FIXTURES / "urial/inline_fences.txt").read_text()
    page.get_by_label("Preset actions").click()
    page.click("[data-action=import]")
    page.fill("#import-text", text)
    facts = page.locator(".found-facts")
    facts.get_by_text("URIAL prompt file").wait_for()
    assert "kept verbatim" in facts.inner_text()
    assert "does not give the file's exact bytes" in page.locator(".found-notes").nth(1).inner_text()
    assert page.locator(".found .paste-preview li").count() == 2
    assert "sent as it is in the file" in page.locator(".found-part h3").inner_text()
    assert page.locator(".found-difference").is_hidden()
    page.check("#found-even")
    gone = page.locator(".found-difference .diff-cell.gone")
    assert "·" in gone.all_text_contents(), "a space at a line's end is seen"
    assert "kept verbatim" not in facts.inner_text()
    check(here, "import")
    page.fill("#found-name", "../evil")
    page.get_by_role("button", name="Save among yours").click()
    page.locator(".import .problem").get_by_text("cannot be a preset's name").wait_for()
    page.fill("#found-name", "garden")
    assert not preset_server.own("garden").exists()
    page.get_by_role("button", name="Save among yours").click()
    page.locator(".notice").get_by_text("Saved as garden").wait_for()
    even = import_prompt_file(text, name="garden").normalised
    assert read_preset(preset_server.own("garden")) == even
    assert page.locator("#preset option[value=garden]").count() == 1
    preset_server.own("garden").unlink()

    # verbatim, into the editor, and nothing on the disk
    page.get_by_label("Preset actions").click()
    page.click("[data-action=import]")
    page.fill("#import-text", text)
    page.get_by_role("button", name="Open in the editor").click()
    page.wait_for_function("document.querySelector('#draft-prefix')?.value.startsWith('# Instruction')")
    assert draft(page)["prefix"] == text
    assert list((preset_server.home / "presets").glob("imported*")) == []


def test_files_are_dropped_anywhere(here: Tab, preset_server: PresetServer) -> None:
    page = here.page
    hostile = b"name: hostile\ntitle: '<img src=x onerror=window.hacked=1>'\nexamples:\n" + (
        b"  - {query: '<script>window.hacked=1</script>', answer: '${1+1} {{7*7}}'}\n"
    )
    drop(
        page,
        ("mikupad.json", (FIXTURES / "tools/mikupad.json").read_bytes()),
        ("hostile.yaml", hostile),
        ("latin.txt", b"caf\xe9"),
    )
    page.wait_for_selector("#found-which option:nth-child(4)", state="attached")
    assert page.locator("#found-which option").all_text_contents() == [
        "Garden talk",
        "Marked",
        "<img src=x onerror=window.hacked=1>",
        "latin",  # not UTF-8, and read as what it is
    ]
    page.select_option("#found-which", "2")
    assert page.locator(".found .asked").inner_text() == "<script>window.hacked=1</script>"
    assert page.locator(".found .answered").inner_text() == "${1+1} {{7*7}}"
    assert page.evaluate("window.hacked") is None
    page.get_by_role("button", name="Save all 4 among yours").click()
    page.locator(".notice").get_by_text("4 presets saved").wait_for()
    for name in ("Garden talk", "Marked", "hostile", "latin"):
        preset_server.own(name).unlink()

    # one that fails is a sentence, and what is open then takes the next file
    drop(page, ("data.bin", b"\0\1\2"))
    page.locator(".import .problem").get_by_text("NUL character").wait_for()
    drop(page, ("rows.json", (FIXTURES / "rows/alpaca.json").read_bytes()))
    page.locator(".found-facts").get_by_text("rows of a data set").wait_for()
    assert page.locator("dialog").count() == 1
    # an address is read when the person says so, and never one of this machine
    page.fill("#import-text", "http://127.0.0.1:9/prompt.txt")
    page.get_by_role("button", name="Read this address").click()
    page.locator(".import .problem").get_by_text("private network").wait_for()


def test_a_link_opens_its_preset_and_asks_before_it_replaces_work(here: Tab) -> None:
    page = here.page
    preset = Preset(name="travels", title="旅行", system="Say 你好 & <b>hello</b>.", language="zh")
    link = encode_link(preset)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("about:blank")
    page.goto(here.server.url + link)
    page.wait_for_function("document.getElementById('draft-system')?.value.startsWith('Say 你好')")
    assert draft(page)["name"] == "travels"
    assert not any(link[1:20] in url.partition("#")[0] for url in asked), "no request names it"
    page.wait_for_function("location.hash === '#/chat'")
    page.locator(".unsaved").wait_for()
    here.open()
    assert draft(page)["title"] == "旅行"

    other = encode_link(Preset(name="second", system="Second."))
    page.evaluate("link => { location.hash = link; }", other)
    page.locator(".dialog").get_by_text("Discard your changes").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_function("location.hash === '#/chat'")
    assert draft(page)["name"] == "travels"
    page.evaluate("link => { location.hash = link; }", other)
    page.click(".dialog button[type=submit]")
    page.wait_for_function("document.getElementById('draft-system').value === 'Second.'")
    page.evaluate("link => { location.hash = link; }", other[:60])
    page.locator(".notice.error").get_by_text("damaged or was cut").wait_for()
    assert json.dumps(draft(page)["name"]) == '"second"'
