"""An exported Space, written once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.space.export import export


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Space with the bundled pair; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("exported") / "space"
    export(folder)
    return folder
