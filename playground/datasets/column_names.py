"""Column names that the field uses for questions, answers, ids and categories."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from playground.datasets.records import NO_COLUMN, Columns

QUERY = (
    *("query", "question", "instruction", "prompt", "input", "user_input", "user", "goal", "problem"),
    *("user_message", "q", "text", "问题", "提问", "指令", "输入", "用户"),
)
ANSWER = (
    *("answer", "output", "response", "completion", "reference", "target", "assistant", "completion_a"),
    *("reference_answer", "best_answer", "expected_output", "expected_answer", "expected", "ideal", "chosen"),
    *("canonical_solution", "ground_truth", "gold", "gold_answer", "solution", "answers", "reply", "bot"),
    *("assistant_message", "model_output", "correct_answers", "a", "答案", "回答", "输出", "助手"),
)
SYSTEM = ("system", "system_prompt", "system_message", "系统")
CATEGORY = ("category", "dataset", "subject", "task", "类别", "分类")
ID = ("question_id", "id", "uid", "custom_id", "prompt_id", "task_id", "example_id", "key", "编号")
CONTEXT = ("context", "passage")
MESSAGES = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "items")


@lru_cache(maxsize=1024)
def plain_name(name: str) -> str:
    """A column name in lower case with underscores: ``Best Answer`` and ``best-answer`` are the same."""
    return re.sub(r"[\s\-]+", "_", name.strip().lower().lstrip("\ufeff"))


def is_query_name(name: str) -> bool:
    """Whether rows with such a column can be read."""
    plain = plain_name(name)
    return plain in QUERY or plain in MESSAGES or plain == "turns"


def is_known_name(name: str) -> bool:
    """Whether the column has a meaning here."""
    plain = plain_name(name)
    return plain in {*QUERY, *ANSWER, *SYSTEM, *CATEGORY, *ID, *CONTEXT, *MESSAGES, "turns", "history"}


@lru_cache(maxsize=256)
def find_columns(names: tuple[str, ...], chosen: Columns) -> Columns:
    """The columns that are read of a table: the chosen ones, else the first known name of each role.

    A column called ``a`` is an answer only beside one called ``q``: multiple-choice tables have it too.
    """
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(plain_name(name), name)
    taken = {name for _, name in chosen.items()}
    query = chosen.query or _first(plain, QUERY, taken)
    answers = ANSWER if plain_name(query) in ("q", "query") else tuple(n for n in ANSWER if n != "a")
    answer = chosen.answer or _first(plain, answers, {*taken, query})
    return Columns(
        query=query,
        answer="" if answer == NO_COLUMN else answer,
        system=chosen.system or _first(plain, SYSTEM, {*taken, query, answer}),
        category=chosen.category or _first(plain, CATEGORY, {*taken, query, answer}),
        id=chosen.id or _first(plain, ID, {*taken, query, answer}),
    )


def _first(plain: Mapping[str, str], wanted: Iterable[str], taken: set[str]) -> str:
    return next((plain[name] for name in wanted if name in plain and plain[name] not in taken), "")
