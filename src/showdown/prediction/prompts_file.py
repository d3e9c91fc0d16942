"""Answers to a file of prompts or chats."""

import io
from collections.abc import Sequence
from pathlib import Path

from showdown.core.csv_writer import csv_writer
from showdown.core.files import prepare_to_write, write_text
from showdown.data.chats.columns import ChatColumns, choose_prompt_columns
from showdown.data.chats.messages import written_json
from showdown.data.chats.read import read_prompts
from showdown.data.tables import Table, Wrong, count, row_list
from showdown.prediction.file import FileResult, TextFile, free_heading, new_table, own_columns, unanswered
from showdown.prediction.writer import WriterModel, WrittenAnswer

_ANSWER = "answer"


def answer_file(file: TextFile, model: WriterModel, output: Path) -> FileResult:
    """Write an answer to every prompt of a file, as CSV: the file's own columns, then `answer`.

    A row without a prompt stays in its place, with an empty answer. Chats are written as JSON.

    Args:
        file: the file; its column holds prompts, or chats whose last message is the user's.
        model: writes the answers.
        output: the CSV to write. Cells are exact, as in the file.

    Raises:
        UserError: for a file that cannot be read or written, whose column is not clear, or with a chat or prompt that
            cannot be answered. The message names the row.

    """
    model.refuse_coverage(file.coverage)
    prepare_to_write(output)
    table = new_table(file, model.data)
    usual = model.data.text or model.data.messages or model.data.prompt
    columns = choose_prompt_columns(table, file.column, usual)
    prompts = read_prompts(table, columns, model.data.system)
    rows = [number for number, prompt in zip(table.numbers, prompts, strict=True) if prompt]
    answers = model.write(
        [prompt for prompt in prompts if prompt], lambda place: f"{table.place}: row {rows[place]}: the prompt"
    )
    kept, notices = _kept(table, columns)
    write_text(output, _csv(kept, [bool(prompt) for prompt in prompts], answers))
    cut = [row for row, answer in zip(rows, answers, strict=True) if not answer.finished]
    were = "was" if len(cut) == 1 else "were"
    line = f"{count(len(cut), 'answer')} {were} cut at the limit of the comparison ({row_list(cut)})"
    return FileResult(
        rows=len(answers),
        left_to_person=0,
        notices=(
            *unanswered(table, [bool(prompt) for prompt in prompts], "prompt"),
            *notices,
            *([line] if cut else []),
        ),
    )


def _kept(table: Table, columns: ChatColumns) -> tuple[dict[str, list[str]], list[str]]:
    """Return the file's own columns, chats as JSON, in their order, and a line for each that is no text."""
    chats = columns.messages
    kept, notices = own_columns(table, leave_out=chats)
    if chats is None:
        return kept, notices
    cells = table.column(table.names.index(chats))
    kept[chats] = [written_json(cell.value) if isinstance(cell, Wrong) else cell or "" for cell in cells]
    return {name: kept[name] for name in table.names if name in kept}, notices


def _csv(kept: dict[str, list[str]], asked: Sequence[bool], answers: Sequence[WrittenAnswer]) -> str:
    written = io.StringIO()
    writer = csv_writer(written)
    writer.writerow([*kept, free_heading(_ANSWER, kept)])
    waiting = iter(answers)
    for whether, *own in zip(asked, *kept.values(), strict=True):
        writer.writerow([*own, next(waiting).text if whether else ""])
    return written.getvalue()
