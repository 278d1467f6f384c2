"""Reading files of folders that other people write into: regular files only, and never more than a limit.

A shared folder may hold anything under a preset's name: a pipe that nobody writes to, a link to an endless
device, a socket, a folder.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from playground.errors import PresetError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_regular(path: Path, *, limit: int) -> bytes:
    """The bytes of a file, without waiting for anybody and without reading more than ``limit`` of them.

    Raises:
        PresetError: It is missing, unreadable, too large, or no regular file.
    """
    try:
        # The kind is asked before the file is opened, because opening some devices does something.
        _check(path, path.stat(), limit)
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            _check(path, os.fstat(handle), limit)
            content = file.read(limit + 1)
    except OSError as error:
        raise PresetError(f"The preset file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise PresetError(f"The preset file {str(path)[:200]!r} cannot be read: {error}.") from error
    if len(content) > limit:
        raise PresetError(f"{path.name} is larger than {limit // 1_000_000} MB; choose another file.")
    return content


def _check(path: Path, status: os.stat_result, limit: int) -> None:
    kind = next((said for is_kind, said in _KINDS if is_kind(status.st_mode)), None)
    if kind is not None:
        raise PresetError(f"{path.name} is {kind} and not a preset file; remove it or give it another name.")
    if status.st_size > limit:
        raise PresetError(
            f"{path.name} has {status.st_size / 1e6:.1f} MB and a preset has at most "
            f"{limit // 1_000_000} MB; choose another file."
        )
