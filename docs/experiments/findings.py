"""What papers found, beside what the recorded runs found: every verdict is computed from the runs' lines.

A claim has a direction. It agrees where the 95 % interval of the paired difference lies on its side of 0,
does not where it lies on the other one, and is not told apart where the interval holds 0. "Hardly any
difference" agrees where the whole interval lies within 0.1 of 0. Several variants are compared by a
permutation test: the best of many lies above the worst by chance alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from playground.experiments.evaluate import stored
from playground.experiments.journal import read_journal
from playground.experiments.metric_choice import limits
from playground.experiments.model_metrics import Score
from playground.experiments.results import values_of
from playground.experiments.run_files import Plan
from playground.experiments.search import SearchResults
from playground.experiments.statistics import Interval, Paired, interval, paired

URIAL = "[URIAL](https://arxiv.org/abs/2312.01552)"
EPFL = "[EPFL](https://arxiv.org/abs/2405.19874)"
MIN = "[Min et al.](https://arxiv.org/abs/2202.12837)"
LU = "[Lu et al.](https://arxiv.org/abs/2104.08786)"
HARDLY = 0.1
PERMUTATIONS = 2_000
Direction = Literal["more", "less", "hardly"]


@dataclass(frozen=True)
class Finding:
    """A row: what was expected, by whom, what was found, and whether the two agree."""

    claim: str
    source: str
    found: str
    verdict: str


class Record:
    """The values of one recorded run."""

    def __init__(self, folder: Path) -> None:
        """Read a run's folder."""
        self.plan, self.results, self._answers = stored(folder)
        self._scores, _ = read_journal(folder / "scores.jsonl", Score)

    def values(self, metric: str, *, turn: int = 0) -> dict[str, dict[str, float]]:
        """By assistant, then by question."""
        return values_of(self.plan, self._answers, self._scores, metric, turn=turn)

    def named(self, *, ending: str = "", **tags: object) -> list[str]:
        """The assistants whose name ends so and whose tags are so, in order."""
        return [
            spec.name
            for spec in self.plan.assistants
            if spec.name.endswith(ending) and all(spec.tags.get(k) == v for k, v in tags.items())
        ]

    def together(self, metric: str, names: list[str]) -> dict[str, float]:
        """By question, the mean over several assistants."""
        found: dict[str, list[float]] = {}
        values = self.values(metric)
        for name in names:
            for question, value in values.get(name, {}).items():
                found.setdefault(question, []).append(value)
        return {question: sum(one) / len(one) for question, one in found.items()}


def judged(claim: str, source: str, gap: Paired | None, direction: Direction, what: str) -> Finding:
    """A claim about a paired difference."""
    if gap is None:
        return Finding(claim, source, "nothing to compare", "not told")
    found = f"{what}: {gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], n = {gap.n}"
    return Finding(claim, source, found, verdict(gap.low, gap.high, direction))


def verdict(low: float, high: float, direction: Direction) -> str:
    """Whether an interval agrees with a direction."""
    if direction == "hardly":
        if low >= -HARDLY and high <= HARDLY:
            return "agrees"
        return "does not agree" if low > HARDLY or high < -HARDLY else "not told apart"
    if direction == "less":
        low, high = -high, -low
    return "agrees" if low > 0 else "does not agree" if high < 0 else "not told apart"


def findings(runs: Path) -> list[str]:
    """The table, a row a claim whose run is there and finished; a row that lacks one says so."""
    rows = ["| expected | by | here | |", "|---|---|---|---|"]
    for name, look in CLAIMS:
        folder = runs / name
        if not (folder / "results.json").is_file():
            rows.append(f"| {name} | | not run yet | |")
            continue
        found = look(folder)
        for one in found if isinstance(found, list) else [found]:
            rows.append(f"| {one.claim} | {one.source} | {one.found} | {one.verdict} |")
    return rows


def _pair(record: Record, metric: str, one: list[str], other: list[str]) -> Paired | None:
    bounds = limits(metric)
    values = (record.together(metric, names) for names in (one, other))
    return paired(*values, seed=record.plan.seed, limits=bounds)


