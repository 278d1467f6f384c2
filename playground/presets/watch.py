"""What changed in folders of presets, told by content: a git checkout or a synced drive may touch every file.

A file is read again only where its size or times say that it may have changed, so that asking is cheap.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from playground.errors import PresetError
from playground.presets.files import read_regular
from playground.presets.preset import MAX_BYTES

RECENT_S = 3.0
"""A file that was changed this recently is read again: a second change may have left the same time behind."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Files that came, went, or hold other bytes; paths in order."""

    added: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()
    changed: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything did."""
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class LibraryStamp:
    """What folders held at one time: the SHA-256 of each preset file's bytes, empty for one out of reach."""

    digests: Mapping[Path, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """A short text that is another one after any change; for a page to send back."""
        lines = "\n".join(f"{path}\t{digest}" for path, digest in sorted(self.digests.items()))
        return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()[:20]

    def since(self, before: LibraryStamp) -> Changes:
        """What changed from an earlier stamp to this one."""
        old, new = before.digests, self.digests
        both = sorted(set(old) & set(new))
        return Changes(
            added=tuple(sorted(set(new) - set(old))),
            removed=tuple(sorted(set(old) - set(new))),
            changed=tuple(path for path in both if old[path] != new[path]),
        )


class FolderWatch:
    """Stamps some folders; keeps digests of files that cannot have changed since."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = folders
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}

    def stamp(self) -> LibraryStamp:
        """What the folders hold now."""
        found: dict[Path, tuple[tuple[int, ...], str]] = {}
        now = time.time()
        for folder in self._folders:
            for path in folder.glob("*.yaml"):
                try:
                    status = path.stat()
                except OSError:
                    if path.is_symlink():  # it leads nowhere, or in a circle; the list names it
                        found[path] = ((), "")
                    continue  # else it was removed while the folder was read
                mark = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                known = self._known.get(path)
                if known and known[0] == mark and now - status.st_mtime > RECENT_S:
                    found[path] = known
                else:
                    found[path] = (mark, _digest(path, status))
        self._known = found
        return LibraryStamp({path: digest for path, (_, digest) in found.items()})


def _digest(path: Path, status: os.stat_result) -> str:
    if stat.S_ISREG(status.st_mode) and status.st_size > MAX_BYTES:
        return f"too large: {status.st_size}"
    try:
        return hashlib.sha256(read_regular(path, limit=MAX_BYTES)).hexdigest()
    except PresetError:
        return ""
