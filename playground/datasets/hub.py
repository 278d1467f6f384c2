"""Data sets on the Hub: which file of a repository holds a split, and that file on this computer.

Files are downloaded into huggingface_hub's own cache. Parquet and JSON, JSONL or CSV files are read as they
are; a data set that needs a script of its own cannot be read, and no such script is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from playground import __version__, hub_errors
from playground.datasets.records import DataFileError
from playground.datasets.source import DataSource
from playground.hub_errors import HubProblemKind

_ENDINGS = (".parquet", ".jsonl", ".json", ".csv", ".tsv", ".jsonl.gz", ".json.gz", ".csv.gz", ".txt")
_SKIPPED = ("dataset_infos.json", "dataset_info.json", "state.json", "package.json", "config.json")
_PART = re.compile(r"-\d{5}-of-\d{5}(?=\.)")
_SIGN_IN = "sign in with 'hf auth login' (or set HF_TOKEN)"
_SENTENCES: Mapping[HubProblemKind, str] = {
    "gated": "{repository} is gated; accept its terms on its page there, then " + _SIGN_IN + ".",
    "no_repository": "There is no file and no data set {repository}; check the name, or " + _SIGN_IN + ".",
    "no_revision": "{repository} has no revision '{revision}'; leave it out or name another.",
    "not_read": "A file of {repository} could not be read from the Hub; check the network and try again.",
    "no_file": "A file of {repository} was removed while it was read; try again.",
    "bad_name": "'{repository}' is not a repository; write OWNER/NAME.",
    "offline": "There is no file {repository}, and HF_HUB_OFFLINE switches the Hub off; unset it.",
    "no_token": "{repository} needs a token: " + _SIGN_IN + ".",
    "refused": "The Hub refused access to {repository} ({detail}); " + _SIGN_IN + ".",
    "changed": "{repository} changed while it was read; try again.",
    "answered": "The Hub answered {detail} for {repository}; try again later.",
    "disk_full": "The disk is full; make room and try again.",
    "timeout": "The Hub stopped answering ({detail}); try again.",
    "unreachable": "There is no file {repository}, and the Hub could not be reached ({detail}); check the "
    "name or the network.",
    "failed": "{repository}: {detail}; try again.",
}


def fetch_split(asked: DataSource, *, limit: int) -> list[Path]:
    """The files of a split, on this computer, in order.

    Args:
        asked: Repository, split, configuration and revision.
        limit: Most bytes of all files together.

    Raises:
        DataFileError: No such repository or split, more than one that it could be, too large, no network.
    """
    with hub_errors.explained(
        DataFileError, _SENTENCES, repository=asked.repository, revision=asked.revision[:40]
    ):
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
        # Read at each call, because huggingface_hub reads it once, when it is imported.
        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
        api = HfApi(endpoint, library_name="icl-playground", library_version=__version__)
        tree = api.list_repo_tree(
            asked.repository, recursive=True, repo_type="dataset", revision=asked.revision or None
        )
        sizes = {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}
        chosen = choose_files(list(sizes), asked)
        total = sum(sizes[path] for path in chosen)
        if total > limit:
            raise DataFileError(
                f"{asked.repository}: {', '.join(chosen[:3])} take {total / 1e6:,.0f} MB, and at most "
                f"{limit // 1_000_000} MB are read; choose a smaller split or configuration."
            )
        return [
            Path(
                api.hf_hub_download(
                    asked.repository, path, repo_type="dataset", revision=asked.revision or None
                )
            )
            for path in chosen
        ]


def choose_files(paths: list[str], asked: DataSource) -> list[str]:
    """The files among a repository's paths that hold the split; several where it is in parts.

    Raises:
        DataFileError: None, or several splits or configurations and nothing says which.
    """
    data = sorted(
        path
        for path in paths
        if path.lower().endswith(_ENDINGS)
        and path.rpartition("/")[2].lower() not in _SKIPPED
        and not path.rpartition("/")[2].startswith((".", "README", "LICENSE"))
    )
    texts = [path for path in data if path.endswith(".txt")]
    data = [path for path in data if path not in texts] or texts
    if not data:
        raise DataFileError(f"{asked.repository} holds no Parquet, JSON or CSV file that can be read.")
    if asked.config:
        data = _narrowed(data, asked.config, "config", asked.repository)
    if asked.split:
        data = _narrowed(data, asked.split, "split", asked.repository)
    parquet = [path for path in data if path.endswith(".parquet")]
    data = parquet or data
    groups = list(dict.fromkeys(_PART.sub("", path) for path in data))
    if len(groups) > 1:
        shown = ", ".join(groups[:8]) + (f" and {len(groups) - 8} more" if len(groups) > 8 else "")
        raise DataFileError(
            f"{asked.repository} has several files: {shown}. Say which, such as "
            f"{asked.repository}?split=test or {asked.repository}?config=NAME."
        )
    return data


def _narrowed(paths: list[str], word: str, what: str, repository: str) -> list[str]:
    """The paths that have a word between separators in them."""
    whole = re.compile(rf"(?:^|[/._-]){re.escape(word)}(?:[/._-]|$)", re.IGNORECASE)
    found = [path for path in paths if whole.search(path)]
    if not found:
        shown = ", ".join(list(dict.fromkeys(_PART.sub("", path) for path in paths))[:8])
        raise DataFileError(f"{repository} has no {what} '{word[:40]}'; its files: {shown}.")
    return found
