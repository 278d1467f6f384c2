"""Optional packages: whether they are installed, and the command that installs them in this installation.

The distribution is on no package index, so ``pip install icl-playground[torch]`` works nowhere. A checkout
installs its own extras; a wheel's extras are installed as the packages that its metadata names.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Literal

DISTRIBUTION = "icl-playground"
Extra = Literal["torch", "server", "keyring", "mcp", "experiments", "data"]


def is_installed(module: str) -> bool:
    """Whether a top-level module can be imported; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def is_usable(module: str) -> bool:
    """Whether a module can be imported, found out by importing it: a package of its own may be missing."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def install_command(extra: Extra) -> str:
    """The command that installs the packages of an extra into the environment that runs this program.

    In a checkout: ``pip install -e '.[torch]'`` and the folder to run it in. Otherwise the packages with
    their version ranges, from the metadata of the installed distribution.
    """
    checkout = _checkout()
    if checkout is not None:
        return f"{_pip_install()} -e {_quoted(f'.[{extra}]')} (in the folder {checkout})"
    packages = _packages(extra)
    if packages:
        return f"{_pip_install()} {' '.join(map(_quoted, packages))}"
    return f"{_pip_install()} PACKAGES (those of the extra '{extra}' in pyproject.toml)"


def _checkout() -> Path | None:
    """The folder of the source code that runs, or None where a wheel's copy does."""
    folder = Path(__file__).resolve().parent.parent
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return folder if f'name = "{DISTRIBUTION}"' in text else None


def _packages(extra: str) -> list[str]:
    """Requirements of an extra, as in ``torch<3,>=2.11``."""
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    found = []
    for line in required:
        requirement, _, condition = line.partition(";")
        if re.search(rf"""extra\s*==\s*['"]{re.escape(extra)}['"]""", condition):
            found.append(requirement.strip().replace(" ", ""))
    return found


def _pip_install() -> str:
    """How packages are installed for this interpreter: ``pip`` alone may belong to another one."""
    if not is_installed("pip"):  # an environment made by uv has none
        return f"uv pip install --python {_quoted(sys.executable)}"
    found = shutil.which("pip")
    if found is not None and Path(found).parent == Path(sys.executable).parent:
        return "pip install"
    return f"{_quoted(sys.executable)} -m pip install"


def _quoted(text: str) -> str:
    """The text as one argument of a shell; Windows knows double quotes only."""
    if re.fullmatch(r"[\w./:\\-]+", text):
        return text
    return f'"{text}"' if os.name == "nt" else shlex.quote(text)
