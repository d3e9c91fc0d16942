"""Answers to a file of prompts or chats."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from showdown.data.chats.columns import ChatColumns, choose_prompt_columns
from showdown.data.chats.messages import written_json
from showdown.data.chats.read import read_prompts
from showdown.data.parts import Parts
from showdown.data.tables import Table, Wrong, count, row_list
from showdown.prediction.file import (
    FileResult,
    TextFile,
    free_heading,
    new_parts,
    standard_ending,
)
from showdown.prediction.output import OutputCell, OutputColumn, check_output, write_rows
from showdown.prediction.survey import own_cells, surveyed, unanswered
from showdown.prediction.writer import WriterModel

_ANSWER = "answer"


def answer_file(file: TextFile, model: WriterModel, output: Path) -> FileResult:
    """Write an answer to every prompt of a file: the file's own columns, then `answer`.

    A row without a prompt stays in its place, with an empty answer. Chats are written as JSON.

    Args:
        file: the file; its column holds prompts, or chats whose last message is the user's.
        model: writes the answers.
        output: the file to write (see `prediction/output.py`). Cells are exact, as in the file.

    Raises:
        UserError: for a file that cannot be read or written, whose column is not clear, or with a chat or prompt that
            cannot be answered. The message names the row.

    """
    model.refuse_options(coverage=file.coverage, threshold=file.threshold, top=file.top)
    check_output(output)
    parts = new_parts(file, model.data)
    usual = model.data.text or model.data.messages or model.data.prompt
    columns = choose_prompt_columns(next(parts()), file.column, usual)

    def check(table: Table) -> None:
        rows, prompts = _asked(table, columns, model)
        model.check(prompts, lambda place: _called(table, rows[place]))

    survey = surveyed(parts, check, leave_out=columns.messages)
    empty: list[int] = []
    cut: list[int] = []
    written = [OutputColumn(name=name) for name in (*survey.kept, free_heading(_ANSWER, survey.kept))]
    rows = _rows(parts, columns, model, survey.kept, empty, cut)
    write_rows(output, written, rows, standard=standard_ending(file.file))
    were = "was" if len(cut) == 1 else "were"
    line = f"{count(len(cut), 'answer')} {were} cut at the limit of the comparison ({row_list(cut)})"
    return FileResult(
        rows=survey.rows - len(empty),
        left_to_person=0,
        notices=(*unanswered(survey, empty, "prompt"), *survey.not_kept, *([line] if cut else [])),
    )


def _asked(table: Table, columns: ChatColumns, model: WriterModel) -> tuple[list[int], list[str]]:
    """Return the rows that have a prompt, and their prompts."""
    prompts = read_prompts(table, columns, model.data.system)
    asked = [(number, prompt) for number, prompt in zip(table.numbers, prompts, strict=True) if prompt]
    return [number for number, _ in asked], [prompt for _, prompt in asked]


def _called(table: Table, row: int) -> str:
    return f"{table.place}: row {row}: the prompt"


def _rows(
    parts: Parts,
    columns: ChatColumns,
    model: WriterModel,
    kept: Sequence[str],
    empty: list[int],
    cut: list[int],
) -> Iterator[list[OutputCell]]:
    """Yield the cells of each row with its answer; rows without a prompt, and cut answers, are noted in the lists."""
    for table in parts():
        numbers, prompts = _asked(table, columns, model)
        # The numbers stand for the rows of this part, also where an error is raised while it is answered.
        answers = model.write(prompts, lambda place, table=table, numbers=numbers: _called(table, numbers[place]))  # type: ignore[misc]
        found = dict(zip(numbers, answers, strict=True))
        cut += [number for number, answer in found.items() if not answer.finished]
        empty += [number for number in table.numbers if number not in found]
        for number, *own in zip(table.numbers, *_own(table, kept, columns.messages), strict=True):
            yield [*own, found[number].text if number in found else None]


def _own(table: Table, kept: Sequence[str], chats: str | None) -> list[list[str]]:
    """Return the cells of the file's own columns, chats as JSON."""
    texts = dict(
        zip([name for name in kept if name != chats], own_cells(table, [n for n in kept if n != chats]), strict=True)
    )
    if chats is not None:
        cells = table.column(table.names.index(chats))
        texts[chats] = [written_json(cell.value) if isinstance(cell, Wrong) else cell or "" for cell in cells]
    return [texts[name] for name in kept]
