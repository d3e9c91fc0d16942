"""Answering a file of texts with a saved model."""

import io
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.bounds import asked_data
from showdown.core.csv_writer import csv_writer
from showdown.core.errors import UserError
from showdown.core.files import make_room, write_text
from showdown.core.record import Results
from showdown.core.spec import DataSpec
from showdown.data.clean import clean
from showdown.data.columns import TEXT_NAME
from showdown.data.read import checked_column, left_out_lines, read_table
from showdown.data.tables import Table, column_list, count, find_column, row_list, shown

if TYPE_CHECKING:
    from showdown.api import Prediction

ANSWERED, ASK_A_PERSON = "answered", "ask a person"
"""What stands in the column `decision`."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A file of texts to answer; it needs no label column."""

    file: Path
    """CSV, TSV, JSONL or Parquet."""
    column: str | None = None
    """The text column, or None to find it: the comparison's, or the only one that can be."""
    encoding: str | None = None
    """By default that of the comparison's data; so for the separator."""
    separator: str | None = None
    coverage: float | None = None
    """Share of texts to answer; the rest is left to a person. None answers all."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """How a file was answered: rows in = rows answered + rows left to a person + rows that the notices name."""

    rows: int
    left_to_person: int
    notices: tuple[str, ...]


def answer_file(
    results: Results, asked: Asked, answer: "Callable[[Sequence[str]], Sequence[Prediction]]", output: Path
) -> Answered:
    """Answer every row of a file and write it as CSV: its own columns, then label and score.

    A row without text stays in its place with empty answers, and so does the label of a row that is left to a person.

    Args:
        results: the comparison that the model comes from.
        asked: the file.
        answer: gives a prediction a text.
        output: the CSV to write. Cells are exact, as in the data.

    Raises:
        UserError: for a file that cannot be read or written, or whose text column is not clear.

    """
    make_room(output)
    data = asked_data(results.comparison)
    table = read_table(
        DataSpec(
            source=str(asked.file),
            encoding=asked.encoding or data.encoding,
            separator=asked.separator or data.separator,
            quoting=data.quoting,
            header=data.header,
        )
    )
    index = _text_column(table, asked.column, data.text or "")
    texts = [cell or "" for cell in checked_column(table, index)]
    told = [bool(clean(text, data.clean).strip()) for text in texts]
    predictions = answer([text for text, has_words in zip(texts, told, strict=True) if has_words])
    kept, said = _own_columns(table)
    write_text(output, _written(kept, told, predictions, selective=asked.coverage is not None))
    left = sum(not found.sure for found in predictions)
    return Answered(rows=len(predictions) - left, left_to_person=left, notices=(*_notices(table, told), *said))


def _own_columns(table: Table) -> tuple[dict[str, list[str]], list[str]]:
    """Return the file's own columns by name, and a line for each that cannot be written as text."""
    kept: dict[str, list[str]] = {}
    said: list[str] = []
    for index, name in enumerate(table.names):
        if not name.strip():
            continue  # the reader says that a column without a name is not read
        try:
            kept[name] = [cell or "" for cell in checked_column(table, index)]
        except UserError as fault:
            said.append(f"column {shown(name)} is not kept: {fault}")
    return kept, said


def _written(
    kept: Mapping[str, Sequence[str]], told: Sequence[bool], predictions: "Sequence[Prediction]", *, selective: bool
) -> str:
    written = io.StringIO()
    writer = csv_writer(written)
    kind = predictions[0].score_kind if predictions else "score"
    headings = ["predicted", kind, *(["confidence", "decision"] if selective else [])]
    writer.writerow([*kept, *(_free(heading, kept) for heading in headings)])
    answers = iter(predictions)
    for has_words, *own in zip(told, *kept.values(), strict=True):
        cells = _cells(next(answers), selective=selective) if has_words else [""] * len(headings)
        writer.writerow([*own, *cells])
    return written.getvalue()


def _free(heading: str, taken: Container[str]) -> str:
    """Return a heading that the file does not have itself."""
    while heading in taken:
        heading += " (model)"
    return heading


def _cells(found: "Prediction", *, selective: bool) -> list[str]:
    score = f"{found.score:.6g}"
    if not selective:
        return [found.label, score]
    decision = ANSWERED if found.sure else ASK_A_PERSON
    return [found.label if found.sure else "", score, f"{found.confidence:.6g}", decision]


def _notices(table: Table, told: Sequence[bool]) -> tuple[str, ...]:
    empty = [number for number, has_words in zip(table.numbers, told, strict=True) if not has_words]
    verb = "has" if len(empty) == 1 else "have"
    said = [f"{count(len(empty), 'row')} {verb} no text ({row_list(empty)}), not answered"] if empty else []
    return (*table.notices, *left_out_lines(table.left_out), *said)


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
