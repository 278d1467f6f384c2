"""Markdown of a finished answer as HTML that is safe to insert.

Built on markdown-it-py's CommonMark with raw HTML off (it is shown as text), images off (an answer must
not be able to fetch anything) and link schemes checked; links open in a new tab without a referrer.
"""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict


def _open_outside(
    self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
) -> str:
    tokens[idx].attrSet("target", "_blank")
    tokens[idx].attrSet("rel", "noopener noreferrer nofollow")
    return self.renderToken(tokens, idx, options, env)


class MarkdownRenderer:
    """Renders one text at a time; keeps no state between them. Thread-safe."""

    def __init__(self) -> None:
        markdown = MarkdownIt("commonmark", {"html": False, "breaks": True})
        markdown.enable(["table", "strikethrough"]).disable("image")
        markdown.add_render_rule("link_open", _open_outside)
        self._markdown = markdown

    def html(self, text: str) -> str:
        """``text`` as HTML of block elements without scripts, images or raw HTML."""
        rendered: str = self._markdown.render(text)
        return rendered
