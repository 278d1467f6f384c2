"""CSV with any separator, header, encoding and line break, and rows that are badly quoted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from playground.datasets import Columns, DataFileError, parse_bytes, parse_data, read_data

ICE = ("What is ice?", "Frozen water.")


def pairs(text: str, columns: Columns | None = None) -> list[tuple[str, str]]:
    data = parse_data(text, **({"columns": columns} if columns else {}))
    return [(r.queries[0], r.answers[0] if r.answers else "") for r in data.records]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ":", "~", "^", "§", "¦"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_separator_and_line_break_is_told_by_the_header(separator: str, end: str) -> None:
    text = end.join((f"question{separator}answer", f"What is ice?{separator}Frozen water.", ""))
    assert pairs(text) == [ICE]


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nquestion;answer\nWhat is ice?;Frozen water.\n",
        '"sep=;"\nquestion;answer\nWhat is ice?;Frozen water.\n',
        "sep=\t\nquestion\tanswer\nWhat is ice?\tFrozen water.\n",
        "\ufeffQuestion,Answer\nWhat is ice?,Frozen water.\n",
        "\n\nquestion , answer\nWhat is ice?,Frozen water.\n",
        '"question","answer"\n"What is ice?","Frozen water."\n',
        "'question','answer'\n'What is ice?','Frozen water.'\n",
        '"question", "answer"\n"What is ice?", "Frozen water."\n',
        '"What is ice?","Frozen water."\n',
        "What is ice?\tFrozen water.\nWhat is ice?\tFrozen water.\n",
        "| question | answer |\n|---|:---:|\n|What is ice?|Frozen water.|\n",
        ",question,answer\n0,What is ice?,Frozen water.\n",
        "Type,Question,Best Answer\nx,What is ice?,Frozen water.\n",
        "id,instruction,output,,\n1,What is ice?,Frozen water.,,\n",
        "q,a\nWhat is ice?,Frozen water.\n",
        "问题,答案\nWhat is ice?,Frozen water.\n",
        "question,answer,question\nWhat is ice?,Frozen water.,other\n",
        "question,answer\nWhat is ice?,Frozen water.,,\n",
    ],
)
def test_tables_of_every_layout(text: str) -> None:
    assert pairs(text)[0] == ICE
    assert len(set(pairs(text))) == 1


def test_one_column_with_line_breaks_and_separators_in_cells() -> None:
    assert pairs('question\n"What is\nice?"\nWhy, then, is it cold?\n') == [
        ("What is\nice?", ""),
        ("Why, then, is it cold?", ""),
    ]
    assert pairs('"What is\nice?"\n"Why?"\n') == [("What is\nice?", ""), ("Why?", "")]
    assert pairs('question;answer\r\n"a;\r\nb";"c ""d"""\r\n') == [("a;\nb", 'c "d"')]


def test_a_badly_quoted_row_is_named_by_its_line_and_no_other_is_lost() -> None:
    text = 'question,answer\nWhat is ice?,Frozen.\n"He said "hi", why?",Because.\nWhat is fog?,Drops.\n'
    data = parse_data(text)
    assert [r.queries[0] for r in data.records] == ["What is ice?", "What is fog?"]
    assert [p.place for p in data.problems] == [3]
    assert "quotation marks" in data.problems[0].message


@pytest.mark.parametrize(
    "broken",
    ['"open,x', 'x,"open', '"a" b,c', 'x,"', '"', "only", "a,b,c", '"a,"b","c', 'x,"a""', '""",y'],
)
def test_an_open_quotation_mark_never_takes_the_rows_behind_it_along(broken: str) -> None:
    good = ["What is dew?,Drops.", '"What is, say, fog?","Small\ndrops"', 'Why?,"He said ""no""."', "a,b"]
    want = [
        ("What is dew?", "Drops."),
        ("What is, say, fog?", "Small\ndrops"),
        ("Why?", 'He said "no".'),
        ("a", "b"),
    ]
    for at in range(len(good) + 1):
        text = "question,answer\n" + "\n".join([*good[:at], broken, *good[at:]]) + "\n"
        data = parse_data(text)
        assert [(r.queries[0], r.answers[0]) for r in data.records] == want
        line = 2 + "\n".join(good[:at]).count("\n") + (1 if at else 0)
        assert [p.place for p in data.problems] == [line]


def test_backslashes_escape_where_a_row_fits_no_other_way() -> None:
    text = 'question,answer\n"He said \\"hi\\", why?",Because.\n"C:\\",a folder\n'
    assert pairs(text) == [('He said "hi", why?', "Because."), ("C:\\", "a folder")]


