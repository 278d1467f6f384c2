"""Experiments on assistants: evaluation, and what the bundled pair must show."""
