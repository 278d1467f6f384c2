"""A hub on the loopback, for the tests of what is downloaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))

from hub_server import HubServer, serving


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A server that speaks the Hub's protocol."""
    yield from serving(monkeypatch, tmp_path / "hf")
