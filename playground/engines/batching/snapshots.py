"""Prefixes on disk: the KV of long texts that were used more than once, for the next session.

A file is ours from end to end: magic, a header with the key and the sizes, a checksum, the token ids, the
payload. The library itself would load a file with a flipped bit, or one of another model of the same shape,
without a word, and ends the process on one that was cut off; so nothing reaches it that was not checked.
Files are written to a temporary name and renamed, in a thread of their own. What is damaged or foreign is
removed. Several processes may share a folder.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from playground.engines.arrays import IntArray
from playground.engines.batching.prefix import common_prefix

_MAGIC = b"ICLKV\x00\x00\x01"
# Magic, key, number of tokens, bytes of payload, sha256 of tokens and payload.
_HEADER = struct.Struct("<8s32sQQ32s")
_SUFFIX = ".kv"
_STALE_S = 3600.0
_MOST_TOKENS = 1 << 24
# A shorter prefix is computed in the time that is saved.
SHORTEST = 128


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A prefix on disk."""

    path: Path
    tokens: IntArray


class SnapshotStore:
    """The snapshots of one model in one layout.

    Args:
        folder: Holds the snapshots of all models; made when the first one is written.
        key: Everything that shapes the KV: model file, library version, layout.
        budget_bytes: Most disk space for all of them; the least recently used go first.
    """

    def __init__(self, folder: Path, *, key: str, budget_bytes: int) -> None:
        self._folder = folder
        self._key = hashlib.sha256(key.encode()).digest()
        self._budget = budget_bytes
        self._lock = threading.Lock()
        self._queue: SimpleQueue[tuple[IntArray, bytearray] | None] = SimpleQueue()
        self._writer: threading.Thread | None = None
        self._snapshots = self._list()

    @property
    def count(self) -> int:
        """Number of usable snapshots."""
        with self._lock:
            return len(self._snapshots)

    def find(self, tokens: IntArray) -> tuple[Snapshot | None, int]:
        """The snapshot with the longest common prefix, and its length."""
        with self._lock:
            snapshots = list(self._snapshots)
        best, length = None, 0
        for snapshot in snapshots:
            shared = common_prefix(snapshot.tokens, tokens)
            if shared > length:
                best, length = snapshot, shared
        return best, length

    def load(self, snapshot: Snapshot) -> bytearray | None:
        """The payload, if every byte of it is as it was written; otherwise the file is removed."""
        try:
            with snapshot.path.open("rb") as file:
                header = self._header(file.read(_HEADER.size))
                tokens = file.read(4 * header[0])
                payload = bytearray(header[1])
                if file.readinto(payload) != header[1] or file.read(1):
                    raise ValueError("not as long as it says")
            if _checksum(tokens, payload) != header[2]:
                raise ValueError("damaged")
            os.utime(snapshot.path)
        except (OSError, ValueError):
            self._remove(snapshot)
            return None
        return payload

    def offer(self, tokens: IntArray, payload: bytearray) -> None:
        """Keep a prefix, unless one that is nearly the same is kept; returns before it is written."""
        if len(tokens) < SHORTEST or len(payload) > self._budget // 2:
            return
        if self.find(tokens)[1] >= len(tokens) * 7 // 8:
            return
        snapshot = Snapshot(self._path(tokens), tokens.copy())
        with self._lock:
            self._snapshots.append(snapshot)
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_all, name="snapshots", daemon=True)
            self._writer.start()
        self._queue.put((snapshot.tokens, payload))

    def close(self) -> None:
        """Wait until everything is written."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._queue.put(None)
            writer.join()

    def _path(self, tokens: IntArray) -> Path:
        """Named after the tokens, so that damage to them shows."""
        name = hashlib.sha256(self._key + tokens.tobytes()).hexdigest()[:32]
        return self._own_folder() / (name + _SUFFIX)

    def _own_folder(self) -> Path:
        return self._folder / self._key.hex()[:16]

    def _header(self, data: bytes) -> tuple[int, int, bytes]:
        """Number of tokens, bytes of payload and checksum; raises ValueError for what is not ours."""
        if len(data) != _HEADER.size:
            raise ValueError("cut off")
        magic, key, n_tokens, n_bytes, checksum = _HEADER.unpack(data)
        if magic != _MAGIC or key != self._key or n_bytes > self._budget or n_tokens > _MOST_TOKENS:
            raise ValueError("foreign")
        return n_tokens, n_bytes, checksum

    def _list(self) -> list[Snapshot]:
        found: list[Snapshot] = []
        try:
            paths = sorted(self._own_folder().iterdir())
        except OSError:
            return found
        for path in paths:
            if path.suffix != _SUFFIX:
                _remove_stale(path)
                continue
            try:
                with path.open("rb") as file:
                    n_tokens, n_bytes, _ = self._header(file.read(_HEADER.size))
                    tokens = np.frombuffer(file.read(4 * n_tokens), np.int32)
                if len(tokens) != n_tokens or path.stat().st_size != _HEADER.size + 4 * n_tokens + n_bytes:
                    raise ValueError("cut off")
                if path != self._path(tokens):
                    raise ValueError("not the tokens that it was named after")
            except OSError:
                continue
            except ValueError:
                path.unlink(missing_ok=True)
                continue
            found.append(Snapshot(path, tokens))
        return found

    def _remove(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._snapshots = [kept for kept in self._snapshots if kept is not snapshot]
        try:
            snapshot.path.unlink(missing_ok=True)
        except OSError:
            return

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._write(*item)
                self._evict()
            except OSError:
                # A full disk costs time later and nothing else.
                path = self._path(item[0])
                with self._lock:
                    self._snapshots = [kept for kept in self._snapshots if kept.path != path]

    def _write(self, tokens: IntArray, payload: bytearray) -> None:
        path = self._path(tokens)
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = tokens.tobytes()
        header = _HEADER.pack(_MAGIC, self._key, len(tokens), len(payload), _checksum(ids, payload))
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            try:
                file.write(header + ids)
                file.write(payload)
            except OSError:
                file.close()
                os.unlink(file.name)
                raise
        os.replace(file.name, path)

    def _evict(self) -> None:
        """Remove the least recently used snapshots of any model until all fit the budget."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*/*" + _SUFFIX):
            try:
                stat = path.stat()
            except OSError:
                continue
            files.append((stat.st_mtime, stat.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._budget:
                return
            path.unlink(missing_ok=True)
            total -= size
            with self._lock:
                self._snapshots = [kept for kept in self._snapshots if kept.path != path]


def _checksum(tokens: bytes, payload: bytearray) -> bytes:
    digest = hashlib.sha256(tokens)
    digest.update(payload)
    return digest.digest()


def _remove_stale(path: Path) -> None:
    """Remove what a process that died left half-written."""
    try:
        if time.time() - path.stat().st_mtime > _STALE_S:
            path.unlink(missing_ok=True)
    except OSError:
        return
