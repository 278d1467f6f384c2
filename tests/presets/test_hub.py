"""Presets to a dataset repository and back, through huggingface_hub and a server on loopback."""

from __future__ import annotations

import pytest

from playground.errors import PresetError
from playground.presets.hub import pull, push
from playground.presets.preset import Preset
from tests.presets.hub_server import Repository, SmallHub

MINE = Preset(name="garden", system="You garden. 🌷", language="en")


def test_a_pushed_preset_comes_back_byte_for_byte(hub: SmallHub) -> None:
    pushed = push(MINE, "me/prompts")
    assert pushed.created
    assert hub.repositories["me/prompts"].private
    assert hub.repositories["me/prompts"].files == {"presets/garden.yaml": MINE.to_yaml().encode()}
    assert hub.repositories["me/prompts"].messages == ["Add preset garden"]
    assert pushed.commit == hub.repositories["me/prompts"].commits[-1]
    (pulled,) = pull("me/prompts")
    assert pulled.preset == MINE
    assert pull("me/prompts", "garden", revision=pushed.commit)[0].preset == MINE


def test_the_same_again_is_no_commit_and_another_needs_a_word(hub: SmallHub) -> None:
    push(MINE, "me/prompts", public=True)
    assert not hub.repositories["me/prompts"].private
    assert push(MINE, "me/prompts").commit == ""
    changed = MINE.model_copy(update={"system": "Other."})
    with pytest.raises(PresetError, match="holds another preset 'garden'"):
        push(changed, "me/prompts")
    assert push(changed, "me/prompts", overwrite=True).commit
    assert hub.repositories["me/prompts"].messages == ["Add preset garden", "Change preset garden"]
    push(MINE.model_copy(update={"name": "second"}), "me/prompts")
    assert [p.name for p in pull("me/prompts")] == ["garden", "second"]


def test_somebody_who_pushes_at_the_same_time_loses_nothing(hub: SmallHub) -> None:
    push(MINE, "me/prompts")
    repository = hub.repositories["me/prompts"]
    hub.before_commit = lambda: repository.commits.append("b" * 40)
    with pytest.raises(PresetError, match="at the same time; push again"):
        push(MINE.model_copy(update={"name": "second"}), "me/prompts")
    assert list(repository.files) == ["presets/garden.yaml"]


def test_what_others_put_there_is_not_trusted(hub: SmallHub) -> None:
    hub.repositories["them/prompts"] = Repository(
        private=False,
        files={
            "presets/good.yaml": b"name: anything\nsystem: s\n",
            "presets/con.yaml": b"name: con\n",
            "presets/bad.yaml": b"name: x\nrun: rm\n",
            "presets/latin.yaml": b"name: caf\xe9\n",
            "presets/large.yaml": b"#" * 2_000_001,
            "presets/note.txt": b"x",
            "elsewhere.yaml": b"name: x\n",
        },
    )
    pulled = {p.name: p for p in pull("them/prompts")}
    assert sorted(pulled) == ["bad", "con", "good", "large", "latin"]
    assert pulled["good"].preset is not None
    assert pulled["good"].preset.name == "good"
    for name, word in (
        ("bad", "unknown key 'run'"),
        ("con", "cannot be"),
        ("latin", "UTF-8"),
        ("large", "2.0 MB"),
    ):
        assert pulled[name].preset is None
        assert word in pulled[name].error
    assert not any("large" in asked for asked in hub.asked)  # its size was enough


def test_what_goes_wrong_is_a_sentence(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PresetError, match="no dataset me/none"):
        pull("me/none")
    push(MINE, "me/prompts", public=True)
    with pytest.raises(PresetError, match="no preset 'other'"):
        pull("me/prompts", "other")
    with pytest.raises(PresetError, match="no revision 'v9'"):
        pull("me/prompts", revision="v9")
    with pytest.raises(PresetError, match="write OWNER/NAME"):
        pull("a/b/c")
    for nobody in ("prompts", "/prompts", "me/", ""):
        with pytest.raises(PresetError, match="write OWNER/NAME"):
            push(MINE, nobody)
    assert set(hub.repositories) == {"me/prompts"}
    with pytest.raises(PresetError, match="cannot be a preset's name"):
        pull("me/prompts", "../x")
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(PresetError, match=r"refused access|private; check the name"):
        push(MINE.model_copy(update={"name": "second"}), "me/prompts")
    hub.status = 403
    with pytest.raises(PresetError, match=r"refused access to me/prompts \(403\)"):
        pull("me/prompts")


def test_offline_is_told(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PresetError, match="HF_HUB_OFFLINE"):
        pull("me/prompts")
