"""What other programs and papers call a prompt, read into presets: one module a family of formats."""
