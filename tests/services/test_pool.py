"""The pool: what is unloaded to make room, cancelled loads, progress, and load settings kept by model."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from playground.engines.base import Cancel, Engine
from playground.engines.client import WorkerEngine
from playground.engines.fake import FakeEngine, FakeScript
from playground.engines.load import EngineSpec, open_engine
from playground.errors import EngineError, ModelNotFoundError, PlaygroundError
from playground.models.catalog import Catalog, ModelEntry
from playground.services import Workbench
from playground.services.load_settings import LoadSettings, LoadSettingsStore
from playground.services.pool import Loading, ModelPool
from playground.settings import Settings

GB = 10**9


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.gguf").write_bytes(b"x")
        (tmp_path / f"{name}.yaml").write_text(f"pair: {name}\nbase: {{gguf: {name}.gguf}}\n")
    return Catalog(tmp_path)


class Machine:
    """Ten gigabytes, of which each loaded model takes its own."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.taken: dict[str, int] = {}
        self.log: list[str] = []
        self.working: set[str] = set()
        self.pool: ModelPool | None = None

    def needs(self, entry: ModelEntry) -> int:
        return self.sizes[entry.pair] * GB

    def free(self) -> int:
        return 10 * GB - sum(self.taken.values())

    def open(self, entry: ModelEntry, loading: Loading) -> Engine:
        machine, name = self, entry.pair
        machine.taken[name] = machine.needs(entry)

        class Freed(FakeEngine):
            def close(self) -> None:
                super().close()
                if machine.taken.pop(name, None):
                    said = machine.pool.notices() if machine.pool else []
                    machine.log.append(f"closed {name} after {len(said)} notices")

        engine = Freed(FakeScript())
        engine.name = name  # type: ignore[attr-defined]
        return engine

    def busy(self, engine: Engine) -> bool:
        return getattr(engine, "name", "") in self.working


def _pool(catalog: Catalog, machine: Machine) -> ModelPool:
    machine.pool = ModelPool(catalog, machine.open, needs=machine.needs, free=machine.free, busy=machine.busy)
    return machine.pool


def test_the_least_recently_used_is_unloaded_after_saying_so(catalog: Catalog) -> None:
    machine = Machine({"a": 4, "b": 4, "c": 4})
    pool = _pool(catalog, machine)
    pool.engine("a/base")
    pool.engine("b/base")
    pool.engine("a/base")
    assert pool.notices() == []
    pool.engine("c/base")
    assert sorted(machine.taken) == ["a", "c"]
    assert machine.log == ["closed b after 1 notices"]
    (notice,) = pool.notices()
    assert notice.text.startswith("b/base is unloaded to make room for c/base, which needs about 4.0 GB")
    assert pool.notices(after=notice.number) == []
    assert {state.id: state.status for state in pool.states()}["b/base"] == "unloaded"
    pool.close()


def test_one_at_work_is_never_unloaded(catalog: Catalog) -> None:
    machine = Machine({"a": 4, "b": 4, "c": 4})
    pool = _pool(catalog, machine)
    pool.engine("a/base")
    pool.engine("b/base")
    machine.working = {"a"}
    pool.engine("c/base")
    assert sorted(machine.taken) == ["a", "c"]
    pool.close()


def test_where_nothing_helps_the_engine_itself_refuses(catalog: Catalog) -> None:
    machine = Machine({"a": 4, "b": 20, "c": 4})
    pool = _pool(catalog, machine)
    pool.engine("a/base")
    pool.engine("b/base")
    # All that was idle is gone, and the load was tried: the engine's own refusal names the figures.
    assert list(machine.taken) == ["b"]
    pool.close()


