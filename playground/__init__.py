"""A desktop playground for base-model in-context alignment."""

__version__ = "0.1.0"
