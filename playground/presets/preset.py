"""The preset: one value, one YAML file, checked strictly so that a typo fails loudly and by name.

Read with PyYAML's safe loader and without aliases (a bomb is refused, not expanded); written so that a text
of several lines stands as a block. Nothing here touches the disk.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from playground.errors import PresetError
from playground.types import Example, SamplingParams, Template

SCHEMA = 1
MAX_BYTES = 2_000_000
MAX_EXAMPLES = 2_000

_Name = Annotated[str, Field(min_length=1, max_length=80)]
_Probability = Annotated[float, Field(ge=0.0, le=1.0)]
_Penalty = Annotated[float, Field(ge=-2.0, le=2.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="constants")


class PresetExample(_Strict):
    """A query and the answer it should get; ``note`` is for people and never sent."""

    query: str
    answer: str
    enabled: bool = True
    note: str = ""


class PresetTemplate(_Strict):
    """A template of the preset's own, in place of a built-in one's name."""

    name: _Name = "custom"
    system: str = "{system}\n"
    turn: str
    separator: str = "\n"
    lead: str = ""
    strip_newlines: bool = False

    @field_validator("turn")
    @classmethod
    def _turn_fields(cls, turn: str) -> str:
        if turn.count("{query}") != 1 or turn.count("{answer}") != 1:
            raise ValueError("a turn pattern holds {query} and {answer} once each")
        if turn.index("{query}") > turn.index("{answer}"):
            raise ValueError("a turn pattern holds {query} before {answer}")
        return turn

    @field_validator("system")
    @classmethod
    def _system_field(cls, system: str) -> str:
        if system.count("{system}") != 1:
            raise ValueError("a system pattern holds {system} once")
        return system


def _template_branch(value: object) -> str:
    return "name" if isinstance(value, str) else "own"


_AnyTemplate = Annotated[
    Annotated[_Name, Tag("name")] | Annotated[PresetTemplate, Tag("own")], Discriminator(_template_branch)
]


class PresetSampling(_Strict):
    """Decoding, which belongs to a preset: EPFL found it decisive for base models (arXiv 2405.19874)."""

    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    top_k: Annotated[int, Field(ge=0)] = 0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    min_p: _Probability = 0.0
    repetition_penalty: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    penalize_prompt: bool = True
    frequency_penalty: _Penalty = 0.0
    presence_penalty: _Penalty = 0.0
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None

    def params(self) -> SamplingParams:
        """The same as the value that engines take."""
        return SamplingParams(**self.model_dump())


class Preset(_Strict):
    """Everything in front of a person's words, and how the next token is drawn.

    ``prefix`` is exact text that stands in place of system and examples, for prompts that were published
    with irregular spacing; examples beside it are shown and not rendered.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    name: _Name
    title: Annotated[str, Field(max_length=200)] = ""
    description: Annotated[str, Field(max_length=4_000)] = ""
    language: Annotated[str, Field(max_length=20)] = "en"
    template: _AnyTemplate = "basechat"
    system: str = ""
    prefix: str | None = None
    examples: Annotated[tuple[PresetExample, ...], Field(strict=False, max_length=MAX_EXAMPLES)] = ()
    sampling: PresetSampling = PresetSampling()
    stop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()
    questions: Annotated[tuple[str, ...], Field(strict=False)] = ()
    tags: Annotated[tuple[str, ...], Field(strict=False)] = ()
    author: str = ""
    license: str = ""
    notes: str = ""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, populate_by_name=True, ser_json_inf_nan="constants"
    )

    @model_validator(mode="after")
    def _stop_is_not_blank(self) -> Self:
        if any(not text.strip() for text in self.stop):
            raise ValueError("stop: white space alone is never a stop")
        return self

    def turn_examples(self) -> tuple[Example, ...]:
        """The examples as plain values, disabled ones included."""
        return tuple(Example(e.query, e.answer, e.enabled, e.note) for e in self.examples)

    def own_template(self) -> Template | None:
        """The preset's own template, or None where it names a built-in one."""
        if isinstance(self.template, str):
            return None
        own = self.template
        return Template(own.name, own.system, own.turn, own.separator, own.lead, own.strip_newlines)

    def content_hash(self) -> str:
        """SHA-256 (64 hex digits) of what shapes the prompt and its continuation; not of name or notes."""
        content = self.model_dump(
            mode="json", include={"template", "system", "prefix", "examples", "sampling", "stop"}
        )
        for example in content["examples"]:
            del example["note"]
        canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_yaml(self) -> str:
        """The file: keys in the order of this class, defaults left out, texts of several lines as blocks."""
        kept: dict[str, object] = {"schema": SCHEMA}
        kept |= self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return yaml.dump(kept, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "preset") -> Preset:
        """The preset in a file's text.

        Args:
            text: YAML.
            source: What to call the file in an error.

        Raises:
            PresetError: Not YAML, an unknown key, a wrong type, a newer schema; the message names the place.
        """
        if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
            raise PresetError(
                f"{source} is larger than {MAX_BYTES // 1_000_000} MB, as no preset is; choose another file."
            )
        try:
            loaded = yaml.load(text, Loader=_Loader)
        except yaml.YAMLError as error:
            raise PresetError(f"{source} is not valid YAML: {_yaml_place(error)}.") from error
        except (RecursionError, ValueError, OverflowError) as error:
            raise PresetError(f"{source} cannot be read as YAML: {type(error).__name__}.") from error
        if not isinstance(loaded, dict):
            raise PresetError(f"{source} holds no preset: its top level must be keys such as 'name: ...'.")
        version = loaded.get("schema", SCHEMA)
        if isinstance(version, int) and version > SCHEMA:
            raise PresetError(
                f"{source} is of schema {version} and this program reads up to {SCHEMA}; update the program."
            )
        return cls.checked(loaded, source=source)

    @classmethod
    def checked(cls, value: object, *, source: str = "preset") -> Preset:
        """A preset from a plain mapping.

        Raises:
            PresetError: Names the first key that is unknown or of the wrong type.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise PresetError(f"{source}: {_first_problem(error)}") from error
        except RecursionError as error:
            raise PresetError(f"{source} is nested too deeply to be a preset.") from error


def _first_problem(error: ValidationError) -> str:
    problem = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    place = [str(key) for key in problem["loc"]]
    if place[:1] == ["template"]:
        del place[1:2]  # the branch of the union, which is no key of the file
    where = ".".join(place) or "the file"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        parts: dict[str, type[BaseModel]] = {
            "examples": PresetExample,
            "sampling": PresetSampling,
            "template": PresetTemplate,
        }
        known = parts.get(place[0], Preset) if len(place) > 1 else Preset
        names = [field.alias or name for name, field in known.model_fields.items()]
        return f"unknown key '{where}'; the keys are {', '.join(names)}{more}."
    if problem["type"] == "missing":
        return f"the key '{where}' is missing; add it{more}."
    seen = repr(problem["input"])
    seen = seen if len(seen) <= 60 else seen[:57] + "..."
    said = problem["msg"].removeprefix("Value error, ")
    return f"'{where}' is {seen}: {said[:1].lower()}{said[1:]}{more}."


def _yaml_place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).split("\n")[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {what}" if mark else what


class _Loader(yaml.SafeLoader):
    """Safe, without aliases (they can grow without bound) and without silently doubled keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(
                f"line {event.start_mark.line + 1}: aliases (*name) are not allowed in a preset; write it out"
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' stands twice", key.start_mark
                )
            if isinstance(key.value, str):
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks and indents lists under their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_str(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_str)