def test_a_cell_may_be_larger_than_the_library_takes_by_itself() -> None:
    large = "x" * 300_000
    assert pairs(f'question,answer\nWhy?,"{large}"\n') == [("Why?", large)]


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("gb18030", "GB18030"),
        ("cp1251", "CP1251"),
    ],
)
def test_the_encoding_is_told_and_said(tmp_path: Path, encoding: str, note: str) -> None:
    words = {
        "gb18030": ("冰是什么东西？为什么会结冰？", "冰是冻住的水，因为天气很冷。"),
        "cp1251": ("Что такое лёд?", "Замёрзшая вода, то есть снег."),
    }
    want = words.get(encoding, ("Was ist Eis? 🧊 Ä", "Gefrorenes Wasser."))
    path = tmp_path / "any.csv"
    path.write_bytes(("question;answer\r\n" + ";".join(want) + "\r\n").encode(encoding))
    data = read_data(path)
    assert (data.records[0].queries[0], data.records[0].answers[0]) == want
    assert any(note in said for said in data.notes)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "café"),
        ("cp1252", "Was heißt „Eis“? It’s cold – où l'été?"),
        ("gb18030", "用户：你好"),
        ("gb18030", "冰是什么？"),
        ("big5", "冰是什麼東西？為什麼"),
        ("shift_jis", "氷とは何ですか？ これは水です。"),
        ("euc_kr", "얼음은 무엇입니까?"),
        ("cp1250", "Co je led? Zmrzlá voda, příliš žluťoučký kůň"),
    ],
)
def test_encodings_of_short_texts_from_before_unicode(encoding: str, text: str) -> None:
    assert parse_bytes(text.encode(encoding)).records[0].queries == (text,)


def test_a_few_bytes_that_are_not_utf8_cost_their_row_one_character() -> None:
    data = parse_bytes("question\nWhy é?\nWas".encode() + b"\xe4" + " ist Eis? 冰\n".encode())
    assert [r.queries[0] for r in data.records] == ["Why é?", "Was\ufffd ist Eis? 冰"]
    assert [(p.place, "U+FFFD" in p.message) for p in data.repaired] == [(3, True)]


def test_a_packed_file_is_unpacked_and_a_damaged_one_named() -> None:
    packed = gzip.compress(b'{"question": "Why?"}\n')
    assert parse_bytes(packed).records[0].queries == ("Why?",)
    with pytest.raises(DataFileError, match="damaged"):
        parse_bytes(packed[:20])


def test_the_columns_that_are_read_are_said_and_can_be_chosen() -> None:
    text = "nr,question,gloss,answer\n7,What is ice?,cold,Frozen water.\n"
    data = parse_data(text)
    assert data.columns == Columns(query="question", answer="answer")
    assert data.available == ("nr", "question", "gloss", "answer")
    assert any("query from 'question'" in note and "not read: nr, gloss" in note for note in data.notes)
    assert pairs(text, Columns(query="gloss", answer="question")) == [("cold", "What is ice?")]
    foreign = "frage;antwort\nWas ist Eis?;Gefrorenes Wasser.\nWas ist Tau?;Tropfen.\n"
    assert any("FILE?query=COLUMN" in note for note in parse_data(foreign).notes)
    assert pairs(foreign, Columns(query="frage", answer="antwort"))[0] == (
        "Was ist Eis?",
        "Gefrorenes Wasser.",
    )
    with pytest.raises(DataFileError, match="no column 'nothing'"):
        pairs(foreign, Columns(query="nothing"))
    rows = '{"frage": "Was?", "antwort": 3}\n{"other": 1}\n'
    data = parse_data(rows, columns=Columns(query="frage", answer="antwort"))
    assert (data.records[0].answers, [p.place for p in data.problems]) == (("3",), [2])


def test_columns_are_chosen_in_the_name_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("frage;antwort\nWas ist Eis?;Wasser.\n", encoding="utf-8")
    data = read_data(f"{path}?query=frage&answer=antwort")
    assert data.records[0].answers == ("Wasser.",)
    for wrong in ("frage=x", "query=a&query=b", "split=test"):
        with pytest.raises(DataFileError, match="option"):
            read_data(f"{path}?{wrong}")
    odd = tmp_path / "what?query=x"
    odd.write_text("Why?\n", encoding="utf-8")
    assert read_data(odd).records[0].queries == ("Why?",)


def test_texts_that_are_no_tables_stay_questions() -> None:
    for text in ("User: hi\nAssistant: ho", "Why, oh why?\nHow?", "Question: what is it?\nHow?", "text"):
        assert parse_data(text).format == "lines"
