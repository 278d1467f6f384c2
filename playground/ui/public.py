"""The endpoints that other programs may call, by name and with typed arguments; docs/api.md shows each.

They are the page's own work down the same path: the same gate, the same streams, the same sentences. Models
and presets go by their names. The page's own calls are not among them and may change at any time.
"""

import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from pydantic import BaseModel, ConfigDict, ValidationError

from playground.chat.conversation import Conversation
from playground.engines.base import Cancel
from playground.engines.limits import far_over_refusal
from playground.errors import ContextLengthError, ConversationError, PlaygroundError
from playground.presets.preset import Preset
from playground.services import DRAFT, NO_PRESET, SideSpec, Workbench
from playground.services.lens import score_answer
from playground.services.notebook import text_prompt
from playground.services.token_view import view_tokens
from playground.types import Message, Reply
from playground.ui.api.binding import Stream, problems
from playground.ui.api.presets import draft_json
from playground.ui.gate import Caller, Gate
from playground.ui.redaction import Folders
from playground.ui.streaming import ndjson
from playground.ui.strings import Strings
from playground.ui.token_rows import shown_bytes
from playground.ui.wire_format import RunIn

# Gradio reads the endpoints' annotations as values, so this module does not put off their evaluation.
# A conversation as programs write it: {"role": "user" or "assistant", "content": text}, oldest first.
Messages = list[dict[str, str]]
Values = dict[str, Any]

SIDE = "A"
MAX_MESSAGES = 2_000
log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Texts(BaseModel):
    """Arguments that are texts, by their names; Gradio hands on whatever JSON came."""

    model_config = ConfigDict(strict=True, extra="ignore")
    name: str = ""
    question: str = ""
    answer: str = ""
    text: str = ""
    model: str = ""
    preset: str = ""


