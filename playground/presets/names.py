"""Names that a preset's file can have on every platform, and no name that leads out of its folder."""

from __future__ import annotations

import re

from playground.errors import PresetError

SAFE_NAME = re.compile(r"[\w][\w .+\-]{0,79}")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{i}" for p in ("com", "lpt") for i in range(1, 10))}


# File systems count bytes, and a temporary file's name is longer than the preset's.
_MAX_NAME_BYTES = 200


def check_name(name: str) -> str:
    """The name, if it can be a file's name on every platform.

    Raises:
        PresetError: Says which names can.
    """
    reserved = name.lower().split(".")[0].rstrip() in _RESERVED
    long = len(name.encode(errors="replace")) > _MAX_NAME_BYTES
    if not SAFE_NAME.fullmatch(name) or reserved or long or name != name.strip(" ."):
        shown = name if len(name) <= 40 else name[:37] + "..."
        raise PresetError(
            f"'{shown}' cannot be a preset's name; "
            f"use up to 80 letters, digits, spaces or '-', '_', '+', '.'."
        )
    return name


def safe_name(wish: str) -> str:
    """The nearest name that a file can have; ``imported`` where nothing of the wish is left."""
    name = re.sub(r"[^\w .+\-]+", "-", wish)
    name = _trimmed(re.sub(r"-{2,}", "-", name))
    stem, dot, rest = name.partition(".")
    if stem.lower().rstrip() in _RESERVED:
        name = _trimmed(f"{stem.rstrip()}-preset{dot}{rest}")
    return name or "imported"


def _trimmed(name: str) -> str:
    """As long as a name may be, beginning with a letter or digit and ending with no sign but ``_``."""
    name = name.lstrip(" .-+_")[:80]
    while len(name.encode(errors="replace")) > _MAX_NAME_BYTES:
        name = name[:-1]
    return name.rstrip(" .-+")
