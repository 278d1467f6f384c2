"""Readers of other programs' files, one format a file; ``imports.formats`` is their table."""
