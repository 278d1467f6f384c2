"""Judges by their names, and the scores that a chat model gives to a few answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playground.chat.assistant import fit
from playground.chat.compare import batch_replies
from playground.engines.base import Cancel, GenerateRequest
from playground.experiments.judge import Judge, ModelJudge, RuleJudge
from playground.experiments.judge_prompts import Turns, read_score, score_prompt
from playground.prompts.thinking import marked_text, without_thinking
from playground.services.experiment_plans import spec_for, split_model
from playground.services.workbench import SideSpec, Workbench
from playground.types import Message, Prompt, SamplingParams

VERDICT_TOKENS = 300


def judge_of(bench: Workbench, name: str, *, max_tokens: int | None = None) -> Judge:
    """The judge of that name: ``rule:first``, ``rule:longer``, or ``MODEL[:PRESET]``.

    A model judges greedily, whatever sampling its entry in the catalog names, unless a preset says otherwise.

    Args:
        bench: Has the models and presets.
        name: A preset follows a colon.
        max_tokens: Of a verdict; ``VERDICT_TOKENS`` or the preset's own without it.

    Raises:
        PlaygroundError: No such rule, model or preset.
    """
    if name.startswith("rule:"):
        return RuleJudge(name.removeprefix("rule:"))
    model, preset = split_model(name)
    spec = spec_for(bench, model, preset, max_tokens=max_tokens)
    if spec.preset is None:
        spec = replace(spec, sampling=SamplingParams(max_tokens=max_tokens or VERDICT_TOKENS))
    return ModelJudge(spec)


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
    earlier: Sequence[Turns] = (),
    cancel: Cancel | None = None,
) -> list[Judged]:
    """What a chat model thinks of answers to one question, greedily, all in one batch.

    Args:
        bench: Has the model.
        model: Its name; a bare chat model without a preset.
        question: What was asked.
        answers: What is judged, each alone.
        aspect: One of ``judge_prompts.ASPECTS``.
        earlier: The turns that led to each answer, one item an answer; empty for first turns.
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
    before = earlier or [()] * len(answers)
    for answer, turns in zip(answers, before, strict=True):
        asked = score_prompt(question, without_thinking(answer), aspect, earlier=turns)
        prompt, _ = fit(
            assistant.renderer,
            [Message("user", asked)],
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
