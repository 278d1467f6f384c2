"""Options of a chat template: found, checked, given by side or preset, and kept with a run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.engines.base import EngineInfo
from playground.engines.fake import FakeEngine
from playground.errors import PresetError, TemplateError
from playground.experiments.questions import Asked, Question, QuestionSet
from playground.experiments.run import Run
from playground.experiments.run_files import Plan, read_plan
from playground.presets.preset import Preset
from playground.prompts.template_options import read_option, read_options
from playground.services import DRAFT, SideSpec, Workbench
from playground.services.experiment_plans import spec_for
from playground.services.experiments import WorkbenchHost
from playground.settings import Settings
from playground.types import Message, TemplateOption

TEMPLATE = (
    "{% if effort is not defined %}{% set effort = 'medium' %}{% endif %}<{{ effort }}>"
    "{% for m in messages %}{{ m.content }}{% endfor %}"
    "{% if enable_thinking is defined and enable_thinking is false %}<no>{% endif %}"
)
MESSAGES = [Message("user", "hi")]


class _Optional(FakeEngine):
    @property
    def info(self) -> EngineInfo:
        return dataclasses.replace(super().info, chat_template=TEMPLATE)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path)})
    with Workbench(settings, opener=lambda entry: _Optional(["fine"])) as workbench:
        yield workbench


def _text(bench: Workbench, side: SideSpec, draft: Preset | None = None) -> str:
    return bench.assistant(side, draft).renderer.render(MESSAGES).text


def test_the_options_of_an_instruct_model_are_those_that_its_template_reads(bench: Workbench) -> None:
    assert bench.template_options("wren/instruct") == (
        TemplateOption("effort", "text", ("medium",), "medium"),
        TemplateOption("enable_thinking", "flag"),
    )
    assert bench.template_options("wren/base") == ()


def test_a_catalog_entrys_options_hold_unless_others_are_given(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "mine.yaml").write_text(
        "pair: mine\ninstruct:\n  gguf: x.gguf\n"
        "  template_options: {enable_thinking: false, effort: low, unread: 1}\n"
    )
    settings = Settings.load({"PLAYGROUND_HOME": str(tmp_path)})
    assert settings.models_dir == models
    preset = Preset(name="p", template_options={"effort": "high"})
    with Workbench(settings, opener=lambda entry: _Optional(["fine"])) as bench:
        assert _text(bench, SideSpec("mine/instruct", "none")) == "<low>hi<no>"
        assert _text(bench, SideSpec("mine/instruct", DRAFT), preset) == "<high>hi<no>"
        side = SideSpec("mine/instruct", DRAFT, (("enable_thinking", True),))
        assert _text(bench, side, preset) == "<high>hi"
        defaults = {option.name: option.default for option in bench.template_options("mine/instruct")}
        assert defaults == {"effort": "low", "enable_thinking": False}


def test_a_sides_options_count_before_the_presets(bench: Workbench) -> None:
    preset = Preset(name="p", template_options={"effort": "low", "enable_thinking": False, "other": 1})
    assert _text(bench, SideSpec("wren/instruct", "none")) == "<medium>hi"
    assert _text(bench, SideSpec("wren/instruct", DRAFT), preset) == "<low>hi<no>"
    side = SideSpec("wren/instruct", DRAFT, (("effort", "high"),))
    assert _text(bench, side, preset) == "<high>hi<no>"


@pytest.mark.parametrize(
    ("side", "said"),
    [
        (
            SideSpec("wren/instruct", "none", (("efort", "low"),)),
            "reads no option 'efort'.*effort, enable_thinking",
        ),
        (SideSpec("wren/instruct", "none", (("enable_thinking", "no"),)), "is 'no'; it takes true or false"),
        (
            SideSpec("wren/base", "none", (("effort", "low"),)),
            "as a base model.*leave out the template option",
        ),
    ],
)
def test_a_wrong_option_is_refused_by_name(bench: Workbench, side: SideSpec, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        bench.assistant(side)


def test_a_run_keeps_the_options_and_asks_with_them(bench: Workbench, tmp_path: Path) -> None:
    spec = spec_for(bench, "wren/instruct", options={"enable_thinking": False})
    plan = Plan("evaluate", (spec,), QuestionSet("made", (Question("q", (Asked("hi"),), "c", place=1),)))
    with Run.create(tmp_path / "run", plan, WorkbenchHost(bench)) as run:
        run.ask([spec], plan.questions.questions)
        assert run.prompt_of(spec, plan.questions.questions[0], 0, 0).text == "<medium>hi<no>"
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["assistants"][0]["preset"]["template_options"] == {"enable_thinking": False}
    (again,) = read_plan(tmp_path / "run").assistants
    assert again.content_hash() == spec.content_hash()
    assert spec.content_hash() != spec_for(bench, "wren/instruct").content_hash()
    with pytest.raises(TemplateError, match="reads no option"):
        spec_for(bench, "wren/instruct", options={"nothing": 1})


def test_a_preset_keeps_its_options_in_its_file() -> None:
    preset = Preset(name="p", template_options={"a": True, "b": 2, "c": 0.5, "d": "low"})
    read = Preset.from_yaml(preset.to_yaml())
    assert read == preset
    assert read.template_options["a"] is True
    assert preset.content_hash() != Preset(name="p").content_hash()
    with pytest.raises(PresetError, match="template_options"):
        Preset.from_yaml("name: p\ntemplate_options: {a: [1]}\n")
    with pytest.raises(PresetError, match="template_options"):
        Preset.from_yaml("name: p\ntemplate_options: {'no name': 1}\n")


def test_a_preset_without_options_has_the_hash_that_it_always_had() -> None:
    plain = Preset(name="p", system="S")
    assert plain.content_hash() == "358ead44484fe6d0855486e658e1a251ce23b137624450a4a28fe67a269b2faa"


def test_options_are_read_from_the_command_line() -> None:
    assert read_option("enable_thinking=false") == ("enable_thinking", False)
    assert read_option("a=True") == ("a", True)
    assert read_option("budget=512") == ("budget", 512)
    assert read_option("t=0.5") == ("t", 0.5)
    assert read_option("effort=a=b") == ("effort", "a=b")
    assert read_options(["a=1", "b=x", "a=2"]) == (("a", 2), ("b", "x"))
    for wrong in ("effort", "=x"):
        with pytest.raises(TemplateError, match="is not NAME=VALUE"):
            read_option(wrong)
