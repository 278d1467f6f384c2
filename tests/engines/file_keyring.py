"""A keyring for tests: a JSON file that the environment names. Given to subprocesses by its name."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.compat.properties import classproperty
from keyring.errors import PasswordDeleteError


class FileKeyring(KeyringBackend):
    """Keeps passwords in ``TEST_KEYRING``."""

    @classproperty
    def priority(cls) -> float:
        """Not to be chosen where nobody named a file."""
        if "TEST_KEYRING" not in os.environ:
            raise RuntimeError("no file was named")
        return 1

    def _read(self) -> dict[str, str]:
        path = Path(os.environ["TEST_KEYRING"])
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return known

    def _write(self, known: dict[str, str]) -> None:
        Path(os.environ["TEST_KEYRING"]).write_text(json.dumps(known))

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._read(), f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        known = self._read()
        if known.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("not there")
        self._write(known)
