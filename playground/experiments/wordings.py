"""Candidates for a prompt's wording: given by hand, mined from text, or paraphrased by a model.

A candidate that holds ``{query}`` says how every question is put, in the examples too; any other stands in
place of the system text. Mining follows LPAQA's idea (arXiv 1911.12543, section 3.1): the words that a text
has around what is asked anyway. Nothing runs here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from playground.experiments.assistants import ExperimentError
from playground.experiments.questions import QuestionSet
from playground.presets.preset import Preset, PresetExample, PresetSampling, PresetTemplate
from playground.prompts.templates import built_in

QUERY = "{query}"
MAX_CHARACTERS = 2_000
_MINED_CHARACTERS = 240
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_ADDRESSED = re.compile(
    r"\A(?:you (?:are|will|must|should|can)\b|your (?:task|job|role)\b|"
    r"(?:please |always |never )?"
    r"(?:answer|respond|reply|write|give|explain|describe|be|act|help|assist|use|keep)\b)"
    r"|\A(?:你是|您是|请|回答|你的任务)",
    re.IGNORECASE,
)
PARAPHRASING = Preset(
    name="paraphrasing",
    system="Each text is said in other words. Its meaning stays, and so does everything in braces.",
    examples=(
        PresetExample(query="You are a helpful assistant.", answer="You assist people as well as you can."),
        PresetExample(query="Please tell me: {query}", answer="I would like to know: {query}"),
        PresetExample(query="Answer briefly and politely.", answer="Keep your answers short and friendly."),
    ),
    sampling=PresetSampling(temperature=0.9, top_p=0.95, max_tokens=96),
)
"""How a model is asked to paraphrase; base models follow its examples."""


def worded(preset: Preset, text: str) -> Preset:
    """The preset with a candidate in its place.

    Raises:
        ExperimentError: The candidate, or the preset, cannot be used so.
    """
    problem = problem_of(text)
    if problem:
        raise ExperimentError(problem)
    if preset.prefix is not None:
        raise ExperimentError(
            f"The preset '{preset.name}' is one verbatim prefix; its wording has no place for a candidate. "
            "Choose another preset."
        )
    if QUERY not in text:
        return preset.model_copy(update={"system": text})
    whole = preset.own_template() or built_in(str(preset.template))
    template = PresetTemplate(
        name=f"{whole.name[:60]}-worded",
        system=whole.system,
        turn=whole.turn.replace(QUERY, text),
        separator=whole.separator,
        lead=whole.lead,
        strip_newlines=whole.strip_newlines,
    )
    return preset.model_copy(update={"template": template})


def problem_of(text: str) -> str:
    """Why a text is no candidate, as a sentence; empty where it is one."""
    shown = " ".join(text.split())[:40]
    if not text.strip():
        return "A candidate is empty; write a system text, or a pattern that holds {query}."
    if len(text) > MAX_CHARACTERS:
        return f"The candidate '{shown}…' has more than {MAX_CHARACTERS} characters; shorten it."
    if text.count(QUERY) > 1 or "{answer}" in text:
        return f"The candidate '{shown}' must hold {{query}} at most once, and no {{answer}}."
    return ""


def mined(text: str, questions: QuestionSet, most: int) -> list[str]:
    """At most ``most`` candidates out of a text, the most frequent first, then in the text's order.

    Patterns are the words of a line around a question that is asked anyway; system texts are sentences that
    speak to whoever answers.
    """
    wordings = sorted({q.turns[0].query.strip() for q in questions.questions}, key=len, reverse=True)
    by_start: dict[str, list[str]] = {}
    for wording in wordings:
        if len(wording) >= 8:
            by_start.setdefault(wording[:8].lower(), []).append(wording)
    found: Counter[str] = Counter()
    for line in text.splitlines():
        line = line.strip()
        pattern = _pattern(line, by_start) if len(line) <= _MINED_CHARACTERS else ""
        if pattern:
            found[pattern] += 1
            continue
        for sentence in _SENTENCE.split(line):
            said = sentence.strip()
            if 12 <= len(said) <= _MINED_CHARACTERS and _ADDRESSED.match(said) and not problem_of(said):
                found[said] += 1
    return [candidate for candidate, _ in found.most_common(most)]


def _pattern(line: str, by_start: dict[str, list[str]]) -> str:
    """A line with the question in it replaced by its place; empty where it holds none, or nothing else."""
    low = line.lower()
    for at in range(len(low) - 7):
        for wording in by_start.get(low[at : at + 8], ()):
            if low[at : at + len(wording)] != wording.lower():
                continue
            pattern = line[:at] + QUERY + line[at + len(wording) :]
            words_around = re.search(r"\w", pattern.replace(QUERY, ""))
            return pattern if words_around and not problem_of(pattern) else ""
    return ""


def paraphrases(original: str, written: Iterable[str], known: Sequence[str]) -> tuple[list[str], int]:
    """The usable paraphrases among what a model wrote, and how many were not.

    One must say something new, keep ``{query}`` where the original has it, and be at most three times as
    long; what follows its first line is cut off.
    """
    taken = {_plain(text) for text in (*known, original)}
    kept: list[str] = []
    refused = 0
    for text in written:
        said = next((line.strip().strip('"“”') for line in text.splitlines() if line.strip()), "")
        fits = (QUERY in said) == (QUERY in original) and len(said) <= 3 * len(original) + 20
        if problem_of(said) or not fits or _plain(said) in taken:
            refused += 1
            continue
        taken.add(_plain(said))
        kept.append(said)
    return kept, refused


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .!。！")
