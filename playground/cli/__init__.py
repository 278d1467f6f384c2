"""The ``playground`` command. Importing it loads no model library and no page."""

from playground.cli.app import main

__all__ = ["main"]
