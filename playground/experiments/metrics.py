"""Metrics as named plain functions over a question's turn and an answer; None where one does not apply.

Each looks at a single answer; ``corpus_metrics`` at all of one assistant. None of them runs a model: those
that do are in ``model_metrics``. Verb-noun pairs, which papers show for instruction sets, need a parser with
a model of its own and are left out.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from playground.errors import EngineMissingError
from playground.experiments.diversity import distinct_n, diversity, words
from playground.experiments.pair_scoring import ReplyStyle, holds_answer, is_right, says_unknown
from playground.experiments.questions import Asked
from playground.experiments.run_files import Answer
from playground.extras import install_command

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_BULLET = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+\S", re.MULTILINE)
_FENCED = re.compile(r"\A```(?:json)?\s*\n(.*?)\n```\Z", re.DOTALL)
_GREETING = re.compile(
    r"\A\W*(?:hi|hello|hey|greetings|welcome|good (?:morning|day|evening)|thank you for|thanks for|"
    r"certainly|sure|of course|absolutely|great question|happy to)\b|\A\W*(?:你好|您好|大家好|当然|很乐意)",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"^\s*(?:#+\s*)?(?:query|answer|question|user|assistant|human|system|instruction|response)\s*:|"
    r"<\|[a-z_]+\|>|\[/?INST\]|^#+\s*(?:instruction|response|query|answer)\b",
    re.IGNORECASE | re.MULTILINE,
)
_UNKNOWN = ("do not know", "don't know", "not sure", "cannot say", "no information", "不知道", "不清楚")
_SELF_BLEU_ANSWERS = 60
"""Self-BLEU compares each answer with all others; more than this many are drawn from."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a metric may know besides question and answer.

    Attributes:
        style: The manner that the examples show.
        rivals: By relation, every value it can have.
        openings, closings: Other known ways to begin and end an answer, which say nothing.
    """

    style: ReplyStyle = field(default_factory=ReplyStyle)
    rivals: Mapping[str, Sequence[str]] = field(default_factory=dict)
    openings: Sequence[str] = ()
    closings: Sequence[str] = ()


Measure = Callable[[Asked, Answer, Setting], float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and how to read it.

    Attributes:
        name: As on the command line.
        title: For people.
        unit: ``share`` (0 to 1) or the unit of a number.
        better: Which way is better; None where neither is.
        measure: The function.
        needs: The module of an optional package that it is computed with; empty for none.
    """

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower"] | None
    measure: Measure
    needs: str = ""


