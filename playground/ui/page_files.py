"""The page's own scripts, styles and texts, under an address that holds their fingerprint.

A browser keeps what has such an address for good: the page's sixty files are asked for once, and after an
upgrade, which changes the fingerprint, once more.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from playground.ui.strings import CATALOG_NAME, catalog_json

STATIC_PATH = "page"
"""Below which the files lie, relative to the page's own address."""

_STYLES = "page.css"


def static_folder() -> Path:
    """The folder of the page's scripts and styles."""
    return Path(str(resources.files("playground.ui").joinpath("static")))


@cache
def page_path() -> str:
    """The address of the files as they are now, relative to the page's own: ``page/<fingerprint>``."""
    digest = blake2b(catalog_json().encode(), digest_size=6)
    for path in sorted(path for path in static_folder().rglob("*") if path.is_file()):
        digest.update(path.relative_to(static_folder()).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{STATIC_PATH}/{int.from_bytes(digest.digest())}"


def cache_control(path: str) -> str | None:
    """How long a browser may keep the file at ``path``; None for what is not the page's own."""
    if path.startswith(f"/{page_path()}/"):
        return "private, max-age=31536000, immutable"
    return "no-cache" if path.startswith(f"/{STATIC_PATH}/") else None


def page_head() -> str:
    """Links to the page's stylesheet and texts, and to its modules so that they are fetched side by side.

    Modules in folders below are those of pages that are fetched when they are first opened.
    """
    here = page_path()
    links = [
        f'<link rel="stylesheet" href="{here}/{_STYLES}">',
        f'<link rel="preload" as="fetch" crossorigin="anonymous" href="{here}/{CATALOG_NAME}">',
    ]
    modules = sorted(path.name for path in static_folder().glob("*.js"))
    links += [f'<link rel="modulepreload" href="{here}/{name}">' for name in modules]
    return "\n".join(links)


def page_routes() -> list[BaseRoute]:
    """Routes of the files. A tab that was opened before an upgrade is given what is there now."""
    catalog, styles = catalog_json(), _styles()

    async def texts(request: Request) -> Response:
        return Response(catalog, media_type="application/json")

    async def style(request: Request) -> Response:
        return Response(styles, media_type="text/css")

    below = f"/{STATIC_PATH}/{{fingerprint:int}}"
    return [
        Route(f"{below}/{CATALOG_NAME}", texts),
        Route(f"{below}/{_STYLES}", style),
        Mount(below, StaticFiles(directory=static_folder())),
    ]


def _styles() -> str:
    """All stylesheets as one, the one that the others rest on first."""
    sheets = sorted(static_folder().glob("css/*.css"), key=lambda path: (path.stem != "base", path.stem))
    return "\n".join(path.read_text(encoding="utf-8") for path in sheets)
