"""Parquet files and data sets on the Hub, through huggingface_hub and a server on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from playground.datasets import DataFileError, parse_bytes, read_data
from playground.datasets.source import parse_source
from tests.presets.hub_server import Repository, SmallHub

ROWS = [
    {"question": "What is ice?", "answer": "Frozen water.", "nested": {"a": [1]}},
    {"question": "What is dew?", "answer": None, "nested": None},
    {"question": "", "answer": "x", "nested": None},
]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    served = SmallHub()
    monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield served
    served.close()


def parquet_bytes(tmp_path: Path, rows: list[dict[str, object]]) -> bytes:
    path = tmp_path / "made.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path.read_bytes()


def test_rows_of_a_parquet_file_are_read_and_bad_ones_named(tmp_path: Path) -> None:
    parquet_bytes(tmp_path, ROWS)
    data = read_data(tmp_path / "made.parquet")
    assert [(r.place, r.queries[0], r.answers) for r in data.records] == [
        (1, "What is ice?", ("Frozen water.",)),
        (2, "What is dew?", ()),
    ]
    assert [p.place for p in data.problems] == [3]
    assert data.available == ("question", "answer", "nested")
    talks = [{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}]
    parquet_bytes(tmp_path, talks)
    assert read_data(tmp_path / "made.parquet").records[0].answers == ("a",)


@pytest.mark.parametrize("cut", [5, 40, 200])
def test_a_damaged_parquet_file_is_one_sentence(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.parquet"
    path.write_bytes(parquet_bytes(tmp_path, ROWS)[:-cut])
    with pytest.raises(DataFileError, match="cannot be read as Parquet"):
        read_data(path)


def test_without_pyarrow_the_error_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet_bytes(tmp_path, ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataFileError, match=r"install -e '\.\[data\]'"):
        read_data(tmp_path / "made.parquet")


def test_a_data_set_on_the_hub_is_read_by_split_and_columns(hub: SmallHub, tmp_path: Path) -> None:
    second = [{"question": "What is fog?", "answer": "Drops.", "nested": None}]
    hub.repositories["lab/ice"] = Repository(
        private=False,
        files={
            "README.md": b"# ice",
            "dataset_infos.json": b"{}",
            "data/train-00000-of-00002.parquet": parquet_bytes(tmp_path, ROWS),
            "data/train-00001-of-00002.parquet": parquet_bytes(tmp_path, second),
            "data/test-00000-of-00001.parquet": parquet_bytes(tmp_path, second),
        },
    )
    data = read_data("lab/ice?split=train")
    assert [r.queries[0] for r in data.records] == ["What is ice?", "What is dew?", "What is fog?"]
    assert [r.id for r in data.records] == ["1", "2", "4"]
    assert read_data("hf://datasets/lab/ice?split=test&query=answer").records[0].queries == ("Drops.",)
    with pytest.raises(DataFileError, match=r"lab/ice has several files: .*test.*Say which"):
        read_data("lab/ice")
    with pytest.raises(DataFileError, match="no split 'dev'; its files"):
        read_data("lab/ice?split=dev")
    with pytest.raises(DataFileError, match="no data set lab/none"):
        read_data("lab/none")


def test_text_files_on_the_hub_need_no_extra(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    rows = json.dumps([{"instruction": "q", "output": "a"}]).encode()
    hub.repositories["lab/rows"] = Repository(
        private=False, files={"en/all.json": rows, "zh/all.json": rows, "loader.py": b"raise SystemExit"}
    )
    assert read_data("lab/rows?config=zh").records[0].answers == ("a",)
    hub.repositories["lab/code"] = Repository(private=False, files={"loader.py": b"raise SystemExit"})
    with pytest.raises(DataFileError, match="no Parquet, JSON or CSV file"):
        read_data("lab/code")


def test_names_of_files_and_of_repositories_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab").mkdir()
    assert parse_source("other/name").repository == "other/name"
    assert parse_source("lab/name").repository == ""
    assert parse_source("data/name.csv").repository == ""
    assert parse_source("/lab/name").repository == ""
    assert parse_source("hf://datasets/lab/name?split=x").split == "x"
    with pytest.raises(DataFileError, match="OWNER/NAME"):
        parse_source("hf://name")


def test_arrow_and_other_binary_files_are_named() -> None:
    with pytest.raises(DataFileError, match="save it as Parquet"):
        parse_bytes(b"ARROW1\0\0rest")
