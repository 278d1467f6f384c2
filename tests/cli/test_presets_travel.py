"""Presets in and out from the command line: in this process, as each command is one call of the library."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.cli.app import main
from tests.presets.hub_server import TOKEN, SmallHub

Run = Callable[..., str]
FIXTURES = Path(__file__).parents[1] / "imports" / "fixtures"


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run a command and give its standard output; the error's line where it fails."""

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["presets", *arguments])
        out, err = (text.decode() for text in capfdbinary.readouterr())
        assert (ended.value.code or 0) == code, err
        if code == 1 and not out:
            assert err.startswith("error: ")
            assert err.count("\n") == 1
            return err
        return out

    return run


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "home" / "presets"


def test_import_saves_and_says_what_it_did(run: Run, own: Path) -> None:
    out = run("import", str(FIXTURES / "urial/block_fences.txt"), "--as", "garden")
    assert out.startswith("garden: urial, structured, saved as ")
    assert "renders the file byte for byte" in out
    assert "already" in run("import", str(FIXTURES / "urial/block_fences.txt"), "--as", "garden", code=1)
    run("import", str(FIXTURES / "urial/basechat.txt"), "--as", "garden", "--overwrite")
    assert '"""' not in (own / "garden.yaml").read_text()
    shown = json.loads(run("import", str(FIXTURES / "tools/mikupad.json"), "--json"))
    assert [p["name"] for p in shown["presets"]] == ["Garden talk", "Marked"]
    assert (own / "Marked.yaml").is_file()


def test_import_of_a_verbatim_prompt_and_its_normalised_form(run: Run, own: Path) -> None:
    path = str(FIXTURES / "urial/inline_fences.txt")
    assert "uneven: urial, verbatim" in run("import", path, "--as", "uneven")
    shown = run("import", path, "--as", "even", "--normalise")
    assert "\n- ·\n" not in shown  # blanks at a line's end are dots
    assert "\n-·\n" in shown
    assert "even: urial, structured" in shown
    assert "prefix" not in (own / "even.yaml").read_text()


def test_a_dry_run_saves_nothing(run: Run, own: Path) -> None:
    assert "not saved" in run("import", str(FIXTURES / "rows/alpaca.json"), "--dry-run")
    assert not own.exists()


def test_check_dir(run: Run, tmp_path: Path) -> None:
    rows = run("import", "--check-dir", str(FIXTURES / "urial")).splitlines()
    assert len(rows) == 14
    assert "inline_fences.txt\tverbatim\turial_backticks\t2\tbyte-equal" in rows
    shown = json.loads(run("import", "--check-dir", str(FIXTURES / "urial"), "--json"))
    assert shown["equal"]
    assert {f["kind"] for f in shown["files"]} == {"structured", "verbatim"}
    (tmp_path / "bad.txt").write_bytes(b"\xff")
    assert "NOT EQUAL: not UTF-8" in run("import", "--check-dir", str(tmp_path), code=1)


def test_mistakes(run: Run, tmp_path: Path) -> None:
    run("import", code=2)
    run("import", "x", "--check-dir", str(tmp_path), code=2)
    assert "cannot be read" in run("import", str(tmp_path / "missing"), code=1)
    assert "cannot be a preset's name" in run(
        "import", str(FIXTURES / "rows/alpaca.json"), "--as", "../x", code=1
    )
    assert "without --as" in run("import", str(FIXTURES / "tools/mikupad.json"), "--as", "x", code=1)
    assert "allow-private" in run("import", "http://127.0.0.1:1/x", code=1)


def test_a_file_with_comments_is_not_replaced_unasked(run: Run, own: Path) -> None:
    run("import", str(FIXTURES / "rows/alpaca.json"), "--as", "mine")
    path = own / "mine.yaml"
    written = path.read_text().replace("examples:\n", "examples:\n  # my own words\n")
    path.write_text("# on top\n" + written)
    again = ("import", str(FIXTURES / "rows/sharegpt.json"), "--as", "mine", "--overwrite")
    assert "'# my own words'" in run(*again, code=1)
    run(*again, "--drop-comments")
    assert path.read_text().startswith("# on top\nschema: 2\n")
    assert "my own words" not in path.read_text()


def test_export(run: Run, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    text = run("export", "friendly", "--to", "basechat")
    assert text.startswith("# Instruction\n\n")
    assert run("export", "friendly") == run("show", "friendly")
    path = tmp_path / "out.txt"
    with pytest.raises(SystemExit):
        main(["presets", "export", "friendly", "--to", "basechat", "--output", str(path)])
    assert b"note: Left out: decoding" in capfdbinary.readouterr().err
    assert path.read_bytes().decode() == text
    assert "was not written" in run("export", "friendly", "--output", str(path), code=1)
    assert "no format 'docx'" in run("export", "friendly", "--to", "docx", code=1)
    shown = json.loads(run("export", "friendly", "--to", "alpaca", "--json"))
    assert any("system text" in sentence for sentence in shown["lost"])


def test_push_and_pull(run: Run, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import close_session, constants

    server = SmallHub()
    try:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        run("import", str(FIXTURES / "rows/alpaca.json"), "--as", "garden")
        assert "which was made" in run("push", "garden", "me/prompts")
        assert "the same already" in run("push", "garden", "me/prompts")
        before = (own / "garden.yaml").read_bytes()
        (own / "garden.yaml").unlink()
        assert "garden: saved as" in run("pull", "me/prompts")
        assert (own / "garden.yaml").read_bytes() == before
        server.repositories["me/prompts"].files["presets/bad.yaml"] = b"nmae: x"
        shown = json.loads(run("pull", "me/prompts", "--overwrite", "--json", code=1))
        assert [(p["name"], p["error"] is None) for p in shown["presets"]] == [
            ("bad", False),
            ("garden", True),
        ]
    finally:
        close_session()
        server.close()


def test_schema_link_and_history(run: Run, own: Path) -> None:
    assert json.loads(run("schema"))["title"] == "Preset"
    link = run("link", "friendly", "--base", "http://127.0.0.1:9/").strip()
    assert link.startswith("http://127.0.0.1:9/#preset=1.")
    assert "again: link, structured" in run("import", link, "--as", "again")
    assert run("show", "again") == run("show", "friendly").replace("name: friendly", "name: again")
    parent = json.loads(run("show", "again", "--json"))["content_hash"]
    own.joinpath("child.yaml").write_text(f"name: child\nderived_from: {{name: again, hash: {parent}}}\n")
    tree = run("history", "child").splitlines()
    assert [line.split()[0] for line in tree] == ["again", "child"]
    assert tree[1].startswith("  ")
    assert tree[1].endswith("<")
    nodes = json.loads(run("history", "child", "--json"))["nodes"]
    assert [(n["name"], n["link"]) for n in nodes] == [("again", "root"), ("child", "same")]
