"""What transformers itself writes for a conversation, to hold our own rendering against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playground.errors import EngineMissingError, TemplateError
from playground.extras import install_command


def reference_text(
    source: str, messages: Sequence[Mapping[str, object]], *, opens: bool, variables: Mapping[str, object]
) -> str:
    """The text of ``apply_chat_template``.

    Args:
        source: The chat template.
        messages: As that function takes them.
        opens: Whether the assistant's turn is opened at the end.
        variables: Further variables of the template, such as ``bos_token``.

    Raises:
        EngineMissingError: transformers is not installed.
        TemplateError: The template fails or refuses the messages.
    """
    try:
        from transformers.utils.chat_template_utils import render_jinja_template
    except ImportError as error:
        raise EngineMissingError(
            f"transformers is not installed; install it with: {install_command('torch')}"
        ) from error
    try:
        rendered, _ = render_jinja_template(
            conversations=[[dict(message) for message in messages]],
            chat_template=source,
            add_generation_prompt=opens,
            **variables,
        )
    except Exception as error:
        raise TemplateError(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
    return str(rendered[0])
