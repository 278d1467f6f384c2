"""``ask``, ``compare`` and ``render``: the page's work from the command line, down the same path."""

from __future__ import annotations

import sys
import unicodedata
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import app, print_json, reported, with_notices
from playground.errors import ConversationError, EngineError
from playground.types import Message, Prompt, Reply, SamplingParams, Token

if TYPE_CHECKING:
    from playground.chat.assistant import Assistant
    from playground.chat.compare import SideFinished, SideStarted
    from playground.engines.base import Engine
    from playground.services import SideSpec, Workbench

Question = Annotated[str | None, typer.Argument(help="What to ask; '-' reads it from stdin.")]
HistoryFile = Annotated[
    Path | None, typer.Option("--history", help='Earlier messages, JSONL of {"role", "content"}.')
]
PresetName = Annotated[
    str | None, typer.Option("--preset", help="A preset's name, a .yaml file, or none for the bare model.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Seed = Annotated[int | None, typer.Option(min=0, max=2**32 - 1)]
Temperature = Annotated[float | None, typer.Option(min=0.0, max=10.0, help="0 is greedy.")]
TopP = Annotated[float | None, typer.Option(min=0.001, max=1.0)]
TopK = Annotated[int | None, typer.Option(min=0)]
MinP = Annotated[float | None, typer.Option(min=0.0, max=1.0)]
Penalty = Annotated[float | None, typer.Option(min=0.01, max=10.0)]
MaxTokens = Annotated[int | None, typer.Option(min=1)]
TemplateOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--template-option",
        help="NAME=VALUE, an argument of the chat template, as enable_thinking=false; give it once each.",
    ),
]
EngineName = Annotated[str, typer.Option("--engine", help="llama.cpp, transformers or server.")]


@app.command()
def ask(
    question: Question = None,
    model: Annotated[str, typer.Option(help="PAIR/base, PAIR/instruct or a .gguf file.")] = "wren/base",
    preset: PresetName = None,
    history: HistoryFile = None,
    seed: Seed = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    top_k: TopK = None,
    min_p: MinP = None,
    repetition_penalty: Penalty = None,
    max_tokens: MaxTokens = None,
    logprobs: Annotated[int | None, typer.Option(min=0, help="With --json: top K alternatives.")] = None,
    template_option: TemplateOptions = None,
    engine: EngineName = "",
    as_json: Json = False,
) -> None:
    """Ask a model one question and print its answer as it is written."""
    from playground.chat.compare import SideDelta, SideRun, SideStarted, answer

    with reported():
        messages = _messages(history, question)
        if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
            raise ConversationError(
                "The question is empty; write one, as in: playground ask 'Why is the sky blue?'"
            )
        given = {
            "seed": seed,
            "temperature": temperature,
            "top_p": top_p,
            "top_k": top_k,
            "min_p": min_p,
            "repetition_penalty": repetition_penalty,
            "max_tokens": max_tokens,
        }
        with _workbench(engine) as workbench:
            spec = _side(workbench, model, preset, template_option)
            assistant = workbench.assistant(spec)
            assistant = replace(assistant, sampling=_sampling(assistant.sampling, given))
            run = SideRun("ask", partial(_prepared, workbench, assistant), tuple(messages), logprobs)
            started: SideStarted | None = None
            finished: SideFinished | None = None
            written = ""
            printed = 0
            for event in answer(run):
                if isinstance(event, SideStarted):
                    started = event
                elif isinstance(event, SideDelta):
                    written += event.text
                    shown = written[max(printed, event.thinking_chars) :]
                    if shown and not as_json:
                        _write(shown)
                        printed = len(written)
                else:
                    finished = event
            assert finished is not None
            if as_json:
                print_json(_as_json(spec, assistant.sampling, started, finished))
            else:
                _write("\n")
                _note(finished.reply, started)
            if finished.reply.finish_reason == "error":
                raise EngineError(finished.reply.error or "The model failed.")


