"""The shapes of rows in public data sets, and layouts of JSON."""

from __future__ import annotations

import json

import pytest

from playground.datasets import DataFileError, Record, parse_data

GAS = {"question_id": 1, "category": "stem", "turns": ["Name a gas.", "Name another."]}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def bot(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def human(text: str) -> dict[str, str]:
    return {"from": "human", "value": text}


def gpt(text: str) -> dict[str, str]:
    return {"from": "gpt", "value": text}


def only(row: object) -> Record:
    (record,) = parse_data(json.dumps([row])).records
    return record


@pytest.mark.parametrize(
    ("reference", "answers"),
    [
        (["Neon.", ""], ("Neon.",)),
        (["", "Argon."], ("", "Argon.")),
        (None, ()),
        ("Neon.", ("Neon.",)),
        ([], ()),
        ([None, 4], ("", "4")),
        (["Neon.", "Argon."], ("Neon.", "Argon.")),
        (["", ""], ()),
    ],
)
def test_references_of_mt_bench(reference: object, answers: tuple[str, ...]) -> None:
    want = Record("1", 1, ("Name a gas.", "Name another."), answers, "", "stem")
    assert only({**GAS, "reference": reference}) == want
    data = parse_data(
        json.dumps({**GAS, "reference": reference}) + "\n" + json.dumps({**GAS, "question_id": 2})
    )
    assert [r.id for r in data.records] == ["1", "2"]
    assert not data.problems


@pytest.mark.parametrize(
    ("row", "queries", "answers", "system"),
    [
        (
            {"instruction": "Name a gas.", "input": "<noinput>", "output": "Neon."},
            ("Name a gas.",),
            ("Neon.",),
            "",
        ),
        ({"instruction": "Add.", "input": "1 2", "output": 3}, ("Add.\n\n1 2",), ("3",), ""),
        (
            {"instruction": "q2", "output": "a2", "system": "S", "history": [["q1", "a1"]]},
            ("q1", "q2"),
            ("a1", "a2"),
            "S",
        ),
        ({"instruction": "q", "context": "c", "response": "a"}, ("q\n\nc",), ("a",), ""),
        ({"instruction": "q", "instances": [{"input": "i", "output": "o"}]}, ("q\n\ni",), ("o",), ""),
        ({"question": "2+2?", "answer": 4}, ("2+2?",), ("4",), ""),
        ({"question": "2+2?", "answer": 4.0}, ("2+2?",), ("4",), ""),
        ({"question": "Half?", "answer": 0.5}, ("Half?",), ("0.5",), ""),
        ({"question": "Is it?", "answer": True}, ("Is it?",), ("true",), ""),
        ({"question": "q", "answer": ["a", "b"]}, ("q",), ("a",), ""),
        (
            {"question": "q", "answers": {"text": ["a"], "answer_start": [1]}, "context": "c"},
            ("c\n\nq",),
            ("a",),
            "",
        ),
        ({"question": "q", "answer": None}, ("q",), (), ""),
        ({"Question": "q", "Best Answer": "a"}, ("q",), ("a",), ""),
        ({"goal": "q", "target": "a"}, ("q",), ("a",), ""),
        ({"prompt": "q", "system_prompt": "S", "chosen": "a", "rejected": "b"}, ("q",), ("a",), "S"),
        ({"turns": [{"content": "q1"}, {"content": "q2"}]}, ("q1", "q2"), (), ""),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is ice?"}]}]},
            ("What is ice?",),
            (),
            "",
        ),
        (
            {"messages": [{"role": "developer", "content": "S"}, user("q")]},
            ("q",),
            (),
            "S",
        ),
        (
            {"conversations": [user("q"), bot("a")]},
            ("q",),
            ("a",),
            "",
        ),
        ({"messages": [human("q"), gpt("a")]}, ("q",), ("a",), ""),
        ({"system": "S", "conversations": [human("q")]}, ("q",), (), "S"),
        ({"items": [human("q"), gpt("a")]}, ("q",), ("a",), ""),
        ({"custom_id": "x", "body": {"messages": [user("q")]}}, ("q",), (), ""),
        (
            {"input": [{"role": "system", "content": "S"}, user("q")], "ideal": ["a"]},
            ("q",),
            ("a",),
            "S",
        ),
        (
            {
                "prompt": [user("q")],
                "completion": [bot("a")],
            },
            ("q",),
            ("a",),
            "",
        ),
        (
            {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"},
            ("q",),
            ("a",),
            "",
        ),
        ([user("q"), bot("a")], ("q",), ("a",), ""),
        (["q", "a"], ("q",), ("a",), ""),
    ],
)
def test_rows_of_public_data_sets(
    row: object, queries: tuple[str, ...], answers: tuple[str, ...], system: str
) -> None:
    record = only(row)
    assert (record.queries, record.answers, record.system) == (queries, answers, system)


def test_rows_of_chosen_and_of_a_models_answers() -> None:
    talk = [user("q"), bot("a")]
    for row in ({"chosen_messages": talk, "rejected_messages": talk}, {"chosen": talk, "rejected": talk}):
        assert (only(row).queries, only(row).answers) == (("q",), ("a",))
    answers = {"question_id": 1, "model_id": "m", "choices": [{"index": 0, "turns": ["a"]}]}
    with pytest.raises(DataFileError, match="a model's answers and no question"):
        only(answers)


@pytest.mark.parametrize(
    ("turns", "queries", "answers", "said"),
    [
        (
            [
                user("Weather?"),
                {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
                {"role": "tool", "content": "rain"},
                bot("It rains."),
            ],
            ("Weather?",),
            ("It rains.",),
            "tools",
        ),
        (
            [
                human("q"),
                {"from": "function_call", "value": "{}"},
                {"from": "observation", "value": "x"},
                gpt("a"),
            ],
            ("q",),
            ("a",),
            "tools",
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {}}],
                }
            ],
            ("q",),
            (),
            "image_url",
        ),
        (
            [gpt("Hello!"), human("q")],
            ("q",),
            (),
            "before the first",
        ),
        (
            [
                user("q"),
                bot("a"),
                bot("b"),
            ],
            ("q",),
            ("a\n\nb",),
            "joined",
        ),
        ([user("q1"), user("q2")], ("q1", "q2"), (), ""),
    ],
)
def test_what_of_a_conversation_is_not_kept_is_said(
    turns: object, queries: tuple[str, ...], answers: tuple[str, ...], said: str
) -> None:
    data = parse_data(json.dumps([{"messages": turns}]))
    assert (data.records[0].queries, data.records[0].answers) == (queries, answers)
    assert [one.place for one in data.repaired] == ([1] if said else [])
    assert not said or said in data.repaired[0].message


