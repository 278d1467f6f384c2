"""Scores that a chat model gives to a few answers at once, for whoever chooses among samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playground.chat.assistant import fit
from playground.chat.compare import batch_replies
from playground.engines.base import Cancel, GenerateRequest
from playground.experiments.judge_prompts import read_score, score_prompt
from playground.prompts.thinking import marked_text, without_thinking
from playground.services.workbench import SideSpec, Workbench
from playground.types import Message, Prompt

VERDICT_TOKENS = 300


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge said of one answer.

    Attributes:
        score: 1 to 10; None where its words hold no score, or several. It is never guessed.
        said: Its words.
        error: Why there are none.
    """

    score: float | None
    said: str
    error: str | None = None


def judge_answers(
    bench: Workbench,
    model: str,
    question: str,
    answers: Sequence[str],
    *,
    aspect: str = "overall",
    cancel: Cancel | None = None,
) -> list[Judged]:
    """What a chat model thinks of answers to one question, greedily, all in one batch.

    Args:
        bench: Has the model.
        model: Its name; a bare chat model without a preset.
        question: What was asked.
        answers: What is judged, each alone.
        aspect: One of ``judge_prompts.ASPECTS``.
        cancel: Ends it early; what has no verdict by then has no score.

    Raises:
        PlaygroundError: The model cannot be loaded, or an answer does not fit into its context.
    """
    engine = bench.engine(model)
    assistant = bench.assistant(SideSpec(model, "none"))
    sampling = replace(assistant.sampling, temperature=0.0, max_tokens=VERDICT_TOKENS)
    requests: list[GenerateRequest] = []
    leads: list[str] = []
    prompts: list[Prompt] = []
    for answer in answers:
        prompt, _ = fit(
            assistant.renderer,
            [Message("user", score_prompt(question, without_thinking(answer), aspect))],
            count=lambda p: len(engine.tokenize(p.pieces)),
            n_ctx=engine.info.n_ctx,
            max_tokens=sampling.max_tokens,
        )
        requests.append(GenerateRequest(prompt.pieces, sampling, prompt.stop))
        leads.append(prompt.lead)
        prompts.append(prompt)
    judged = [Judged(None, "") for _ in answers]
    for done in batch_replies(engine, requests, leads, cancel=cancel):
        text = marked_text(done.reply, prompts[done.index])
        judged[done.index] = Judged(read_score(text), text, done.reply.error)
    return judged
