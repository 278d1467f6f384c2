"""Names and titles for models that a person adds, made of a file's or repository's name and its metadata.

Opens no file. A name is lower case and safe in a path and a command; a title is what people read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST = 60
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_PRECISION = re.compile(
    r"(?i)[-_. ]((?:ud[-_])?(?:i?q\d(?:_[a-z0-9]+)*|tq\d_\d|bf16|f16|f32|fp16|fp32|mxfp4(?:_moe)?))$"
)
_SIZE = re.compile(r"(?i)^(?:a|e)?\d+(?:\.\d+)?(?:x\d+(?:\.\d+)?)?[bmk]$")
# Names that whole families of files share, and digests: they say nothing of the model.
_SAYS_NOTHING = frozenset(
    {"model", "models", "ggml", "gguf", "main", "weights", "snapshot", "sha256", "pytorch"}
)
_AS_WRITTEN = frozenset({"it", "pt", "hf"})
_DIGEST = re.compile(r"^[0-9a-f]{16,}$")


@dataclass(frozen=True, slots=True)
class Naming:
    """What a model is called: ``pair`` in commands and files, ``title`` on the page."""

    pair: str
    title: str


def naming_of(name: str, own_name: str = "") -> Naming:
    """The name and title of a model.

    Args:
        name: Of its file, its folder, or its repository (the part before the last slash is ignored).
        own_name: The name in its metadata (GGUF's ``general.name``). It gives the spelling where it is the
            same name, and everything where the file's name says nothing, as ``model.gguf`` does.
    """
    stem = _SHARD.sub("", re.sub(r"(?i)\.gguf$", "", name.rpartition("/")[2].strip()))
    found = _PRECISION.search(stem)
    precision = found[1] if found else ""
    stem = stem[: found.start()] if found else stem
    own = own_name.rpartition("/")[2].strip()
    known = own if own and (_letters(own) == _letters(stem) or _says_nothing(stem)) else stem
    pair = _slug(f"{known}-{precision}" if precision else known) or "model"
    words = " ".join(_word(word) for word in re.split(r"[\s_\-]+", known) if word) or "Model"
    return Naming(pair, f"{words} ({precision.upper()})" if precision else words)


def _slug(text: str) -> str:
    slug = re.sub(r"[^\w.+\-]+", "-", text.lower())
    return re.sub(r"-{2,}", "-", slug).strip("-._+")[:_LONGEST].rstrip("-._+")


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _says_nothing(stem: str) -> bool:
    words = [word for word in re.split(r"[\W_]+", stem.lower()) if word]
    return all(word in _SAYS_NOTHING or _DIGEST.match(word) for word in words)


def _word(word: str) -> str:
    """A word of a title: a size ends in a capital (``270M``), a word without capitals begins with one."""
    if _SIZE.match(word):
        return word[:-1] + word[-1].upper()
    if word in _AS_WRITTEN or re.match(r"v\d", word):
        return word
    return word[:1].upper() + word[1:] if word.islower() else word
