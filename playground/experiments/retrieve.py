"""Examples chosen per question from a pool, as an assistant's variant (arXiv 2312.01552, section 4).

By BM25: bm25s's, Lucene's variant with its usual constants; Chinese is cut into single characters. Or by the
model itself: the examples behind which it finds the question likeliest, of those that BM25 finds nearest. The
papers' embeddings are of models trained to embed; a base model's own states are not, and no engine here gives
them, so its likelihood stands in (as in Rubin, Herzig and Berant, arXiv 2112.08633, which ranks by it).
"""

from __future__ import annotations

import logging
from typing import Any

from playground.engines.base import Cancel, Engine
from playground.errors import ContextLengthError, EngineMissingError, UnsupportedError
from playground.experiments.assistants import ExperimentError, Retrieval
from playground.experiments.diversity import words
from playground.extras import install_command, is_usable
from playground.presets.preset import Preset, PresetExample
from playground.types import Example, Origin, Piece

LIKELIHOOD_POOL = 32
"""So many of BM25's nearest are looked at by the model, a forward each."""
_MISSING = "Retrieval needs the package bm25s, which cannot be imported; install it with: {command}"


def content_words(text: str) -> list[str]:
    """Lower-case words without signs; each Chinese character is one."""
    return [word for word in words(text) if word[0].isalnum()]


class Retriever:
    """An index over a pool of examples.

    Args:
        retrieval: What to choose from, and how.
        engine: The assistant's model, for choosing by likelihood.
        cancel: Ends a forward of it.

    Raises:
        ExperimentError: The pool is empty.
        EngineMissingError: bm25s is not installed.
        UnsupportedError: The model's engine gives no likelihoods.
    """

    def __init__(
        self, retrieval: Retrieval, engine: Engine | None = None, cancel: Cancel | None = None
    ) -> None:
        check_retrieval(retrieval)
        if retrieval.by == "likelihood" and (engine is None or "score" not in engine.info.capabilities):
            raise UnsupportedError(
                "Examples are chosen by likelihood only where the model's engine can score texts; "
                "choose them by bm25."
            )
        self._retrieval, self._engine, self._cancel = retrieval, engine, cancel
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
        order = self._by_bm25(query)
        if self._retrieval.by == "likelihood":
            looked_at = order[: max(LIKELIHOOD_POOL, self._retrieval.k)]
            likely = {i: self._likelihood(self._retrieval.pool[i], query) for i in looked_at}
            order = sorted(looked_at, key=lambda i: -likely[i])
        return order[: self._retrieval.k]

    def _likelihood(self, example: Example, query: str) -> float:
        """Mean log-probability of the question's tokens behind the example, rounded: ties stay ties."""
        assert self._engine is not None
        before = Piece(f"{example.query}\n{example.answer}\n\n", Origin("example", "query"))
        target = [Piece(query, Origin("turn", "query"))]
        try:
            scores = self._engine.score([before], target, cancel=self._cancel)
        except ContextLengthError:
            return float("-inf")  # an example too long to be shown is no near one
        known = [token.logprob for token in scores.tokens if token.logprob is not None]
        return round(sum(known) / len(known), 5) if known else float("-inf")

    def _by_bm25(self, query: str) -> list[int]:
        asked = content_words(query)
        pool = self._retrieval.pool
        known = [word for word in asked if word in self._known]
        scores = self._index.get_scores(known) if known else [0.0] * len(pool)
        order = sorted(range(len(pool)), key=lambda i: (-float(scores[i]), i))
        return [i for i in order if content_words(pool[i].query) != asked]

    def preset_for(self, preset: Preset | None, query: str) -> Preset:
        """The preset with the examples for one question, the nearest last."""
        chosen = [self._retrieval.pool[i] for i in reversed(self.nearest(query))]
        examples = tuple(PresetExample(query=e.query, answer=e.answer) for e in chosen)
        return (preset or Preset(name="retrieved")).model_copy(update={"examples": examples})


def check_retrieval(retrieval: Retrieval) -> None:
    """Refuse what cannot be retrieved here, before anything is asked.

    Raises:
        ExperimentError: The pool is empty.
        EngineMissingError: bm25s is not installed.
    """
    if not retrieval.pool:
        raise ExperimentError("There is no example to retrieve from; name a pool that has answers.")
    if not is_usable("bm25s"):
        raise EngineMissingError(_MISSING.format(command=install_command("experiments")))


def _bm25s() -> Any:
    try:
        import bm25s
    except ImportError as error:
        raise EngineMissingError(_MISSING.format(command=install_command("experiments"))) from error
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s
