"""The benchmark runs from end to end on a model that takes no time."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest

from playground.errors import EngineError, PlaygroundError
from playground.experiments.bench import BenchOptions, LeftOut, Row, json_line, run_bench, table
from playground.experiments.bench_model import SMALL, TINY, WIDE, ModelShape, write_random_model
from playground.experiments.bench_peer import Peer
from playground.experiments.bench_picture import picture


# The high-level library leaves its sinks for silenced output open.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_every_row_is_measured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    rows = list(run_bench(BenchOptions(tmp_path).tiny()))
    assert len(rows) == 12
    assert all(isinstance(row, Row) and row.ours > 0 and row.other > 0 for row in rows)
    assert len(table(rows).splitlines()) == 13
    assert len(json.loads(json_line(rows))["rows"]) == 12
    assert "\n" not in json_line(rows)


def test_transformers_gives_the_same_table(tmp_path: Path) -> None:
    """Against ``generate``; what makes no sense there says why."""
    rows = list(run_bench(BenchOptions(tmp_path, engine="transformers", rounds=1, peer="http://x").tiny()))
    measured = [row for row in rows if isinstance(row, Row)]
    assert all(row.ours > 0 and row.other > 0 for row in measured)
    assert [(row.unit, row.against) for row in measured] == [
        ("s", "generate"),
        ("s", "generate"),
        ("tok/s", "generate"),
        ("tok/s", "generate, num_return_sequences"),
        ("s", "generate, one by one"),
        ("s", "generate, padded batches of 2"),
        ("s", "generate, one by one"),
        ("s", "generate, padded batches of 2"),
        ("s", "one forward pass and torch"),
        ("s", "without an edit"),
        ("tok/s", "the engine in place"),
    ]
    left_out = [row for row in rows if isinstance(row, LeftOut)]
    assert [row.work for row in left_out] == [
        "preset from disk",
        "time inside the native decode",
        "against a llama-server",
    ]
    told = json.loads(json_line(rows))
    assert (len(told["rows"]), len(told["left_out"])) == (11, 3)
    for row in left_out:
        assert any(row.work in line and row.reason in line for line in table(rows).splitlines())


def test_rows_that_nobody_knows_are_said(tmp_path: Path) -> None:
    options = BenchOptions(tmp_path).tiny()
    with pytest.raises(PlaygroundError, match="no rows named 'speed'; choose from: preset, stream"):
        list(run_bench(options, only=("speed",)))


class _Completions(BaseHTTPRequestHandler):
    """What a llama-server says, as far as the benchmark listens."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if self.path == "/completion" else 404)
        self.end_headers()
        for number in range(asked["n_predict"]):
            self.wfile.write(b"data: " + json.dumps({"content": "x", "tokens": [number]}).encode() + b"\n\n")
            self.wfile.flush()
        self.wfile.write(b'data: {"content": "", "stop": true}\n\n')

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_peer_is_measured_in_the_same_run(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Completions) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        options = BenchOptions(
            tmp_path,
            rounds=1,
            prefix=128,
            question=12,
            reply=6,
            history=8,
            questions=3,
            narrow=TINY,
            peer=url,
        )
        rows = list(run_bench(options, only=("peer",)))
        with pytest.raises(EngineError, match="answered 404"):
            Peer(url + "/elsewhere")
        server.shutdown()
        thread.join()
    assert [row.against for row in rows] == ["llama-server"] * 3
    assert list(run_bench(replace(options, peer=""), only=("peer",))) == []


def test_a_peer_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(EngineError, match="does not answer"):
        Peer("http://127.0.0.1:9")
    with pytest.raises(EngineError, match="no address of a server"):
        Peer("nonsense")


def test_the_picture_shows_every_row() -> None:
    rows = [Row("one & two", "s", 1.0, 2.0, 2.0, 3.0), Row("three", "s", 3.0, 2.0, 0.66, None)]
    drawn = picture(rows, "A bench")
    root = ElementTree.fromstring(drawn)
    assert "one &amp; two" in drawn
    assert len(root.findall("{*}rect")) == 3


def test_a_missed_goal_is_marked() -> None:
    rows = [Row("one", "s", 1.0, 2.0, 2.0, 3.0), Row("two", "s", 1.0, 2.0, 2.0, None)]
    assert [("MISSED" in line) for line in table(rows).splitlines()] == [False, True, False]


@pytest.mark.parametrize("shape", [SMALL, WIDE])
def test_the_shapes_are_the_real_ones(shape: ModelShape) -> None:
    per_layer = shape.width * shape.width * (2 + 2 * shape.kv_heads / shape.heads)
    per_layer += 3 * shape.width * shape.feed_forward
    total = shape.n_vocab * shape.width + shape.layers * per_layer
    assert total / 1e6 == pytest.approx({"135M": 135, "0.5B": 494}[shape.name], rel=0.01)


def test_a_model_is_written_once(tmp_path: Path) -> None:
    path = write_random_model(tmp_path / "deep" / "m.gguf", TINY)
    written = path.stat().st_mtime_ns
    assert write_random_model(path, TINY).stat().st_mtime_ns == written
