"""Presets written as other programs want them, with what those cannot hold said in words."""