@app.command()
def compare(
    question: Question = None,
    side: Annotated[
        list[str] | None,
        typer.Option(help="MODEL[:PRESET]; give it once a side. Default: base and instruct."),
    ] = None,
    history: HistoryFile = None,
    seed: Seed = None,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    template_option: TemplateOptions = None,
    engine: EngineName = "",
    as_json: Json = False,
) -> None:
    """Ask several models or presets the same question and print their answers one below the other."""
    from playground.chat.compare import SideFinished, SideRun, SideStarted
    from playground.chat.compare import compare as merged
    from playground.services.experiment_plans import split_model

    with reported():
        messages = _messages(history, question)
        if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
            raise ConversationError("The question is empty; write one to compare answers to.")
        given = {"seed": seed, "temperature": temperature, "max_tokens": max_tokens}
        with _workbench(engine) as workbench:
            runs, specs, samplings = [], {}, {}
            for i, text in enumerate(side or ["wren/base", "wren/instruct"]):
                name = chr(ord("A") + i)
                spec = _side(workbench, *split_model(text), template_option, lenient=True)
                assistant = workbench.assistant(spec)
                assistant = replace(assistant, sampling=_sampling(assistant.sampling, given))
                specs[name], samplings[name] = spec, assistant.sampling
                runs.append(SideRun(name, partial(_prepared, workbench, assistant), tuple(messages)))
            started: dict[str, SideStarted] = {}
            finished: dict[str, SideFinished] = {}
            for event in merged(runs):
                if isinstance(event, SideStarted):
                    started[event.side] = event
                elif isinstance(event, SideFinished):
                    finished[event.side] = event
            if as_json:
                sides = [
                    {"side": n, **_as_json(specs[n], samplings[n], started.get(n), finished[n])}
                    for n in specs
                ]
                print_json({"question": messages[-1].content, "sides": sides})
            else:
                for name, spec in specs.items():
                    _write(f"{name}  {spec.model} · {spec.preset}\n{finished[name].reply.answer}\n\n")
                    _note(finished[name].reply, started.get(name))
            failed = [f.reply.error for f in finished.values() if f.reply.finish_reason == "error"]
            if failed:
                raise EngineError(failed[0] or "The model failed.")


@app.command()
def render(
    preset: PresetName = None,
    question: Annotated[str | None, typer.Option(help="The person's last message.")] = None,
    history: HistoryFile = None,
    model: Annotated[
        str | None, typer.Option(help="Prompt this model; an instruct one by its template.")
    ] = None,
    template_option: TemplateOptions = None,
    as_json: Json = False,
) -> None:
    """Print the exact prompt, byte for byte. Loads no model unless one is named."""
    with reported():
        messages = _messages(history, question)
        prompt, ids = _rendered(preset, messages, model, template_option)
        for note in prompt.notes:
            typer.echo(note, err=True)
        if as_json:
            value: dict[str, object] = {
                "text": prompt.text,
                "spans": [
                    {
                        "start": s.start,
                        "end": s.end,
                        "part": s.origin.part,
                        "field": s.origin.field,
                        "index": s.origin.index,
                    }
                    for s in prompt.spans
                ],
                "stop": [{"text": rule.text, "place": rule.place} for rule in prompt.stop],
                "notes": list(prompt.notes),
            }
            if ids is not None:
                value["ids"] = ids
            print_json(value)
        else:
            sys.stdout.buffer.write(prompt.text.encode("utf-8", "surrogatepass"))
            sys.stdout.buffer.flush()


def _rendered(
    preset: str | None, messages: list[Message], model: str | None, options: list[str] | None
) -> tuple[Prompt, list[int] | None]:
    if model is not None:
        with _workbench() as workbench:
            spec = _side(workbench, model, preset, options)
            prompt = workbench.assistant(spec).renderer.render(messages)
            return prompt, workbench.engine(spec.model).tokenize(prompt.pieces)
    from playground.chat.assistant import bare_renderer, preset_renderer
    from playground.presets.library import PresetLibrary
    from playground.settings import Settings

    settings = Settings.load()
    library = PresetLibrary(settings.shipped_presets, settings.presets_dir)
    name = preset or "friendly"
    renderer = bare_renderer() if name == "none" else preset_renderer(library.load(name))
    return renderer.render(messages), None


