"""Where things live and what the environment says about it.

Knows no preset and no model: only folders, and the few switches that come from the environment. One folder
(``PLAYGROUND_HOME``) holds everything of a person where they want it so; else the platform's own folders do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

APP_NAME = "icl-playground"


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is withheld from whoever uses this process. By default nothing is.

    Attributes:
        models: The only models that may be named; None for any.
        paths: Whether models and presets may be named by a path.
        servers: Whether a model may run on a server.
        own_presets: Whether presets may be saved and deleted.
        writes: Whether engines may keep anything on disk, and models be downloaded.
        n_ctx: Most tokens of context that a model is loaded with; None: as its entry says.
        max_tokens: Most tokens of one completion, whatever is asked; None: as asked.
        samples: Most samples of one call; None: as asked.
    """

    models: frozenset[str] | None = None
    paths: bool = True
    servers: bool = True
    own_presets: bool = True
    writes: bool = True
    n_ctx: int | None = None
    max_tokens: int | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Folders of this installation and of this person.

    Attributes:
        shipped_presets: The gallery that comes with the package, read-only.
        shipped_models: The catalog and the bundled pair, read-only.
        presets_dir: The person's own presets.
        models_dir: The person's own catalog entries and model files.
        data_dir: History and other records.
        cache_dir: What may be deleted at any time.
        in_process: Run engines in this process (ZeroGPU, debugging) instead of one worker each.
        engine: ``llama.cpp``, ``transformers`` or ``server``; empty leaves it to each model's entry.
        confined: What is withheld; nothing but where a page serves strangers.
    """

    shipped_presets: Path
    shipped_models: Path
    presets_dir: Path
    models_dir: Path
    data_dir: Path
    cache_dir: Path
    in_process: bool = False
    engine: str = ""
    confined: Confinement = Confinement()

    @property
    def downloads_dir(self) -> Path:
        """What was downloaded, a folder a repository."""
        return self.models_dir / "files"

    def by_name_only(self) -> Settings:
        """The same, where models and presets go by their names: a page must not read files by their paths."""
        return replace(self, confined=replace(self.confined, paths=False))

    @classmethod
    def load(cls, environ: dict[str, str] | None = None) -> Settings:
        """The folders for this process; nothing is created on disk.

        Args:
            environ: Environment to read instead of the process's own.
        """
        env = dict(os.environ) if environ is None else environ
        home = env.get("PLAYGROUND_HOME", "").strip()
        if home:
            data = Path(home).expanduser().absolute()
            cache = data / "cache"
        else:
            from platformdirs import user_cache_path, user_data_path

            data = user_data_path(APP_NAME, appauthor=False)
            cache = user_cache_path(APP_NAME, appauthor=False)
        return cls(
            shipped_presets=shipped("presets"),
            shipped_models=shipped("models"),
            presets_dir=data / "presets",
            models_dir=data / "models",
            data_dir=data,
            cache_dir=cache,
            in_process=env.get("PLAYGROUND_IN_PROCESS", "") == "1",
            engine=env.get("PLAYGROUND_ENGINE", "").strip(),
        )


def shipped(kind: str) -> Path:
    """The folder of files that ship with the package: ``presets`` or ``models``.

    A wheel carries them inside the package; a checkout, editable or not installed at all, has them beside it.
    """
    packaged = Path(str(files("playground"))) / "_shipped" / kind
    if packaged.is_dir():
        return packaged
    return Path(str(files("playground"))).parent / kind
