"""Tokens of a model that runs elsewhere: its tokenizer here, the server's, or an estimate that says so."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import openai

from playground.engines.server.connection import Served, ServerConnection
from playground.errors import EngineError, EngineMissingError
from playground.extras import install_command
from playground.types import Piece

# About what byte-pair vocabularies make of text: a short word with its space, a sign, a Chinese character.
_ESTIMATE = re.compile(
    r" ?[^\W\d_\u2e80-\u9fff\uac00-\ud7af]{1,6}|[\u2e80-\u9fff\uac00-\ud7af]|\d{1,3}|\s+|.", re.S
)
# What is a control token in known families; a server that reads text parses it in a person's words too.
_CONTROL = re.compile(r"<\|[^|<>\s]{1,40}\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]|<(?:bos|eos)>")


class Encoding(Protocol):
    """Token ids of a text."""

    @property
    def ids(self) -> list[int]:
        """The ids."""
        ...


class Vocabulary(Protocol):
    """What is needed of a vocabulary here."""

    size: int
    add_bos: bool
    bos: int | None
    eos: int | None
    eog: tuple[int, ...]

    @property
    def special_texts(self) -> tuple[str, ...]:
        """Texts that become one control token when specials are parsed."""
        ...

    def text(self, token: int | None) -> str:
        """A token written out; empty where there is none."""
        ...

    def encode(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> Encoding:
        """Ids of the joined text."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes of a token."""
        ...


class Tokens(Protocol):
    """Counts tokens; see ``Engine`` for the methods."""

    estimated: bool

    def encode(self, pieces: Sequence[Piece], *, add_bos: bool) -> list[int]:
        """Token ids of the pieces joined."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes of a token."""
        ...


def unsafe_text(pieces: Sequence[Piece]) -> str | None:
    """A control token in a piece that may hold none, as a server that is sent text would parse it."""
    for piece in pieces:
        match = None if piece.parse_special else _CONTROL.search(piece.text)
        if match is not None:
            return match[0]
    return None


class EstimatedTokens:
    """Cuts text where a tokenizer might; ids are of its own making and mean nothing to the server."""

    estimated = True

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._texts: list[bytes] = []
        self._lock = threading.Lock()

    def encode(self, pieces: Sequence[Piece], *, add_bos: bool) -> list[int]:
        """One id for each stretch."""
        with self._lock:
            return [self._id(text) for text in _ESTIMATE.findall("".join(piece.text for piece in pieces))]

    def _id(self, text: str) -> int:
        known = self._ids.get(text)
        if known is None:
            known = self._ids[text] = len(self._texts)
            self._texts.append(text.encode())
        return known

    def piece(self, token: int) -> bytes:
        """The bytes of a stretch."""
        if not 0 <= token < len(self._texts):
            raise EngineError(f"Token {token} is not known: this server's tokens are only estimated.")
        return self._texts[token]


class ServerTokens:
    """Asks the server's own endpoints, and remembers the bytes of each token."""

    estimated = False

    def __init__(self, connection: ServerConnection, served: Served) -> None:
        self._connection = connection
        self._served = served
        self._pieces: dict[int, bytes] = {}
        start = self._ask("")
        self._bos: int | None = start[0] if len(start) == 1 else None

    def encode(self, pieces: Sequence[Piece], *, add_bos: bool) -> list[int]:
        """The server's ids. It parses special tokens in any text, so that counts may differ there."""
        ids = self._ask("".join(piece.text for piece in pieces))
        starts = self._bos is not None and ids[:1] == [self._bos]
        if self._bos is not None and starts and not add_bos:
            return ids[1:]
        if self._bos is not None and ids[:2] == [self._bos, self._bos]:
            return ids[1:]
        return ids

    def _ask(self, text: str) -> list[int]:
        dialect = self._served.dialect.name
        body: dict[str, object] = {"model": self._served.model, "prompt": text, "add_special_tokens": True}
        if dialect == "llama-server":
            body = {"content": text, "add_special": True, "parse_special": True}
        elif dialect == "llama-cpp-python":
            body = {"input": text}
        url = f"{self._connection.root}/{self._served.dialect.tokenize}"
        answer: Any = self._connection.retried(lambda: self._connection.post("POST", url, body))
        try:
            return [int(token) for token in answer["tokens"]]
        except (TypeError, KeyError, ValueError) as error:
            raise self._connection.broken(error) from error

    def piece(self, token: int) -> bytes:
        """The bytes of a token; half a character counts as one byte."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._look_up(token)
        return known

    def _look_up(self, token: int) -> bytes:
        if token == self._bos:
            return b""
        body: dict[str, object] = {"model": self._served.model, "tokens": [token]}
        url = f"{self._connection.root}/{self._served.dialect.tokenize.replace('tokenize', 'detokenize')}"
        try:
            answer: Any = self._connection.post("POST", url, body)
        except openai.APIStatusError:
            return b"?"
        text = next((answer[key] for key in ("text", "prompt", "content") if key in answer), "")
        return b"?" if "\ufffd" in text else str(text).encode()


class LocalTokens:
    """The model's own tokenizer, here."""

    estimated = False

    def __init__(self, vocab: Vocabulary) -> None:
        self.vocab = vocab

    @classmethod
    def load(cls, path: str) -> tuple[LocalTokens, str | None]:
        """The tokenizer of a folder or downloaded repository, and its chat template.

        Raises:
            EngineMissingError: transformers is not installed.
            ModelLoadError: There is none.
        """
        try:
            from playground.engines.transformers.tokenizer import load_vocab
        except ImportError as error:
            raise EngineMissingError(
                f"To count tokens with the tokenizer of {path}, transformers is needed; "
                f"install it with: {install_command('torch')}"
            ) from error
        vocab, template = load_vocab(path)
        return cls(vocab), template

    def encode(self, pieces: Sequence[Piece], *, add_bos: bool) -> list[int]:
        """The model's own ids, special tokens only where a piece allows them."""
        return self.vocab.encode(pieces, add_bos=add_bos).ids

    def piece(self, token: int) -> bytes:
        """The bytes of a token."""
        return self.vocab.piece(token)
