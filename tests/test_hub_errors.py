"""What the Hub's client raises is told apart, and each client has a sentence for each kind."""

from __future__ import annotations

import errno

import httpx2
import pytest
from huggingface_hub import errors

from playground.errors import DownloadError, PlaygroundError, PresetError
from playground.hub_errors import KINDS, HubProblem, hub_problem
from playground.models.hub import explained as explained_download
from playground.presets.hub import pull


def response(status: int) -> httpx2.Response:
    return httpx2.Response(status, request=httpx2.Request("GET", "http://127.0.0.1/x"))


CASES: list[tuple[Exception, HubProblem]] = [
    (errors.GatedRepoError("x", response=response(403)), HubProblem("gated")),
    (errors.RepositoryNotFoundError("x", response=response(404)), HubProblem("no_repository")),
    (errors.RevisionNotFoundError("x", response=response(404)), HubProblem("no_revision")),
    (errors.LocalEntryNotFoundError("x"), HubProblem("not_read")),
    (errors.RemoteEntryNotFoundError("x", response=response(404)), HubProblem("no_file")),
    (errors.HFValidationError("x"), HubProblem("bad_name")),
    (errors.OfflineModeIsEnabled("x"), HubProblem("offline")),
    (errors.LocalTokenNotFoundError("x"), HubProblem("no_token")),
    (errors.HfHubHTTPError("x", response=response(403)), HubProblem("refused", "403")),
    (errors.HfHubHTTPError("x", response=response(412)), HubProblem("changed", "412")),
    (errors.HfHubHTTPError("x", response=response(500)), HubProblem("answered", "500")),
    (OSError(errno.ENOSPC, "No space left"), HubProblem("disk_full")),
    (httpx2.ReadTimeout("slow."), HubProblem("timeout", "slow")),
    (httpx2.ConnectError("refused"), HubProblem("unreachable", "refused")),
    (PermissionError(errno.EACCES, "not  yours"), HubProblem("failed", "[Errno 13] not yours")),
]


@pytest.mark.parametrize(("error", "problem"), CASES, ids=[problem.kind for _, problem in CASES])
def test_every_kind_is_told_apart_and_both_clients_say_it(
    error: Exception, problem: HubProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hub_problem(error) == problem
    said = []
    with pytest.raises(DownloadError) as download, explained_download("them/files", revision="v1"):
        raise error
    said.append(str(download.value))

    def fail() -> None:
        raise error

    monkeypatch.setattr("playground.presets.hub._api", fail)
    with pytest.raises(PresetError) as preset:
        pull("them/files", revision="v1")
    said.append(str(preset.value))
    for sentence in said:
        assert sentence.endswith(".")
        assert "{" not in sentence


def test_no_kind_is_left_out_of_the_cases() -> None:
    assert [problem.kind for _, problem in CASES] == list(KINDS)


def test_what_is_explained_passes_and_a_mistake_of_ours_is_not_explained() -> None:
    with pytest.raises(PlaygroundError, match="as it is"), explained_download("them/files"):
        raise PlaygroundError("as it is")
    with pytest.raises(ZeroDivisionError), explained_download("them/files"):
        raise ZeroDivisionError
    assert hub_problem(KeyError("x")) is None
