"""Options that several commands have, and what becomes of them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from showdown.core.errors import UserError

if TYPE_CHECKING:
    from showdown.verdict.options import JudgeOptions

EXIT_SOME_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_FINDINGS = 3

Target = Annotated[
    str,
    typer.Argument(
        help="A comparison (.yaml), the folder of one, or a data file (.csv, .tsv, .jsonl, .json, .parquet), "
        "a Hugging Face dataset id, `resumes` or `notes` for a built-in set."
    ),
]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override a key: --set protocol.epochs=5.")]
Text = Annotated[str | None, typer.Option(help="Column of the text.")]
Label = Annotated[str | None, typer.Option(help="Column of the label.")]
TaskName = Annotated[
    str | None,
    typer.Option("--task", help="classification or generation; guessed from the columns of a data file."),
]
FORMAT_HELP = "markdown, latex, csv, parquet ...; may be given again. Without it: HTML, Markdown, PDF and figures."
PerHour = Annotated[float | None, typer.Option(help="Your price of an hour of the device.")]
PerKwh = Annotated[float | None, typer.Option(help="Your price of a kWh, on top of the hours.")]
Margin = Annotated[
    float | None,
    typer.Option(
        "--margin", help="Points of the metric that a method may be worse and still do as well; 1 by default."
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="Rank by accuracy, f1_macro, mcc, balanced_accuracy, f1:LABEL or average_precision:LABEL; written answers "
        "by exact_match, json_fields, rouge_l, token_loss and others.",
    ),
]
Finished = Annotated[Path, typer.Argument(help="Folder that `showdown run` wrote.")]
SavedModel = Annotated[
    Path, typer.Argument(help="A saved model (a folder `artifact`, or a copy of it), or a comparison's folder.")
]
System = Annotated[
    str | None,
    typer.Option(help="System message before prompts, in place of that of the training; an empty one sends none."),
]
BaseModel = Annotated[Path | None, typer.Option(help="Folder of the local base model, if it moved.")]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--methods",
        metavar="A,B",
        help="Run these rows alone, in this order: rows of the comparison, or methods for a data file. --set is "
        "applied before, and may define a row.",
    ),
]


def folder_named(written: str) -> Path:
    """Return the folder that an option names.

    Raises:
        UserError: for a name that is empty.

    """
    if not written.strip():
        raise UserError("--output has no name; name a folder")
    return Path(written)


def json_of(found: object) -> str:
    """Return JSON for the terminal: letters that it lacks are escaped."""
    import json

    every_letter = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(found, indent=2, ensure_ascii=not every_letter)


def judge_options(
    margin: float | None, metric: str | None, price_per_hour: float | None, price_per_kwh: float | None
) -> "JudgeOptions":
    """Return what a verdict is asked for."""
    return {
        "margin_points": margin,
        "metric": metric,
        "price_per_hour": price_per_hour,
        "price_per_kwh": price_per_kwh,
    }


def given_by(task: str | None, text: str | None, label: str | None) -> list[str]:
    """Return the overrides that options of their own stand for."""
    import json

    given = {"task": task, "data.text": text, "data.label": label}
    return [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
