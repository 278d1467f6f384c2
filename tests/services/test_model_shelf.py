"""What a person does with models: kinds changed, names taken, files verified, memory planned."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from hub_server import DATA, FILE, REPOSITORY, HubServer

from playground.engines.gpus import Gpu
from playground.errors import ModelNotFoundError, PlaygroundError
from playground.models.places import HubReference, quantization_of
from playground.presets.preset import Preset, PresetSampling
from playground.services import DRAFT, SideSpec, Workbench, memory_plan
from playground.services.downloads import Downloads, downloads_left
from playground.services.experiment_plans import spec_for
from playground.services.load_settings import LoadSettings
from playground.services.model_shelf import is_repository
from playground.services.verification import Verifications, VerificationState
from playground.settings import Settings
from playground.types import SamplingParams

PUBLISHED = "{source: A paper, temperature: 0.25, top_p: 0.5, repetition_penalty: 1.15}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load({"PLAYGROUND_HOME": str(tmp_path / "home")})


def _entry(settings: Settings, text: str) -> None:
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    (settings.models_dir / "far.yaml").write_text(f"pair: far\n{text}\n")


def test_an_own_model_changes_its_kind_unless_the_name_is_taken(
    settings: Settings, repository: Path, tmp_path: Path
) -> None:
    path = tmp_path / "Finch.gguf"
    shutil.copy(repository / "models" / "wren" / "wren-base-f16.gguf", path)
    with Workbench(settings) as bench:
        assert bench.shelf.add(str(path), pair="finch").id == "finch/base"
        assert bench.shelf.change_kind("finch/base", "base") == "finch/base"
        assert bench.shelf.change_kind("finch/base", "instruct") == "finch/instruct"
        with pytest.raises(ModelNotFoundError):
            bench.catalog.get("finch/base")
        bench.shelf.add(str(path), pair="finch", replace=False)
        with pytest.raises(PlaygroundError, match="finch/instruct is there already"):
            bench.shelf.change_kind("finch/base", "instruct")
        with pytest.raises(PlaygroundError, match="a model finch/base already"):
            bench.shelf.add(str(path), pair="finch", replace=False)
        # What ships stays; the same file is listed beside it.
        assert bench.shelf.change_kind("wren/base", "instruct") == "wren-as-instruct/instruct"
        assert bench.catalog.get("wren-as-instruct/instruct").path == bench.catalog.get("wren/base").path


@pytest.mark.parametrize("pair", ["../escape", "/abs", "", "a/b", "x" * 80, ".hidden"])
def test_a_name_that_would_lie_elsewhere_is_refused(settings: Settings, repository: Path, pair: str) -> None:
    from playground.models.own import write_entry

    with pytest.raises(PlaygroundError, match="is no name for a pair"):
        write_entry(settings.models_dir, pair, "base", gguf=repository / "x.gguf")
    assert not settings.models_dir.exists()


def test_a_path_is_told_from_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").mkdir()
    told = {name: is_repository(name) for name in ("a/b", "a/c", "./a/c", "~/c", "/c", "a/c.gguf", "a/b/c")}
    assert [name for name, repository in told.items() if repository] == ["a/c"]


def test_a_name_tells_its_precision() -> None:
    names = {
        "Qwen2.5-0.5B.Q4_K_M.gguf": "Q4_K_M",
        "wren-base-f16.gguf": "F16",
        "x-iq2_xs-00001-of-00002.gguf": "IQ2_XS",
        "llama-3-bf16.gguf": "BF16",
        "model.gguf": "",
        "q4you.gguf": "",
    }
    assert {name: quantization_of(name) for name in names} == names


def test_a_model_without_a_preset_is_decoded_by_its_own_settings_whatever_preset_is_open(
    settings: Settings,
) -> None:
    _entry(settings, f"base:\n  gguf: ./x.gguf\n  sampling: {PUBLISHED}")
    draft = Preset(name="d", sampling=PresetSampling(temperature=0.9, top_k=7, max_tokens=33))
    with Workbench(settings) as bench:
        for open_preset in (None, draft):
            bare = bench.assistant(SideSpec("far/base", "none"), open_preset).sampling
            assert (bare.temperature, bare.top_p, bare.repetition_penalty) == (0.25, 0.5, 1.15)
            neutral = bench.assistant(SideSpec("wren/base", "none"), open_preset).sampling
            assert neutral == SamplingParams()
        assert bench.assistant(SideSpec("far/base", DRAFT), draft).sampling == draft.sampling.params()
        spec = spec_for(bench, "far/base", "none")
        assert spec.params().temperature == 0.25, "experiments too"
        assert spec_for(bench, "wren/base", "none").params() == SamplingParams()


def _ended(checks: Verifications, model: str) -> VerificationState:
    until = time.monotonic() + 30
    while (state := checks.states()[model]).status == "running":
        assert time.monotonic() < until
        time.sleep(0.01)
    return state


def test_a_renamed_model_is_found_by_its_former_names(
    settings: Settings, repository: Path, tmp_path: Path
) -> None:
    path = tmp_path / "SmolLM2-360M.gguf"
    shutil.copy(repository / "models" / "wren" / "wren-base-f16.gguf", path)
    with Workbench(settings) as bench:
        added = bench.shelf.add(str(path), kind="base").id
        assert added == "smollm2-360m-2/base", "the shipped pair of that name is not hidden"
        bench.shelf.add(str(path), pair="both", kind="base")
        bench.shelf.add(str(path), pair="both", kind="instruct")
        bench.shelf.rename(added, "tern/base")
        bench.shelf.rename(added, "gull", "Gull")
        assert bench.catalog.get(added).id == bench.catalog.get("tern/base").id == "gull/base"
        assert bench.catalog.get("gull/base").title == "Gull"
        assert bench.engine(added) is bench.engine("gull/base"), "it is loaded once"
        assert {s.id for s in bench.model_states() if s.status == "ready"} == {"gull/base"}
        assert bench.shelf.rename("both/instruct", "other") == "other/instruct"
        assert bench.catalog.get("both/base").pair == "both", "the other model keeps its name"
        with pytest.raises(PlaygroundError, match="already"):
            bench.shelf.rename("other/instruct", "wren")
        # Another model that takes the former name is meant by it from then on.
        bench.shelf.add(str(path), pair="tern", kind="base")
        assert bench.catalog.get("tern/base").pair == "tern"


def test_files_are_verified_in_the_background(hub: HubServer, settings: Settings) -> None:
    _entry(settings, f"base:\n  gguf: {{repository: {REPOSITORY}, file: {FILE}}}")
    downloads = Downloads(settings.downloads_dir)
    reference = HubReference(REPOSITORY, file=FILE)
    assert not downloads_left(settings.downloads_dir)
    key = downloads.pull("far/base", reference)
    assert downloads_left(settings.downloads_dir)
    path = Path(downloads.wait(key, 60).path)
    downloads.close()
    assert not downloads_left(settings.downloads_dir)
    with Workbench(settings) as bench:
        checks = Verifications(bench.shelf)
        with pytest.raises(ModelNotFoundError):
            checks.start("nope/base")
        checks.start("wren/base")
        assert _ended(checks, "wren/base").status == "nothing"
        assert bench.shelf.bytes_to_verify("far/base") == len(DATA)
        checks.start("far/base")
        assert _ended(checks, "far/base") == VerificationState("right")
        path.write_bytes(DATA[:-1] + b"?")
        checks.start("far/base")
        state = _ended(checks, "far/base")
        assert (state.status, FILE in state.sentence) == ("wrong", True)
        checks.forget("far/base")
        assert "far/base" not in checks.states()
        assert bench.shelf.was_downloaded(bench.catalog.get("far/base"))
        bench.shelf.delete_files("far/base")
        assert not bench.shelf.was_downloaded(bench.catalog.get("far/base"))


def test_what_was_missing_when_it_was_asked_for_is_not_failed_once_it_is_there(settings: Settings) -> None:
    _entry(settings, f"base:\n  gguf: {{repository: {REPOSITORY}, file: {FILE}}}")

    def status() -> str:
        return next(state.status for state in bench.model_states() if state.id == "far/base")

    with Workbench(settings) as bench:
        with pytest.raises(ModelNotFoundError):
            bench.engine("far/base")
        assert status() == "missing"
        folder = settings.downloads_dir / REPOSITORY.replace("/", "--")
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(b"GGUF")
        assert status() == "unloaded"


def test_memory_is_planned_for_the_usual_contexts_and_layers_for_a_gpu(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workbench(settings) as bench:
        plan = bench.memory_plan("wren/base")
        assert plan is not None
        assert plan.gpu_layers == ()
        contexts = [one.n_ctx for one in plan.estimates]
        assert contexts == sorted({512, *contexts})
        totals = [one.total_bytes for one in plan.estimates]
        assert totals == sorted(totals)
        less = bench.memory_plan("wren/base", [512], LoadSettings(k_type="q8_0", v_type="q8_0"))
        assert less is not None
        assert less.estimates[0].kv_bytes < plan.estimates[0].kv_bytes
        gpu = Gpu("A GPU", 8 * 2**30, 4 * 2**30)
        monkeypatch.setattr(memory_plan, "find_gpus", lambda: [gpu])
        monkeypatch.setattr(memory_plan, "offload_support", lambda: True)
        offloaded = bench.memory_plan("wren/base", [512])
        assert offloaded is not None
        assert offloaded.gpu_layers == (offloaded.n_layers + 1,)
        monkeypatch.setattr(memory_plan, "find_gpus", lambda: [Gpu("Full", 8 * 2**30, 0)])
        full = bench.memory_plan("wren/base", [512])
        assert full is not None
        assert full.gpu_layers == (0,)
