"""How different several answers to one prompt are, and which of them agrees most with the others.

Distinct-n: share of distinct among all word n-grams (Li et al., arXiv 1510.03055). Self-BLEU: each answer's
BLEU against all others, averaged (Zhu et al., arXiv 1802.01886), BLEU-4 after Papineni et al. (2002) with
add-one smoothing of the orders above one (Lin and Och, 2004), because answers are short. Mean pairwise
distance: one minus the Jaccard similarity of the answers' word sets, averaged over pairs.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MAX_ORDER = 4
# Words with their inner apostrophes, each CJK character by itself, and each other sign.
_WORD = re.compile(r"[㐀-鿿぀-ヿ가-힯]|[^\W㐀-鿿぀-ヿ가-힯]+(?:['’]\w+)*|[^\w\s]")


def words(text: str) -> list[str]:
    """Lower-case words and signs; writing without spaces is cut by character."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True, slots=True)
class Diversity:
    """Figures over a set of answers; None where there is too little text to say.

    Attributes:
        distinct: Distinct-1, -2 and -3, each in [0, 1]: 1 where no n-gram occurs twice.
        self_bleu: In [0, 1]: 1 where every answer is found among the others.
        distance: Mean pairwise distance in [0, 1]: 0 where all use the same words.
    """

    distinct: tuple[float | None, float | None, float | None]
    self_bleu: float | None
    distance: float | None


def diversity(texts: Sequence[str]) -> Diversity:
    """The figures of a set of answers."""
    cut = [words(text) for text in texts]
    return Diversity(
        (distinct_n(cut, 1), distinct_n(cut, 2), distinct_n(cut, 3)),
        self_bleu(cut),
        mean_distance(cut),
    )


def distinct_n(answers: Sequence[Sequence[str]], n: int) -> float | None:
    """Distinct among all n-grams of all answers; None where there is none."""
    grams = [gram for answer in answers for gram in _grams(answer, n)]
    return len(set(grams)) / len(grams) if grams else None


def self_bleu(answers: Sequence[Sequence[str]]) -> float | None:
    """Mean BLEU of each answer against the others; None for fewer than two answers with words."""
    spoken = [answer for answer in answers if answer]
    if len(spoken) < 2:
        return None
    scores = [bleu(answer, spoken[:i] + spoken[i + 1 :]) for i, answer in enumerate(spoken)]
    return sum(scores) / len(scores)


def bleu(candidate: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Smoothed BLEU-4 of a candidate against references, in [0, 1]."""
    if not candidate or not references:
        return 0.0
    logs = 0.0
    for n in range(1, MAX_ORDER + 1):
        counts = Counter(_grams(candidate, n))
        most: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            most |= Counter(_grams(reference, n))
        hits = sum(min(count, most[gram]) for gram, count in counts.items())
        total = sum(counts.values())
        if n > 1:
            hits, total = hits + 1, total + 1
        if not hits:
            return 0.0
        logs += math.log(hits / total) / MAX_ORDER
    closest = min((abs(len(r) - len(candidate)), len(r)) for r in references)[1]
    brevity = min(0.0, 1 - closest / len(candidate))
    return math.exp(logs + brevity)


def distance(one: Sequence[str], other: Sequence[str]) -> float:
    """One minus the Jaccard similarity of two answers' words; two empty ones are the same."""
    a, b = set(one), set(other)
    return 1 - len(a & b) / len(a | b) if a | b else 0.0


def mean_distance(answers: Sequence[Sequence[str]]) -> float | None:
    """Mean distance over all pairs; None for fewer than two answers."""
    pairs = [distance(one, other) for i, one in enumerate(answers) for other in answers[i + 1 :]]
    return sum(pairs) / len(pairs) if pairs else None


def agreement(texts: Sequence[str]) -> list[float]:
    """Each answer's mean similarity to the others, in [0, 1]; 1.0 for a single one."""
    cut = [words(text) for text in texts]
    if len(cut) < 2:
        return [1.0] * len(cut)
    return [
        sum(1 - distance(one, other) for j, other in enumerate(cut) if j != i) / (len(cut) - 1)
        for i, one in enumerate(cut)
    ]


def _grams(answer: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(answer[i : i + n]) for i in range(len(answer) - n + 1)]
