"""A preset as a link's fragment: whole, short, and never trusted."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import PresetError
from playground.presets.library import read_preset
from playground.presets.link import FRAGMENT, MAX_LINK_CHARS, LinkTooLongError, decode_link, encode_link
from playground.presets.preset import Preset, PresetExample
from playground.settings import Settings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(system=TEXT, prefix=st.none() | TEXT, query=TEXT, stop=st.lists(TEXT.filter(str.strip), max_size=2))
def test_what_goes_in_comes_out(system: str, prefix: str | None, query: str, stop: list[str]) -> None:
    examples = (PresetExample(query=query, answer="a"),)
    preset = Preset(name="p", system=system, prefix=prefix, examples=examples, stop=tuple(stop))
    fragment = encode_link(preset)
    assert decode_link(fragment) == preset
    assert decode_link(f"http://127.0.0.1:7860/{fragment}") == preset
    assert set(fragment) <= set("#=.-_") | set(map(chr, (*range(48, 58), *range(65, 91), *range(97, 123))))


def test_shipped_presets_fit_a_link() -> None:
    for path in Settings.load().shipped_presets.glob("*.yaml"):
        preset = read_preset(path)
        assert decode_link(encode_link(preset)) == preset


def test_too_long_for_a_link_is_said() -> None:
    noise = "".join(chr(0x4E00 + (i * 7919) % 20000) for i in range(8000))
    with pytest.raises(LinkTooLongError, match=r"send its file") as caught:
        encode_link(Preset(name="p", system=noise))
    assert caught.value.chars > MAX_LINK_CHARS


def _packed(text: bytes) -> str:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.urlsafe_b64encode(deflate.compress(text) + deflate.flush()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("link", "word"),
    [
        ("", "holds no preset"),
        ("http://127.0.0.1/", "holds no preset"),
        (FRAGMENT + "x.abc", "holds no preset"),
        (FRAGMENT + "9.abc", "version 9"),
        (FRAGMENT + "1.@@@", "damaged"),
        (FRAGMENT + "1." + _packed(b"{}")[:-2], "damaged"),
        (FRAGMENT + "1." + _packed(b"[" * 100_000), "damaged"),
        (FRAGMENT + "1." + _packed(b"[1]"), "top level"),
        (FRAGMENT + "1." + _packed(b'{"name": "x", "run": 1}'), "unknown key 'run'"),
        (FRAGMENT + "1." + _packed(b'{"name": "x", "system": "\\ud800"}'), "half a character"),
        (FRAGMENT + "1." + _packed(b" " * 100_000_000), "unpacks to more"),
    ],
)
def test_what_is_no_such_link(link: str, word: str) -> None:
    with pytest.raises(PresetError, match=word):
        decode_link(link)


def test_an_old_link_is_migrated() -> None:
    packed = _packed(json.dumps({"schema": 1, "name": "old"}).encode())
    assert decode_link(f"{FRAGMENT}1.{packed}").language == "en"
