"""Rows of Parquet files, through pyarrow (extra ``data``), a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from playground.datasets.records import DataFileError
from playground.extras import install_command

MAX_ROWS = 2_000_000
_BATCH = 2_000


def parquet_rows(path: Path) -> Iterator[tuple[int, object]]:
    """Each row as a mapping, with its number from 1.

    Raises:
        DataFileError: pyarrow is not installed, the file is damaged, or has too many rows.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataFileError(
            f"{path.name} is a Parquet file, which needs pyarrow; install it with: {install_command('data')}"
        ) from error
    place = 0
    try:
        with parquet.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise DataFileError(
                    f"{path.name} has {file.metadata.num_rows:,} rows; use at most {MAX_ROWS:,}."
                )
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    place += 1
                    yield place, row
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).split("\n")[0][:200].rstrip(".")
        raise DataFileError(
            f"{path.name} cannot be read as Parquet (behind row {place}): {reason}."
        ) from error
