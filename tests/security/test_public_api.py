"""The endpoints for other programs: every example of the document runs, and each can be a tool for agents."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.security.conftest import Watched

FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_every_example_of_the_document_runs(real: Watched, repository: Path) -> None:
    text = (repository / "docs" / "api.md").read_text(encoding="utf-8")
    examples = FENCE.findall(text)
    assert len(examples) >= 7
    assert all(
        name in text for name in json.loads(real.ask("GET", "/gradio_api/info").text)["named_endpoints"]
    )
    runner = (
        "import json, sys\nfor one in json.load(sys.stdin):\n    print('>>>', one[:0])\n    exec(one, {})\n"
    )
    examples = [one.replace("http://127.0.0.1:7860", real.url.rstrip("/")) for one in examples]
    done = subprocess.run(
        [sys.executable, "-c", runner],
        input=json.dumps(examples),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = done.stdout.split(">>>")[1:]
    assert "wren/base" in said[0]
    assert "friendly" in said[1]
    assert re.search(r"\w.* (stop|length) \d+", said[4]), said[4]
    assert re.search(r"-\d+\.\d+", said[5]), said[5]
    assert "There is no preset 'no such preset'" in said[6]


async def _tools(url: str) -> tuple[set[str], str]:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with (
        streamable_http_client(f"{url}gradio_api/mcp/") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        names = {tool.name for tool in (await session.list_tools()).tools}
        name = next(name for name in names if name.endswith("render"))
        answer = await session.call_tool(name, {"question": "What is a wren?"})
        return names, answer.content[0].text


def test_the_endpoints_are_tools(real: Watched) -> None:
    with ThreadPoolExecutor(1) as pool:
        names, answer = pool.submit(asyncio.run, _tools(real.url)).result(60)
    assert {name.rpartition("_")[2] for name in names} == {
        "models",
        "presets",
        "preset",
        "render",
        "tokens",
        "score",
        "ask",
    }
    assert "What is a wren?" in answer


def test_tools_and_listening_to_all_are_refused_without_what_they_need() -> None:
    for options, said in (
        (["--host", "0.0.0.0"], "set a password with --password"),
        (["--mcp", "--password"], "without a password only"),
        (["--password"], "at least 8"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "playground", "serve", "--no-browser", "--port", "0", *options],
            input="long enough" if "--mcp" in options else "short",
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 1
        assert said in done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1


def test_a_likeliest_token_has_rank_one_and_the_description_says_so(real: Watched) -> None:
    from gradio_client import Client

    page = Client(real.url, verbose=False)
    text = page.predict("What is the capital of Japan?", "wren/base", max_tokens=12, api_name="/ask")["text"]
    tokens = page.predict("What is the capital of Japan?", text, "wren/base", api_name="/score")
    assert tokens
    assert min(token["rank"] for token in tokens) == 1
    described = json.dumps(json.loads(real.ask("GET", "/gradio_api/info").text)["named_endpoints"])
    assert "0 is the likeliest" not in described


def test_sampling_given_to_ask_counts_without_a_preset_too(real: Watched) -> None:
    from gradio_client import Client

    page = Client(real.url, verbose=False)

    def ask(preset: str, **given: float) -> dict[str, object]:
        return dict(page.predict("What is", "wren/base", preset, **given, api_name="/ask"))

    for preset in ("none", "friendly"):
        short = ask(preset, max_tokens=2)
        assert (short["finish_reason"], short["usage"]["completion_tokens"]) == ("length", 2)  # type: ignore[index]
        drawn = {ask(preset, temperature=3.0, max_tokens=8, seed=seed)["text"] for seed in range(4)}
        assert len(drawn) > 1
        assert ask(preset, temperature=3.0, max_tokens=8, seed=7)["seed"] == 7