def test_half_a_character_is_replaced_and_the_row_is_kept() -> None:
    questions = ["What is ice? \\ud83d", "Why? \\ud83d\\ude00", "\\ude00?"]
    data = parse_data("\n".join(f'{{"question": "{question}"}}' for question in questions))
    assert [r.queries[0] for r in data.records] == ["What is ice? \ufffd", "Why? 😀", "\ufffd?"]
    assert [one.place for one in data.repaired] == [1, 3]
    for key in ("answer", "system", "category", "id"):
        record = parse_data('{"question": "q", "KEY": "x\\ud83d"}'.replace("KEY", key)).records[0]
        str(record).encode()
    with pytest.raises(DataFileError) as caught:
        parse_data('{"\\ud83d": "x"}')
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ([{"question": "one"}, {"id": 1, "question": "two"}], ["row-1", "1"]),
        ([{"id": 2, "question": "one"}, {"question": "two"}], ["2", "row-2"]),
        (
            [{"question": "a"}, {"id": "row-1", "question": "b"}, {"id": "1", "question": "c"}],
            ["row-1-2", "row-1", "1"],
        ),
        (
            [{"id": 1, "question": "a"}, {"id": 1, "question": "b"}, {"id": "1-2", "question": "c"}],
            ["1", "1-2"],
        ),
        ([{"id": None, "question": "a"}, {"id": "", "question": "b"}], ["1", "2"]),
        ([{"id": 0, "question": "a"}], ["0"]),
    ],
)
def test_made_up_ids_never_are_given_ones(rows: list[object], ids: list[str]) -> None:
    for text in (json.dumps(rows), "\n".join(map(json.dumps, rows))):
        assert [record.id for record in parse_data(text).records] == ids


@pytest.mark.parametrize(
    "text",
    [
        '[{"question": "a"}, {"question": "b"}]',
        '{"question": "a"}\r\n{"question": "b"}\r\n',
        '{"question": "a"}\r{"question": "b"}\r',
        '{"question": "a"},\n{"question": "b"}',
        '\x1e{"question": "a"}\n\x1e{"question": "b"}\n',
        '{\n  "question": "a"\n}\n{\n  "question": "b"\n}\n',
        '{"question": "a"}{"question": "b"}',
        '{"data": [{"question": "a"}, {"question": "b"}], "version": 1}',
        '{"question": ["a", "b"], "answer": ["", ""]}',
        '{"rows": [{"row_idx": 0, "row": {"question": "a"}}, {"row_idx": 1, "row": {"question": "b"}}]}',
        '{"x": {"question": "a"}, "y": {"question": "b"}}',
        '["a", "b"]',
        '\ufeff[{"question": "a"}, {"question": "b"}]',
        '[{"question": "a"}, {broken}, {"question": "b"}]',
        '[\n{"question": "a"},\n{"question": \n{"question": "b"}\n]',
        '[\n {"question": "a", "x":{"y":[1]}},\n {"question": oops, "x": {\n"y":1}},\n {"question": "b"}\n]',
        '[{"question": "a"},\n{"question": "b"},\n{"question": "c',
    ],
)
def test_json_of_every_layout(text: str) -> None:
    data = parse_data(text)
    assert [record.queries[0] for record in data.records] == ["a", "b"]
    broken = "broken" in text or "oops" in text or text.endswith('"c') or '"question": \n' in text
    assert len(data.problems) == broken


def test_texts_that_only_start_like_json_are_lines() -> None:
    assert [r.queries[0] for r in parse_data("[Note] Why?\n{x} is what?\n").records] == [
        "[Note] Why?",
        "{x} is what?",
    ]
