"""``doctor``: what the installation stands on, what is missing, and the command that mends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from playground.cli.app import app, one_line, print_json, print_table, reported
from playground.settings import Settings


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Look over this installation and say what is missing. Exits with 1 where something must be mended."""
    from playground.models.catalog import Catalog
    from playground.services.doctor import examine

    with reported():
        settings = Settings.load()
        catalog = Catalog(settings.shipped_models, settings.models_dir, downloads=settings.downloads_dir)
        findings = examine(settings, catalog)
        healthy = all(finding.verdict != "missing" for finding in findings)
        if as_json:
            print_json({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
        else:
            marks = {"ok": "ok", "note": "note", "missing": "MISSING"}
            print_table(
                ("", "what", "found", "to mend it"),
                [(marks[f.verdict], f.topic, one_line(f.found), one_line(f.mend)) for f in findings],
            )
        if not healthy:
            raise typer.Exit(1)
