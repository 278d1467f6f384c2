"""A whole preset as the fragment of a link, which a browser keeps to itself: no server is sent it.

``#preset=1.`` and then base64url, without padding, of the raw deflate stream of the preset's JSON (UTF-8,
defaults left out): what ``DecompressionStream("deflate-raw")`` of a browser reads too.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib

from playground.errors import PresetError
from playground.presets.migrations import SCHEMA
from playground.presets.preset import MAX_BYTES, Preset

FRAGMENT = "#preset="
VERSION = "1"
MAX_LINK_CHARS = 8_000
"""Chat programs and mail cut longer links; a file goes anywhere."""


class LinkTooLongError(PresetError):
    """A preset that does not fit a link; ``chars`` is what it would take."""

    def __init__(self, message: str, chars: int) -> None:
        super().__init__(message)
        self.chars = chars


def encode_link(preset: Preset) -> str:
    """The fragment of a link, ``#`` included: append it to the address of a page of this program.

    Raises:
        LinkTooLongError: It would take more than ``MAX_LINK_CHARS`` characters; send the file.
    """
    value = {"schema": SCHEMA, **preset.model_dump(mode="json", by_alias=True, exclude_defaults=True)}
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = base64.urlsafe_b64encode(deflate.compress(text) + deflate.flush()).decode().rstrip("=")
    fragment = f"{FRAGMENT}{VERSION}.{packed}"
    if len(fragment) > MAX_LINK_CHARS:
        raise LinkTooLongError(
            f"'{preset.name}' takes {len(fragment):,} characters as a link and links of more than "
            f"{MAX_LINK_CHARS:,} get cut on their way; send its file instead.",
            len(fragment),
        )
    return fragment


def decode_link(link: str) -> Preset:
    """The preset in a link, or in a link's fragment alone.

    Raises:
        PresetError: It is no such link, was cut, or holds no preset.
    """
    _, found, packed = link.strip().partition(FRAGMENT)
    version, dot, packed = packed.partition(".")
    if not found or not dot or not re.fullmatch("[0-9]{1,4}", version):
        raise PresetError(f"The link holds no preset; one that does has '{FRAGMENT}{VERSION}.' in it.")
    if version != VERSION:
        raise PresetError(f"The link is of version {version} and this program reads {VERSION}; update it.")
    broken = "The link is damaged or was cut on its way; ask for it again, or for the file."
    try:
        raw = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        text = inflate.decompress(raw, MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise PresetError(f"The link unpacks to more than {MAX_BYTES // 1_000_000} MB; ask for the file.")
        if not inflate.eof:
            raise PresetError(broken)
        value = json.loads(text.decode())
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise PresetError(broken) from error
    if not isinstance(value, dict):
        raise PresetError("The link holds no preset: its top level must be keys.")
    return Preset.checked(value, source="the link")
