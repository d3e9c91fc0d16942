r"""CSV that every reader splits into the same rows."""

import csv
from typing import IO, Any

_BOTH = "\r\n"


class _Lines:
    """Passes lines on with the end that all files of the project have."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, line: str) -> None:
        self._file.write(line.removesuffix(_BOTH) + "\n")


def csv_writer(file: IO[str]) -> Any:
    r"""Return a `csv.writer` that ends lines with `\n` and quotes a cell with a `\r` too.

    Before Python 3.13 the library quotes such a cell only where `\r` is part of the line's end, and readers take a bare
    one for the end of a row.
    """
    return csv.writer(_Lines(file), lineterminator=_BOTH)
