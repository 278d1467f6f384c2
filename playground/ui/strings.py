"""The one catalog of what the page says: ``strings.json``, shared with the JavaScript."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources

CATALOG_NAME = "strings.json"


class Strings:
    """Texts by key; a missing key or value fails loudly, so that no page shows a raw placeholder."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)

    @classmethod
    def load(cls) -> Strings:
        """The catalog that ships with the package."""
        return cls(json.loads(catalog_json()))

    def __call__(self, key: str, **values: str | int | float) -> str:
        """The text for ``key`` with ``{name}`` replaced by ``values``.

        Raises:
            KeyError: No such key, or a value that the text needs is missing.
        """
        return self._texts[key].format(**values)

    def keys(self) -> frozenset[str]:
        """Every key of the catalog."""
        return frozenset(self._texts)


def catalog_json() -> str:
    """The catalog as it is handed to the page."""
    return resources.files("playground.ui").joinpath(CATALOG_NAME).read_text(encoding="utf-8")
