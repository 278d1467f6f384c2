"""What asking the Hub for something can end in, told apart once for everybody who asks.

Says nothing to people by itself: each client has a sentence of its own for each kind, because what to do
about it differs.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from playground.errors import PlaygroundError

HubProblemKind = Literal[
    "gated",
    "no_repository",
    "no_revision",
    "not_read",
    "no_file",
    "bad_name",
    "offline",
    "no_token",
    "refused",
    "changed",
    "answered",
    "disk_full",
    "timeout",
    "unreachable",
    "failed",
]
KINDS: tuple[HubProblemKind, ...] = get_args(HubProblemKind)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BY_STATUS: Mapping[int, HubProblemKind] = {401: "refused", 403: "refused", 409: "changed", 412: "changed"}
_HTTP = ("httpx", "httpx2", "httpcore", "httpcore2")


@dataclass(frozen=True, slots=True)
class HubProblem:
    """What went wrong; ``detail`` is the HTTP status, or the cause in the library's or the system's words."""

    kind: HubProblemKind
    detail: str = ""


def hub_problem(error: Exception) -> HubProblem | None:
    """What an error of huggingface_hub, the network or the disk means; None for any other."""
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError():
            return HubProblem("gated")
        case errors.RepositoryNotFoundError():
            return HubProblem("no_repository")
        case errors.RevisionNotFoundError():
            return HubProblem("no_revision")
        case errors.LocalEntryNotFoundError():
            return HubProblem("not_read")
        case errors.EntryNotFoundError():
            return HubProblem("no_file")
        case errors.HFValidationError():
            return HubProblem("bad_name")
        case errors.OfflineModeIsEnabled():
            return HubProblem("offline")
        case errors.LocalTokenNotFoundError():
            return HubProblem("no_token")
        case errors.HfHubHTTPError():
            status = error.response.status_code
            return HubProblem(_BY_STATUS.get(status, "answered"), str(status))
    if isinstance(error, OSError) and error.errno in _FULL:
        return HubProblem("disk_full")
    if type(error).__module__.partition(".")[0] in _HTTP:
        cause = str(error).strip().rstrip(".") or type(error).__name__
        return HubProblem("timeout" if "timeout" in type(error).__name__.lower() else "unreachable", cause)
    if isinstance(error, OSError):
        return HubProblem("failed", " ".join(str(error).split())[:300].rstrip("."))
    return None


@contextmanager
def explained(
    raised: type[PlaygroundError], sentences: Mapping[HubProblemKind, str], **values: str
) -> Iterator[None]:
    """Turn what the Hub's client, the network or the disk raise into an error with a sentence.

    Args:
        raised: The error to raise; those that are explained already pass.
        sentences: One for each kind, with ``{detail}`` and the names of ``values`` to be filled in.
        values: What else the sentences speak of.
    """
    try:
        yield
    except PlaygroundError:
        raise
    except Exception as error:
        problem = hub_problem(error)
        if problem is None:
            raise
        raise raised(sentences[problem.kind].format(detail=problem.detail, **values)) from error
