"""An assistant: a model plus a way of prompting it. Base, base with preset, instruct: one type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from playground.engines.limits import far_over_refusal, least_tokens
from playground.errors import ContextLengthError
from playground.presets.preset import Preset
from playground.prompts.render import Renderer, TemplateRenderer
from playground.prompts.templates import built_in
from playground.types import Message, Prompt, SamplingParams


@dataclass(frozen=True, slots=True)
class Assistant:
    """What answers on one side.

    Attributes:
        name: Shown to people.
        model: The model's id, for whoever holds the engines.
        renderer: Turns a conversation into the prompt.
        sampling: How tokens are drawn.
        preset: Name of the preset it was made of; empty for none.
    """

    name: str
    model: str
    renderer: Renderer
    sampling: SamplingParams
    preset: str = ""


def preset_renderer(preset: Preset) -> TemplateRenderer:
    """How a preset prompts a base model.

    Raises:
        TemplateError: It names a template that there is not.
    """
    own = preset.own_template()
    return TemplateRenderer(
        own if own is not None else built_in(str(preset.template)),
        system=preset.system,
        examples=preset.turn_examples(),
        prefix=preset.prefix,
        extra_stop=preset.stop,
    )


def bare_renderer() -> TemplateRenderer:
    """No preset at all: the person's words are the prompt."""
    return TemplateRenderer(built_in("raw"))


# Where a whole answer does not fit, this many tokens of one are still worth starting.
SHORTEST_ANSWER = 16
# Turns are not dropped for an answer that would take more than this share of the context.
LARGEST_RESERVE = 0.25


def fit(
    renderer: Renderer,
    messages: Sequence[Message],
    *,
    count: Callable[[Prompt], int],
    n_ctx: int,
    max_tokens: int,
) -> tuple[Prompt, int]:
    """The prompt and its token count, with the oldest turns left out where they must be.

    Room is kept for a whole answer, but at most a quarter of the context: a person who allows very long
    answers still wants the conversation remembered. Where the examples leave less, an answer is started all
    the same. Examples and system text are never dropped; ``Prompt.dropped_turns`` says how many turns were.

    Args:
        renderer: Way of prompting.
        messages: The conversation, ending with the user's open message.
        count: Tokens of a prompt under the model.
        n_ctx: Context of the model, in tokens.
        max_tokens: Most tokens of the answer.

    Messages that cannot fit whatever they hold are not tokenized, nor rendered if the last is one of them.

    Raises:
        ContextLengthError: The examples and the last message alone do not fit.
    """
    refusal = far_over_refusal([messages[-1].content] if messages else [], n_ctx, "The message")
    if refusal is not None:
        raise ContextLengthError(refusal)
    system = [m for m in messages if m.role == "system"]
    talk = [m for m in messages if m.role != "system"]
    starts = [i for i, m in enumerate(talk) if m.role == "user"] or [0]

    def prompt_from(turn: int) -> tuple[Prompt, int]:
        kept = [*system, *talk[starts[turn] :]]
        prompt = replace(renderer.render(kept), dropped_turns=turn)
        least = sum(least_tokens(message.content) for message in kept)
        return prompt, least if least > n_ctx else count(prompt)

    reserve = min(max_tokens, max(SHORTEST_ANSWER, int(n_ctx * LARGEST_RESERVE)))
    whole = prompt_from(0)
    if whole[1] + reserve <= n_ctx:
        return whole
    last = len(starts) - 1
    shortest = prompt_from(last) if last else whole
    if shortest[1] + min(SHORTEST_ANSWER, max_tokens) > n_ctx:
        raise ContextLengthError(
            f"The examples and the message take {shortest[1]:,} tokens and the context holds {n_ctx:,}; "
            "switch some examples off, shorten them, or shorten the message."
        )
    # Token counts fall as turns are dropped: find the fewest that must go.
    reserve = min(reserve, n_ctx - shortest[1])
    low, high, best = 0, last, shortest
    while low < high:
        middle = (low + high) // 2
        tried = whole if middle == 0 else prompt_from(middle)
        if tried[1] + reserve <= n_ctx:
            high, best = middle, tried
        else:
            low = middle + 1
    return best if best[0].dropped_turns == low else prompt_from(low)
