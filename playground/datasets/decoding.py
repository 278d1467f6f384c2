"""Bytes as text: the encoding is told by a byte order mark, by UTF-8 itself, or by charset-normalizer.

Knows no format. A file that is UTF-8 but for a few bytes stays UTF-8: those bytes become U+FFFD, and the
lines that hold them are named.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from dataclasses import dataclass

from playground.datasets.records import DataFileError, RowProblem

SAMPLE_BYTES = 200_000
"""How much of a file that is not UTF-8 the encoding is told by."""
REPLACEMENT = "\ufffd"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = (
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet of the old kind; save it as CSV"),
    (b"%PDF", "a PDF file; save its text"),
    (b"SQLite format 3", "a database; export a table as CSV"),
    (b"ARROW1", "an Arrow file; save it as Parquet"),
    (b"GGUF", "a model file; choose a file with questions or examples"),
)
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜÝŸàáâãäåæçèéêëìíîïñòóôõöøœùúûüýÿß¡¿«»‹›“”„‘’‚–—…°£€§©®™·•×½¼²³ªº\xa0"
)
_HIGH = re.compile(rb"[\x80-\xff]+")
_ENCODINGS = [
    *("cp932", "big5", "gb18030", "cp949", "euc_jp", "cp1251", "koi8_r", "cp1250", "cp1252", "cp1253"),
    *("cp1254", "cp1255", "cp1256"),
]
_ESCAPED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, notes on how it was decoded, and the lines on which characters were replaced."""

    text: str
    notes: tuple[str, ...] = ()
    repaired: tuple[RowProblem, ...] = ()


def unpack(content: bytes, *, source: str, limit: int) -> bytes:
    """The content itself, or what a gzip file holds.

    Raises:
        DataFileError: Another kind of binary file, a damaged one, or more than ``limit`` bytes.
    """
    for magic, what in _BINARY:
        if content.startswith(magic):
            raise DataFileError(f"{source} is {what}.")
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            plain = packed.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{source} is a damaged gzip file: {error}.") from error
    if len(plain) > limit:
        raise DataFileError(f"{source} holds more than {limit // 1_000_000} MB; split it.")
    return plain


def decode(content: bytes, *, source: str) -> Decoded:
    """The text of a file.

    Raises:
        DataFileError: It is no text in an encoding that can be told.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _marked(content, encoding, mark, source)
    if _wide(content):
        encoding = "utf-16-le" if content[1::2].count(0) > content[0::2].count(0) else "utf-16-be"
        text = content.decode(encoding, "replace")
        return Decoded(
            text,
            (f"It is in UTF-16 without a byte order mark ({encoding}) and was read as such.",),
            _replaced(text),
        )
    try:
        return Decoded(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        at = error.start
    text = content.decode("utf-8", "surrogateescape")
    bad = len(_ESCAPED.findall(text))
    good = sum(ord(character) > 0x7F for character in text) - bad
    if good >= bad:
        mended = _ESCAPED.sub(REPLACEMENT, text)
        return Decoded(mended, (), _replaced(mended))
    return _legacy(content, at, source)


def _marked(content: bytes, encoding: str, mark: bytes, source: str) -> Decoded:
    text = content.decode(encoding, "replace").removeprefix("\ufeff")
    if encoding != "utf-8" and len(content) <= len(mark):
        raise DataFileError(f"{source} holds a byte order mark and nothing else; choose another file.")
    if text and not text.strip(REPLACEMENT):
        raise DataFileError(
            f"{source} is not {encoding.upper()} text, as its first bytes say; choose another file."
        )
    notes = () if encoding == "utf-8" else (f"It is in {encoding.upper()} and was read as such.",)
    return Decoded(text, notes, _replaced(text))


def _wide(content: bytes) -> bool:
    """Whether every other byte is nearly always zero, as in UTF-16 of Latin letters."""
    head = content[:4_000]
    if len(head) < 16 or b"\0" not in head:
        return False
    half = len(head) // 2
    zeros = head[0::2].count(0), head[1::2].count(0)
    return max(zeros) > half * 0.4 and min(zeros) < half * 0.1


def _legacy(content: bytes, at: int, source: str) -> Decoded:
    """The text of a file in an encoding from before Unicode, which has to be guessed."""
    if content.count(b"\0", 0, SAMPLE_BYTES):
        raise DataFileError(f"{source} is not text (byte {at}); choose a text file, or save it as UTF-8.")
    start = content.rfind(b"\n", 0, at) + 1 if at > SAMPLE_BYTES else 0
    for encoding in (_guess(content[start : start + SAMPLE_BYTES]), "cp1252", "latin-1"):
        if encoding is None:
            continue
        try:
            text = content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        name = encoding.replace("_", "-").upper()
        return Decoded(text, (f"It is not UTF-8; it was read as {name}. Save it as UTF-8 if that is wrong.",))
    raise DataFileError(f"{source} is not UTF-8 text (byte {at}); save it as UTF-8.")


def _guess(sample: bytes) -> str | None:
    """The encoding of a text from before Unicode.

    Two common cases are told by their bytes, because statistics need more text than a small file has: Western
    letters one by one, and pairs of high bytes in Chinese, Korean and Japanese (EUC). charset-normalizer
    decides the others.
    """
    from charset_normalizer import from_bytes

    western = sample.decode("cp1252", "replace")
    runs = _HIGH.findall(sample)
    alone = sum(map(len, runs)) < 2 * len(runs)
    if alone and all(c in _WESTERN for c in western if c > "\x7f"):
        return "cp1252"
    pairs = [run[i : i + 2] for run in runs if len(run) % 2 == 0 for i in range(0, len(run), 2)]
    if pairs and all(len(run) % 2 == 0 for run in runs) and all(_is_euc(pair) for pair in pairs):
        leads = [pair[0] for pair in pairs]
        if sum(lead in (0xA4, 0xA5) for lead in leads) > len(leads) * 0.3:  # kana
            return "euc_jp"
        # Hangul ends at C8; above it are Chinese characters, which Korean texts hardly have.
        chinese = any(lead > 0xC8 or lead == 0xA3 for lead in leads)
        return "gb18030" if chinese else "cp949"
    found = from_bytes(sample, cp_isolation=_ENCODINGS).best()
    return found.encoding if found else None


def _is_euc(pair: bytes) -> bool:
    return 0xA1 <= pair[0] <= 0xF7 and 0xA1 <= pair[1] <= 0xFE


def _replaced(text: str) -> tuple[RowProblem, ...]:
    """The lines of a decoded text that hold U+FFFD."""
    if REPLACEMENT not in text:
        return ()
    lines = re.split("\r\n|\r|\n", text)
    return tuple(
        RowProblem(place, f"{count} of its characters could not be decoded and became U+FFFD")
        for place, line in enumerate(lines, 1)
        if (count := line.count(REPLACEMENT))
    )
