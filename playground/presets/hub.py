"""Presets in a dataset repository on the Hub: ``presets/NAME.yaml``, one commit a push.

Tokens, mirrors (``HF_ENDPOINT``) and offline mode are huggingface_hub's own settings. What comes from there
is checked like every file that somebody sends.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from playground import __version__
from playground.errors import PresetError
from playground.presets.names import check_name
from playground.presets.preset import MAX_BYTES, Preset

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FOLDER = "presets"
MAX_FILES = 500


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push. ``commit`` is empty where the repository held the same file already."""

    repository: str
    path: str
    commit: str
    created: bool


@dataclass(frozen=True, slots=True)
class Pulled:
    """A preset of a repository, or why its file cannot be used."""

    name: str
    preset: Preset | None = None
    error: str = ""


def push(preset: Preset, repository: str, *, public: bool = False, overwrite: bool = False) -> Pushed:
    """Put a preset into a dataset repository, which is made, private, if it is not there.

    Args:
        preset: What to push.
        repository: ``OWNER/NAME``.
        public: Make a new repository public.
        overwrite: Replace another preset of the same name there.

    Raises:
        PresetError: No access, another preset of that name, somebody pushed at the same time, no network.
    """
    name = check_name(preset.name)
    text = preset.to_yaml()
    path = f"{FOLDER}/{name}.yaml"
    with _explained(repository):
        from huggingface_hub.errors import RepositoryNotFoundError

        api = _api()
        created = False
        try:
            head = api.dataset_info(repository).sha
        except RepositoryNotFoundError:
            api.create_repo(repository, repo_type="dataset", private=not public)
            created, head = True, None
        if head is not None:
            there = dict(_files(api, repository, head))
            if path in there:
                old = _read(api, repository, path, head) if there[path] <= MAX_BYTES else None
                if old == text:
                    return Pushed(repository, path, "", created=False)
                if not overwrite:
                    raise PresetError(
                        f"{repository} holds another preset '{name}'; pull it to compare the two, push under "
                        "another name, or overwrite it."
                    )
        done = api.upload_file(
            path_or_fileobj=text.encode(),
            path_in_repo=path,
            repo_id=repository,
            repo_type="dataset",
            commit_message=f"Add preset {name}"
            if head is None or path not in there
            else f"Change preset {name}",
            parent_commit=head,
        )
        return Pushed(repository, path, str(done.oid), created)


def pull(repository: str, name: str | None = None, *, revision: str | None = None) -> tuple[Pulled, ...]:
    """The presets of a dataset repository, or the one of a name; nothing is saved.

    Args:
        repository: ``OWNER/NAME``.
        name: A preset's name; all of them by default.
        revision: Branch, tag or commit.

    Raises:
        PresetError: No access, no such preset, no network.
    """
    if name is not None:
        check_name(name)
    with _explained(repository, revision or ""):
        api = _api()
        head = api.dataset_info(repository, revision=revision).sha
        found = []
        for path, size in _files(api, repository, head):
            title = PurePosixPath(path).stem
            if name is None or name == title:
                found.append(_pulled(api, repository, path, size, head))
    if name is not None and not found:
        raise PresetError(f"{repository} holds no preset '{name}'; pull without a name to see what it holds.")
    return tuple(found)


def _pulled(api: HfApi, repository: str, path: str, size: int, revision: str | None) -> Pulled:
    title = PurePosixPath(path).stem
    try:
        check_name(title)
        if size > MAX_BYTES:
            raise PresetError(f"{path} has {size / 1e6:.1f} MB, as no preset has.")
        preset = Preset.from_yaml(_read(api, repository, path, revision), source=path)
    except PresetError as error:
        return Pulled(title, error=str(error))
    # A preset goes by its file's name, here and there.
    return Pulled(title, preset.model_copy(update={"name": title}))


def _files(api: HfApi, repository: str, revision: str | None) -> list[tuple[str, int]]:
    """Path and size in bytes of each preset file, in order."""
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.hf_api import RepoFile

    found: list[tuple[str, int]] = []
    try:
        for entry in api.list_repo_tree(repository, FOLDER, repo_type="dataset", revision=revision):
            if isinstance(entry, RepoFile) and entry.path.endswith(".yaml"):
                found.append((entry.path, entry.size))
            if len(found) >= MAX_FILES:
                raise PresetError(f"{repository} holds more than {MAX_FILES} presets; pull one by its name.")
    except EntryNotFoundError:
        return []
    return sorted(found)


def _read(api: HfApi, repository: str, path: str, revision: str | None) -> str:
    """A file's text, through a folder that goes again: a cache would keep what others share."""
    with tempfile.TemporaryDirectory() as folder:
        local = api.hf_hub_download(
            repository, path, repo_type="dataset", revision=revision, cache_dir=folder
        )
        content = Path(local).read_bytes()
    if len(content) > MAX_BYTES:
        raise PresetError(f"{path} of {repository} is larger than {MAX_BYTES // 1_000_000} MB.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PresetError(f"{path} of {repository} is not UTF-8 text (byte {error.start}).") from error


def _api() -> HfApi:
    from huggingface_hub import HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    # Read anew, since huggingface_hub reads it once, when it is imported.
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    return HfApi(endpoint, library_name="icl-playground", library_version=__version__)


@contextmanager
def _explained(repository: str, revision: str = "") -> Iterator[None]:
    """Turn what huggingface_hub, the network or the disk raise into a sentence that says what to do."""
    try:
        yield
    except PresetError:
        raise
    except Exception as error:
        sentence = _sentence(error, repository, revision)
        if sentence is None:
            raise
        raise PresetError(sentence) from error


def _sentence(error: Exception, repository: str, revision: str) -> str | None:
    from huggingface_hub import errors

    sign_in = "sign in with 'hf auth login' (or set HF_TOKEN)"
    match error:
        case errors.RevisionNotFoundError():
            return f"{repository} has no revision '{revision}'; leave it out or name another."
        case errors.RepositoryNotFoundError():
            return f"There is no dataset {repository}, or it is private; check the name, or {sign_in}."
        case errors.LocalEntryNotFoundError():
            return f"A file of {repository} could not be read from there; check the network and try again."
        case errors.EntryNotFoundError():
            return f"A file of {repository} went while it was read; try again."
        case errors.HFValidationError():
            return f"'{repository[:80]}' is no repository; write OWNER/NAME."
        case errors.OfflineModeIsEnabled():
            return "The Hub is switched off by HF_HUB_OFFLINE; unset it and try again."
        case errors.LocalTokenNotFoundError():
            return f"A push needs a token: {sign_in}."
        case errors.HfHubHTTPError() if error.response.status_code in (401, 403):
            return f"The Hub refused access to {repository} ({error.response.status_code}); {sign_in}."
        case errors.HfHubHTTPError() if error.response.status_code in (409, 412):
            return f"Somebody else changed {repository} at the same time; push again."
        case errors.HfHubHTTPError():
            return f"The Hub answered {error.response.status_code} for {repository}; try again later."
    if isinstance(error, OSError):
        return f"{repository}: {' '.join(str(error).split())[:200].rstrip('.')}; try again."
    if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2"):
        said = str(error).strip().rstrip(".") or type(error).__name__
        return f"The Hub could not be reached ({said}); check the network or HF_ENDPOINT."
    return None
