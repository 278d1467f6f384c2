"""Comments of a preset's file stay where they belong when the file is written anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.presets.preset import Preset, PresetExample
from playground.presets.yaml_comments import keep_comments
from playground.presets.yaml_text import comments

OLD = """\
# yaml-language-server: $schema=preset.schema.json
name: garden  # the name
# why this template
template: urial_v4
system: |  # beside a block
  You garden. # this is text
  # and this
examples:
  # the first one
  - query: a
    answer: b  # short on purpose
  # the second one
  - query: c
    # over the answer
    answer: |
      d
sampling: # flow or block
  temperature: 0.5
stop:
  - "x" # a stop
# at the end
"""


def kept(new: Preset) -> tuple[str, list[str]]:
    text, lost = keep_comments(OLD, new.to_yaml())
    assert Preset.from_yaml(text) == new
    return text, [one.text for one in lost]


def test_all_comments_stay_where_nothing_is_removed() -> None:
    old = Preset.from_yaml(OLD)
    text, lost = kept(old.model_copy(update={"system": "Other text\nof two lines.", "title": "T"}))
    assert lost == []
    assert [one.text for one in comments(text)] == [one.text for one in comments(OLD)]
    for line in (
        "name: garden  # the name",
        "# why this template\ntemplate: urial_v4",
        "system: |-  # beside a block",
        "  # the first one\n  - query: a",
        "    answer: b  # short on purpose",
        "    # over the answer\n    answer: |",
        "stop:\n  - x  # a stop\n# at the end\n",
    ):
        assert line in text
    assert text.startswith("# yaml-language-server: $schema=preset.schema.json\nschema: 2\n")
    again, lost_again = keep_comments(text, Preset.from_yaml(text).to_yaml())
    assert (again, lost_again) == (text, ())


def test_comments_follow_their_example_and_go_with_it() -> None:
    old = Preset.from_yaml(OLD)
    first, second = old.examples
    text, lost = kept(old.model_copy(update={"examples": (second, first)}))
    assert lost == []
    assert "  # the second one\n  - query: c\n    # over the answer\n    answer: |" in text
    text, lost = kept(old.model_copy(update={"examples": (second,)}))
    assert lost == ["# the first one", "# short on purpose"]
    assert "  # the second one\n  - query: c" in text
    changed = first.model_copy(update={"query": "another"})
    text, lost = kept(old.model_copy(update={"examples": (changed, second)}))
    assert lost == []
    assert "  # the first one\n  - query: another" in text
    new = PresetExample(query="new", answer="new")
    text, lost = kept(old.model_copy(update={"examples": (new, first, second)}))
    assert lost == []
    assert "  # the first one\n  - query: a" in text


@pytest.mark.parametrize("update", [{"stop": ()}, {"template": "basechat"}, {"system": ""}])
def test_comments_of_a_removed_part_are_named(update: dict[str, object]) -> None:
    _, lost = kept(Preset.from_yaml(OLD).model_copy(update=update))
    key = {"stop": "# a stop", "template": "# why this template", "system": "# beside a block"}
    assert lost == [key[next(iter(update))]]


WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff"), max_size=12
)
PRESETS = st.builds(
    lambda system, pairs, stop: Preset(
        name="x",
        system=system,
        examples=tuple(PresetExample(query=q, answer=a) for q, a in pairs),
        stop=tuple(s for s in stop if s.strip()),
    ),
    st.text(st.sampled_from("ab #\n:-'\"|冰"), max_size=40),
    st.lists(st.tuples(WORDS, WORDS), max_size=3, unique_by=lambda pair: pair[0]),
    st.lists(WORDS, max_size=2, unique=True),
)


@given(PRESETS, PRESETS, st.data())
def test_a_save_with_comments_says_what_the_preset_says(
    old: Preset, new: Preset, data: st.DataObject
) -> None:
    lines = old.to_yaml().split("\n")
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        note = f"# {data.draw(WORDS)}"
        if data.draw(st.booleans()):
            lines.insert(at, note)
        elif lines[at].rstrip().endswith(":"):
            lines[at] += f" {note}"
    text = "\n".join(lines)
    try:
        was = Preset.from_yaml(text)
    except Exception:  # noqa: BLE001 - a comment inside a block is text, which may be none that a preset takes
        return
    found = comments(text)
    written, lost = keep_comments(text, new.to_yaml())
    assert Preset.from_yaml(written) == new
    stayed = [one.text for one in comments(written)]
    assert sorted(stayed + [one.text for one in lost]) == sorted(one.text for one in found)
    same, nothing = keep_comments(text, was.to_yaml())
    assert nothing == () or was != old
    assert Preset.from_yaml(same) == was
