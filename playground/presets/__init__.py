"""Presets: system text, examples, template and sampling, in one YAML file that a person can mail."""
