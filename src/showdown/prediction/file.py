"""Predictions for a file of texts, and what files of prompts have in common with them."""

import io
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from showdown.core.bounds import RequestedData
from showdown.core.csv_writer import csv_writer
from showdown.core.errors import UserError
from showdown.core.files import prepare_to_write, write_text
from showdown.core.spec import DataSpec
from showdown.data.clean import clean
from showdown.data.columns import TEXT_NAME
from showdown.data.read import checked_column, left_out_lines, read_table
from showdown.data.tables import Table, column_list, count, find_column, row_list, shown
from showdown.prediction.model import Prediction

ANSWERED, ASK_A_PERSON = "answered", "ask a person"
"""What stands in the column `decision`."""


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """A file of texts; it needs no label column."""

    file: Path
    """CSV, TSV, JSONL or Parquet."""
    column: str | None = None
    """The text column, or None to find it: that of the training data, or the only one that can be."""
    encoding: str | None = None
    """By default that of the training data."""
    separator: str | None = None
    """By default that of the training data."""
    coverage: float | None = None
    """Share of texts to answer; the rest is left to a person. None answers all."""


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of a file's rows: rows in = rows answered + rows left to a person + rows that the notices name."""

    rows: int
    left_to_person: int
    notices: tuple[str, ...]


def predict_file(
    file: TextFile, data: RequestedData, predict: Callable[[Sequence[str]], Sequence[Prediction]], output: Path
) -> FileResult:
    """Predict the label of every row of a file and write it as CSV: its own columns, then label and score.

    A row without text stays in its place, with empty cells. The label of a row that is left to a person is empty too.

    Args:
        file: the file.
        data: how the training data were read and cleaned.
        predict: gives a prediction a text.
        output: the CSV to write. Cells are exact, as in the file.

    Raises:
        UserError: for a file that cannot be read or written, or whose text column is not clear.

    """
    prepare_to_write(output)
    table = new_table(file, data)
    index = _text_column(table, file.column, data.text or "")
    texts = [cell or "" for cell in checked_column(table, index)]
    has_words = [bool(clean(text, data.clean).strip()) for text in texts]
    predictions = predict([text for text, whether in zip(texts, has_words, strict=True) if whether])
    kept, notices = own_columns(table)
    write_text(output, _csv(kept, has_words, predictions, selective=file.coverage is not None))
    left = sum(not found.sure for found in predictions)
    return FileResult(
        rows=len(predictions) - left, left_to_person=left, notices=(*unanswered(table, has_words, "text"), *notices)
    )


def new_table(file: TextFile, data: RequestedData) -> Table:
    """Read a file as the training data were read, where it is not named otherwise."""
    return read_table(
        DataSpec(
            source=str(file.file),
            encoding=file.encoding or data.encoding,
            separator=file.separator or data.separator,
            quoting=data.quoting,
            header=data.header,
        )
    )


def own_columns(table: Table, leave_out: str | None = None) -> tuple[dict[str, list[str]], list[str]]:
    """Return the file's own columns by name, but for one, and a line for each that cannot be written as text."""
    kept: dict[str, list[str]] = {}
    notices: list[str] = []
    for index, name in enumerate(table.names):
        if not name.strip() or name == leave_out:
            continue  # the reader says that a column without a name is not read
        try:
            kept[name] = [cell or "" for cell in checked_column(table, index)]
        except UserError as fault:
            notices.append(f"column {shown(name)} is not kept: {fault}")
    return kept, notices


def _csv(
    kept: Mapping[str, Sequence[str]], has_words: Sequence[bool], predictions: Sequence[Prediction], *, selective: bool
) -> str:
    written = io.StringIO()
    writer = csv_writer(written)
    kind = predictions[0].score_kind if predictions else "score"
    headings = ["predicted", kind, *(["confidence", "decision"] if selective else [])]
    writer.writerow([*kept, *(free_heading(heading, kept) for heading in headings)])
    answers = iter(predictions)
    for whether, *own in zip(has_words, *kept.values(), strict=True):
        cells = _cells(next(answers), selective=selective) if whether else [""] * len(headings)
        writer.writerow([*own, *cells])
    return written.getvalue()


def free_heading(heading: str, taken: Container[str]) -> str:
    """Return a heading that no column of the file has."""
    while heading in taken:
        heading += " (model)"
    return heading


def _cells(found: Prediction, *, selective: bool) -> list[str]:
    score = f"{found.score:.6g}"
    if not selective:
        return [found.label, score]
    decision = ANSWERED if found.sure else ASK_A_PERSON
    return [found.label if found.sure else "", score, f"{found.confidence:.6g}", decision]


def unanswered(table: Table, filled: Sequence[bool], what: str) -> tuple[str, ...]:
    """Return the notices on a file, with a line on the rows that have no text or prompt."""
    empty = [number for number, whether in zip(table.numbers, filled, strict=True) if not whether]
    verb = "has" if len(empty) == 1 else "have"
    lines = [f"{count(len(empty), 'row')} {verb} no {what} ({row_list(empty)}), not answered"] if empty else []
    return (*table.notices, *left_out_lines(table.left_out), *lines)


def _text_column(table: Table, column: str | None, usual: str) -> int:
    if column is not None:
        return find_column(table.place, table.names, column)
    if usual and usual in table.names:
        return table.names.index(usual)
    if len(table.names) == 1:
        return 0
    guesses = [index for index, name in enumerate(table.names) if TEXT_NAME.fullmatch(name.strip().casefold())]
    if len(guesses) == 1:
        return guesses[0]
    raise UserError(
        f"{table.place}: cannot tell which column is the text; name it with --column; "
        f"columns: {column_list(table.names)}"
    )