def rouge_l(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """F-measure of ROUGE-L against the nearest reference, as rouge-score gives it without stemming.

    Texts with Chinese are cut by characters. Lin (2004).
    """
    references = [text for text in dict.fromkeys((asked.reference, *asked.sentences)) if text]
    if not references:
        return None
    scorer = _rouge("character" if any(map(_CHINESE.search, references)) else "word")
    return float(scorer.score_multi(references, answer.text)["rougeL"].fmeasure)


def exact_match(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where the answer is the reference, or the one value, up to case, space and signs at its ends."""
    wanted = [asked.reference, *asked.sentences]
    if len(asked.values) == 1:
        wanted.append(asked.values[0])
    known = {_plain(text) for text in wanted if text}
    return float(_plain(answer.text) in known) if known else None


def contains(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where every value stands in the answer as whole words; the reference itself where none is known."""
    if asked.values:
        return float(holds_answer(answer.text, asked.expected()))
    return float(_plain(asked.reference) in _plain(answer.text)) if asked.reference else None


def right(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where the answer names entity and values, nothing that contradicts them, and ended by itself."""
    if not asked.values:
        return None
    good = is_right(answer.text, asked.expected(), _own_style(answer.text.strip(), setting), setting.rivals)
    return float(good and answer.finish_reason == "stop")


def in_style(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where the answer begins, ends and is laid out as the examples are; None where they show no manner."""
    if setting.style == ReplyStyle():
        return None
    return float(setting.style.followed(answer.text, asked.expected()))


def unknown(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where the answer says that it does not know."""
    return float(says_unknown(answer.text, _UNKNOWN))


def tokens(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """Tokens of the answer, without its thinking."""
    return float(answer.completion_tokens - answer.thinking_tokens)


def characters(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """Characters of the answer."""
    return float(len(answer.text))


def length_ratio(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """Words of the answer for each word of the reference; Chinese is counted by characters."""
    wanted = len(words(asked.reference))
    return len(words(answer.text)) / wanted if wanted else None


def is_list(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where at least two lines of the answer are list items."""
    return float(len(_BULLET.findall(answer.text)) >= 2)


def is_json(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where the answer, or the one fence it consists of, is a JSON object or list."""
    text = answer.text.strip()
    fenced = _FENCED.match(text)
    try:
        return float(isinstance(json.loads(fenced[1] if fenced else text), (dict, list)))
    except (ValueError, RecursionError):
        return 0.0


def same_language(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where question and answer are both mainly in Chinese characters or both not; None without letters."""
    here, there = _is_chinese(asked.query), _is_chinese(answer.text)
    return None if here is None or there is None else float(here == there)


def greets(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where the answer opens with a greeting or a courtesy."""
    return float(_GREETING.search(answer.text) is not None)


def stopped(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where the model or a stop ended the answer, and not the limit."""
    return float(answer.finish_reason == "stop")


def role_leaked(asked: Asked, answer: Answer, setting: Setting) -> float | None:
    """1 where the answer holds the header of a turn or a control token."""
    return float(_ROLE.search(answer.text) is not None)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("right", "right", "share", "higher", right),
        Metric("contains", "holds the answer", "share", "higher", contains),
        Metric("exact_match", "exact match", "share", "higher", exact_match),
        Metric("rouge_l", "ROUGE-L", "score", "higher", rouge_l, needs="rouge_score.rouge_scorer"),
        Metric("in_style", "in style", "share", "higher", in_style),
        Metric("unknown", "says it does not know", "share", None, unknown),
        Metric("tokens", "tokens", "tokens", None, tokens),
        Metric("characters", "characters", "characters", None, characters),
        Metric("length_ratio", "length to reference", "ratio", None, length_ratio),
        Metric("is_list", "is a list", "share", None, is_list),
        Metric("is_json", "is JSON", "share", None, is_json),
        Metric("same_language", "in the question's language", "share", "higher", same_language),
        Metric("greets", "greets", "share", None, greets),
        Metric("stopped", "stopped by itself", "share", "higher", stopped),
        Metric("role_leaked", "role leaked", "share", "lower", role_leaked),
    )
}
CORPUS_METRICS = ("distinct_1", "distinct_2", "distinct_3", "self_bleu", "distance")


def corpus_metrics(texts: Sequence[str], *, seed: int = 0) -> dict[str, float | None]:
    """How different one assistant's answers are from each other; see ``diversity``.

    Self-BLEU and distance are over at most 60 answers, drawn by the seed.
    """
    whole = diversity(texts) if len(texts) <= _SELF_BLEU_ANSWERS else None
    drawn = random.Random(seed).sample(list(texts), min(len(texts), _SELF_BLEU_ANSWERS))
    part = whole or diversity(drawn)
    cut = [words(text) for text in texts]
    distinct = whole.distinct if whole else tuple(distinct_n(cut, n) for n in (1, 2, 3))
    return dict(zip(CORPUS_METRICS, (*distinct, part.self_bleu, part.distance), strict=True))


def _own_style(text: str, setting: Setting) -> ReplyStyle:
    """The manner of this answer: that of the examples, or another known one where it begins or ends so."""
    opening = next((known for known in setting.openings if text.startswith(known)), "")
    closing = next((known for known in setting.closings if text.endswith(known)), "")
    return ReplyStyle(opening, closing) if opening or closing else setting.style


def _is_chinese(text: str) -> bool | None:
    chinese, latin = len(_CHINESE.findall(text)), len(_LATIN.findall(text))
    # A character of Chinese says about as much as three letters.
    return None if not chinese + latin else chinese * 3 > latin


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .!?,;:\"'。！？，；：")


class _Characters:
    """Chinese characters one by one, other words whole: a tokenizer for rouge-score."""

    def tokenize(self, text: str) -> list[str]:
        return [word for word in words(text) if word[0].isalnum()]


@cache
def _rouge(cut: str) -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise EngineMissingError(
            f"ROUGE-L needs the package rouge-score; install it with: {install_command('experiments')}"
        ) from error
    return RougeScorer(["rougeL"], tokenizer=_Characters() if cut == "character" else None)
