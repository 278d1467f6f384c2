"""Keys of servers: from the environment first, then from the platform's keyring; they are kept nowhere else.

The package ``keyring`` is optional. Where it is missing, locked or has no place to keep anything, there is no
key to be found; only storing one says so.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from playground.errors import EngineError, EngineMissingError
from playground.extras import install_command

KEY_VARIABLE = "PLAYGROUND_SERVER_KEY"
_OPENAI = "api.openai.com"
_SERVICE = "icl-playground"


def host_of(address: str) -> str:
    """The host and port that a key belongs to, of an address or of the host itself.

    Raises:
        EngineError: It is neither.
    """
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("", "http", "https") or parts.username or " " in address:
        raise EngineError(f"{address} is no server; name it as http://127.0.0.1:8000 or HOST:PORT.")
    return f"{host}:{port}" if port else host


def find_key(address: str) -> str:
    """The key for a server, or an empty text; OpenAI's own variable is for its host alone."""
    host = host_of(address)
    own = os.environ.get(KEY_VARIABLE, "").strip()
    if not own and host == _OPENAI:
        own = os.environ.get("OPENAI_API_KEY", "").strip()
    return own or _kept(host)


def store_key(address: str, key: str) -> None:
    """Keep a server's key in the keyring, in place of the one that is there.

    Raises:
        EngineMissingError: keyring is not installed.
        EngineError: The key is empty, or the keyring cannot keep it.
    """
    host, keyring = host_of(address), _keyring()
    if not key.strip():
        raise EngineError("The key is empty; nothing was stored.")
    try:
        keyring.set_password(_SERVICE, host, key.strip())
    except Exception as error:
        raise EngineError(_unusable(error)) from error


def remove_key(address: str) -> None:
    """Take a server's key out of the keyring.

    Raises:
        EngineMissingError: keyring is not installed.
        EngineError: There is none, or the keyring cannot be used.
    """
    host, keyring = host_of(address), _keyring()
    try:
        known = keyring.get_password(_SERVICE, host) is not None
        if known:
            keyring.delete_password(_SERVICE, host)
    except Exception as error:
        raise EngineError(_unusable(error)) from error
    if not known:
        raise EngineError(f"The keyring holds no key for {host}.")


def _kept(host: str) -> str:
    try:
        keyring = _keyring()
    except EngineMissingError:
        return ""
    try:
        return keyring.get_password(_SERVICE, host) or ""
    except Exception:  # noqa: BLE001  the platform's stores raise errors of their own; a server may need no key
        return ""


def _keyring() -> Any:
    try:
        import keyring
    except ImportError as error:
        raise EngineMissingError(
            "Keeping a key needs keyring, which is not installed; install it with: "
            f"{install_command('keyring')}"
        ) from error
    return keyring


def _unusable(error: Exception) -> str:
    said = next(iter(str(error).splitlines()), "").rstrip(".") or type(error).__name__
    return f"The keyring cannot be used ({said}); set {KEY_VARIABLE} in the environment instead."
