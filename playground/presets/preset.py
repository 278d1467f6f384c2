"""The preset: one value, one YAML file, checked strictly so that a typo fails loudly and by name.

Nothing here touches the disk. ``yaml_text`` reads and writes the file's text, ``migrations`` brings an older
one up to date, ``docs/presets.md`` tells people what each key means.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

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
from playground.presets.migrations import SCHEMA, migrate
from playground.presets.yaml_text import YamlText, read_yaml, write_yaml
from playground.types import Example, SamplingParams, Template

MAX_BYTES = 2_000_000
MAX_EXAMPLES = 2_000

_SURROGATE = re.compile("[\ud800-\udfff]")
_Name = Annotated[str, Field(min_length=1, max_length=80)]
_Probability = Annotated[float, Field(ge=0.0, le=1.0)]
_Penalty = Annotated[float, Field(ge=-2.0, le=2.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="constants")

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: object) -> object:
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and _SURROGATE.search(text):
                raise ValueError("it holds half a character (a lone surrogate); write the whole one")
        return value


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


_OptionName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,79}$")]
_OptionText = Annotated[str, Field(max_length=10_000)]
_OptionValue = bool | int | Annotated[float, Field(allow_inf_nan=False)] | _OptionText


class DerivedFrom(_Strict):
    """The preset that this one was made from: its name, and its content hash at that time."""

    name: _Name
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class PresetResult(_Strict):
    """Something that was measured with this preset; ``n`` is how many cases the value was taken over."""

    measure: Annotated[str, Field(min_length=1, max_length=200)]
    value: Annotated[float, Field(allow_inf_nan=False)]
    model: str = ""
    n: Annotated[int, Field(ge=0)] | None = None
    date: str = ""
    note: str = ""


class Preset(_Strict):
    """Everything in front of a person's words, and how the next token is drawn.

    ``template_options`` are named arguments of an instruct model's chat template, as ``enable_thinking``.
    ``prefix`` is exact text that stands in place of system and examples, for prompts that were published
    with irregular spacing; examples beside it are shown and not rendered.
    """

    schema_: Annotated[Literal[2], Field(alias="schema")] = 2
    name: _Name
    title: Annotated[str, Field(max_length=200)] = ""
    description: Annotated[str, Field(max_length=4_000)] = ""
    language: Annotated[str, Field(max_length=20)] = ""
    template: _AnyTemplate = "basechat"
    system: str = ""
    prefix: str | None = None
    examples: Annotated[tuple[PresetExample, ...], Field(strict=False, max_length=MAX_EXAMPLES)] = ()
    sampling: PresetSampling = PresetSampling()
    stop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()
    template_options: Annotated[dict[_OptionName, _OptionValue], Field(max_length=50)] = {}
    questions: Annotated[tuple[str, ...], Field(strict=False)] = ()
    tags: Annotated[tuple[str, ...], Field(strict=False)] = ()
    author: str = ""
    license: str = ""
    derived_from: DerivedFrom | None = None
    models: Annotated[tuple[str, ...], Field(strict=False)] = ()
    results: Annotated[tuple[PresetResult, ...], Field(strict=False, max_length=MAX_EXAMPLES)] = ()
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
        if self.template_options:  # so that a preset without any keeps the hash that it had before there were
            content["template_options"] = dict(self.template_options)
        canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def derived(self, name: str) -> Preset:
        """A copy under another name that remembers this one as its parent; results stay with the parent."""
        return self.model_copy(update={"name": name}).made_from(self)

    def made_from(self, parent: Preset) -> Preset:
        """The same with ``parent`` as its parent; what was measured with that one is not its own."""
        origin = DerivedFrom(name=parent.name, hash=parent.content_hash())
        return self.model_copy(update={"derived_from": origin, "results": ()})

    def to_yaml(self) -> str:
        """The file: keys in the order of this class, defaults left out, texts of several lines as blocks.

        Raises:
            PresetError: It would be larger than a preset may be.
        """
        kept: dict[str, object] = {"schema": SCHEMA}
        kept |= self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        # Its texts alone are counted first: writing ten megabytes takes a quarter of a minute.
        self._check_bytes(_text_bytes(kept))
        text = write_yaml(kept)
        self._check_bytes(len(text.encode()))
        return text

    def _check_bytes(self, count: int) -> None:
        if count > MAX_BYTES:
            raise PresetError(
                f"'{self.name[:80]}' would take {count / 1e6:.1f} MB and a preset has at most "
                f"{MAX_BYTES // 1_000_000} MB; remove some of its text."
            )

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "preset") -> Preset:
        """The preset in a file's text.

        Args:
            text: YAML.
            source: What to call the file in an error.

        Raises:
            PresetError: Not YAML, an unknown key, a wrong type, a newer schema; the message names the key,
                and its line and column.
        """
        if len(text) > MAX_BYTES or len(text.encode(errors="surrogatepass")) > MAX_BYTES:
            raise PresetError(
                f"{source} is larger than {MAX_BYTES // 1_000_000} MB, as no preset is; choose another file."
            )
        read = read_yaml(text, source=source)
        if not isinstance(read.value, dict):
            raise PresetError(f"{source} holds no preset: its top level must be keys such as 'name: ...'.")
        return cls.checked(read.value, source=source, places=read)

    @classmethod
    def checked(cls, value: object, *, source: str = "preset", places: YamlText | None = None) -> Preset:
        """A preset from a plain mapping, of this schema or an older one.

        Args:
            value: The mapping.
            source: What to call it in an error.
            places: Where each key stands, if it was read from a file.

        Raises:
            PresetError: Names the first key that is unknown or of the wrong type.
        """
        try:
            return cls.model_validate(migrate(value, source=source) if isinstance(value, Mapping) else value)
        except ValidationError as error:
            raise PresetError(f"{source}: {_first_problem(error, places)}") from error
        except RecursionError as error:
            raise PresetError(f"{source} is nested too deeply to be a preset.") from error


def _text_bytes(value: object) -> int:
    """Bytes of UTF-8 in a plain value's texts, which its file cannot be shorter than."""
    match value:
        case str():
            return len(value.encode())
        case dict():
            return sum(map(_text_bytes, value.values()))
        case list():
            return sum(map(_text_bytes, value))
    return 0


def _first_problem(error: ValidationError, places: YamlText | None = None) -> str:
    problem = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    loc = list(problem["loc"])
    if loc[:1] == ["template"]:
        del loc[1:2]  # the branch of the union, which is no key of the file
    place = [str(key) for key in loc]
    where = ".".join(place) or "the file"
    found = places.place(tuple(loc)) if places else None
    at = f"{found}: " if found else ""
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        parts: dict[str, type[BaseModel]] = {
            "examples": PresetExample,
            "sampling": PresetSampling,
            "template": PresetTemplate,
            "derived_from": DerivedFrom,
            "results": PresetResult,
        }
        known = parts.get(place[0], Preset) if len(place) > 1 else Preset
        names = [field.alias or name for name, field in known.model_fields.items()]
        return f"{at}unknown key '{where}'; the keys are {', '.join(names)}{more}."
    if problem["type"] == "missing":
        return f"{at}the key '{where}' is missing; add it{more}."
    seen = repr(problem["input"])
    seen = seen if len(seen) <= 60 else seen[:57] + "..."
    said = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "model_type":
        said = "it should hold keys of its own, as in 'key: value'"
    return f"{at}'{where}' is {seen}: {said[:1].lower()}{said[1:]}{more}."
