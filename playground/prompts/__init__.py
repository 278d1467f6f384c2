"""Prompts: templates as data, rendering by origin, and the stops that follow from a template."""
