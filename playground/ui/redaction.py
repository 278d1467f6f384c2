"""What the page and the log are not told: where a person's folders lie, and keys.

An error's sentence names a file; its folder is nobody's business but the person's own, who finds it in the
data folder. A log is sent around when something fails, so it holds no key and nothing that a terminal obeys.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from playground.settings import Settings

SECRET_VARIABLES = ("PLAYGROUND_SERVER_KEY", "OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
HIDDEN = "…"
_LEAST_SECRET = 6


class Folders:
    """Folders that are not named to the page; the longest that matches goes.

    A folder is replaced as a whole or not at all: ``/home/ann`` is not found in ``/home/anna/x``, nor in
    ``/mnt/home/ann``.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        named = {str(folder.absolute()) for folder in folders} | {str(folder.resolve()) for folder in folders}
        names = {name for name in named if len(Path(name).parts) > 1}
        names |= {name.replace("\\", "\\\\") for name in names}  # as a path is written with quotes around it
        self._pattern = _whole_folders(sorted(names, key=len, reverse=True))

    @classmethod
    def of(cls, settings: Settings) -> Folders:
        """Those of a person, of this program, of Python, and the working directory."""
        package = Path(__file__).parents[2]
        places = [settings.data_dir, settings.cache_dir]
        places += [settings.shipped_models.parent, package, Path(sys.prefix)]
        return cls([*places, Path(tempfile.gettempdir()), Path.home(), Path.cwd()])

    def hidden_in(self, text: str) -> str:
        """The text without these folders: ``/home/ann/presets/a.yaml`` becomes ``…/presets/a.yaml``."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def _whole_folders(names: Sequence[str]) -> re.Pattern[str] | None:
    """Matches a folder's name where it ends: before a separator, or where no name could go on.

    A space ends it unless a separator follows behind one more word, as in ``/home/ann smith/x``.
    """
    if not names:
        return None
    inside = r"[\w~@+%$#&!-]"
    begins = r"(?<![\w.-])"
    goes_on = rf"{inside}|'{inside}|\.+{inside}|[^\s/\\'\":;,]+[/\\]| [^\s/\\'\"]+[/\\]"
    ends = rf"(?=[/\\]|(?!{goes_on}))"
    flags = re.IGNORECASE if os.name == "nt" else 0
    return re.compile(f"{begins}(?:{'|'.join(map(re.escape, names))}){ends}", flags)


class PlainFormatter(logging.Formatter):
    """Log lines without keys, and without control characters but line ends and tabs."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._secrets = [secret for secret in secrets if len(secret) >= _LEAST_SECRET]

    def format(self, record: logging.LogRecord) -> str:
        """The record and its traceback as text."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "(key)")
        return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def plain_log(password: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Write this program's log to stderr through ``PlainFormatter``; a second call replaces the handler."""
    secrets = [environ.get(name, "") for name in SECRET_VARIABLES]
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter([*secrets, password or ""]))
    logger = logging.getLogger("playground")
    logger.handlers = [handler]
    logger.propagate = False