def test_loading_tells_its_progress_and_can_be_cancelled(catalog: Catalog) -> None:
    begun, ended = threading.Event(), threading.Event()

    def opener(entry: ModelEntry, loading: Loading) -> Engine:
        loading.progress(0.25)
        loading.cancel.on_set(ended.set)
        begun.set()
        assert ended.wait(30)
        raise EngineError("Loading was cancelled; ask again to load the model.")

    pool = ModelPool(catalog, opener)
    errors: list[str] = []

    def ask() -> None:
        with pytest.raises(EngineError) as error:
            pool.engine("a/base")
        errors.append(str(error.value))

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(30)
    state = next(state for state in pool.states() if state.id == "a/base")
    assert (state.status, state.progress) == ("loading", 0.25)
    pool.unload("a/base")
    asking.join(30)
    assert errors == ["a/base was unloaded while it was loading; ask again to load it."]
    assert {state.id: state.status for state in pool.states()}["a/base"] == "unloaded"
    pool.close()


def test_a_workers_load_ends_when_it_is_cancelled() -> None:
    cancel = Cancel()
    spec = EngineSpec(kind="fake", script=FakeScript(load_s=60.0))
    timer = threading.Timer(0.2, cancel.set)
    timer.start()
    with pytest.raises(EngineError, match="Loading was cancelled"):
        open_engine(spec, cancel=cancel)
    timer.join()
    with pytest.raises(EngineError, match="Loading was cancelled"):
        open_engine(spec, cancel=cancel)


def test_a_cancel_after_loading_does_nothing() -> None:
    cancel = Cancel()
    engine = open_engine(EngineSpec(kind="fake"), cancel=cancel)
    cancel.set()
    assert isinstance(engine, WorkerEngine)
    assert engine.alive
    engine.close()


def test_load_settings_are_kept_by_model(tmp_path: Path) -> None:
    store = LoadSettingsStore(tmp_path / "load.json")
    assert store.get("a/base") == LoadSettings()
    chosen = LoadSettings(n_ctx=2048, n_threads=3, k_type="q8_0", n_gpu_layers=0)
    store.set("a/base", chosen)
    store.set("b/base", LoadSettings(n_batch=64))
    again = LoadSettingsStore(tmp_path / "load.json")
    assert again.get("a/base") == chosen
    spec = chosen.applied(EngineSpec(path="x", n_ctx=512))
    assert (spec.n_ctx, spec.n_threads, spec.k_type, spec.n_gpu_layers, spec.n_batch) == (
        2048,
        3,
        "q8_0",
        0,
        512,
    )
    again.set("a/base", LoadSettings())
    assert again.get("a/base") == LoadSettings()
    with pytest.raises(PlaygroundError, match="cannot be used"):
        store.set("a/base", LoadSettings(n_ctx=3))


@pytest.mark.parametrize("content", ["[", "[]", '{"a/base": {"n_ctx": -1}}', '{"a/base": {"nope": 1}}'])
def test_damaged_load_settings_are_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "load.json").write_text(content)
    assert LoadSettingsStore(tmp_path / "load.json").get("a/base") == LoadSettings()


def test_what_was_not_downloaded_is_told_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with Workbench(Settings.load({"PLAYGROUND_HOME": str(tmp_path)})) as workbench:
        with pytest.raises(ModelNotFoundError, match="playground models pull smollm2-135m/base"):
            workbench.engine("smollm2-135m/base")
        state = next(s for s in workbench.model_states() if s.id == "qwen2.5-0.5b/base")
        assert (state.status, "models pull" in state.detail) == ("missing", True)


def test_a_quantized_kv_cache_and_a_chosen_context_are_loaded(tmp_path: Path) -> None:
    with Workbench(Settings.load({"PLAYGROUND_HOME": str(tmp_path)})) as workbench:
        workbench.load_settings.set("wren/base", LoadSettings(n_ctx=320, k_type="q8_0", v_type="q8_0"))
        info = workbench.engine("wren/base").info
        assert info.n_ctx == 320
        state = next(s for s in workbench.model_states() if s.id == "wren/base")
        assert state.memory_bytes > 10_000_000
        plan = workbench.memory_plan("wren/base", (512, 1024))
        assert plan is not None
        small, large = plan.estimates
        assert large.kv_bytes > small.kv_bytes
