"""Engines complete and score tokens. No chat format, preset or page is known here."""
