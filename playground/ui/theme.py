"""The page's look as a Gradio theme: indigo on slate, IBM Plex from Gradio's own files, flat.

The stylesheets under ``static/`` draw the islands from the same variables, so that Gradio's own widgets
and ours match.
"""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils.fonts import LocalFont

FONT_WEIGHTS = (400, 700)
"""The only weights whose bundled files hold all Latin letters."""


def page_theme() -> gr.themes.Base:
    """A flat theme that loads nothing from elsewhere."""
    return gr.themes.Base(
        primary_hue="indigo",
        secondary_hue="slate",
        neutral_hue="slate",
        spacing_size="sm",
        radius_size="sm",
        text_size="sm",
        font=[LocalFont("IBM Plex Sans", weights=FONT_WEIGHTS), "system-ui", "sans-serif"],
        font_mono=[LocalFont("IBM Plex Mono", weights=FONT_WEIGHTS), "ui-monospace", "monospace"],
    ).set(
        block_shadow="none",
        button_primary_shadow="none",
        button_secondary_shadow="none",
        input_shadow="none",
        block_border_width="1px",
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
    )
