"""Templates as data: the built-in ones, and the checks that a person's own must pass.

Sources of the formats: URIAL ``src/fastchat_conversation.py`` and ``urial_prompts/`` (Re-Align/URIAL) for
the four ``urial_*``; allenai's BaseChat demo for ``basechat``; OpenAI's ChatML; tatsu-lab/stanford_alpaca
for ``alpaca``.
"""

from __future__ import annotations

from dataclasses import dataclass

from playground.errors import TemplateError
from playground.types import Template


def _headed(name: str, query: str, answer: str, body: str, *, separator: str = "\n") -> Template:
    turn = f"{query}\n{body}\n{answer}\n{body}"
    turn = turn.replace("@", "{query}", 1).replace("@", "{answer}", 1)
    return Template(name, system="{system}\n", turn=turn, separator=separator)


BUILT_IN: dict[str, Template] = {
    template.name: template
    for template in (
        _headed("basechat", "# Query:", "# Answer:", '"""\n@\n"""\n'),
        _headed("urial_backticks", "# Query:", "# Answer:", "```\n@\n```\n"),
        _headed("urial_v4", "User:", "Assistant:", "\n@\n\n"),
        _headed("urial_v5", "# User:", "# Assistant:", "\n@\n\n"),
        Template(
            "urial_v6",
            system="{system}\n",
            turn="# User:\n{query}\n\n\n# Assistant:\n{answer}\n",
            separator="\n\n",
            strip_newlines=True,
        ),
        Template("plain", system="{system}\n", turn="User: {query}\nAssistant:{answer}\n", lead=" "),
        Template(
            "alpaca",
            system="{system}\n",
            turn="### Instruction:\n{query}\n\n### Response:\n{answer}\n",
        ),
        Template(
            "chatml",
            system="<|im_start|>system\n{system}<|im_end|>\n",
            turn="<|im_start|>user\n{query}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n",
            separator="",
        ),
        Template("raw", system="{system}", turn="{query}{answer}", separator="\n"),
    )
}
DEFAULT = "basechat"


@dataclass(frozen=True, slots=True)
class TurnParts:
    """The literal text of a turn pattern around its two fields."""

    before_query: str
    between: str
    after_answer: str


def turn_parts(template: Template) -> TurnParts:
    """The turn pattern, split at its fields.

    Raises:
        TemplateError: ``{query}`` or ``{answer}`` is missing, doubled, or in the wrong order.
    """
    turn = template.turn
    for field in ("{query}", "{answer}"):
        if turn.count(field) != 1:
            raise TemplateError(
                f"The turn pattern of template '{template.name}' holds {field} {turn.count(field)} times; "
                f"write it exactly once."
            )
    before, rest = turn.split("{query}")
    if "{answer}" not in rest:
        raise TemplateError(
            f"The turn pattern of template '{template.name}' has {{answer}} before {{query}}; swap them."
        )
    between, after = rest.split("{answer}")
    return TurnParts(before, between, after)


def system_parts(template: Template) -> tuple[str, str]:
    """The literal text before and after ``{system}``.

    Raises:
        TemplateError: The field is missing or doubled.
    """
    if template.system.count("{system}") != 1:
        raise TemplateError(
            f"The system pattern of template '{template.name}' holds {{system}} "
            f"{template.system.count('{system}')} times; write it exactly once."
        )
    before, after = template.system.split("{system}")
    return before, after


def check_template(template: Template) -> Template:
    """The template itself, if it can be rendered and its fields are where they belong.

    Raises:
        TemplateError: Says which pattern is wrong and how.
    """
    turn_parts(template)
    system_parts(template)
    return template


def built_in(name: str) -> Template:
    """The built-in template of that name.

    Raises:
        TemplateError: There is none; the message lists those there are.
    """
    if name not in BUILT_IN:
        raise TemplateError(f"There is no template '{name}'. Use one of: {', '.join(BUILT_IN)}.")
    return BUILT_IN[name]
