"""Presets on their way out, and those that several people work on: formats, the Hub, conflicts, descent."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from playground.exports.formats import FORMATS, export_preset
from playground.presets.library import read_preset
from playground.presets.link import decode_link
from playground.presets.preset import Preset
from tests.presets.hub_server import TOKEN
from tests.ui.conftest import PresetServer, Tab, module
from tests.ui.test_keys import check

STORE = module("store.js")


@pytest.fixture
def here(open_tab: Callable[..., Tab], preset_server: PresetServer) -> Tab:
    return open_tab(preset_server, permissions=["clipboard-read", "clipboard-write"])


def choose(page: Page, action: str) -> None:
    """Choose something in the menu of the preset."""
    page.get_by_label("Preset actions").click()
    page.click(f"[data-action={action}]")


def shared(server: PresetServer, name: str, text: str) -> Path:
    """A person's own preset, as a colleague writes it."""
    path = server.own(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def open_own(page: Page, name: str) -> None:
    page.wait_for_selector(f"#preset option[value={name}]", state="attached")
    page.select_option("#preset", name)
    # Not wait_for_function: since Playwright 1.65 it takes a promise for true, whatever it resolves to.
    page.evaluate(
        f"""async (name) => {{
            const {{ session, on }} = await {STORE};
            if (session.saved.name !== name) await new Promise((opened) => on('opened', opened));
        }}""",
        name,
    )
    assert page.evaluate(f"{STORE}.then(({{ session }}) => session.saved.name)") == name


def test_a_preset_leaves_as_link_and_in_every_format(here: Tab, preset_server: PresetServer) -> None:
    page = here.page
    page.select_option("#preset", "chinese")
    page.wait_for_function("document.getElementById('draft-system').value.includes('下面')")
    page.fill("#draft-system", "你好 & <b>edited</b>")
    preset = read_preset(preset_server.home / "shipped_presets" / "chinese.yaml")
    preset = preset.model_copy(update={"system": "你好 & <b>edited</b>"})
    choose(page, "share")
    link = page.input_value("#share-link")
    assert link.startswith(preset_server.url + "#preset=1.")
    assert decode_link(link) == preset
    page.locator("[data-part='share.link']").get_by_role("button", name="Copy").click()
    page.locator("[data-part='share.link']").get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == link
    offered = page.locator("#share-format option").evaluate_all("all => all.map((e) => e.value)")
    assert sorted(offered) == sorted(FORMATS)
    for name in FORMATS:
        exported = export_preset(preset, name)
        page.select_option("#share-format", name)
        page.wait_for_function(
            "text => document.getElementById('share-text').value === text",
            arg=exported.text.replace("\r", ""),
        )
        told = page.locator("#share-lost li").all_text_contents()
        assert told == (list(exported.lost) or ["Nothing is lost."])
    with page.expect_download() as waited:
        page.select_option("#share-format", "yaml")
        page.wait_for_function("document.getElementById('share-text').dataset.file === 'chinese.yaml'")
        page.locator("[data-part='share.formats']").get_by_role("button", name="Download").click()
    assert waited.value.suggested_filename == "chinese.yaml"
    assert waited.value.path().read_text(encoding="utf-8") == preset.to_yaml()
    check(here, "share")
    page.keyboard.press("Escape")

    draw = random.Random(1)
    page.fill("#draft-system", "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(6_000)))
    choose(page, "share")
    part = page.locator("[data-part='share.link']")
    part.get_by_text("send its file instead").wait_for()
    with page.expect_download() as waited:
        part.get_by_role("button", name="Download its file").click()
    assert read_preset(waited.value.path()).system == page.input_value("#draft-system")


def test_the_hub_by_hand(here: Tab, preset_server: PresetServer) -> None:
    page = here.page
    hub, token = preset_server.hub, preset_server.home / "hub-token"
    part = page.locator("[data-part='share.hub']")
    choose(page, "share")
    part.get_by_text("hf auth login").wait_for()
    assert part.get_by_role("button", name="Push").is_disabled()
    page.keyboard.press("Escape")
    token.write_text(TOKEN)
    choose(page, "share")

    def push(said: str) -> None:
        part.get_by_role("button", name="Push").click()
        part.locator(".share-state").get_by_text(said).wait_for()

    page.fill("#share-hub", "me")
    push("OWNER/NAME")
    page.fill("#share-hub", "me/prompts")
    push("which was made")
    assert hub.repositories["me/prompts"].private
    files = hub.repositories["me/prompts"].files
    assert set(files) == {"presets/friendly.yaml"}
    push("the same there already")
    page.keyboard.press("Escape")
    page.fill("#draft-system", "Changed.")
    choose(page, "share")
    assert page.input_value("#share-hub") == "me/prompts", "kept"
    push("holds another preset")
    page.check("#share-over")
    push("is in me/prompts")
    assert b"Changed." in files["presets/friendly.yaml"]

    files["presets/theirs.yaml"] = b"name: theirs\nsystem: From them.\n"
    files["presets/bad.yaml"] = b"name: bad\nrun: rm\n"
    part.get_by_role("button", name="Pull from there").click()
    page.get_by_role("button", name="Look").click()
    page.wait_for_selector("#found-which option:nth-child(2)", state="attached")
    assert page.locator("#found-which option").all_text_contents() == ["Friendly assistant", "theirs"]
    assert "unknown key 'run'" in page.locator(".found-refused").inner_text()
    page.select_option("#found-which", "1")
    page.get_by_role("button", name="Save all 2").click()
    page.locator(".import .problem").get_by_text("ships with the program").wait_for()
    assert preset_server.own("theirs").is_file(), "what could be saved is"
    preset_server.own("theirs").unlink()
    token.unlink()


def test_a_preset_that_somebody_else_changed(here: Tab, preset_server: PresetServer) -> None:
    page = here.page
    base = Preset(name="team", title="Team", system="One.", description="First.")
    path = shared(preset_server, "team", base.to_yaml())
    open_own(page, "team")

    # they change one part, the person another: both can be had
    path.write_text(base.model_copy(update={"description": "Theirs."}).to_yaml())
    page.locator(".notice").get_by_text("Somebody else changed the file of “Team”").wait_for()
    page.fill("#draft-system", "Mine.")
    page.locator(".notice").get_by_text("Compare…").click()
    page.get_by_text("both can be had in one").wait_for()
    check(here, "conflict")
    assert page.locator("[data-part=system] .diff-cell").all_text_contents() == ["One.", "Mine."]
    page.click("[data-choice=merge]")
    page.wait_for_selector(".conflict", state="detached")
    assert "Theirs." not in page.input_value("#draft-system")
    page.click("[data-action=save]")
    page.locator(".notice").get_by_text("Saved “Team”").wait_for()
    assert read_preset(path) == base.model_copy(update={"description": "Theirs.", "system": "Mine."})

    # both change the same: a save says so before anything is replaced
    theirs = base.model_copy(update={"system": "Theirs."})
    page.fill("#draft-system", "Mine again.")
    path.write_text(theirs.to_yaml())
    page.click("[data-action=save]")
    page.get_by_text("You both changed: System text").wait_for()
    assert read_preset(path) == theirs
    page.click("[data-choice=keep]")
    page.wait_for_selector(".conflict", state="detached")
    assert read_preset(path).system == "Mine again."

    page.fill("#draft-system", "Mine once more.")
    path.write_text(theirs.to_yaml())
    page.click("[data-action=save]")
    page.click("[data-choice=save_as]")
    page.fill("#save-name", "team-two")
    page.locator(".dialog").last.locator("button[type=submit]").click()
    page.wait_for_selector(".conflict", state="detached")
    assert read_preset(preset_server.own("team-two")).system == "Mine once more."
    assert read_preset(path) == theirs

    open_own(page, "team")
    page.fill("#draft-system", "Mine at last.")
    path.write_text(theirs.model_copy(update={"system": "Their last."}).to_yaml())
    page.click("[data-action=save]")
    page.click("[data-choice=take]")
    page.wait_for_function("document.getElementById('draft-system').value === 'Their last.'")
    page.wait_for_selector(".conflict", state="detached")
    assert not page.locator(".unsaved").is_visible()
    page.focus("#draft-system")
    page.keyboard.press("Control+Z")
    page.wait_for_function("document.getElementById('draft-system').value === 'Mine at last.'")

    path.write_text("name: team\nsystem: [\n")
    page.click("[data-action=save]")
    page.get_by_text("Their version cannot be read").wait_for()
    page.keyboard.press("Escape")
    path.unlink()
    page.locator(".notice").get_by_text("Its text stays in the editor").wait_for()
    assert page.input_value("#draft-system") == "Mine at last."
    preset_server.own("team-two").unlink()


def test_comments_survive_a_save_and_those_of_removed_parts_are_named(
    here: Tab, preset_server: PresetServer
) -> None:
    page = here.page
    text = "# for the <b>team</b>\nname: noted\nsystem: One. # why\n"
    path = shared(preset_server, "noted", text)
    open_own(page, "noted")
    page.fill("#draft-system", "Two.")
    page.click("[data-action=save]")
    page.locator(".notice").get_by_text("Saved").wait_for()
    assert path.read_text() == "# for the <b>team</b>\nschema: 2\nname: noted\nsystem: Two.  # why\n"
    page.fill("#draft-system", "")
    page.click("[data-action=save]")
    page.locator(".comments li").first.wait_for()
    assert page.locator(".comments li").all_text_contents() == ["Line 4 # why"]
    page.keyboard.press("Escape")
    assert "Two." in path.read_text()
    assert page.locator(".unsaved").is_visible()
    page.click("[data-action=save]")
    page.get_by_role("button", name="Save without").click()
    page.locator(".unsaved").wait_for(state="hidden")
    assert path.read_text() == "# for the <b>team</b>\nschema: 2\nname: noted\n"
    path.unlink()


def test_save_as_remembers_the_parent_and_the_tree_compares_any_two(
    here: Tab, preset_server: PresetServer
) -> None:
    page = here.page
    parent = read_preset(preset_server.home / "shipped_presets" / "screenplay.yaml")
    open_own(page, "screenplay")
    for name in ("child", "grandchild"):
        page.fill("#draft-system", f"I am the {name}.")
        choose(page, "save_as")
        page.fill("#save-title", name)
        page.click(".dialog button[type=submit]")
        page.wait_for_selector(f"#preset option[value={name}]", state="attached")
    child, grandchild = (read_preset(preset_server.own(name)) for name in ("child", "grandchild"))
    assert child.derived_from is not None
    assert grandchild.derived_from is not None
    assert (child.derived_from.name, child.derived_from.hash) == ("screenplay", parent.content_hash())
    assert (grandchild.derived_from.name, grandchild.derived_from.hash) == ("child", child.content_hash())

    choose(page, "history")
    rows = page.locator(".lineage-tree li")
    rows.nth(2).wait_for()
    assert rows.evaluate_all("all => all.map((e) => e.dataset.name)") == ["screenplay", "child", "grandchild"]
    assert "this one" in rows.nth(2).inner_text()
    check(here, "history")
    assert rows.locator("input:checked").count() == 2, "it and its parent"
    rows.nth(0).locator("input").check()
    assert rows.evaluate_all("all => all.map((e) => e.querySelector('input').checked)") == [True, False, True]
    page.get_by_role("button", name="Compare the two").click()
    page.wait_for_selector(".diff [data-part=system]")
    cells = page.locator(".diff [data-part=system] .diff-cell").all_text_contents()
    assert "I am the grandchild." in cells
    page.keyboard.press("Escape")
    page.wait_for_selector(".diff", state="detached")

    # a parent that was changed since is said to be
    preset_server.own("child").write_text(child.model_copy(update={"system": "Other."}).to_yaml())
    page.keyboard.press("Escape")
    page.wait_for_selector(".lineage", state="detached")
    choose(page, "history")
    page.locator("[data-name=grandchild]").get_by_text("was changed since").wait_for()
    page.locator("[data-name=screenplay]").get_by_role("button", name="Open").click()
    page.wait_for_selector(".lineage", state="detached")
    assert page.input_value("#preset") == "screenplay"
    for name in ("child", "grandchild"):
        preset_server.own(name).unlink()
