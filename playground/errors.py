"""One tree of errors. A message says what happened, the value seen, and what to do about it.

PlaygroundError
├── PresetError            a preset file that cannot be used: typo, wrong type, too large
├── TemplateError          a pattern without {query}, a chat template that fails
├── ModelNotFoundError     no such model name, path or catalog entry
├── DownloadError          a model that could not be downloaded: network, access, disk, checksum
├── ConversationError      an empty message, a history file that cannot be read
├── ContextLengthError     a prompt that does not fit the context
└── EngineError            the model could not be loaded or failed while it ran
    ├── EngineMissingError     an optional package is not installed
    ├── ModelLoadError         a file that is missing, corrupt or no model
    ├── EngineDiedError        the worker process ended; the next request starts it again
    ├── InvalidTextError       a text with half of a surrogate pair, which has no UTF-8
    └── UnsupportedError       an engine was asked for what it cannot do
"""

from __future__ import annotations


class PlaygroundError(Exception):
    """Base of everything this package raises on purpose; its text is fit to be shown to a person."""


class PresetError(PlaygroundError):
    """A preset file that cannot be read, checked or written.

    Its message is one line, whatever a file's keys and values that it quotes hold.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join("".join(c if c.isprintable() else " " for c in message).split()))


class TemplateError(PlaygroundError):
    """A template or chat template that cannot be rendered."""


class ModelNotFoundError(PlaygroundError):
    """No model goes by that name or path."""


class DownloadError(PlaygroundError):
    """A model could not be downloaded; what came is kept, unless it was wrong."""


class ConversationError(PlaygroundError):
    """A conversation that cannot be continued as asked."""


class ContextLengthError(PlaygroundError):
    """A prompt that does not fit the model's context even without history."""


class EngineError(PlaygroundError):
    """A model could not be loaded, or failed while it ran."""


class EngineMissingError(EngineError):
    """The engine's package is not installed."""


class ModelLoadError(EngineError):
    """A model file that is missing, corrupt, or not a model."""


class EngineDiedError(EngineError):
    """The process that ran the model ended."""


class InvalidTextError(EngineError):
    """A text that has no UTF-8: half of a surrogate pair, or bytes that were not UTF-8."""


class UnsupportedError(EngineError):
    """The engine cannot do what was asked of it."""