def read_history(path: Path) -> list[Message]:
    """The messages of a JSONL file of ``{"role", "content"}``; blank lines are passed over.

    Raises:
        ConversationError: Names the file, the line, and what is wrong with it.
    """
    import msgspec

    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise ConversationError(f"The history file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConversationError(f"The history file {path} is not UTF-8 text; save it as UTF-8.") from error
    messages = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                messages.append(msgspec.json.decode(line, type=Message))
            except (msgspec.MsgspecError, RecursionError) as error:
                raise ConversationError(
                    f'{path.name}, line {number}: {error}; each line is {{"role": ..., "content": ...}}.'
                ) from error
    return messages


def _messages(history: Path | None, question: str | None) -> list[Message]:
    messages = read_history(history) if history else []
    if question == "-":
        question = sys.stdin.buffer.read().decode("utf-8", "replace").rstrip("\n")
    if question is not None:
        messages.append(Message("user", question))
    return messages


def _prepared(workbench: Workbench, assistant: Assistant) -> tuple[Assistant, Engine]:
    return assistant, workbench.engine(assistant.model)


def _workbench(engine: str = "") -> Workbench:
    from playground.services import Workbench
    from playground.settings import Settings

    settings = Settings.load()
    return with_notices(Workbench(replace(settings, engine=engine) if engine else settings))


def _side(
    workbench: Workbench,
    model: str,
    preset: str | None,
    options: list[str] | None = None,
    *,
    lenient: bool = False,
) -> SideSpec:
    """The side; a ``lenient`` one of a base model does without the options, which are for its neighbours."""
    from playground.prompts.template_options import read_options
    from playground.services import NO_PRESET, SideSpec

    entry = workbench.catalog.get(model)
    if preset is None:
        preset = entry.default_preset if entry.kind == "base" else NO_PRESET
    if preset != NO_PRESET:
        workbench.presets.load(preset)  # a wrong name is told before a model is loaded
    given = read_options(options or [])
    return SideSpec(model, preset, () if lenient and entry.kind == "base" else given)


def _sampling(sampling: SamplingParams, given: dict[str, float | int | None]) -> SamplingParams:
    changed = {key: value for key, value in given.items() if value is not None}
    return replace(sampling, **changed)  # type: ignore[arg-type]


def _as_json(
    spec: SideSpec, sampling: SamplingParams, started: SideStarted | None, finished: SideFinished
) -> dict[str, object]:
    reply = finished.reply
    value: dict[str, object] = {
        "text": reply.answer,
        "prompt": started.prompt.text if started else None,
        "tokens": [_token(token) for token in reply.tokens],
        "finish_reason": reply.finish_reason,
        "usage": asdict(reply.usage),
        "model": spec.model,
        "preset": spec.preset,
        "seed": finished.seed,
        "sampling": asdict(sampling),
        "dropped_turns": started.prompt.dropped_turns if started else 0,
    }
    if spec.options:
        value["template_options"] = dict(spec.options)
    if started and started.prompt.notes:
        value["notes"] = list(started.prompt.notes)
    if reply.thinking:
        value |= {
            "thinking": reply.thinking,
            "thinking_tokens": reply.thinking_tokens,
            "thinking_open": reply.thinking_open,
        }
    if reply.error is not None:
        value["error"] = reply.error
    return value


def _token(token: Token) -> dict[str, object]:
    value: dict[str, object] = {"id": token.id, "text": token.bytes.decode("utf-8", "replace")}
    if token.logprob is not None:
        value |= {"logprob": token.logprob, "rank": token.rank, "entropy": token.entropy}
        value["alternatives"] = [
            {"id": a.id, "text": a.bytes.decode("utf-8", "replace"), "logprob": a.logprob}
            for a in token.alternatives
        ]
    return value


def _write(text: str) -> None:
    """Text of a model to stdout; on a terminal without the control characters that it would obey."""
    if sys.stdout.isatty():
        text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _note(reply: Reply, started: SideStarted | None) -> None:
    """What the answer cost, on a terminal's stderr; piped, only why it was cut short."""
    if reply.error is not None and reply.finish_reason == "length":
        typer.echo(reply.error, err=True)
    if reply.thinking_open:
        typer.echo("The answer ended inside its thinking; allow more with --max-tokens.", err=True)
    for note in started.prompt.notes if started else ():
        typer.echo(note, err=True)
    if not sys.stderr.isatty() or not sys.stdout.isatty():
        return
    usage = reply.usage
    dropped = started.prompt.dropped_turns if started else 0
    parts = [
        f"{usage.completion_tokens} tokens",
        f"{usage.tokens_per_s:.0f} tok/s",
        f"prompt {usage.prompt_tokens} ({usage.cached_tokens} cached)",
        reply.finish_reason,
    ]
    if reply.thinking_tokens:
        parts.append(f"{reply.thinking_tokens} of them thinking")
    if dropped:
        parts.append(f"{dropped} oldest turns left out to fit")
    typer.secho(" · ".join(parts), err=True, dim=True)
