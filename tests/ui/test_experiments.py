"""Experiments on the page over the bundled pair: from the form to the files; cancelled, killed, gone on."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.ui.conftest import Server, Tab, free_port, serve

READY = "document.querySelectorAll('.chip.ready').length === 2"


def serving(home: Path) -> Iterator[Server]:
    # One thread each: two that wait for each other are slow where other work takes the cores.
    settings = {model: {"n_threads": 1} for model in ("wren/base", "wren/instruct")}
    (home / "load-settings.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "playground", "serve", "--no-browser", "--port", str(free_port())]
    yield from serve(command, home)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("home"))


def on_experiments(open_tab: Callable[..., Tab], server: Server, **options: object) -> Tab:
    tab: Tab = open_tab(server, **options)
    tab.page.wait_for_function(READY, timeout=120_000)
    tab.page.goto(f"{server.url.rstrip('/')}/#/experiments")
    tab.page.wait_for_selector("#exp-set option", state="attached")
    return tab


def lines(server: Server, run: str) -> list[dict[str, object]]:
    path = server.home / "runs" / run / "answers.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_id(tab: Tab) -> str:
    found = tab.page.locator(".exp-one").get_attribute("data-run")
    assert found
    return found


def taken(tab: Tab, press: str) -> tuple[str, bytes]:
    """The name and the bytes of the file that a button saves."""
    with tab.page.expect_download() as saved:
        tab.page.click(press)
    return saved.value.suggested_filename, Path(saved.value.path()).read_bytes()


def test_an_evaluation_from_the_form_to_the_files(open_tab: Callable[..., Tab], server: Server) -> None:
    tab = on_experiments(open_tab, server)
    page = tab.page
    page.fill("#exp-limit", "0")
    page.wait_for_selector(".exp-form .problem:not([hidden])")
    page.fill("#exp-limit", "6")
    page.wait_for_function("document.querySelector('.exp-estimate').textContent.includes('12 answers')")
    page.click(".exp-form button[type=submit]")
    page.wait_for_selector("[data-section=figures]", timeout=120_000)
    name = run_id(tab)
    assert "finished" in page.locator(".exp-one .exp-now").inner_text()

    # What the page shows is what the folder holds.
    stored = json.loads((server.home / "runs" / name / "results.json").read_text())
    figure = next(f for f in stored["figures"] if (f["metric"], f["turn"], f["category"]) == ("right", 0, ""))
    row = page.locator("[data-section=figures] tbody tr", has_text=figure["assistant"])
    assert f"{figure['value']['mean']:.3g} [" in row.inner_text()
    metrics = {f["metric"] for f in stored["figures"]}
    assert page.locator(".exp-chart").count() >= len(metrics)
    assert page.locator(".exp-chart").first.locator("rect").count() == 2

    # Every answer stands beside the other one's, with its metrics.
    page.wait_for_selector(".exp-question")
    assert page.locator(".exp-question").count() == 6
    said = {str(line["text"]) for line in lines(server, name)}
    shown = page.locator(".exp-text").all_inner_texts()
    assert len(shown) == 12
    assert {text.strip() for text in shown} == {text.strip() or "(empty)" for text in said}
    assert "ROUGE-L" in page.locator(".exp-metrics").first.inner_text()

    # The report, a picture, and the other projects' formats.
    file, report = taken(tab, "[data-action=report]")
    assert file == f"{name}.html"
    assert b"<svg" in report
    assert b"http" not in report.replace(b"http://www.w3.org/2000/svg", b"")
    page.click("[data-action=picture]")
    file, picture = taken(tab, ".dialog [data-kind=png]")
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(set(pixels(picture))) > 8, "not one colour"
    page.keyboard.press("Escape")
    page.click(".exp-actions .menu-button")
    page.click("[data-action=files]")
    page.wait_for_selector(".dialog [data-file]")
    files = page.locator(".dialog [data-file]").evaluate_all("all => all.map((one) => one.dataset.file)")
    assert {f.partition("-")[0] for f in files} >= {"alpaca_eval", "mt_bench", "just_eval", "figures.csv"}
    _, alpaca = taken(tab, ".dialog [data-file^=alpaca_eval][data-file*=base]")
    assert {"instruction", "output", "generator", "dataset", "datasplit"} == set(json.loads(alpaca)[0])
    _, figures = taken(tab, ".dialog [data-file='figures.csv']")
    assert len(list(csv.reader(io.StringIO(figures.decode())))) == 1 + len(stored["figures"])
    page.keyboard.press("Escape")

    # Judged, the verdicts join the figures; a run of the command line is in the same list.
    page.click(".exp-actions .menu-button")
    page.click("[data-action=judge]")
    page.select_option("#judge-model", "rule:first")
    page.select_option("#judge-reference", index=2)
    page.click(".dialog button[type=submit]")
    page.wait_for_selector("[data-section=judged]", timeout=120_000)
    command = ["evaluate", "--assistant", "wren/base:terse", "--limit", "2"]
    subprocess.run(
        [sys.executable, "-m", "playground", *command],
        check=True,
        env={**os.environ, "PLAYGROUND_HOME": str(server.home)},
        capture_output=True,
    )
    page.click(".exp-head button")
    page.wait_for_selector(".exp-run[data-state=finished] >> text=wren/base:terse")
    assert page.locator(".exp-run").count() == 2


def pixels(png: bytes) -> bytes:
    """The filtered bytes of a PNG's image."""
    data, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += 12 + size
    return zlib.decompress(data)


