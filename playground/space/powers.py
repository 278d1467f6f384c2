"""What the page may do on a person's own machine and may not do on a Space: one table.

A call, a run or a page needs a power or none. What is in none of the tables needs the power ``unlisted``, so
that what is written tomorrow stays shut until somebody has thought about strangers using it. Taking a row
out of ``POWERS`` gives the power back.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from playground.errors import PlaygroundError
from playground.settings import Confinement
from playground.space.config import Limits


@dataclass(frozen=True, slots=True)
class Power:
    """Something that is taken away.

    Attributes:
        name: What other tables call it.
        refused: What a visitor is told who asks for it.
    """

    name: str
    refused: str


POWERS: tuple[Power, ...] = (
    Power("other models", "Only the models in the list can be used here."),
    Power("paths", "Nothing is read by its path here."),
    Power("uploads", "No file is kept here; paste its text instead."),
    Power("writes", "Nothing is written here."),
    Power("fetching", "Nothing is fetched from elsewhere here; download it and paste its text."),
    Power("pushes", "Nothing is sent to the Hub from here."),
    Power("server engines", "No model runs on another server here."),
    Power("history", "Nothing that visitors do is kept here."),
    Power("presets on the server", "No preset is kept here; it is kept in your browser, or downloaded."),
    Power("environment", "The server says nothing about itself here."),
    Power("unbounded work", "This takes more work than one visitor can have here."),
    Power("idle places", "This Space is full; try again in a few minutes."),
    Power("unlisted", "This is not offered here; run the playground on your own machine for it."),
)
BY_NAME: Mapping[str, Power] = {power.name: power for power in POWERS}

# What each call needs; None needs nothing.
CALLS: Mapping[str, str | None] = {
    # start
    "boot": None,
    "models": None,
    "load_model": None,
    # answers
    "markdown": None,
    "stop": None,
    # prompts
    "preview": None,
    "copy_prompt": None,
    "warm": "unbounded work",
    # presets
    "preset_folder": None,
    "view_preset": None,
    "open_preset": None,
    "save_preset": "presets on the server",
    "save_presets": "presets on the server",
    "delete_preset": "presets on the server",
    "import_presets": None,
    "export_preset": None,
    "link_preset": None,
    "sharing": None,
    "lineage": None,
    "pull_presets": "fetching",
    "push_preset": "pushes",
    # models
    "shelf_add": "other models",
    "shelf_look": "paths",
    "shelf_found": "paths",
    "shelf_details": "environment",
    "shelf_memory": "environment",
    "shelf_settings": "writes",
    "shelf_remove": "writes",
    "pull": "fetching",
    # studio
    "lint": None,
    "fix": None,
    "diff": None,
    "templates": None,
    "check_template": None,
    # shift
    "shift": None,
    "shift_examples": "unbounded work",
    "shift_questions": "history",
    "shift_summary": "history",
    "shift_csv": "history",
    # examples
    "read_examples": None,
    "data_part": "uploads",
    "data_rows": "uploads",
    "data_columns": "uploads",
    "data_take": "uploads",
    "data_close": "uploads",
    # tokens
    "score": None,
    "diversity": None,
    "judge_answers": None,
    # notebook
    "text_tokens": None,
    # endpoints for other programs
    "api/models": None,
    "api/presets": None,
    "api/preset": None,
    "api/render": None,
    "api/tokens": None,
    "api/score": None,
}
STREAMS: Mapping[str, str | None] = {"run": None, "continue": None, "samples": None}
PAGES: Mapping[str, str | None] = {"chat": None, "notebook": None, "shift": None}
# An argument that needs a power where it is given.
ARGUMENTS: Mapping[tuple[str, str], str] = {
    ("shift", "study"): "history",
    ("import_presets", "address"): "fetching",
}
# Calls that a model or a process of their own works for; they count as requests.
HEAVY = frozenset(("score", "judge_answers", "shift", "import_presets", "api/score"))

# Variables of the process that stay; the rest may hold the owner's secrets, which a Space is given this way.
KEPT_VARIABLES = frozenset(
    (
        *("PATH", "HOME", "USER", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT"),
        *("LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "PLAYGROUND_HOME"),
        *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"),
    )
)
KEPT_PREFIXES = ("LC_", "PYTHON", "GRADIO_", "OMP_", "GGML_", "CUDA_", "NVIDIA_", "TORCH", "SPACE", "ZERO")
# A name that begins as one that is kept may still be a secret.
_SECRET = ("TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIAL")
HUB_VARIABLES = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_ENDPOINT",
)
_HUB_SECRETS = HUB_VARIABLES[:3]


class Powers:
    """Which powers are taken away, and from what.

    Args:
        taken: Names of rows of ``POWERS``; all of them by default.
    """

    def __init__(self, taken: frozenset[str] | None = None) -> None:
        self.taken = frozenset(BY_NAME) if taken is None else taken

    def takes(self, name: str) -> bool:
        """Whether a power is taken away."""
        return name in self.taken

    def check(self, name: str) -> None:
        """Refuse what needs a power that is taken away.

        Raises:
            PlaygroundError: It is.
        """
        if self.takes(name):
            raise PlaygroundError(BY_NAME[name].refused)

    def check_listed(self, table: Mapping[str, str | None], name: str) -> None:
        """Refuse a call, run or page that needs a power that is taken away, or that no table lists.

        Raises:
            PlaygroundError: It is refused.
        """
        needed = table.get(name, "unlisted")
        if needed is not None:
            self.check(needed)

    def offered(self, table: Mapping[str, str | None]) -> list[str]:
        """What of a table needs no power that is taken away."""
        return [name for name, needed in table.items() if needed is None or not self.takes(needed)]

    def confinement(self, models: frozenset[str], limits: Limits) -> Confinement:
        """What presets, models and engines below the page go by."""
        bounded = self.takes("unbounded work")
        return Confinement(
            models=models if self.takes("other models") else None,
            paths=not self.takes("paths"),
            servers=not self.takes("server engines"),
            own_presets=not self.takes("presets on the server"),
            writes=not self.takes("writes"),
            n_ctx=limits.context if bounded else None,
            max_tokens=limits.tokens if bounded else None,
            samples=limits.samples if bounded else None,
        )

    def clear_environment(self, environ: MutableMapping[str, str]) -> None:
        """Take out of a process's variables what nothing here needs, and the Hub's tokens."""
        for name in list(environ):
            if name in HUB_VARIABLES:
                if name in _HUB_SECRETS and self.takes("pushes"):
                    del environ[name]
                continue
            kept = name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
            if self.takes("environment") and (not kept or any(word in name for word in _SECRET)):
                del environ[name]
        if self.takes("pushes"):
            # Else the token that a person signed in with on this machine would be found in its file.
            environ["HF_TOKEN_PATH"] = "/dev/null"
            environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"
