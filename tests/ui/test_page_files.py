"""The page's files: one address as long as they are the same, kept by the browser, never mixed up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from playground.ui import page_files
from playground.ui.page_files import cache_control, page_head, page_path
from tests.ui.conftest import Server, Tab


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "css").mkdir()
    for name in ("a.js", "css/z.css", "css/base.css"):
        (tmp_path / name).write_text(f"/* {name} */", encoding="utf-8")
    monkeypatch.setattr(page_files, "static_folder", lambda: tmp_path)
    page_path.cache_clear()
    yield tmp_path
    page_path.cache_clear()


@pytest.mark.parametrize("change", ["content", "name", "texts"])
def test_the_address_changes_with_any_file(
    change: str, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = page_path()
    page_path.cache_clear()
    assert page_path() == before
    if change == "content":
        (copied / "css" / "z.css").write_text("/* other */", encoding="utf-8")
    elif change == "name":
        (copied / "a.js").rename(copied / "b.js")
    else:
        monkeypatch.setattr(page_files, "catalog_json", lambda: "{}")
    page_path.cache_clear()
    assert page_path() != before


def test_only_files_under_their_fingerprint_are_kept() -> None:
    assert "immutable" in str(cache_control(f"/{page_path()}/page.js"))
    assert cache_control("/page/0123456789/page.js") == "no-cache"
    assert cache_control("/gradio_api/info") is None


def test_every_link_of_the_head_is_there_and_an_older_tab_is_served(fake_server: Server) -> None:
    links = re.findall('href="([^"]+)"', page_head())
    assert len(links) > 40
    for link in links:
        answer = httpx.get(fake_server.url + link)
        assert answer.status_code == 200, link
        assert "immutable" in answer.headers["cache-control"]
    older = httpx.get(f"{fake_server.url}page/0123456789/page.js")
    assert (older.status_code, older.headers["cache-control"]) == (200, "no-cache")
    missing = httpx.get(f"{fake_server.url}{page_path()}/none.js")
    assert missing.status_code == 404
    assert "immutable" not in missing.headers.get("cache-control", "")


def test_a_second_load_asks_for_none_of_them(open_tab: Callable[..., Tab], fake_server: Server) -> None:
    page = open_tab(fake_server).page
    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")
    sizes: list[int] = page.evaluate(
        """() => performance.getEntriesByType('resource')
          .filter(({ name }) => name.includes('/page/')).map(({ transferSize }) => transferSize)"""
    )
    assert len(sizes) > 40
    assert not any(sizes), "all from the browser's cache"