def test_a_search_is_cancelled_gone_on_with_and_its_preset_opened(
    open_tab: Callable[..., Tab], server: Server
) -> None:
    tab = on_experiments(open_tab, server)
    page = tab.page
    page.click("[data-kind=search]")
    for field, value in (
        ("pool_size", 6),
        ("validation", 24),
        ("test", 8),
        ("most", 2),
        ("found_name", "best"),
    ):
        page.fill(f"#exp-{field}", str(value))
    page.wait_for_function("document.querySelector('.exp-estimate').textContent.includes('32 questions')")
    page.click(".exp-form button[type=submit]")
    page.wait_for_selector(".exp-one progress", timeout=120_000)
    page.click("[data-action=cancel]")
    page.click("[data-action=resume]", timeout=120_000)
    name = run_id(tab)
    # The run belongs to the server: what a tab does that is closed does not matter.
    page.goto("about:blank")
    tab.open()
    page.goto(f"{server.url.rstrip('/')}/#/experiments")
    page.wait_for_selector(f".exp-one[data-run='{name}'] [data-section=tested]", timeout=120_000)
    keys = [(line["assistant"], line["question"]) for line in lines(server, name)]
    assert len(keys) == len(set(keys)), "nothing was asked twice"
    assert page.locator("[data-section=tested] tbody tr").count() == 3
    page.click("[data-action=found]")
    page.wait_for_selector("body[data-page=chat]")
    examples = page.locator(".example textarea.query").count()
    found = json.loads((server.home / "runs" / name / "results.json").read_text())["greedy"]["examples"]
    assert examples == len(found)


def test_a_run_whose_server_is_killed_goes_on_after_a_restart(
    open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    with closing(serving(tmp_path)) as first:
        server = next(first)
        tab = on_experiments(open_tab, server)
        tab.forgive += ["Failed to load resource", "net::ERR", "Connection", "fetch"]
        tab.page.click("[data-kind=ablate]")
        tab.page.fill("#exp-limit", "20")
        tab.page.fill("#exp-counts", "0, 2, 3")
        tab.page.wait_for_function(
            "document.querySelector('.exp-estimate').textContent.includes('140 answers')"
        )
        tab.page.click(".exp-form button[type=submit]")
        tab.page.wait_for_function(
            "document.querySelector('.exp-one progress')?.value >= 20", timeout=120_000, polling=20
        )
        name = run_id(tab)
        server.process.kill()
        server.process.wait()
        before = len(lines(server, name))
        tab.page.goto("about:blank")
    assert 20 <= before < 140
    with closing(serving(tmp_path)) as second:
        server = next(second)
        tab = on_experiments(open_tab, server)
        page = tab.page
        page.wait_for_selector(f".exp-run[data-run='{name}'][data-state=interrupted]")
        assert f"{before} of 140 answers" in page.locator(".exp-run").inner_text()
        page.click("[data-action=resume]")
        page.wait_for_selector(".exp-run[data-state=finished]", timeout=240_000)
        keys = [(line["assistant"], line["question"]) for line in lines(server, name)]
        assert len(keys) == len(set(keys)) == 140, "nothing lost, nothing repeated"
        page.click(f"[data-run='{name}'] .exp-open")
        page.wait_for_selector(".exp-chart .exp-line")
        page.goto("about:blank")