def _gap(folder: Path) -> list[Finding]:
    record = Record(folder)
    friendly, bare = record.named(ending=":friendly"), record.named(ending="base:none")
    instruct = record.named(ending="instruct:none")
    retrieved = record.named(ending=" + BM25 3")
    likely = record.named(ending=" + likelihood 3")
    unshifted = list(record.values("shift_unshifted").get(instruct[0], {}).values())
    shares = interval(unshifted, limits=limits("shift_unshifted"))
    return [
        judged(
            "A few examples make a base model answer", URIAL, _pair(record, "right", friendly, bare), "more",
            "`right`, three examples less the bare question",
        ),
        judged(
            "The instruct model stays ahead of its base model in context", EPFL,
            _pair(record, "right", instruct, friendly), "more", "`right`, instruct less friendly",
        ),
        _unshifted(shares),
        judged(
            "Examples retrieved for each question do no better than constant ones", URIAL,
            _pair(record, "right", retrieved, friendly), "hardly", "`right`, BM25's three less the preset's",
        ),
        judged(
            "Retrieval by the model's own likelihood does as well as by BM25", "a stand-in for embeddings",
            _pair(record, "right", likely, retrieved), "hardly", "`right`, likelihood less BM25",
        ),
    ]  # fmt: skip


def _unshifted(shares: Interval | None) -> Finding:
    claim = "Most tokens of an aligned answer are those that the base model would have written"
    if shares is None:
        return Finding(claim, URIAL, "nothing to compare", "not told")
    found = f"unshifted: {shares.mean:.1%} [{shares.low:.1%}, {shares.high:.1%}], n = {shares.n}"
    return Finding(claim, URIAL, found, verdict(shares.low - 0.5, shares.high - 0.5, "more"))


def _turns(folder: Path) -> list[Finding]:
    record = Record(folder)
    found = []
    for name in (*record.named(ending=":friendly"), *record.named(ending="instruct:none")):
        first, second = (record.values("right", turn=turn).get(name, {}) for turn in (1, 2))
        gap = paired(second, first, seed=record.plan.seed, limits=limits("right"))
        found.append(judged("Second turns are worse than first ones", EPFL, gap, "less", f"`right`, {name}"))
    return found


def _languages(folder: Path) -> list[Finding]:
    """Each language in its own: the base by the preset of that language, the instruct model as it is."""
    record = Record(folder)
    right = {(f.assistant, f.category): f.value for f in record.results.figures if f.metric == "right"}
    instruct = record.named(ending="instruct:none")
    pairs = [*zip(record.named(ending=":chinese"), record.named(ending=":friendly"), strict=True)]
    pairs += zip(instruct, instruct, strict=True)
    found = []
    for chinese, english in pairs:
        less, more = right.get((chinese, "chinese")), right.get((english, "seen"))
        if less is not None and more is not None:
            said = f"`right`: Chinese {_mean(less)} ({chinese}), English {_mean(more)} ({english})"
            claim = "The language of which there was less in training is worse"
            found.append(Finding(claim, "expected", said, _apart(less, more)))
    return found


def _k(folder: Path) -> list[Finding]:
    record = Record(folder)
    ks = sorted({int(str(spec.tags["value"])) for spec in record.plan.assistants})
    most, few = ks[-1], min((k for k in ks if k >= 3), default=ks[-1])
    return [
        judged(
            "Three examples are better than none", URIAL,
            _pair(record, "right", record.named(value=few), record.named(value=ks[0])), "more",
            f"`right`, K = {few} less K = {ks[0]}",
        ),
        judged(
            "Beyond a few, more examples change little", f"{URIAL}, {EPFL}",
            _pair(record, "right", record.named(value=most), record.named(value=few)), "hardly",
            f"`right`, K = {most} less K = {few}",
        ),
    ]  # fmt: skip


def _k_invented(folder: Path) -> Finding:
    record = Record(folder)
    ks = sorted({int(str(spec.tags["value"])) for spec in record.plan.assistants})
    few = min((k for k in ks if k >= 3), default=ks[-1])
    gap = _pair(record, "in_style", record.named(value=few), record.named(value=ks[0]))
    return judged(
        "Examples alone teach a manner that training never showed", URIAL, gap, "more",
        f"`in_style`, K = {few} less K = {ks[0]}",
    )  # fmt: skip


def _corrupt(folder: Path) -> list[Finding]:
    record = Record(folder)
    right = record.named(value="correct")
    found = []
    for way in ("circular shift", "random in-domain", "random out-of-domain"):
        gap = _pair(record, "right", record.named(value=way), right)
        claim = f"Wrong answers in the examples hardly matter ({way})"
        found.append(judged(claim, f"{MIN}, of labels", gap, "hardly", "`right`, wrong less correct"))
    gap = _pair(record, "in_style", record.named(value="random out-of-domain"), right)
    found.append(
        judged(
            "What examples set is the manner", f"{URIAL}, {MIN}", gap, "less",
            "`in_style`, answers without the greeting less those with it",
        )
    )  # fmt: skip
    return found


