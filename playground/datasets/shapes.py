"""The shapes of rows, as a table: each says which rows it fits and reads one.

Shapes: tatsu-lab/stanford_alpaca, tatsu-lab/alpaca_eval, Re-Align/just-eval, lm-sys/FastChat
(``llm_judge/data``), lm-sys/arena-hard, ShareGPT dumps, OpenAI's chat and batch files, OpenAI's evals, TRL,
hiyouga/LLaMA-Factory (``system``, ``history``), Anthropic's comparison data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from playground.datasets.cells import answer_text, joined_pairs, parsed_cell, required_text, trimmed
from playground.datasets.column_names import CATEGORY, CONTEXT, ID, MESSAGES, SYSTEM, find_columns, plain_name
from playground.datasets.records import BY_NAME, Columns, DataFormat
from playground.datasets.talks import content_text, is_talk, read_talk

_NO_INPUT = frozenset({"<noinput>", "<no input>", "noinput", "no input", "<no_input>", "nan"})
_HALVES = re.compile("[\ud800-\udfff]")
_HH = re.compile(r"(?:^|\n\n)(Human|Assistant):[ \t]?")
_INPUTS = ("input", *CONTEXT)
_CHOSEN = ("chosen", "chosen_messages")
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Shaped:
    """A row as a question. ``id`` is empty where the row has none; ``changed`` says what was not kept."""

    format: DataFormat
    queries: tuple[str, ...]
    answers: tuple[str, ...] = ()
    system: str = ""
    category: str = ""
    id: str = ""
    columns: Columns = BY_NAME
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shape:
    """A kind of row: which one it is, and its queries, answers, system text and what was not kept."""

    fits: Callable[[Row], bool]
    read: Callable[[Row], Shaped]


def shape_row(row: object, chosen: Columns = BY_NAME) -> Shaped:
    """What a row asks.

    Args:
        row: A text, a list of messages, a pair of texts, or an object.
        chosen: Columns that the user named; then nothing else is tried.

    Raises:
        ValueError: It asks nothing; a clause that says why.
    """
    if isinstance(row, str):
        return _mended(Shaped("lines", (required_text(row, "the line"),)))
    if isinstance(row, (list, tuple)):
        return _mended(_from_list(row))
    if not isinstance(row, Mapping):
        raise ValueError(f"a row is an object with keys such as 'instruction', not {type(row).__name__}")
    names = _plain_names(tuple(map(str, row)))
    plain: dict[str, object] = {}
    texts = True
    for name, value in zip(names, row.values(), strict=True):
        if type(value) is not str or value[:1] == "[":
            texts = False
            value = parsed_cell(value)
        plain.setdefault(name, value)
    if chosen is not BY_NAME and chosen != BY_NAME:
        return _mended(_named(plain, _table_columns(row, chosen), "columns"))
    if texts and "chosen" not in plain:
        shape = _text_shape(names)
    else:
        shape = next((shape for shape in _SHAPES if shape.fits(plain)), None)
    if shape is None and "choices" in plain and "model_id" in plain:
        raise ValueError("it holds a model's answers and no question; choose the file with the questions")
    if shape is None:
        raise ValueError(
            "it has no column for the question; name one 'question' or 'prompt', or say which it is"
            + (f" (its columns: {', '.join(map(str, row))[:120]})" if row else "")
        )
    return _mended(shape.read(plain))


@lru_cache(maxsize=256)
def _plain_names(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(plain_name, keys))


@lru_cache(maxsize=256)
def _text_shape(names: tuple[str, ...]) -> _Shape | None:
    """The shape of rows with these keys whose values are all texts: it is the same for each of them."""
    row = dict.fromkeys(names, "text")
    return next((shape for shape in _SHAPES if shape.fits(row)), None)


def _from_list(row: Sequence[object]) -> Shaped:
    if is_talk(row):
        return _talk_row({"messages": row}, "messages")
    if 1 <= len(row) <= 2 and all(isinstance(item, str) for item in row):
        texts = [str(item) for item in row]
        return Shaped("columns", (required_text(texts[0], "the question"),), tuple(texts[1:]))
    raise ValueError("a list is a row only where it holds messages, or a question and its answer")


def _table_columns(row: Mapping[str, object], chosen: Columns) -> Columns:
    """The chosen columns by their plain names.

    Raises:
        ValueError: The row does not have one of them.
    """
    names = tuple(plain_name(str(key)) for key in row)
    for _, name in chosen.items():
        if plain_name(name) not in names:
            raise ValueError(f"it has no column '{name}' (its columns: {', '.join(map(str, row))[:120]})")
    return find_columns(
        tuple(names), replace(chosen, **{role: plain_name(name) for role, name in chosen.items()})
    )


def _turns(row: Row) -> Shaped:
    turns = row["turns"]
    if isinstance(turns, str):
        turns = [turns]
    if is_talk(turns):
        return _talk_row({**row, "messages": turns}, "mt_bench")
    if not isinstance(turns, (list, tuple)):
        raise ValueError("'turns' is not a list of texts")
    changed: dict[str, None] = {}
    queries = []
    for item in turns:
        text = content_text(item, changed) if isinstance(item, Mapping) else item
        queries.append(required_text(text, "turns"))
    if not queries:
        raise ValueError("'turns' is empty")
    given = row.get("reference", row.get("reference_answer"))
    several = given if isinstance(given, (list, tuple)) else [given]
    answers = [answer_text(item)[0] for item in several[: len(queries)]]
    if len(several) > len(queries):
        changed[f"{len(several) - len(queries)} references more than turns are left out"] = None
    return _with_row(row, Shaped("mt_bench", tuple(queries), trimmed(answers), changed=tuple(changed)))


def _talk(row: Row) -> Shaped:
    key = next(key for key in MESSAGES if key in row)
    turns = row[key]
    first = turns[0] if isinstance(turns, (list, tuple)) and turns else None
    sharegpt = isinstance(first, Mapping) and "from" in first
    return _talk_row({**row, "messages": turns}, "sharegpt" if sharegpt else "messages")


def _talk_row(row: Row, format_: DataFormat) -> Shaped:
    talk = read_talk(row["messages"])
    shaped = Shaped(format_, talk.queries, trimmed(talk.answers), talk.system, changed=talk.changed)
    return _with_row(row, shaped)


def _batch(row: Row) -> Shaped:
    body = row["body"]
    assert isinstance(body, Mapping)
    return _talk_row({**row, "messages": body["messages"]}, "messages")


def _prompt_talk(row: Row) -> Shaped:
    """A prompt that is a list of messages, with the answer beside it (TRL, OpenAI's evals)."""
    key = next(key for key in ("prompt", "input", "conversation_input", "context") if is_talk(row.get(key)))
    talk = read_talk(row[key])
    changed = list(talk.changed)
    answers = list(talk.answers)
    given = next(
        (row[k] for k in ("completion", "chosen", "ideal", "response", "output", "answer") if k in row), None
    )
    if is_talk(given):
        assert isinstance(given, Sequence)
        whole = read_talk([*_as_list(row[key]), *(m for m in given if m not in _as_list(row[key]))])
        answers, changed = list(whole.answers), list(whole.changed)
    elif len(answers) < len(talk.queries):
        text, more = answer_text(given)
        answers += [""] * (len(talk.queries) - 1 - len(answers)) + ([text] if text else [])
        changed += more
    return _with_row(
        row, Shaped("messages", talk.queries, tuple(answers), talk.system, changed=tuple(changed))
    )


def _chosen(row: Row) -> Shaped:
    """A preferred conversation beside a rejected one."""
    key = next(key for key in _CHOSEN if is_talk(row.get(key)))
    return _talk_row({**row, "messages": row[key]}, "comparison")


def _comparison(row: Row) -> Shaped:
    answer, changed = answer_text(row.get("completion_a"))
    query = required_text(row["user_input"], "user_input")
    return _with_row(row, Shaped("comparison", (query,), trimmed([answer]), changed=changed))


def _hh(row: Row) -> Shaped:
    """Anthropic's comparison data: both conversations are texts with ``Human:`` and ``Assistant:``."""
    pieces = _HH.split(str(row["chosen"]))
    talk = read_talk(
        [
            {"role": role.lower(), "content": said.strip()}
            for role, said in zip(pieces[1::2], pieces[2::2], strict=True)
        ]
    )
    return _with_row(row, Shaped("comparison", talk.queries, talk.answers, changed=talk.changed))


def _alpaca(row: Row) -> Shaped:
    query = required_text(row["instruction"], "instruction")
    answer, changed = answer_text(
        next((row[k] for k in ("output", "response", "answer", "chosen") if k in row), None)
    )
    more = next((row[key] for key in _INPUTS if _has_input(row.get(key))), None)
    instances = row.get("instances")
    if isinstance(instances, list) and instances and isinstance(instances[0], Mapping):
        more = instances[0].get("input")
        answer, changed = answer_text(instances[0].get("output"))
        if len(instances) > 1:
            changed = (*changed, f"{len(instances) - 1} more instances are left out")
    if _has_input(more):
        query = f"{query}\n\n{more}"
    queries, answers = [query], [answer]
    history = row.get("history")
    if isinstance(history, (list, tuple)) and history:
        earlier = [_from_list(pair) for pair in history if isinstance(pair, (list, tuple))]
        if len(earlier) != len(history):
            raise ValueError("'history' is not a list of pairs of a question and its answer")
        queries = [*(pair.queries[0] for pair in earlier), query]
        answers = [*((pair.answers or ("",))[0] for pair in earlier), answer]
    format_: DataFormat = "alpaca"
    if "generator" in row or "dataset" in row:
        format_ = "just_eval" if "source_id" in row else "alpaca_eval"
    return _with_row(row, Shaped(format_, tuple(queries), trimmed(answers), changed=changed))


def _columns(row: Row) -> Shaped:
    return _named(row, find_columns(tuple(row), BY_NAME), "columns")


def _named(row: Row, columns: Columns, format_: DataFormat) -> Shaped:
    """A row by its columns; a passage to answer from stands in front of the question."""
    if not columns.query:
        raise ValueError("it has no column for the question; say which one it is")
    if is_talk(row[columns.query]):
        return _talk_row({**row, "messages": row[columns.query]}, "messages")
    query = required_text(row[columns.query], columns.query)
    context = next((row[key] for key in CONTEXT if key in row and key != columns.query), None)
    if columns.query in ("question", "query") and isinstance(context, str) and context.strip():
        query = f"{context.strip()}\n\n{query}"
    answer, changed = answer_text(row.get(columns.answer)) if columns.answer else ("", ())
    shaped = Shaped(format_, (query,), trimmed([answer]), columns=columns, changed=changed)
    return _with_row(row, shaped, columns)


_SHAPES: tuple[_Shape, ...] = (
    _Shape(lambda row: "turns" in row, _turns),
    _Shape(lambda row: isinstance(row.get("body"), Mapping) and "messages" in _as_map(row["body"]), _batch),
    _Shape(lambda row: any(key in row and not isinstance(row[key], str) for key in MESSAGES), _talk),
    _Shape(
        lambda row: any(
            is_talk(row.get(key)) for key in ("prompt", "input", "conversation_input", "context")
        ),
        _prompt_talk,
    ),
    _Shape(lambda row: any(is_talk(row.get(key)) for key in _CHOSEN), _chosen),
    _Shape(lambda row: "user_input" in row, _comparison),
    _Shape(
        lambda row: (
            "prompt" not in row
            and isinstance(row.get("chosen"), str)
            and bool(_HH.search(str(row["chosen"])))
        ),
        _hh,
    ),
    _Shape(lambda row: "instruction" in row, _alpaca),
    _Shape(lambda row: bool(find_columns(tuple(row), BY_NAME).query), _columns),
)


def _with_row(row: Row, shaped: Shaped, columns: Columns | None = None) -> Shaped:
    """The same with the row's own id, category and system text."""

    def scalar(keys: Sequence[str]) -> str:
        for key in keys:
            value = row.get(key)
            if isinstance(value, (str, int)) and str(value).strip():
                return str(value)
        return ""

    own = scalar((columns.system,) if columns else SYSTEM)
    return Shaped(
        shaped.format,
        shaped.queries,
        shaped.answers,
        "\n\n".join(text for text in (own, shaped.system) if text.strip()),
        scalar((columns.category,) if columns else CATEGORY[:2]),
        scalar((columns.id,) if columns else ID),
        shaped.columns,
        shaped.changed,
    )


def _mended(shaped: Shaped) -> Shaped:
    """The same without halves of surrogate pairs, which no encoding can hold."""
    texts = (*shaped.queries, *shaped.answers, shaped.system, shaped.category, shaped.id)
    if all(text.isascii() or _HALVES.search(text) is None for text in texts):
        return shaped
    changed = shaped.changed
    if any(_HALVES.search(joined_pairs(text)) for text in texts):
        changed = (*changed, "half a character (a lone surrogate) became U+FFFD")

    def mend(text: str) -> str:
        return _HALVES.sub("\ufffd", joined_pairs(text))

    return Shaped(
        shaped.format,
        tuple(map(mend, shaped.queries)),
        tuple(map(mend, shaped.answers)),
        mend(shaped.system),
        mend(shaped.category),
        mend(shaped.id),
        shaped.columns,
        changed,
    )


def _has_input(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.strip().lower() not in _NO_INPUT


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _as_map(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}
