"""Named arguments of chat templates as a person gives them: checked by what the template reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from playground.errors import TemplateError
from playground.prompts.template_process import RenderError, template_process
from playground.types import OptionValue, TemplateOption

_WORDS: dict[str, bool] = {"true": True, "false": False}


@lru_cache(maxsize=64)
def options_of(source: str) -> tuple[TemplateOption, ...]:
    """The named arguments that a chat template reads; none of one that cannot be parsed."""
    try:
        return template_process().inspect(source)
    except RenderError:
        return ()


def chosen_options(
    source: str, preset: Mapping[str, OptionValue], side: Mapping[str, OptionValue]
) -> tuple[tuple[str, OptionValue], ...]:
    """A preset's options and a side's, which count before them, as a renderer takes them.

    A preset may be used with several models, so what this template does not read of it is left out.

    Raises:
        TemplateError: The template does not read an option of the side, or reads it as something else.
    """
    known = options_of(source)
    check_options(known, side)
    names = {option.name for option in known}
    kept = {name: value for name, value in preset.items() if name in names}
    return tuple({**kept, **side}.items())


def check_options(known: Sequence[TemplateOption], given: Mapping[str, OptionValue]) -> None:
    """Check options against those that a template reads.

    Raises:
        TemplateError: The template does not read one, or reads it as something else.
    """
    options = {option.name: option for option in known}
    for name, value in given.items():
        if name not in options:
            there = ", ".join(options) or "none"
            raise TemplateError(
                f"The model's chat template reads no option '{name}'. The options that it reads: {there}."
            )
        _check(options[name], value)


def _check(option: TemplateOption, value: OptionValue) -> None:
    if option.kind == "flag" and not isinstance(value, bool):
        raise TemplateError(f"The template option '{option.name}' is {value!r}; it takes true or false.")
    if option.kind == "number" and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise TemplateError(f"The template option '{option.name}' is {value!r}; it takes a number.")


def read_option(text: str) -> tuple[str, OptionValue]:
    """``NAME=VALUE`` as a name and a value: true and false are flags, what reads as a number is one.

    Raises:
        TemplateError: There is no equals sign, or no name in front of it.
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name:
        raise TemplateError(f"The template option '{text}' is not NAME=VALUE, such as enable_thinking=false.")
    if value.strip().lower() in _WORDS:
        return name, _WORDS[value.strip().lower()]
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def read_options(texts: Sequence[str]) -> tuple[tuple[str, OptionValue], ...]:
    """Several ``NAME=VALUE``; of two with one name the later one counts.

    Raises:
        TemplateError: One of them is not.
    """
    return tuple(dict(map(read_option, texts)).items())