def _range(claim: str, source: str, direction: Direction) -> Callable[[Path], Finding]:
    """Whether an ablation's variants differ at all, by a permutation test on the range of their means."""

    def look(folder: Path) -> Finding:
        record = Record(folder)
        values = {name: v for name, v in record.values("right").items() if v}
        common = sorted(set.intersection(*(set(v) for v in values.values()))) if values else []
        if len(values) < 2 or not common:
            return Finding(claim, source, "nothing to compare", "not told")
        table = np.asarray([[v[question] for question in common] for v in values.values()])
        means = dict(zip(values, table.mean(axis=1), strict=True))
        best, worst = max(means, key=lambda n: means[n]), min(means, key=lambda n: means[n])
        spread = float(means[best] - means[worst])
        p = _permuted(table, spread, record.plan.seed)
        found = (
            f"`right` from {means[worst]:.3f} ({_value(record.plan, worst)}) to {means[best]:.3f} "
            f"({_value(record.plan, best)}) over {len(means)} variants, permutation p = {p:.2g}, "
            f"n = {len(common)}"
        )
        if direction == "hardly":
            told = "agrees" if spread <= HARDLY else "does not agree" if p < 0.05 else "not told apart"
        else:
            told = "agrees" if p < 0.05 else "not told apart"
        return Finding(claim, source, found, told)

    return look


def _permuted(table: npt.NDArray[np.float64], spread: float, seed: int) -> float:
    """How often the variants' means lie as far apart when each question's values change places."""
    draw = np.random.default_rng(seed)
    ranges = np.ptp([draw.permuted(table, axis=0).mean(axis=1) for _ in range(PERMUTATIONS)], axis=1)
    return float((1 + (ranges >= spread - 1e-12).sum()) / (1 + PERMUTATIONS))


def _search(folder: Path) -> list[Finding]:
    results = msgspec.json.decode((folder / "results.json").read_bytes(), type=SearchResults)
    tested: dict[tuple[str, str], Interval] = {
        (row.name, row.model): row.value for row in results.tested if row.value is not None
    }
    found = []
    for row in results.tested:
        if row.name == "greedy":
            second = row.model != results.tested[0].model
            claim = (
                "Examples found on one model help another one"
                if second
                else "Greedy search finds better examples"
            )
            source = "the transfer that is often hoped for" if second else EPFL
            what = f"`{results.metric}` on the test set, {row.model}, greedy less the start"
            found.append(judged(claim, source, row.against_start, "more", what))
    models = list(dict.fromkeys(row.model for row in results.tested))
    greedy, at_random = tested.get(("greedy", models[0])), tested.get(("random", models[0]))
    if greedy is not None and at_random is not None:
        told = _apart(at_random, greedy)
        said = f"`{results.metric}` on the test set: greedy {_mean(greedy)}, random {_mean(at_random)}"
        found.append(Finding("Greedy search beats random search of the same cost", "expected", said, told))
    if len(models) == 1:
        claim = "Examples found on one model help another one"
        found.append(Finding(claim, "", "was not run: no second base was named", ""))
    return found


def _candidates(folder: Path) -> list[Finding]:
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    rho, n = results["agreement"], sum(row["value"] is not None for row in results["ranked"])
    said = "not to be had" if rho is None else f"Spearman's rho = {rho:.2f} over {n} wordings"
    # Two standard errors of a rank correlation where there is none.
    far = 1.96 / math.sqrt(max(n - 1, 1))
    told = "not told" if rho is None else verdict(rho - far, rho + far, "more")
    claim = "Wordings under which references are likelier also answer better"
    return [Finding(claim, "[LPAQA](https://arxiv.org/abs/1911.12543), of cloze prompts", said, told)]


def _value(plan: Plan, name: str) -> str:
    tags: Mapping[str, object] = next((s.tags for s in plan.assistants if s.name == name), {})
    return f"'{tags.get('value', name)}'"


def _apart(lower: Interval, higher: Interval) -> str:
    """Whether one interval lies wholly below another."""
    if lower.high < higher.low:
        return "agrees"
    return "does not agree" if lower.low > higher.high else "not told apart"


def _mean(value: Interval) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


CLAIMS: tuple[tuple[str, Callable[[Path], Finding | list[Finding]]], ...] = (
    ("gap", _gap),
    ("turns", _turns),
    ("languages", _languages),
    ("k", _k),
    ("k-invented", _k_invented),
    ("corrupt", _corrupt),
    ("order", _range("The order of the examples matters", LU, "more")),
    ("system", _range("The system text alone changes little", "expected", "hardly")),
    ("template", _range("The template changes little", "expected", "hardly")),
    ("decoding", _range("Decoding matters much for a base model", EPFL, "more")),
    ("search", _search),
    ("candidates", _candidates),
)
