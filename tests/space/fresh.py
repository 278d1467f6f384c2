"""An exported Space in a fresh virtual environment that holds its requirements and nothing else.

Run by ``make space-check``: installing takes some minutes the first time, and asks the package index.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from gradio_client import Client

from playground.space.export import export
from tests.ui.conftest import Server, Tab, free_port, open_tab, serve

assert open_tab  # a fixture, found by its name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fresh")
    export(folder / "space")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    wanted = ["-r", str(folder / "space" / "requirements.txt")]
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
    listed = subprocess.run([str(python), "-m", "pip", "list"], check=True, capture_output=True, text=True)
    assert "icl-playground" not in listed.stdout
    assert "llama_cpp_python" in listed.stdout.replace("-", "_")
    (folder / "home").mkdir()
    command = ["env", f"GRADIO_SERVER_PORT={free_port()}", str(python), str(folder / "space" / "app.py")]
    yield from serve(command, folder / "home")


def test_it_answers_in_a_browser_and_to_programs(server: Server, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(server)
    tab.page.wait_for_function("document.querySelectorAll('.chip.ready').length === 2", timeout=60_000)
    tab.ask("What is the capital of Japan?")
    assert tab.answer("A").startswith("Hello there!")
    assert tab.answer("B").strip()
    client = Client(server.url, verbose=False)
    answer = client.predict("What is the capital of Japan?", "wren/instruct", "none", api_name="/ask")
    assert answer["finish_reason"] == "stop"
    client.close()
