"""The catalog: what a pair's file may say, and where each engine finds a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.engines.base import Engine
from playground.engines.fake import FakeEngine
from playground.engines.spec import EngineSpec
from playground.errors import ModelNotFoundError
from playground.models.catalog import Catalog
from playground.services import Workbench
from playground.settings import Settings

PAIR = """
schema: 1
pair: pip
title: Pip
base:
  gguf: pip/base.gguf
  transformers: ./pip/hf-base
instruct:
  transformers: someone/Pip-Instruct
"""
SERVED = """
pair: big
base:
  server: http://127.0.0.1:8000/v1
  served_model: big-7b
  tokenizer: someone/big-7b
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    (tmp_path / "pip.yaml").write_text(PAIR)
    (tmp_path / "big.yaml").write_text(SERVED)
    return Catalog(tmp_path)


def test_an_entry_names_a_file_and_a_folder_for_the_two_engines(catalog: Catalog, tmp_path: Path) -> None:
    entry = catalog.get("pip/base")
    assert entry.source().engine == "llama.cpp"
    assert entry.source().path == str(tmp_path / "pip/base.gguf")
    assert Path(entry.source("transformers").path) == tmp_path / "pip" / "hf-base"
    assert catalog.get("pip/instruct").source().path == "someone/Pip-Instruct"


def test_what_an_entry_does_not_name_is_said(catalog: Catalog) -> None:
    with pytest.raises(ModelNotFoundError, match=r"cannot be opened with the engine 'llama\.cpp', only with"):
        catalog.get("pip/instruct").source("llama.cpp")


def test_a_served_model_need_not_be_on_this_machine(catalog: Catalog) -> None:
    entry = catalog.get("big/base")
    source = entry.source()
    assert entry.present
    assert (source.engine, source.path) == ("server", "http://127.0.0.1:8000/v1")
    assert (source.served_model, source.tokenizer) == ("big-7b", "someone/big-7b")


def test_a_repository_is_there_once_it_was_downloaded(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert not catalog.get("pip/instruct").present
    assert not catalog.get("pip/base").present
    (tmp_path / "hub" / "models--someone--Pip-Instruct").mkdir(parents=True)
    (tmp_path / "pip" / "hf-base").mkdir(parents=True)
    assert catalog.get("pip/instruct").present
    assert catalog.get("pip/base").present


def test_an_entry_that_lies_nowhere_is_passed_over(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("pair: none\nbase:\n  title: x\n")
    assert "name a gguf file" in catalog.problems()[0].message


def test_a_transformers_folder_is_a_model_by_its_path(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "Some-Instruct"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    entry = catalog.get(str(folder))
    assert (entry.kind, entry.source().engine) == ("instruct", "transformers")


def test_the_workbench_opens_the_engine_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[EngineSpec] = []

    def opening(spec: EngineSpec, **options: object) -> Engine:
        opened.append(spec)
        return FakeEngine()

    monkeypatch.setattr("playground.services.opening.open_engine", opening)
    for engine in ("", "transformers"):
        settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path), "PLAYGROUND_ENGINE": engine})
        with Workbench(settings) as workbench:
            workbench.engine("wren/base")
    assert [spec.kind for spec in opened] == ["llama.cpp", "transformers"]
    assert opened[0].path.endswith(".gguf")
    assert opened[1].path.endswith("hf-base")


ON_HUB = """
pair: far
parameters: 360_000_000
context: 8192
tried: false
base:
  gguf: {repository: someone/Far-GGUF, file: Far.Q4_K_M.gguf}
  transformers: someone/Far
  sampling: {source: "a paper", temperature: 0.3, repetition_penalty: 1.1}
instruct:
  gguf: {repository: someone/Far-Instruct-GGUF, quantization: Q4_K_M}
"""


def test_what_lies_on_the_hub_is_found_where_it_was_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "far.yaml").write_text(ON_HUB)
    catalog = Catalog(tmp_path, downloads=tmp_path / "files")
    base, instruct = catalog.get("far/base"), catalog.get("far/instruct")
    assert (base.present, instruct.present, base.tried) == (False, False, False)
    assert base.hub is not None
    assert (base.hub.repository, base.hub.file) == ("someone/Far-GGUF", "Far.Q4_K_M.gguf")
    assert base.sampling is not None
    assert (base.sampling.temperature, base.sampling_source) == (0.3, "a paper")
    ours = tmp_path / "files" / "someone--Far-GGUF" / "Far.Q4_K_M.gguf"
    ours.parent.mkdir(parents=True)
    ours.write_bytes(b"x")
    # Another tool's download, found by the precision in its name; Q4_K_M is not Q4_K_S.
    theirs = tmp_path / "hub" / "models--someone--Far-Instruct-GGUF" / "snapshots" / "abc"
    theirs.mkdir(parents=True)
    (theirs / "far-instruct-q4_k_s.gguf").write_bytes(b"x")
    assert not catalog.get("far/instruct").present
    (theirs / "far-instruct-q4_k_m.gguf").write_bytes(b"x")
    assert catalog.get("far/base").source().path == str(ours)
    assert catalog.get("far/instruct").source().path == str(theirs / "far-instruct-q4_k_m.gguf")


