"""The command that answers new texts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from showdown.commands.options import BaseModel, SavedModel, System
from showdown.commands.quiet import quiet_libraries
from showdown.core.errors import UserError
from showdown.core.terminal import say

if TYPE_CHECKING:
    from showdown.prediction.file import TextFile
    from showdown.prediction.model import Model
    from showdown.prediction.writer import WriterModel


def predict(  # noqa: PLR0917 - each is an option of the command line
    model: SavedModel,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[METHOD] [FILE]", help="The row, for a comparison's folder; and the file, as --file."),
    ] = None,
    method: Annotated[str | None, typer.Option(help="Row of the table whose saved model predicts.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text or prompt; may be given again.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A file of texts or prompts (.csv, .tsv, .jsonl, .json, .parquet); - is standard input."),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the text, prompt or chat in the file.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            help="File to write, for a file: .csv, .jsonl or .parquet; - is standard output. FILE-predictions.csv by "
            "default.",
        ),
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the file; by default that of the training data.")] = None,
    separator: Annotated[str | None, typer.Option(help="Of the file; by default that of the training data.")] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Answer about this share, the surest, and leave the rest to a person: 0.9.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Leave to a person what is unsure: of a confidence below this, such as 0.7.")
    ] = None,
    top: Annotated[int, typer.Option(help="So many labels of each text, the best first, with their scores.")] = 1,
    system: System = None,
    input_format: Annotated[
        str, typer.Option("--input-format", help="Of standard input: lines (a text each), csv, tsv, jsonl or parquet.")
    ] = "lines",
    base: BaseModel = None,
) -> None:
    """Answer new texts or prompts with a saved model."""
    from showdown import api
    from showdown.prediction.answer import LINES, answer_stream
    from showdown.prediction.file import TextFile
    from showdown.prediction.output import STANDARD
    from showdown.prediction.request import default_file, row_and_file

    quiet_libraries()
    method, file = row_and_file(model, words or [], method, file)
    if (text is None) == (file is None):
        raise UserError("give either --text or --file")
    lines = file == STANDARD and input_format == LINES
    _refuse_useless(file, output, input_format, lines=lines)
    output = output or (STANDARD if file == STANDARD else default_file(file))
    opened = _with_system(api.load_model(model, method, base=base), system)
    if lines:
        for line in answer_stream(opened, sys.stdin, coverage=coverage, threshold=threshold, top=top):
            print(line, flush=True)
    elif file is None or output is None:
        _answer_texts(opened, text or [], coverage=coverage, threshold=threshold, top=top)
    else:
        requested = TextFile(
            file=file,
            column=column,
            encoding=encoding,
            separator=separator,
            coverage=coverage,
            threshold=threshold,
            top=top,
        )
        _answer_file(output, opened, requested, input_format)


def _refuse_useless(file: Path | None, output: Path | None, input_format: str, *, lines: bool) -> None:
    from showdown.prediction.answer import LINES
    from showdown.prediction.output import STANDARD

    if file != STANDARD and input_format != LINES:
        raise UserError("--input-format is for standard input (--file -); a file's own ending says what it is")
    if lines and output is not None:
        raise UserError("--output is for a file; lines of standard input are answered on standard output")


def _with_system(opened: "Model | WriterModel", system: str | None) -> "Model | WriterModel":
    """Return a model with the system message that is asked for, and say what must be known where none is."""
    opened = opened if system is None else opened.with_system(system)
    if opened.hint:
        say(opened.hint, err=True)
    return opened


def _answer_texts(
    opened: "Model | WriterModel", texts: list[str], *, coverage: float | None, threshold: float | None, top: int
) -> None:
    from showdown.prediction.answer import answers_in_lines

    answers, cut = answers_in_lines(opened, texts, coverage, threshold=threshold, top=top)
    for line in answers:
        print(line)
    for line in cut:
        say(line, err=True)


def _answer_file(output: Path, opened: "Model | WriterModel", requested: "TextFile", form: str) -> None:
    from showdown.prediction.answer import answer_into, as_file
    from showdown.prediction.output import STANDARD

    with as_file(requested, form, sys.stdin.buffer) as file:
        done = answer_into(output, opened, file)
    aside = output == STANDARD
    for line in done.notices:
        say(line, err=aside)
    left = f", {done.left_to_person} left to a person" if requested.selective else ""
    say(f"{done.rows} row{'' if done.rows == 1 else 's'} answered{left}{'' if aside else f': {output}'}", err=aside)
