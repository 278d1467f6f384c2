"""What the page can ask about presets, without a browser: texts from outside, saves that are refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playground.engines.fake import FakeEngine
from playground.presets.library import file_digest
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.settings import Settings
from playground.ui.api import PageApi
from playground.ui.streaming import Runs
from playground.ui.strings import Strings

Ask = Callable[..., dict[str, object]]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Ask for a call by its name; its value, or what it says went wrong under ``error``."""
    with Workbench(
        Settings.load({"PLAYGROUND_HOME": str(tmp_path)}), opener=lambda entry: FakeEngine()
    ) as bench:
        calls = {call.__name__: call for call in PageApi(bench, Runs(), Strings.load()).calls()}

        def asked(name: str, /, **body: object) -> dict[str, object]:
            answer = json.loads(calls[name](json.dumps(body)))
            value = answer.get("value", answer)
            return value if isinstance(value, dict) else {"value": value}

        yield asked


def sent(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"data": sent(b"\0\1\2caf\xe9"), "name": "program.bin"},
            "program.bin is not text (byte 6)",
        ),
        ({"data": sent(b""), "name": "none.txt"}, "none.txt is empty"),
        ({"data": "***", "name": "cut.txt"}, "cut.txt did not arrive whole"),
        ({"data": "é" * 8, "name": "cut.txt"}, "cut.txt did not arrive whole"),
        ({"data": sent(b"x" * 2_000_001), "name": "large.txt"}, "larger than 2 MB"),
        (
            {"data": sent(b"name: x\nsytem: y\n"), "name": "C:\\typo.yaml"},
            "typo.yaml: line 2, column 1: unknown key",
        ),
        ({"text": "  \n"}, "the text is empty"),
        ({"text": "#preset=1.broken"}, "damaged or was cut"),
        ({"address": "file:///etc/passwd"}, "is no address"),
        ({"address": "/etc/passwd"}, "is no address"),
        ({"address": "http://127.0.0.1:9/x"}, "a private network"),
        ({"text": "x", "path": "/etc/passwd"}, "reload the page"),
    ],
)
def test_what_cannot_be_imported_is_a_sentence(ask: Ask, body: dict[str, object], said: str) -> None:
    assert said in str(ask("import_presets", **body)["error"])


def test_an_import_saves_nothing_and_shows_the_prompt(ask: Ask, tmp_path: Path) -> None:
    text = "Be brief.\n\nUser: hi\nAssistant: Hello.\n\nUser: A wren?\nAssistant: A bird.\n"
    (found,) = ask("import_presets", data=sent(text.encode("utf-16")), name="talk.txt")["value"]  # type: ignore[misc]
    assert found["format"] == "transcript"
    assert found["draft"]["name"] == "talk"
    assert found["notes"][0] == "It is in UTF-16 and was read as such."
    assert "".join(piece[0] for piece in found["prompt"]["pieces"]).startswith("Be brief.\n\nUser: hi\n")
    assert not (tmp_path / "presets").exists()


def test_of_several_presets_those_that_can_be_are_saved(ask: Ask, tmp_path: Path) -> None:
    drafts = [{"name": "one"}, {"name": "../two"}, {"name": "friendly"}, {"name": "one"}, {"nome": "x"}]
    answer = ask("save_presets", drafts=drafts)
    assert answer["saved"] == ["one"]
    refused = answer["refused"]
    assert isinstance(refused, list)
    assert [name for name, _ in refused] == ["../two", "friendly", "one", ""]
    assert [path.name for path in (tmp_path / "presets").iterdir()] == ["one.yaml"]


def test_a_template_that_there_is_not_is_shown_and_not_rendered(ask: Ask) -> None:
    view = ask("view_preset", draft={"name": "x", "template": "nowhere"})
    assert view["prompt"] is None
    assert "nowhere" in str(view["problem"])


def test_a_save_tells_what_is_in_its_way(ask: Ask, tmp_path: Path) -> None:
    saved = ask("save_preset", draft={"name": "mine", "system": "1"})
    path = tmp_path / "presets" / "mine.yaml"
    assert saved["digest"] == file_digest(path)
    token = saved["folder"]
    assert ask("preset_folder", token=token) == {"value": None}
    path.write_text("name: mine\n# on the notes\nnotes: x\nsystem: theirs  # ours\n")
    listed = ask("preset_folder", token=token)["presets"]
    assert isinstance(listed, list)
    assert next(one for one in listed if one["name"] == "mine")["digest"] == file_digest(path)
    body: dict[str, object] = {"draft": {"name": "mine", "system": "2"}, "overwrite": True}
    assert "somebody else" in str(ask("save_preset", **body, expected=saved["digest"])["conflict"])
    assert ask("save_preset", **body, expected=file_digest(path)) == {"comments": [[2, "# on the notes"]]}
    assert "theirs" in path.read_text()
    kept = ask("save_preset", **body, expected=file_digest(path), drop_comments=True)
    assert kept["digest"] == file_digest(path)
    assert path.read_text() == "schema: 2\nname: mine\nsystem: '2'  # ours\n"


def test_a_conflict_offers_both_where_no_part_clashes(ask: Ask, tmp_path: Path) -> None:
    base = {"name": "mine", "system": "1"}
    ask("save_preset", draft=base | {"notes": "theirs"})
    apart = ask("conflict", name="mine", base=base, mine=base | {"title": "T"})
    assert apart["clashing"] == []
    merged = apart["merged"]
    assert isinstance(merged, dict)
    assert (merged["title"], merged["notes"]) == ("T", "theirs")
    assert ask("conflict", name="mine", base=base, mine=base)["merged"] is None, "theirs alone"
    clash = ask("conflict", name="mine", base=base, mine=base | {"notes": "mine"})
    assert clash["clashing"] == ["notes"]
    assert clash["merged"] is None
    (tmp_path / "presets" / "mine.yaml").write_text("name: [")
    assert "not valid YAML" in str(ask("conflict", name="mine", base=base, mine=base)["problem"])
    assert "There is no preset" in str(ask("conflict", name="../mine", base=base, mine=base)["error"])


def test_a_preset_saved_as_another_remembers_what_it_was_made_from(ask: Ask) -> None:
    parent = {"name": "old", "system": "1", "results": [{"measure": "m", "value": 1.0}]}
    saved = ask("save_preset", draft=parent | {"name": "new", "system": "2"}, parent=parent)
    draft = saved["draft"]
    assert isinstance(draft, dict)
    assert draft["derived_from"] == {"name": "old", "hash": Preset.checked(parent).content_hash()}
    assert draft["results"] == [], "they were measured with the old one"
    rows = ask("lineage", name="new")["value"]
    assert isinstance(rows, list)
    assert [(row["name"], row["depth"], row["present"]) for row in rows] == [
        ("old", 0, False),
        ("new", 1, True),
    ]


def test_a_link_that_is_too_long_says_so(ask: Ask) -> None:
    found = ask(
        "link_preset", draft={"name": "long", "system": "".join(chr(0x4E00 + n) for n in range(9_000))}
    )
    assert found["fragment"] is None
    assert "send its file instead" in str(found["too_long"])
