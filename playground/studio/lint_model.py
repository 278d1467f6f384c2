"""The linter's rules that ask the model: its context, its special tokens, what its engine can honour."""

from __future__ import annotations

from collections.abc import Iterator

from playground.engines.limits import sampling_refusal
from playground.engines.server.dialect import engine_dialect, refusal
from playground.studio.findings import Finding, Linted, shown


def bos(at: Linted) -> Iterator[Finding]:
    """A BOS that stands there twice, or not at all."""
    if at.engine is None or not at.engine.info.bos_text:
        return
    info, text = at.engine.info, at.prompt.text
    if info.add_bos and text.startswith(info.bos_text) and not at.prompt.pieces[0].parse_special:
        place = at.prompt.pieces[0].origin.part
        fix = None
        if place == "prefix" and at.preset.prefix is not None:
            fix = at.preset.model_copy(update={"prefix": at.preset.prefix.removeprefix(info.bos_text)})
        elif place == "system":
            fix = at.preset.model_copy(update={"system": at.preset.system.removeprefix(info.bos_text)})
        yield Finding(
            "double-bos",
            "error",
            place,
            f"The text begins with {shown(info.bos_text)}, and the model is given one already; remove it.",
            fix,
        )
    # Where one token is both, as in GPT-2's vocabulary, texts begin without it.
    if not info.add_bos and info.bos_text != info.eos_text:
        ids = at.engine.tokenize(at.prompt.pieces)
        if info.bos_id is not None and ids[:1] != [info.bos_id]:
            yield Finding(
                "missing-bos",
                "info",
                "template",
                f"The prompt begins without {shown(info.bos_text)}: this model's file asks for none. If the "
                "model was trained with one, begin the template's system pattern with it.",
            )


def special_tokens(at: Linted) -> Iterator[Finding]:
    """Texts of a person that look like a special token of the model."""
    if at.engine is None:
        return
    for place, text in at.texts():
        for special in at.engine.info.special_tokens:
            if special and special in text:
                yield Finding(
                    "special-token",
                    "warning",
                    place,
                    f"It holds {shown(special)}, a special token of this model; here it is sent as plain "
                    "text, and other programs may not do so.",
                )


def overflow(at: Linted) -> Iterator[Finding]:
    """A prompt, or a prompt and its longest answer, that the context does not hold."""
    if at.engine is None:
        return
    n_ctx = at.engine.info.n_ctx
    used = len(at.engine.tokenize(at.prompt.pieces))
    wanted = at.preset.sampling.max_tokens
    if used >= n_ctx:
        yield Finding(
            "context-overflow",
            "error",
            "examples",
            f"The prompt takes {used:,} tokens and the context holds {n_ctx:,}; switch some examples off.",
        )
    elif used + wanted > n_ctx:
        sampling = at.preset.sampling.model_copy(update={"max_tokens": n_ctx - used})
        yield Finding(
            "context-overflow",
            "warning",
            "sampling.max_tokens",
            f"The prompt takes {used:,} of {n_ctx:,} tokens, so an answer of {wanted:,} does not fit.",
            at.preset.model_copy(update={"sampling": sampling}),
        )


def unhonoured_sampling(at: Linted) -> Iterator[Finding]:
    """Sampling that means nothing, or that the engine cannot do in its one meaning."""
    params = at.preset.sampling.params()
    reason = sampling_refusal(params)
    dialect = None if at.engine is None else engine_dialect(at.engine.info.engine)
    if reason is None and dialect is not None:
        reason = refusal(dialect, params)
    if reason is not None:
        yield Finding("sampling", "error", "sampling", reason)


def chat_template_on_base(at: Linted) -> Iterator[Finding]:
    """A chat template in the file of what may be a base model."""
    if at.engine is not None and at.engine.info.chat_template:
        yield Finding(
            "chat-template",
            "info",
            "template",
            "This model's file carries a chat template. If it is a base model, the template was never "
            "trained and is not used; if it is an instruct model, load it as one.",
        )
