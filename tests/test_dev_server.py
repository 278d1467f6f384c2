"""``make dev``: which changes restart the server, and how a browser tab hears of it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
from starlette.types import Message, Receive, Scope, Send


@pytest.fixture(scope="module")
def dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev_server", Path(__file__).with_name("dev_server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers everything with a page in two parts, and says whether it may compress."""
    may = any(name == b"accept-encoding" for name, _ in scope["headers"])
    length = (b"content-length", b"40")
    await send(
        {"type": "http.response.start", "status": 200, "headers": [length, (b"compress", b"%d" % may)]}
    )
    await send({"type": "http.response.body", "body": b"<html><head></he", "more_body": True})
    await send({"type": "http.response.body", "body": b"ad><body></html>"})


def answered(dev: ModuleType, path: str) -> tuple[dict[bytes, bytes], bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"accept-encoding", b"gzip")]}
    asyncio.run(dev.Reload(page, version="7")(scope, receive, send))
    return dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


def test_the_page_gets_the_script_and_its_new_length(dev: ModuleType) -> None:
    headers, body = answered(dev, "/")
    assert body == b"<html><head>" + dev.TAG + b"</head><body></html>"
    assert headers == {b"content-length": str(len(body)).encode(), b"compress": b"0"}


def test_everything_else_passes_as_it_is(dev: ModuleType) -> None:
    headers, body = answered(dev, "/config")
    assert body == b"<html><head></head><body></html>"
    assert headers == {b"content-length": b"40", b"compress": b"1"}


def test_a_tab_can_ask_which_start_answers(dev: ModuleType) -> None:
    assert answered(dev, dev.VERSION_PATH)[1] == b"7"
    assert answered(dev, dev.SCRIPT_PATH)[1].decode() == dev.SCRIPT


@pytest.mark.parametrize("name", ["module.py", "deep/view.js", "look.css", "strings.json", "preset.yaml"])
def test_a_new_a_changed_and_a_deleted_file_are_noticed(dev: ModuleType, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    none = dev.stamps([tmp_path])
    path.write_text("1", encoding="utf-8")
    new = dev.stamps([tmp_path])
    os.utime(path, ns=(1, 1))
    changed = dev.stamps([tmp_path])
    path.unlink()
    assert new != none
    assert changed != new
    assert dev.stamps([tmp_path]) == none == {}


def test_files_that_are_no_source_are_ignored(dev: ModuleType, tmp_path: Path) -> None:
    for name in ("module.cpython-311.pyc", "model.gguf", ".module.py.swp"):
        (tmp_path / name).write_text("1", encoding="utf-8")
    assert dev.stamps([tmp_path]) == {}
