"""``models templates check``: whether chat templates are rendered exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.app import models_app, one_line, print_json, reported
from playground.extras import install_command

if TYPE_CHECKING:
    from playground.studio.chat_template_check import Reference, TemplateCheck

templates_app = typer.Typer(help="Chat templates of instruct models.", no_args_is_help=True)
models_app.add_typer(templates_app, name="templates")


@templates_app.command("check")
def templates_check(
    folder: Annotated[Path, typer.Argument(help="Folder with template files (*.jinja, *.jinja2, *.j2).")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Count control tokens with this model's tokenizer; give it once each."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Render 20 conversations with each template of a folder, and exit with 1 if any comes out wrong.

    The text is compared with transformers, control tokens are counted in token ids, and each message is
    looked for.
    """
    from playground.services import Workbench
    from playground.settings import Settings
    from playground.studio.chat_template_check import check_folder, tokenizer_of

    with reported():
        reference = _reference()
        if reference is None:
            typer.echo(
                "transformers is not installed, so texts are not compared; "
                f"install it with: {install_command('torch')}",
                err=True,
            )
        results: list[TemplateCheck] = []
        with Workbench(Settings.load()) as workbench:
            names = model or ["wren/instruct"]
            tokenizers = [tokenizer_of(name, workbench.engine(name)) for name in names]
            for result in check_folder(folder, tokenizers, reference):
                results.append(result)
                if not as_json:
                    typer.echo(_line(result))
        wrong = sum(bool(result.faults) for result in results)
        if as_json:
            print_json(
                {
                    "templates": [asdict(result) for result in results],
                    "wrong": wrong,
                    "compared": reference is not None,
                    "tokenizers": names,
                }
            )
        else:
            typer.echo(f"{len(results)} templates, {wrong} with faults", err=True)
    if wrong:
        raise typer.Exit(1)


def _reference() -> Reference | None:
    """The rendering of transformers; None where it is not installed."""
    from playground.engines.transformers.chat_reference import reference_text
    from playground.errors import EngineMissingError

    try:
        reference_text("", [{"role": "user", "content": ""}], opens=False, variables={})
    except EngineMissingError:
        return None

    def rendered(
        source: str, messages: Sequence[Mapping[str, object]], opens: bool, variables: Mapping[str, object]
    ) -> str:
        return reference_text(source, messages, opens=opens, variables=variables)

    return rendered


def _line(result: TemplateCheck) -> str:
    counts = f"{result.tried - result.refused} of {result.tried} rendered"
    counts += f", {result.adapted} adapted" if result.adapted else ""
    counts += f", {result.reported} with a message left out" if result.reported else ""
    verdict = f"{len(result.faults)} faults" if result.faults else "ok"
    lines = [f"{one_line(result.name)}\t{verdict}\t{counts}"]
    lines += [f"\t{one_line(fault)}" for fault in result.faults]
    return "\n".join(lines)
