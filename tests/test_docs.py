"""The documents for contributors: what they point to exists, and the map lists every folder."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_DOCUMENTS = ("docs/architecture.md", "CONTRIBUTING.md")
_SUFFIX = r"(?:py|js|json|css|md|yaml|toml|txt|html)"
_SPAN = re.compile(r"`([^`\n]+)`")
# `folder/`, `folder/file.py` or `file.md`, and behind a colon a name that the file holds.
_REFERENCE = re.compile(rf"((?:[\w.-]+/)*(?:[\w.-]+/|[\w-]+\.{_SUFFIX}|Makefile))(?::([\w.]+))?")
_MAPPED = ("playground", "tests")
# What tests read, and no code of their own.
_DATA = re.compile(r"tests/(?:\w+/)*fixtures(?:/|$)")


def references(text: str) -> list[tuple[str, str]]:
    """Each path in backticks, with the name behind its colon, or an empty one."""
    spans = _SPAN.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    found = (_REFERENCE.fullmatch(span) for span in spans)
    return [(match[1], match[2] or "") for match in found if match]


def problems(found: list[tuple[str, str]], root: Path) -> list[str]:
    """The references to a file that is not there, or to a name that its file does not hold."""
    missing = []
    for path, name in found:
        if "NAME" in path:  # a new file; its folder is there, unless it is new too
            path, name = path[: path.index("NAME")].rpartition("/")[0] + "/", ""
        target = root / path
        if not (target.is_dir() if path.endswith("/") else target.is_file()):
            missing.append(f"{path} does not exist")
        elif name and any(
            not re.search(rf"\b{re.escape(part)}\b", target.read_text(encoding="utf-8"))
            for part in name.split(".")
        ):
            missing.append(f"{path} does not hold {name}")
    return missing


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_every_file_and_name_in_a_document_for_contributors_exists(repository: Path, document: str) -> None:
    found = references((repository / document).read_text(encoding="utf-8"))
    assert len(found) > 20
    assert problems(found, repository) == []


def test_every_folder_of_the_code_has_its_line_in_the_map(repository: Path) -> None:
    listed = {path for path, _ in references((repository / "docs/architecture.md").read_text("utf-8"))}
    tracked = subprocess.run(
        ["git", "ls-files", *_MAPPED], cwd=repository, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("this is no git checkout")
    folders = {
        f"{folder.as_posix()}/"
        for file in map(Path, tracked)
        if file.suffix in (".py", ".js", ".css")
        for folder in file.parents
        if folder != Path() and not _DATA.match(folder.as_posix())
    }
    assert len(folders) > 20
    assert folders - listed == set()


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_the_readme_links_the_documents_for_contributors(repository: Path, document: str) -> None:
    assert f"]({document})" in (repository / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_every_target_of_the_makefile_is_explained(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    phony = {name for line in re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE) for name in line.split()}
    # Targets that stand for one name each of a list.
    phony -= {"$(FUZZED:%=fuzz-%)"}
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    explained = {line.split()[0] for line in said.splitlines() if line.startswith("  ")}
    assert phony - explained == set()
    table = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {name for name in phony if f"`make {name}`" not in table} == set()


def test_the_check_finds_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("def known(): ...\n", encoding="utf-8")
    text = "`there.py`, `there.py:known`, `there.py:gone`, `no/such.py`, `folder/`, `gone/NAME.py`, `n_ctx`"
    assert problems(references(text), tmp_path) == [
        "there.py does not hold gone",
        "no/such.py does not exist",
        "folder/ does not exist",
        "gone/ does not exist",
    ]
