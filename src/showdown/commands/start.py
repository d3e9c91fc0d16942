"""Commands that a newcomer meets first: init, data, doctor."""

import json
from pathlib import Path
from typing import Annotated

import typer

from showdown.commands.options import (
    EXIT_SOME_FAILED,
    Label,
    Overrides,
    TaskName,
    Text,
    given_by,
)
from showdown.commands.quiet import quiet_libraries
from showdown.core.errors import UserError
from showdown.core.terminal import ask, can_ask, print_lines, say


def init(
    source: Annotated[
        str | None,
        typer.Argument(help="A data file, or `resumes` or `notes` for a built-in set; asked for at a terminal."),
    ] = None,
    *,
    hub: Annotated[str | None, typer.Option(metavar="USER/DATASET", help="A dataset of the Hugging Face Hub.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model id or folder; the built-in one of the task by default.")
    ] = None,
    task: TaskName = None,
    text: Text = None,
    label: Label = None,
    hours: Annotated[float, typer.Option(help="That the comparison may take on this machine.")] = 1.0,
    output: Annotated[Path | None, typer.Option(help="File to write; NAME.yaml here by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    overrides: Overrides = None,
) -> None:
    """Write a commented comparison for your data and this machine."""
    from showdown import api
    from showdown.config.guess import guessed_task
    from showdown.start.questions import asked_columns, asked_model, asked_source, asked_task

    if source is not None and hub is not None:
        raise UserError(f"give either {source} or --hub {hub}")
    quiet_libraries()
    given = [*given_by(task, text, label), *(overrides or [])]
    given += [] if model is None else [f"model.id={json.dumps(model)}"]
    data = source if hub is None else hub
    if data is None and not can_ask():
        raise UserError("name your data, as in `showdown init reviews.csv`; at a terminal it is asked for")
    if can_ask():
        everything = data is None
        data = data or asked_source(ask, say)
        if everything and not any(words.startswith("task=") for words in given):
            given.append(f"task={json.dumps(asked_task(data, given, ask, say))}")
        named = next((words.partition("=")[2].strip("\"' ") for words in given if words.startswith("task=")), None)
        given += asked_columns(data, named or guessed_task(data, given)[0], given, ask, say)
        if everything and model is None:
            given.append(f"model.id={json.dumps(asked_model(named or guessed_task(data, given)[0], ask, say))}")
    assert data is not None
    begun = api.init(data, output=output, overrides=given, hours=hours, force=force, say=say)
    print_lines(begun.lines)


def data(
    name: Annotated[str | None, typer.Argument(help="What to bring, as `study`; without it, what there is.")] = None,
    *,
    folder: Annotated[Path, typer.Option("--output", help="Folder to write into.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Bring it anew where it is here already.")] = False,
) -> None:
    """List data sets, or bring the study's from Kaggle."""
    from showdown import api

    if name is None:
        print_lines(api.data_sets(folder))
        return
    path, lines = api.fetch(name, folder=folder, force=force)
    for line in lines:
        say(line)
    say(f"{path}: `showdown run comparisons/study.yaml --set data.source={path}`, or `showdown init {path}`")


def doctor(
    *,
    report: Annotated[
        bool, typer.Option("--report", help="Print a text for a bug report: no token, no names, no paths of yours.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure this device for forecasts, in under a minute, and keep its rates."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Keep rates that were measured beside other work, for --measure.")
    ] = False,
) -> None:
    """Check what works on this machine, and how to fix the rest."""
    from showdown.doctor.bug_report import bug_report
    from showdown.doctor.check import lines_of
    from showdown.doctor.examine import examine
    from showdown.doctor.fits import fitting_lines
    from showdown.doctor.measuring import measure_machine

    if report and measure:
        raise UserError("give either --report or --measure")
    if force and not measure:
        raise UserError("--force is for --measure")
    quiet_libraries()
    if report:
        say(bug_report())
        return
    if measure:
        found = measure_machine(say, force=force)
        print_lines(found.lines)
        if not found.kept:
            raise typer.Exit(EXIT_SOME_FAILED)
        return
    for line in lines_of(examine()):
        say(line)
    say("")
    for line in fitting_lines():
        say(line)
