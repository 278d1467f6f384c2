"""What a repository on the Hub holds, and the Hub's errors in sentences that say what to do.

Tokens, mirrors (``HF_ENDPOINT``), time-outs and offline mode are huggingface_hub's own settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from playground import __version__, hub_errors
from playground.errors import DownloadError
from playground.hub_errors import HubProblemKind
from playground.models.places import HubReference, first_shard, names_quantization, shards

Format = Literal["gguf", "safetensors"]
_SHOWN_FILES = 8
# What a transformers folder needs besides its weights. No pickles, and no code.
_CONFIGURATION = (".json", ".jinja", ".txt", ".model")
_SENTENCES: Mapping[HubProblemKind, str] = {
    "gated": "{repository} is gated: accept its terms at {where}/{repository}, sign in with "
    "'hf auth login' (or set HF_TOKEN), and pull again.",
    "no_repository": "There is no repository {repository} at {where}, or it is private; check the name, or "
    "sign in with 'hf auth login'.",
    "no_revision": "{repository} has no revision '{revision}'; leave it out or name another.",
    "not_read": "A file of {repository} could not be read from {where}; check the network and pull again.",
    "no_file": "A file of {repository} is gone from {where}; pull again.",
    "bad_name": "'{repository}' is no repository; write OWNER/NAME.",
    "offline": "Downloads are switched off by HF_HUB_OFFLINE; unset it and pull again.",
    "no_token": "{repository} needs a token: sign in with 'hf auth login' (or set HF_TOKEN), and pull again.",
    "refused": "{where} refused access to {repository} ({detail}); sign in with 'hf auth login' "
    "(or set HF_TOKEN), and pull again.",
    "changed": "{where} answered {detail} for {repository}; what came is kept: resume later.",
    "answered": "{where} answered {detail} for {repository}; what came is kept: resume later.",
    "disk_full": "The disk is full, or takes no file of this size; make room, then resume: "
    "what came is kept.",
    "timeout": "{where} stopped sending; what came is kept: resume, now or later.",
    "unreachable": "{where} cannot be reached ({detail}); check the network or HF_ENDPOINT, then resume.",
    "failed": "The download of {repository} failed: {detail}.",
}


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository. ``sha256`` where it is stored as a large file; ``blob_id`` is its git hash."""

    name: str
    size_bytes: int
    sha256: str = ""
    blob_id: str = ""


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository at one commit."""

    name: str
    commit: str
    gated: bool
    license: str
    files: tuple[HubFile, ...]

    def models(self) -> tuple[HubFile, ...]:
        """Its GGUFs, each named by its first part where it is split."""
        return tuple(f for f in self.files if f.name.lower().endswith(".gguf") and first_shard(f.name))

    def size_of(self, file: HubFile) -> int:
        """Bytes of a GGUF with all its parts."""
        return sum(part.size_bytes for part in self.files if part.name in shards(file.name))


def endpoint() -> str:
    """The address that is asked."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def list_repository(name: str, revision: str = "") -> HubRepository:
    """The files of a repository, with their sizes and checksums.

    Raises:
        DownloadError: It cannot be had, with the reason.
    """
    from huggingface_hub import HfApi, constants

    with explained(name, revision=revision):
        api = HfApi(library_name="icl-playground", library_version=__version__)
        patience_s = constants.HF_HUB_ETAG_TIMEOUT
        info = api.model_info(name, revision=revision or None, files_metadata=True, timeout=patience_s)
    card = info.card_data
    return HubRepository(
        name,
        info.sha or revision or "main",
        bool(info.gated),
        str(card.get("license") or "") if card is not None else "",
        tuple(
            HubFile(
                sibling.rfilename,
                sibling.size or 0,
                sibling.lfs.sha256 if sibling.lfs else "",
                sibling.blob_id or "",
            )
            for sibling in info.siblings or ()
        ),
    )


def wanted_files(repository: HubRepository, reference: HubReference) -> list[HubFile]:
    """The files that ``reference`` means, in the order in which they are to appear: the one to open is last.

    Raises:
        DownloadError: The repository holds no such file.
    """
    if not reference.is_gguf:
        return _safetensors_files(repository)
    by_name = {file.name: file for file in repository.files}
    name = reference.file
    if not name:
        fitting = [f for f in repository.models() if names_quantization(f.name, reference.quantization)]
        name = fitting[0].name if fitting else ""
    parts = shards(name)
    missing = [part for part in parts if part not in by_name]
    if not name or missing:
        what = f"file {missing[0]}" if name else f"GGUF in {reference.quantization}"
        raise DownloadError(f"{repository.name} holds no {what}. {_what_it_has(repository)}")
    first = by_name[parts[0]]
    if reference.sha256 and first.sha256 and first.sha256 != reference.sha256:
        raise DownloadError(
            f"{name} in {repository.name} is not the file that the catalog knows: its SHA-256 is "
            f"{first.sha256[:12]}…, not {reference.sha256[:12]}…. Correct its catalog entry."
        )
    return [by_name[part] for part in reversed(parts)]


def _safetensors_files(repository: HubRepository) -> list[HubFile]:
    """Weights and configuration at the repository's top; ``config.json``, which makes it a model, last."""
    top = [file for file in repository.files if "/" not in file.name]
    weights = [file for file in top if file.name.endswith(".safetensors")]
    # Where a repository has both, `consolidated` is the same weights in the publisher's own layout.
    model = [file for file in weights if not file.name.startswith("consolidated")]
    rest = [file for file in top if file.name.endswith(_CONFIGURATION) and file.name != "config.json"]
    config = [file for file in top if file.name == "config.json"]
    if not model or not config:
        raise DownloadError(
            f"{repository.name} holds no safetensors with a config.json. {_what_it_has(repository)}"
        )
    return [*model, *rest, *config]


def _what_it_has(repository: HubRepository) -> str:
    names = [f.name for f in repository.models()] or [f.name for f in repository.files]
    if not names:
        return "It is empty."
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    return f"It has: {', '.join(names[:_SHOWN_FILES])}{more}."


def explained(repository: str, *, revision: str = "") -> AbstractContextManager[None]:
    """Turn what huggingface_hub, the network or the disk raise into a ``DownloadError`` with a sentence."""
    where = endpoint()
    return hub_errors.explained(
        DownloadError, _SENTENCES, repository=repository, revision=revision, where=where
    )
