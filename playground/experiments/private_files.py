"""Files that only their owner reads: a run holds what a person asked and what was answered.

On Windows the folder of the user's account decides instead, and the modes here change nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_private_folder(folder: Path) -> None:
    """Make a folder and the missing ones above it, for the owner alone; one that is there stays as it is.

    Raises:
        OSError: It cannot be made.
    """
    missing = []
    for one in (folder, *folder.parents):
        if one.exists():
            break
        missing.append(one)
    for one in reversed(missing):
        one.mkdir(mode=FOLDER_MODE, exist_ok=True)


def private_opener(path: str, flags: int) -> int:
    """For ``open(opener=...)``: the file is made for the owner alone, and one that is there becomes so.

    Raises:
        OSError: It cannot be opened.
    """
    handle = os.open(path, flags, FILE_MODE)
    if hasattr(os, "fchmod"):
        with suppress(OSError):  # somebody else's file, or a file system without modes
            os.fchmod(handle, FILE_MODE)
    return handle


def write_private(path: Path, text: str) -> None:
    """Write a text for the owner alone, as UTF-8; half a character is written as it is.

    Raises:
        OSError: It cannot be written.
    """
    with open(
        path, "w", encoding="utf-8", errors="surrogatepass", newline="\n", opener=private_opener
    ) as file:
        file.write(text)
