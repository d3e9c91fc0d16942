"""The command that exports a model."""

from pathlib import Path
from typing import Annotated

import typer

from showdown.commands.options import BaseModel, Finished
from showdown.commands.quiet import quiet_libraries
from showdown.core.errors import UserError
from showdown.core.terminal import open_console, print_lines, say

_FORMS = "adapter, merged, skops, onnx, onnx-int8, gguf or gguf-q8; the first that the model can have by default."


def export(
    output: Finished,
    *,
    method: Annotated[str | None, typer.Option(help="Row of the table whose saved model is exported.")] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Folder to write: new, or empty.")] = None,
    form: Annotated[str | None, typer.Option(help=_FORMS)] = None,
    merged: Annotated[
        bool, typer.Option("--merged", help="The whole network, adapters merged in: --form merged.")
    ] = False,
    push: Annotated[str | None, typer.Option(metavar="USER/NAME", help="Send it to the Hugging Face hub too.")] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: a new repository is public.")] = False,
    base: BaseModel = None,
) -> None:
    """Export a saved model for others, scored again on the test rows."""
    from showdown import api
    from showdown.report.exports import exports_table
    from showdown.report.terminal import print_grid

    if to is None:
        raise UserError("name the folder to write with --to DIR")
    if merged and form not in (None, "merged"):
        raise UserError(f"--merged and --form {form}: give one of them")
    if public and push is None:
        raise UserError("--public is for --push USER/NAME")
    quiet_libraries()
    done = api.export(output, method, to, form="merged" if merged else form, base=base, push=push, public=public)
    table = exports_table(api.load(output), [done.record])
    print_grid(table.headings, table.rows, open_console(), left=table.words, elsewhere="see the model's card")
    print_lines([*table.notes, *done.record.notes])
    say(f"\nModel: {done.folder}\nCard:  {done.folder / 'README.md'}")
    if done.address:
        say(f"Hub:   {done.address}")
