"""The one reader of data files, for examples, questions and imports alike."""

from playground.datasets.reader import parse_bytes, parse_data, read_data, read_file
from playground.datasets.records import (
    NO_COLUMN,
    Columns,
    DataFile,
    DataFileError,
    DataFormat,
    Record,
    RowProblem,
)

__all__ = [
    "NO_COLUMN",
    "Columns",
    "DataFile",
    "DataFileError",
    "DataFormat",
    "Record",
    "RowProblem",
    "parse_bytes",
    "parse_data",
    "read_data",
    "read_file",
]
