"""A small Hub on loopback for push and pull."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.presets.hub_server import TOKEN, SmallHub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    import huggingface_hub
    from huggingface_hub import constants

    server = SmallHub()
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nonexistent")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    huggingface_hub.close_session()
    server.close()
