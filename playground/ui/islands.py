"""Islands: the places of the page that one JavaScript module each draws by itself.

Knows nothing of presets or models. An island is a ``gr.HTML`` with a constant, empty template: nothing that
a person or a model wrote ever passes through Gradio's template engine, which would run it as code. Its
module is imported from the page's own static folder and gets the component's hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gradio as gr

from playground.ui.page_files import page_path

_MOUNT = """
import(new URL("{path}/{module}.js", document.baseURI).href)
  .then((module) => module.mount(element, {{ name: "{name}", trigger, props, server, watch }}))
  .catch((error) => {{ element.textContent = String(error); console.error(error); }});
"""


def island(name: str, *, module: str | None = None, calls: Sequence[Callable[[str], str]] = ()) -> gr.HTML:
    """A component drawn by ``static/{module}.js``, whose element id is ``{name}``.

    Args:
        name: Of the element.
        module: That draws it; the one of its name by default.
        calls: Functions from one JSON text to another that the module may call on its ``server``.
    """
    return gr.HTML(
        value="",
        html_template="<div></div>",
        js_on_load=_MOUNT.format(path=page_path(), name=name, module=module or name),
        apply_default_css=False,
        elem_id=name,
        elem_classes=["island"],
        server_functions=list(calls) or None,
    )
