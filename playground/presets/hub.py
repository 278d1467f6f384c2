"""Presets in a dataset repository on the Hub: ``presets/NAME.yaml``, one commit a push.

Tokens, mirrors (``HF_ENDPOINT``) and offline mode are huggingface_hub's own settings. What comes from there
is checked like every file that somebody sends.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from playground import __version__, hub_errors
from playground.errors import PresetError
from playground.hub_errors import HubProblemKind
from playground.presets.names import check_name
from playground.presets.preset import MAX_BYTES, Preset

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FOLDER = "presets"
MAX_FILES = 500
SIGN_IN = "sign in with 'hf auth login' (or set HF_TOKEN)"
_SENTENCES: Mapping[HubProblemKind, str] = {
    "gated": "{repository} is gated; accept its terms on its page there, then {sign_in}.",
    "no_repository": "There is no dataset {repository}, or it is private; check the name, or {sign_in}.",
    "no_revision": "{repository} has no revision '{revision}'; leave it out or name another.",
    "not_read": "A file of {repository} could not be read from there; check the network and try again.",
    "no_file": "A file of {repository} went while it was read; try again.",
    "bad_name": "'{repository}' is no repository; write OWNER/NAME.",
    "offline": "The Hub is switched off by HF_HUB_OFFLINE; unset it and try again.",
    "no_token": "A push needs a token: {sign_in}.",
    "refused": "The Hub refused access to {repository} ({detail}); {sign_in}.",
    "changed": "Somebody else changed {repository} at the same time; push again.",
    "answered": "The Hub answered {detail} for {repository}; try again later.",
    "disk_full": "The disk is full; make room and try again.",
    "timeout": "The Hub stopped answering ({detail}); try again.",
    "unreachable": "The Hub could not be reached ({detail}); check the network or HF_ENDPOINT.",
    "failed": "{repository}: {detail}; try again.",
}


class PresetThereError(PresetError):
    """The repository holds another preset of that name; a push may overwrite it if it is told to."""


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
        PresetThereError: The repository holds another preset of that name.
        PresetError: No access, somebody pushed at the same time, no network.
    """
    name = check_name(preset.name)
    _check_repository(repository)
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
                    raise PresetThereError(
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


def has_token() -> bool:
    """Whether huggingface_hub finds a token to sign in with; whether it is a good one, only the Hub knows."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import OIDCError

    try:
        return bool(get_token())
    except OIDCError:
        return True  # one was asked for; what is wrong with it a push says


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
    _check_repository(repository)
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


def _check_repository(repository: str) -> None:
    """Refuse a name without its owner: the Hub would take it for a repository of whoever signs in."""
    owner, slash, name = repository.partition("/")
    if not (owner and slash and name):
        raise PresetError(_SENTENCES["bad_name"].format(repository=repository[:80]))


def _api() -> HfApi:
    from huggingface_hub import HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    # Read anew, since huggingface_hub reads it once, when it is imported.
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    return HfApi(endpoint, library_name="icl-playground", library_version=__version__)


def _explained(repository: str, revision: str = "") -> AbstractContextManager[None]:
    return hub_errors.explained(
        PresetError, _SENTENCES, repository=repository[:80], revision=revision, sign_in=SIGN_IN
    )