class PublicApi:
    """The endpoints over a workbench.

    Args:
        workbench: What they work on.
        run: The stream that answers a conversation.
        gate: Asked before each.
        strings: What is said where something fails.
    """

    def __init__(self, workbench: Workbench, run: Stream, gate: Gate, strings: Strings) -> None:
        self._bench = workbench
        self._run = run
        self._gate = gate
        self._strings = strings
        self._folders = Folders.of(workbench.settings)

    def endpoints(self) -> list[Callable[..., object]]:
        """Each by its own name, with the types of its arguments and a docstring that tells of them."""
        bench = self._bench

        @self._said
        def models() -> list[Values]:
            """List the models: name, title, kind (base or instruct), status and context length in tokens.

            Returns:
                One object a model.
            """
            return [
                {
                    "name": state.id,
                    "title": state.title,
                    "kind": state.kind,
                    "status": state.status,
                    "n_ctx": state.info.n_ctx if state.info else None,
                }
                for state in bench.model_states()
            ]

        @self._said
        def presets() -> list[Values]:
            """List the presets: name, title, description and language.

            Returns:
                One object a preset.
            """
            return [
                {
                    "name": entry.name,
                    "title": entry.title,
                    "description": entry.description,
                    "language": entry.language,
                }
                for entry in bench.presets.entries()
                if entry.error is None
            ]

        @self._said
        def preset(name: str) -> Values:
            """Get a preset as data: system text, examples, template and sampling.

            Args:
                name: The preset's name.

            Returns:
                What the preset's file says.
            """
            return draft_json(bench.presets.load(name))

        @self._said
        def render(
            question: str,
            preset: str = "friendly",
            draft: Values | None = None,
            history: Messages | None = None,
        ) -> Values:
            """Render the exact prompt that a base model is sent. No model runs.

            Args:
                question: What the person asks.
                preset: A preset's name, or none for the bare question.
                draft: A whole preset in place of a named one.
                history: Earlier messages.

            Returns:
                The prompt's text, and its stops with the place where each counts.
            """
            spec, own = self._side(self._base(), preset, draft)
            prompt = bench.assistant(spec, own).renderer.render(
                _conversation(history, question).messages(SIDE)
            )
            stop = [[rule.text, rule.place] for rule in prompt.stop]
            return {"text": prompt.text, "stop": stop, "notes": list(prompt.notes)}

        @self._said
        def tokens(text: str, model: str = "") -> list[Values]:
            """Cut a text into a model's tokens. The model is loaded if it is not.

            Args:
                text: Any text; what looks like a special token in it stays text.
                model: The model's name; the first base model where none is named.

            Returns:
                The id and the text of each token; half a character is its bytes as numbers.
            """
            engine = bench.engine(model or self._base())
            refusal = far_over_refusal([text], engine.info.n_ctx)
            if refusal is not None:
                raise ContextLengthError(refusal)
            pieces = text_prompt(text, special=False).pieces
            view = view_tokens(engine, pieces, engine.tokenize(pieces))
            shown, at = [], 0
            for id_, size in zip(view.ids, view.sizes, strict=True):
                shown.append({"id": id_, "text": shown_bytes(view.data[at : at + size])})
                at += size
            return shown

        @self._said
        def score(
            question: str,
            answer: str,
            model: str = "",
            preset: str = "friendly",
            draft: Values | None = None,
            history: Messages | None = None,
        ) -> list[Values]:
            """Score a text as the answer to a question: what the model thinks of each of its tokens.

            Args:
                question: What the person asks.
                answer: The text to score, whoever wrote it.
                model: The model's name; the first base model where none is named.
                preset: A preset's name, or none.
                draft: A whole preset in place of a named one.
                history: Earlier messages.

            Returns:
                Text, natural log-probability, rank (1 is the likeliest) and entropy in nats of each token.
            """
            spec, own = self._side(model or self._base(), preset, draft)
            scores = score_answer(bench, SIDE, spec, own, _conversation(history, question), answer)
            return [
                {
                    "text": shown_bytes(token.bytes),
                    "logprob": token.logprob,
                    "rank": token.rank,
                    "entropy": token.entropy,
                }
                for token in scores.tokens
            ]

        return [models, presets, preset, render, tokens, score, self._ask()]

    def _ask(self) -> Callable[..., object]:
        async def ask(
            _request: gr.Request,
            question: str,
            model: str = "",
            preset: str = "friendly",
            draft: Values | None = None,
            history: Messages | None = None,
            temperature: float | None = None,
            max_tokens: int | None = None,
            seed: int | None = None,
        ) -> AsyncIterator[Values]:
            """Ask a model a question and get its answer as it is written; the last object is the whole.

            Args:
                question: What the person asks.
                model: The model's name; the first base model where none is named.
                preset: A preset's name, or none for the bare model.
                draft: A whole preset in place of a named one.
                history: Earlier messages.
                temperature: In place of the preset's; 0 is greedy.
                max_tokens: In place of the preset's.
                seed: In place of the preset's.

            Returns:
                The text so far; at the end also finish_reason, usage, seed, what the model thought
                before, and, where it failed, error.
            """
            cancel = Cancel()
            try:
                _Texts.model_validate({"question": question, "model": model, "preset": preset})
                given = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
                query = self._question(question, model, preset, draft, history, given)
                caller = Caller(_request.request.scope, _request.session_hash or "")
                async for answer in self._answers(query, caller, cancel):
                    yield answer
            except Exception as error:  # noqa: BLE001  (all of it is told in words)
                raise self._error("ask", error) from None
            finally:
                cancel.set()

        return ask

    async def _answers(self, query: RunIn, caller: Caller, cancel: Cancel) -> AsyncIterator[Values]:
        """The text so far at each redraw, and the whole reply at the end."""
        text, part, read, thinking = "", 0, 0, 0
        async for said in ndjson(
            lambda stop: self._gate.run(self._run, query, stop, caller),
            run=query.run,
            sides=query.side_ids(),
            cancel=cancel,
            unexpected=self._strings("server.unexpected"),
            sentence=self._gate.sentence,
        ):
            opened = json.loads(said[: said.index("\n")])["part"]
            if opened != part:  # the stream began afresh, with all that was written so far
                text, part, read = "", opened, 0
            for line in map(json.loads, said[read:].splitlines()):
                if line["at"] == "cut":
                    raise PlaygroundError(line["error"] or self._strings("server.unexpected"))
                if line["at"] == "end":
                    reply = line["reply"]
                    thinking = reply["thinking_chars"]
                    whole = reply["text"]
                    answer = {"text": whole[thinking:], "thinking": whole[:thinking]}
                    kept = {key: value for key, value in reply.items() if key != "thinking_chars"}
                    yield {"model": query.sides[0].model, **kept, **answer}
                    return
                text += line["text"] if line["at"] in ("text", "all") else ""
                thinking = line.get("thinking_chars", thinking)
            read = len(said)
            yield {"text": text[thinking:]}

    def _question(
        self,
        question: str,
        model: str,
        preset: str,
        draft: Values | None,
        history: Messages | None,
        given: dict[str, float | int | None],
    ) -> RunIn:
        """A request as the page would send it, with the sampling that was asked for."""
        spec, own = self._side(model or self._base(), preset, draft)
        sampling = asdict(self._bench.sampling(spec, own)) | {k: v for k, v in given.items() if v is not None}
        del sampling["logit_bias"]  # no preset has any
        return RunIn.model_validate(
            {
                "run": "api",
                "sides": [{"id": SIDE, "model": spec.model, "preset": spec.preset}],
                "draft": draft_json(own or Preset(name="draft")),
                "conversation": _conversation(history, question).to_json(),
                "sampling": sampling,
            }
        )

    def _base(self) -> str:
        """The first base model."""
        for state in self._bench.model_states():
            if state.kind == "base":
                return state.id
        raise PlaygroundError(self._strings("api.no_model"))

    def _side(self, model: str, preset: str, draft: Values | None) -> tuple[SideSpec, Preset | None]:
        if draft is not None:
            return SideSpec(model, DRAFT), Preset.checked(draft)
        if preset != NO_PRESET:
            self._bench.presets.load(preset)  # a wrong name is told before a model is loaded
        return SideSpec(model, preset), None

    def _said(self, work: Callable[_P, _R]) -> Callable[_P, _R]:
        """The endpoint behind the gate, failing in words."""
        arguments = signature(work)

        @wraps(work)
        def endpoint(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                _Texts.model_validate(arguments.bind(*args, **kwargs).arguments)
                self._gate.enter(f"api/{work.__name__}", "")
                return work(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  (all of it is told in words)
                raise self._error(work.__name__, error) from None

        return endpoint

    def _error(self, name: str, error: Exception) -> gr.Error:
        """What a program is told; only what nobody foresaw is logged."""
        if isinstance(error, PlaygroundError):
            said = self._gate.sentence(self._folders.hidden_in(str(error)))
        elif isinstance(error, ValidationError | TypeError):
            detail = problems(error) if isinstance(error, ValidationError) else type(error).__name__
            said = self._strings("api.bad_request", name=name, problem=detail)
        else:
            log.error("the endpoint %s failed", name, exc_info=error)
            said = self._strings("server.unexpected")
        return gr.Error(said, print_exception=False)


def _conversation(history: Messages | None, question: str) -> Conversation:
    """Messages as turns with answers of the one side, and the question as the open turn.

    Raises:
        ConversationError: They do not alternate, or a message is not as it should be.
    """
    conversation = Conversation()
    asked: str | None = None
    messages = history or []
    if not isinstance(messages, list) or len(messages) > MAX_MESSAGES:
        raise ConversationError(f"'history' is a list of at most {MAX_MESSAGES:,} messages.")
    for one in messages:
        message = _message(one)
        if message.role == "user" and asked is None:
            asked = message.content
        elif message.role == "assistant" and asked is not None:
            conversation = conversation.ask(asked).with_reply(SIDE, Reply(message.content))
            asked = None
        else:
            raise ConversationError("'history' alternates: a user's message, then the assistant's.")
    if asked is not None:
        raise ConversationError("'history' ends with the assistant's message; the question comes behind it.")
    return conversation.ask(question)


def _message(value: object) -> Message:
    if isinstance(value, dict) and set(value) == {"role", "content"}:
        role, content = value["role"], value["content"]
        if role in ("user", "assistant") and isinstance(content, str):
            return Message(role, content)
    raise ConversationError("A message is {'role': 'user' or 'assistant', 'content': text}.")
