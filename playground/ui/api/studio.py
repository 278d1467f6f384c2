"""The studio: findings and their fixes, what differs between presets, templates that are being edited."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from playground.engines.base import Engine
from playground.errors import PlaygroundError
from playground.presets.preset import Preset
from playground.prompts.templates import BUILT_IN
from playground.services import Workbench
from playground.studio.diff import PresetDiff, diff_presets
from playground.studio.lint import lint
from playground.studio.template_check import check_fields, template_json
from playground.types import Template
from playground.ui.api.binding import Call
from playground.ui.api.presets import draft_json, preset_of
from playground.ui.strings import Strings
from playground.ui.wire_format import Incoming, PresetRef


class LintIn(Incoming):
    """A draft, and the base model whose tokenizer may be asked."""

    draft: Mapping[str, object]
    model: str | None = None


class FixIn(LintIn):
    """A finding of the draft by its rule and place."""

    rule: str
    place: str


class DiffIn(Incoming):
    """Two presets."""

    old: PresetRef
    new: PresetRef


class TemplateIn(BaseModel):
    """A template's fields as they are typed; any of them may be wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    system: str
    turn: str
    separator: str
    lead: str
    strip_newlines: bool


class StudioCalls:
    """What looks at presets."""

    def __init__(self, workbench: Workbench, strings: Strings) -> None:
        self._bench = workbench
        self._strings = strings

    def calls(self) -> list[Call]:
        """``lint``, ``fix``, ``diff``, ``template`` and ``check_template``."""
        return [
            Call.of("lint", LintIn, self.lint),
            Call.of("fix", FixIn, self.fix),
            Call.of("diff", DiffIn, self.diff),
            Call.of("templates", Incoming, lambda _: self.templates()),
            Call.of("check_template", TemplateIn, self.check_template),
        ]

    def lint(self, query: LintIn) -> object:
        """Each finding: rule, severity, place, reason, and whether there is a fix."""
        found = lint(Preset.checked(query.draft), engine=self._base_engine(query.model))
        return [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "place": finding.place,
                "message": finding.message,
                "fixable": finding.fix is not None,
            }
            for finding in found
        ]

    def fix(self, query: FixIn) -> object:
        """The draft with a finding mended."""
        for finding in lint(Preset.checked(query.draft), engine=self._base_engine(query.model)):
            if (finding.rule, finding.place) == (query.rule, query.place) and finding.fix is not None:
                return draft_json(finding.fix)
        raise PlaygroundError(self._strings("lint.gone"))

    def diff(self, query: DiffIn) -> object:
        """What differs by part, and in the prompt for one question, as lines of a unified diff."""
        old, new = (preset_of(self._bench, ref, self._strings) for ref in (query.old, query.new))
        return diff_json(diff_presets(old, new))

    def templates(self) -> object:
        """The fields of every built-in template."""
        return [template_json(template) for template in BUILT_IN.values()]

    def check_template(self, query: TemplateIn) -> object:
        """What is wrong with a template by field; its stops and a sample where nothing is."""
        checked = check_fields(Template(**query.model_dump()))
        return {
            "problems": checked.problems,
            "warnings": checked.warnings,
            "stop": [[rule.text, rule.place] for rule in checked.stop],
            "sample": checked.sample,
        }

    def _base_engine(self, model: str | None) -> Engine | None:
        """The model if it is a base model that is loaded; linting loads none."""
        for state in self._bench.model_states():
            if state.id == model and state.kind == "base" and state.status == "ready":
                return self._bench.engine(state.id)
        return None


def diff_json(diff: PresetDiff) -> dict[str, object]:
    """What differs between two presets, as the page draws it."""
    return {
        "parts": [[part.part, part.change, part.lines] for part in diff.parts],
        "prompt": diff.prompt,
        "same_content": diff.same_content,
    }
