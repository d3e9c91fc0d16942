"""Predictions for a file of texts, and what files of prompts have in common with them.

A file is read twice, in parts: once to find faults before anything is answered, and once to answer it. So a file of any
length is answered in the memory of one part.
"""

import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from showdown.core.bounds import RequestedData
from showdown.core.errors import UserError
from showdown.core.spec import DataSpec
from showdown.data.clean import clean
from showdown.data.columns import TEXT_NAME
from showdown.data.parts import Parts, table_parts
from showdown.data.read import checked_column
from showdown.data.tables import Table, column_list, find_column
from showdown.prediction.model import Prediction
from showdown.prediction.output import OutputCell, OutputColumn, check_output, write_rows
from showdown.prediction.survey import own_cells, surveyed, unanswered

ANSWERED, ASK_A_PERSON = "answered", "ask a person"
"""What stands in the column `decision`."""
Predict = Callable[[Sequence[str]], Sequence[Prediction]]


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
    threshold: float | None = None
    """Least confidence of an answer, in place of a coverage."""
    top: int = 1
    """Labels of each text that are written with their scores."""

    @property
    def selective(self) -> bool:
        """Return whether answers that are not sure are left out."""
        return self.coverage is not None or self.threshold is not None


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of a file's rows: rows in = rows answered + rows left to a person + rows that the notices name."""

    rows: int
    left_to_person: int
    notices: tuple[str, ...]


def predict_file(file: TextFile, data: RequestedData, predict: Predict, output: Path) -> FileResult:
    """Predict the label of every row of a file, and write them: its own columns, then label and score.

    A row without text stays in its place, with empty cells. The label of a row that is left to a person is empty too.

    Args:
        file: the file.
        data: how the training data were read and cleaned.
        predict: gives a prediction a text.
        output: the file to write (see `prediction/output.py`). Cells are exact, as in the file.

    Raises:
        UserError: for a file that cannot be read or written, or whose text column is not clear.

    """
    check_output(output)
    parts = new_parts(file, data)
    index = _text_column(next(parts()), file.column, data.text or "")
    survey = surveyed(parts, lambda table: checked_column(table, index))
    counts = _Counts()
    answered = _answered(parts, index, data, predict, counts)
    waiting, kind = _until_a_kind(answered)
    own = [OutputColumn(name=name) for name in survey.kept]
    added = [
        OutputColumn(name=free_heading(column.name, survey.kept), is_number=column.is_number)
        for column in _added(kind, file)
    ]
    rows = (
        [*cells, *(_cells(found, file) if found else [None] * len(added))]
        for part in waiting
        for *cells, found in zip(*own_cells(part.table, survey.kept), part.found, strict=True)
    )
    write_rows(output, [*own, *added], rows, standard=standard_ending(file.file))
    return FileResult(
        rows=counts.answered - counts.left,
        left_to_person=counts.left,
        notices=(*unanswered(survey, counts.empty, "text"), *survey.not_kept),
    )


@dataclass
class _Counts:
    """Rows so far."""

    answered: int = 0
    left: int = 0

    def __post_init__(self) -> None:
        self.empty: list[int] = []


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A part of a file with its predictions; None for a row without text."""

    table: Table
    found: list[Prediction | None]


def _answered(parts: Parts, index: int, data: RequestedData, predict: Predict, counts: _Counts) -> Iterator[_Part]:
    for table in parts():
        texts = [cell or "" for cell in checked_column(table, index)]
        has_words = [bool(clean(text, data.clean).strip()) for text in texts]
        predictions = predict([text for text, whether in zip(texts, has_words, strict=True) if whether])
        counts.answered += len(predictions)
        counts.left += sum(not one.sure for one in predictions)
        counts.empty += [number for number, whether in zip(table.numbers, has_words, strict=True) if not whether]
        waiting = iter(predictions)
        yield _Part(table=table, found=[next(waiting) if whether else None for whether in has_words])


def _until_a_kind(parts: Iterator[_Part]) -> tuple[Iterable[_Part], str]:
    """Return the parts again, and what the scores of the first prediction are: it names a column."""
    before = []
    for part in parts:
        before.append(part)
        kind = next((str(one.score_kind) for one in part.found if one), None)
        if kind is not None:
            return itertools.chain(before, parts), kind
    return before, "score"


def _added(kind: str, file: TextFile) -> list[OutputColumn]:
    """Return the columns behind those of the file."""
    found = [OutputColumn(name="predicted"), OutputColumn(name=kind, is_number=True)]
    for place in range(2, file.top + 1):
        found += [OutputColumn(name=f"predicted {place}"), OutputColumn(name=f"{kind} {place}", is_number=True)]
    if file.selective:
        found += [OutputColumn(name="confidence", is_number=True), OutputColumn(name="decision")]
    return found


def _cells(found: Prediction, file: TextFile) -> list[OutputCell]:
    hidden = file.selective and not found.sure
    cells: list[OutputCell] = [None if hidden else found.label, found.score]
    for label, score in found.ranked[1 : file.top]:
        cells += [None if hidden else label, score]
    if file.selective:
        cells += [found.confidence, ANSWERED if found.sure else ASK_A_PERSON]
    return cells


def standard_ending(file: Path) -> str:
    """Return in which format, by its ending, answers to a file go to standard output: as JSON Lines if it is that."""
    return ".jsonl" if file.suffix.lower() in (".jsonl", ".ndjson", ".json") else ".csv"


def new_parts(file: TextFile, data: RequestedData) -> Parts:
    """Return a file in parts, read as the training data were read where it is not named otherwise."""
    return table_parts(
        DataSpec(
            source=str(file.file),
            encoding=file.encoding or data.encoding,
            separator=file.separator or data.separator,
            quoting=data.quoting,
            header=data.header,
        )
    )


def free_heading(heading: str, taken: Container[str]) -> str:
    """Return a heading that no column of the file has."""
    while heading in taken:
        heading += " (model)"
    return heading


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
