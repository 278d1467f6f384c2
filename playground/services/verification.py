"""Reads downloaded files again in the background and compares their checksums; how far that is, is told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Literal

from playground.errors import PlaygroundError
from playground.services.model_shelf import ModelShelf

VerificationStatus = Literal["running", "right", "wrong", "nothing"]


@dataclass(frozen=True, slots=True)
class VerificationState:
    """How a model's files do; ``nothing``: none of them was downloaded by this program."""

    status: VerificationStatus
    done_bytes: int = 0
    total_bytes: int = 0
    sentence: str = ""


class Verifications:
    """The checks of one process, by model. Thread-safe.

    Args:
        shelf: Knows the files and their checksums.
    """

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._states: dict[str, VerificationState] = {}

    def states(self) -> dict[str, VerificationState]:
        """The newest check of each model that was checked."""
        with self._lock:
            return dict(self._states)

    def start(self, model: str) -> None:
        """Check a model's files; one that is being checked goes on.

        Raises:
            ModelNotFoundError: No such model.
        """
        total = self._shelf.bytes_to_verify(model)
        with self._lock:
            known = self._states.get(model)
            if known is not None and known.status == "running":
                return
            self._states[model] = VerificationState("running", 0, total)
        threading.Thread(target=self._check, args=(model,), name="verify", daemon=True).start()

    def forget(self, model: str) -> None:
        """Say no more of a check that has ended."""
        with self._lock:
            known = self._states.get(model)
            if known is not None and known.status != "running":
                del self._states[model]

    def _check(self, model: str) -> None:
        try:
            checked = list(self._shelf.verify(model, lambda read: self._advance(model, read)))
            wrong = [one.sentence for one in checked if not one.right]
            status: VerificationStatus = "wrong" if wrong else "right" if checked else "nothing"
            end = VerificationState(status, sentence=" ".join(wrong))
        except (PlaygroundError, OSError) as error:
            end = VerificationState("wrong", sentence=f"Its files could not be read: {error}")
        with self._lock:
            self._states[model] = end

    def _advance(self, model: str, read: int) -> None:
        with self._lock:
            known = self._states[model]
            self._states[model] = replace(known, done_bytes=known.done_bytes + read)