@pytest.mark.parametrize(
    "line",
    [
        "{repository: far, file: x.gguf}",
        "{repository: a/b, file: ../../x.gguf}",
        "{repository: a/b, file: /etc/x.gguf}",
        "{repository: a/b}",
        "{repository: a/b, file: x.gguf, sha256: abc}",
    ],
)
def test_a_reference_that_cannot_be_is_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "far.yaml").write_text(f"pair: far\nbase:\n  gguf: {line}\n")
    assert len(Catalog(tmp_path).problems()) == 1


def test_the_shipped_catalog_holds_pairs_from_135m_to_8b(repository: Path) -> None:
    catalog = Catalog(repository / "models")
    assert catalog.problems() == []
    entries = catalog.entries()
    assert entries[0].pair == "wren"
    pairs = {entry.pair: entry for entry in entries if entry.hub is not None}
    assert len(pairs) >= 8
    assert all({f"{pair}/base", f"{pair}/instruct"} <= {e.id for e in entries} for pair in pairs)
    sizes = [entry.parameters for entry in pairs.values()]
    assert (min(sizes), max(sizes)) == (135_000_000, 8_030_000_000)
    assert not any(entry.tried for entry in pairs.values())


def test_the_suggested_pair_comes_first_and_the_historic_ones_last(repository: Path) -> None:
    away = [entry for entry in Catalog(repository / "models").entries() if entry.hub is not None]
    assert [entry.id for entry in away if entry.suggested] == ["qwen3-0.6b/base", "qwen3-0.6b/instruct"]
    assert all(entry.suggested for entry in away[:2])
    current = [entry for entry in away[2:] if not entry.historic]
    historic = [entry for entry in away if entry.historic]
    assert away[2:] == [*current, *historic]
    assert {e.pair for e in historic} == {"qwen2.5-0.5b", "qwen2.5-1.5b", "smollm2-1.7b", "olmo-7b-0724"}
    for group in (current, historic):
        assert [e.parameters for e in group] == sorted(e.parameters for e in group)


@pytest.mark.parametrize(
    "pair",
    [
        *("qwen3-0.6b", "qwen3-4b", "smollm3-3b", "olmo-3-7b", "gemma-3-270m", "gemma-3-1b"),
        *("minicpm5-1b", "granite-4.1-3b", "ministral-3-3b", "apertus-8b"),
    ],
)
def test_a_current_pair_states_its_facts_and_their_sources(repository: Path, pair: str) -> None:
    catalog = Catalog(repository / "models")
    for entry in (catalog.get(f"{pair}/base"), catalog.get(f"{pair}/instruct")):
        assert entry.evidence
        assert entry.license
        assert entry.languages
        assert entry.architecture == "dense"
        assert not entry.tried


def test_a_model_that_reasons_by_default_is_asked_not_to(repository: Path) -> None:
    entries = Catalog(repository / "models").entries()
    options = {entry.id: dict(entry.template_options) for entry in entries if entry.template_options}
    reasoning = ("qwen3-0.6b/instruct", "minicpm5-1b/instruct", "smollm3-3b/instruct")
    assert options == {key: {"enable_thinking": False} for key in reasoning}


@pytest.mark.parametrize(
    "line",
    [
        "architecture: sparse",
        "historic: maybe",
        "base: {gguf: x.gguf, template_options: {a: [1]}}",
        "base: {gguf: x.gguf, template_options: {a b: 1}}",
    ],
)
def test_a_fact_that_the_schema_does_not_allow_is_a_problem(tmp_path: Path, line: str) -> None:
    base = "" if line.startswith("base") else "base: {gguf: x.gguf}\n"
    (tmp_path / "far.yaml").write_text(f"pair: far\n{base}{line}\n")
    assert len(Catalog(tmp_path).problems()) == 1


def test_a_persons_own_entry_wins(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("pair: wren\nbase:\n  gguf: mine.gguf\n")
    catalog = Catalog(repository / "models", tmp_path)
    assert catalog.get("wren/base").source().path == str(tmp_path / "mine.gguf")
    assert catalog.get("wren/instruct").source().path.endswith("wren-instruct-f16.gguf")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    catalog = Catalog(tmp_path)
    path.write_text("pair: p\nbase: {gguf: a.gguf}\n")
    assert catalog.get("p/base").path.name == "a.gguf"
    path.write_text("pair: p\nbase: {gguf: longer.gguf}\n")
    assert catalog.get("p/base").path.name == "longer.gguf"
