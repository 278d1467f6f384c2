"""Uploads a Space to the Hub. Tokens, mirrors and offline mode are huggingface_hub's own settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from playground import __version__, hub_errors
from playground.errors import PlaygroundError
from playground.hub_errors import HubProblemKind
from playground.space.config import FILE_NAME, read_config

_SIGN_IN = "sign in with 'hf auth login' (or set HF_TOKEN)"
_NAME = re.compile(r"[\w][\w.\-]*/[\w][\w.\-]*")
_SENTENCES: Mapping[HubProblemKind, str] = {
    "gated": "{repository} is gated; accept its terms on its page there, then {sign_in}.",
    "no_repository": "There is no Space {repository}, or it is private; check the name, or {sign_in}.",
    "no_revision": "{repository} has no main branch; look at it on the Hub.",
    "not_read": "A file of {repository} could not be read from there; check the network and try again.",
    "no_file": "A file of {repository} went while it was read; try again.",
    "bad_name": "'{repository}' is no Space; write OWNER/NAME.",
    "offline": "The Hub is switched off by HF_HUB_OFFLINE; unset it and try again.",
    "no_token": "A push needs a token: {sign_in}.",
    "refused": "The Hub refused access to {repository} ({detail}); {sign_in}.",
    "changed": "Somebody else changed {repository} at the same time; push again.",
    "answered": "The Hub answered {detail} for {repository}; try again later.",
    "disk_full": "The disk is full; make room and try again.",
    "timeout": "The Hub stopped answering ({detail}); push again: what it has is not sent twice.",
    "unreachable": "The Hub could not be reached ({detail}); check the network or HF_ENDPOINT.",
    "failed": "{repository}: {detail}; try again.",
}


@dataclass(frozen=True, slots=True)
class PushedSpace:
    """A Space on the Hub: its address there, the commit, and whether it was made."""

    repository: str
    url: str
    commit: str
    created: bool


def push(folder: Path, repository: str, *, public: bool = False, overwrite: bool = False) -> PushedSpace:
    """Upload an exported Space; one is made, private, if it is not there.

    Args:
        folder: What ``export`` wrote.
        repository: ``OWNER/NAME``.
        public: Make a new Space public.
        overwrite: Write into a Space that is there already.

    Raises:
        PlaygroundError: It is no exported Space, there is one already, no access, no network.
    """
    read_config(folder / FILE_NAME)
    if not _NAME.fullmatch(repository):
        raise PlaygroundError(_SENTENCES["bad_name"].format(repository=repository[:80]))
    explained = hub_errors.explained(
        PlaygroundError, _SENTENCES, repository=repository[:80], sign_in=_SIGN_IN
    )
    with explained:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
        # Read anew, since huggingface_hub reads it once, when it is imported.
        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
        api = HfApi(endpoint, library_name="icl-playground", library_version=__version__)
        created, head = False, None
        try:
            head = api.space_info(repository).sha
        except RepositoryNotFoundError:
            api.create_repo(repository, repo_type="space", space_sdk="gradio", private=not public)
            created = True
        if not created and not overwrite:
            raise PlaygroundError(
                f"There is a Space {repository} already; push under another name, or pass --overwrite."
            )
        try:
            done = api.upload_folder(
                repo_id=repository,
                repo_type="space",
                folder_path=folder,
                commit_message=f"Write the Space with icl-playground {__version__}",
                parent_commit=head,
                ignore_patterns=["**/__pycache__/**"],
                # What an older export wrote and this one does not is taken away.
                delete_patterns=["playground/**"],
            )
        except RuntimeError as error:  # around whatever a large file's upload failed with
            if isinstance(error.__cause__, Exception):
                raise error.__cause__ from None
            raise
        return PushedSpace(repository, f"{api.endpoint}/spaces/{repository}", str(done.oid), created)
