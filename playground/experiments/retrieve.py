"""Examples chosen per question from a pool by BM25, as an assistant's variant (arXiv 2312.01552, section 4).

The ranking is bm25s's, Lucene's variant with its usual constants. Chinese is cut into single characters.
"""

from __future__ import annotations

import logging
from typing import Any

from playground.errors import EngineMissingError
from playground.experiments.assistants import ExperimentError, Retrieval
from playground.experiments.diversity import words
from playground.presets.preset import Preset, PresetExample


def content_words(text: str) -> list[str]:
    """Lower-case words without signs; each Chinese character is one."""
    return [word for word in words(text) if word[0].isalnum()]


class Retriever:
    """An index over a pool of examples.

    Raises:
        ExperimentError: The pool is empty.
        EngineMissingError: bm25s is not installed.
    """

    def __init__(self, retrieval: Retrieval) -> None:
        if not retrieval.pool:
            raise ExperimentError("There is no example to retrieve from; name a pool that has answers.")
        self._retrieval = retrieval
        module = _bm25s()
        self._index: Any = module.BM25()
        self._index.index(
            [content_words(example.query) or [""] for example in retrieval.pool], show_progress=False
        )
        self._known = set(self._index.vocab_dict)

    def nearest(self, query: str) -> list[int]:
        """Places in the pool of the ``k`` nearest examples, the nearest first; ties go to the earlier one.

        An example whose query is the very question is passed over: it would hold the answer.
        """
        asked = content_words(query)
        pool = self._retrieval.pool
        known = [word for word in asked if word in self._known]
        scores = self._index.get_scores(known) if known else [0.0] * len(pool)
        order = sorted(range(len(pool)), key=lambda i: (-float(scores[i]), i))
        return [i for i in order if content_words(pool[i].query) != asked][: self._retrieval.k]

    def preset_for(self, preset: Preset | None, query: str) -> Preset:
        """The preset with the examples for one question, the nearest last."""
        chosen = [self._retrieval.pool[i] for i in reversed(self.nearest(query))]
        examples = tuple(PresetExample(query=e.query, answer=e.answer) for e in chosen)
        return (preset or Preset(name="retrieved")).model_copy(update={"examples": examples})


def _bm25s() -> Any:
    try:
        import bm25s
    except ImportError as error:
        raise EngineMissingError(
            "Retrieval needs the package bm25s; install it with: pip install 'icl-playground[experiments]'"
        ) from error
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s
