"""Keys of servers: where they come from, who is sent them, and that they are written nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from bad_server import BadServer
from file_keyring import FileKeyring
from keyring.backends.fail import Keyring as NoKeyring

from playground.engines.server.connection import ServerConnection
from playground.engines.server.keys import find_key, host_of, remove_key, store_key
from playground.errors import EngineError, EngineMissingError

# Not like any known kind of key, so that nothing hides it by its looks.
KEY = "correct-horse-battery-0123456789"
HERE = Path(__file__).parent


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A keyring that works, and its file."""
    path = tmp_path / "keyring.json"
    monkeypatch.setenv("TEST_KEYRING", str(path))
    before = keyring.get_keyring()
    keyring.set_keyring(FileKeyring())
    yield path
    keyring.set_keyring(before)


def sent(bad: BadServer, address: str) -> str | None:
    """The key that a server at ``address`` is sent."""
    connection = ServerConnection(address)
    connection.describe("")
    connection.close()
    return bad.keys[-1]


def test_the_environment_comes_first(bad: BadServer, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = bad.address("well")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-somebody-else")
    assert sent(bad, address) == "Bearer none"
    store_key(address, KEY + "\n")
    assert sent(bad, address) == f"Bearer {KEY}"
    monkeypatch.setenv("PLAYGROUND_SERVER_KEY", "mine")
    assert sent(bad, address) == "Bearer mine"
    assert find_key("https://api.openai.com/v1") == "mine"
    monkeypatch.delenv("PLAYGROUND_SERVER_KEY")
    assert find_key("https://api.openai.com/v1") == "sk-for-somebody-else"


def test_a_key_is_one_servers(kept: Path) -> None:
    store_key("cluster:8000", "a")
    store_key("https://cluster/v1", "b")
    assert [find_key(f"http://cluster{port}/v1") for port in (":8000", "", ":8001")] == ["a", "b", ""]
    remove_key("http://cluster:8000")
    assert find_key("cluster:8000") == ""
    with pytest.raises(EngineError, match="holds no key for cluster:8000"):
        remove_key("cluster:8000")
    with pytest.raises(EngineError, match="empty; nothing was stored"):
        store_key("cluster", " ")
    assert find_key("cluster") == "b"


@pytest.mark.parametrize("address", ["", "ftp://x", "http://", "a b", "user:key@host", "host:port"])
def test_a_key_needs_a_server(kept: Path, address: str) -> None:
    with pytest.raises(EngineError, match="is no server; name it as"):
        host_of(address)


def test_without_a_keyring_there_is_no_key_and_none_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    try:
        assert find_key("cluster") == ""
        with pytest.raises(EngineError, match=r"cannot be used \(.*\); set PLAYGROUND_SERVER_KEY"):
            store_key("cluster", KEY)
    finally:
        keyring.set_keyring(before)
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert find_key("cluster") == ""
    with pytest.raises(EngineMissingError, match=r"pip install -e '\.\[keyring\]'"):
        store_key("cluster", KEY)
    with pytest.raises(EngineMissingError, match=r"pip install -e '\.\[keyring\]'"):
        remove_key("cluster")


def test_a_keyring_that_breaks_is_said_where_it_matters(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path))
    assert find_key("cluster") == ""
    for use in (lambda: store_key("cluster", KEY), lambda: remove_key("cluster")):
        with pytest.raises(EngineError, match=r"cannot be used \(.*directory.*\); set PLAYGROUND_SERVER_KEY"):
            use()


def test_a_key_is_written_nowhere(bad: BadServer, tmp_path: Path) -> None:
    """The program as people run it, with every log turned on, against a server that repeats the key."""
    home, vault = tmp_path / "home", tmp_path / "vault.json"
    (home / "models").mkdir(parents=True)
    for behaviour in ("well", "echoes"):
        entry = {"schema": 1, "pair": behaviour, "base": {"server": bad.address(behaviour)}}
        (home / "models" / f"{behaviour}.yaml").write_text(json.dumps(entry))
    environment = {
        **os.environ,
        "PLAYGROUND_HOME": str(home),
        "PYTHONPATH": str(HERE),
        "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
        "TEST_KEYRING": str(vault),
        "OPENAI_LOG": "debug",
    }
    said: list[bytes] = []

    def run(*arguments: str, stdin: str = "", code: int = 0) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "playground", *arguments],
            input=stdin.encode(),
            capture_output=True,
            env=environment,
            timeout=120,
        )
        assert done.returncode == code, done.stderr.decode()
        said.extend((done.stdout, done.stderr))
        return done.stdout + done.stderr

    run("servers", "key", "set", bad.address("well"), stdin=f"{KEY}\n")
    assert KEY in vault.read_text()
    run("ask", "Hi", "--model", "well/base", "--preset", "none", "--json")
    assert bad.keys[-1] == f"Bearer {KEY}"
    assert b"refuses the key (401): wrong: (key)" in run(
        "ask", "Hi", "--model", "echoes/base", "--preset", "none", code=1
    )
    run("models", "list", "--load", "well/base", "--json")
    assert b"DEBUG" in b"".join(said)
    run("servers", "key", "remove", bad.address("well"))
    assert KEY not in vault.read_text()
    written = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert len(written) >= 2
    assert not [text for text in (*said, *written) if KEY.encode() in text]
