"""The command line: every command is a thin call."""

import contextlib
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from showdown.commands.quiet import quiet_libraries
from showdown.commands.serve import serve
from showdown.core.errors import UserError
from showdown.core.terminal import escape_unencodable, open_console, print_lines, say

if TYPE_CHECKING:
    from showdown.verdict.options import JudgeOptions

EXIT_SOME_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_FINDINGS = 3
EXIT_INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="showdown",
    help="Compare fine-tuning methods on your labelled text, and say when no difference was shown.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Target = Annotated[
    str,
    typer.Argument(
        help="A comparison (.yaml), or a data file (.csv, .tsv, .jsonl, .json, .parquet), a Hugging Face dataset id, "
        "`resumes` or `notes` for a built-in set."
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
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--methods",
        metavar="A,B",
        help="Run these rows alone, in this order: rows of the comparison, or methods for a data file. --set is "
        "applied before, and may define a row.",
    ),
]


class Terminated(BaseException):
    """A signal to end: SIGTERM, or SIGHUP when the terminal is gone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def _folder(written: str) -> Path:
    if not written.strip():
        raise UserError("--output has no name; name a folder")
    return Path(written)


@app.callback(invoke_without_command=True)
def showdown(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Answer a call without a command."""
    if version:
        from importlib.metadata import version as installed

        say(f"showdown {installed('finetuning-showdown')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(EXIT_BAD_INPUT)


@app.command()
def run(
    target: Target,
    text: Text = None,
    label: Label = None,
    output: Annotated[
        Path | None,
        typer.Option(parser=_folder, metavar="PATH", help="Folder to write; showdown-out/NAME by default."),
    ] = None,
    track: Annotated[
        list[str] | None, typer.Option(help="Copy every run's numbers for wandb, mlflow, tensorboard or trackio.")
    ] = None,
    *,
    task: TaskName = None,
    methods: Methods = None,
    gpus: Annotated[
        str | None, typer.Option(metavar="0,1", help="GPUs to use, by number or UUID; all by default, a run on each.")
    ] = None,
    executor: Annotated[str | None, typer.Option(help="Where runs go: local, or ray for a Ray cluster.")] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Of a running cluster; without it Ray is started here.")
    ] = None,
    margin: Margin = None,
    metric: Metric = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the forecast, and stop before the first run.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Run a comparison. Run it again to continue it, or to see its table."""
    import json
    from contextlib import closing

    from showdown import api
    from showdown.config.target import comparison_for, default_output
    from showdown.display.terminal import display_for
    from showdown.report.forecast import forecast_table
    from showdown.report.formats import write_report
    from showdown.report.terminal import print_table

    given = _given(task, text, label)
    given += [f"trackers={json.dumps(track)}"] if track else []
    places = {"gpus": gpus, "executor": executor, "address": address}
    given += [f"{key}={json.dumps(value)}" for key, value in places.items() if value is not None]
    given += [] if margin is None else [f"margin_points={margin}"]
    given += [] if metric is None else [f"protocol.metric={json.dumps(metric)}"]
    comparison = comparison_for(target, methods=methods, overrides=[*given, *(overrides or [])], say=say)
    folder = output or default_output(comparison)
    console = open_console()
    with closing(display_for(console)) as display:
        if dry_run:
            api.dry_run(comparison, output=folder, display=display)
            say("dry run: nothing was written")
            return
        results = api.run(comparison, output=folder, display=display)
    verdict = api.judge(folder)
    print_table(results, verdict, console)
    foreseen = forecast_table(results, folder)
    if foreseen is not None:
        print_lines(["", foreseen.sentence])
    report = write_report("markdown", results, verdict, folder)
    say(f"\nResults: {folder / 'results.json'}\nReport:  {report}\nData:    {folder / 'data' / 'processed'}")
    if any(record.status == "failed" for record in results.runs):
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command()
def plan(
    target: Annotated[str | None, typer.Argument(help="As for `showdown run`; not needed with --history.")] = None,
    text: Text = None,
    label: Label = None,
    *,
    task: TaskName = None,
    model: Annotated[
        str | None, typer.Option(help="Model id, folder, or a config.json alone: no weights are needed.")
    ] = None,
    gpu: Annotated[str | None, typer.Option(help="A device that need not be here, such as h100.")] = None,
    gpus: Annotated[int | None, typer.Option(help="How many; all of this machine by default.")] = None,
    price_per_hour: PerHour = None,
    budget: Annotated[
        float | None, typer.Option(help="Money: which seeds, folds and trials it buys, and what they cannot decide.")
    ] = None,
    methods: Methods = None,
    overrides: Overrides = None,
    machine: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Show how far past forecasts were off.")] = False,
) -> None:
    """Say what a comparison will need before it runs."""
    from showdown import api
    from showdown.planning.history import past_errors
    from showdown.planning.terminal import print_history, print_plan
    from showdown.runner.history import past_gaps

    if history:
        found = past_errors(past_gaps())
        if machine:
            say(_json_of([one.model_dump(mode="json") for one in found]))
        elif found:
            print_history(found, open_console())
        else:
            say("no forecast has been compared with a run yet: `showdown run` does so")
        return
    if target is None:
        raise UserError("name what is to be planned: a comparison (.yaml) or a data file, as for `showdown run`")
    quiet_libraries()
    found_plan = api.plan(
        target,
        model=model,
        gpu=gpu,
        gpus=gpus,
        price_per_hour=price_per_hour,
        budget=budget,
        methods=methods,
        overrides=[*_given(task, text, label), *(overrides or [])],
    )
    if machine:
        say(_json_of(found_plan.model_dump(mode="json")))
    else:
        print_plan(found_plan, open_console())


@app.command()
def audit(
    target: Target,
    text: Text = None,
    label: Label = None,
    output: Annotated[Path | None, typer.Option(help="CSV that lists the rows behind the findings.")] = None,
    machine: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 3 where anything is found.")] = False,
    *,
    task: TaskName = None,
    overrides: Overrides = None,
) -> None:
    """Audit a data file: copies, leaks, rows to look at first."""
    from showdown import api
    from showdown.config.target import comparison_for

    say_guess = partial(say, err=machine)
    comparison = comparison_for(target, overrides=[*_given(task, text, label), *(overrides or [])], say=say_guess)
    found = api.audit(comparison, listing=output)
    if machine:
        say(_json_of({**found.facts, "findings": found.findings}))
    else:
        print_lines(found.lines)
        if output:
            say(f"{found.listed_rows} rows listed: {output}")
    if strict and found.findings:
        raise typer.Exit(EXIT_FINDINGS)


@app.command()
def report(
    outputs: Annotated[list[Path], typer.Argument(metavar="OUTPUT...", help="Folders that `showdown run` wrote.")],
    forms: Annotated[list[str] | None, typer.Option("--format", help=FORMAT_HELP)] = None,
    paper: Annotated[bool, typer.Option("--paper", help="The draft of a paper in LaTeX: --format paper.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--output", parser=_folder, metavar="PATH", help="Where a report of several goes."),
    ] = None,
    *,
    margin: Margin = None,
    metric: Metric = None,
    price_per_hour: PerHour = None,
    price_per_kwh: PerKwh = None,
) -> None:
    """Write a comparison's report, or lay several beside each other."""
    from showdown import api

    requested = [*(forms or []), *(["paper"] if paper else [])]
    options = _judge_options(margin, metric, price_per_hour, price_per_kwh)
    if len(outputs) > 1:
        from showdown.report.across.terminal import print_beside

        print_beside(api.beside(*outputs, **options), open_console())
    elif folder is not None:
        raise UserError("--output is for a report of several comparisons; that of one goes into its folder")
    for path in api.write_reports(*outputs, formats=requested, folder=folder, **options):
        say(path)


@app.command()
def watch(
    output: Finished,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of this machine's loopback; 0 takes a free one.")] = 8484,
) -> None:
    """Follow a comparison on a local page, which becomes its report."""
    from showdown import api
    from showdown.report.formats import write_report
    from showdown.watch.server import WatchServer

    def report() -> Path:
        return write_report("html", api.load(output), api.judge(output), output)

    try:
        with WatchServer(output, port, report) as server:
            say(f"{server.address} follows {output}; Ctrl-C ends it")
            server.serve_forever()
    except KeyboardInterrupt:
        say("ended")


@app.command()
def sync(output: Finished) -> None:
    """Send what trackers wrote to where each tool's own settings say."""
    from showdown import api

    for name, done in api.sync(output):
        say(f"{name}: {done}")


@app.command()
def recommend(
    output: Finished,
    *,
    max_memory_gb: Annotated[float | None, typer.Option(help="Peak memory in GB (1e9 bytes).")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Of training and tuning one model.")] = None,
    min_f1_macro: Annotated[float | None, typer.Option(help="Least macro F1, 0 to 1.")] = None,
    max_latency_ms: Annotated[float | None, typer.Option(help="95th percentile of one text.")] = None,
    max_train_seconds: Annotated[float | None, typer.Option(help="Of one training.")] = None,
    max_general_loss_rise: Annotated[
        float | None, typer.Option(help="Rise of the loss on general text by fine-tuning, in nats a token.")
    ] = None,
    margin: Margin = None,
    metric: Metric = None,
    price_per_hour: PerHour = None,
    price_per_kwh: PerKwh = None,
) -> None:
    """Say which method to take under limits, and what decided it."""
    from showdown import api
    from showdown.report.notes import costs

    limits = {
        "max_memory_gb": max_memory_gb,
        "max_cost": max_cost,
        "min_f1_macro": min_f1_macro,
        "max_latency_ms": max_latency_ms,
        "max_train_seconds": max_train_seconds,
        "max_general_loss_rise": max_general_loss_rise,
    }
    verdict = api.judge(output, limits=limits, **_judge_options(margin, metric, price_per_hour, price_per_kwh))
    found = verdict.recommendation
    priced = max_cost is not None or price_per_hour is not None
    more = [*found.warnings, *found.reasons, *found.flips, *(costs(api.load(output), verdict) if priced else [])]
    print_lines([found.sentence, *(f"- {line}" for line in more)])


@app.command()
def predict(  # noqa: PLR0917 - each is an option of the command line
    model: Annotated[
        Path, typer.Argument(help="A saved model (a folder `artifact`, or a copy of it), or a comparison's folder.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[METHOD] [FILE]", help="The row, for a comparison's folder; and the file, as --file."),
    ] = None,
    method: Annotated[str | None, typer.Option(help="Row of the table whose saved model predicts.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text or prompt; may be given again.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file of texts or prompts (.csv, .tsv, .jsonl, .json, .parquet).")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the text, prompt or chat in the file.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="CSV to write, for a file; FILE-predictions.csv by default.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the file; by default that of the training data.")] = None,
    separator: Annotated[str | None, typer.Option(help="Of the file; by default that of the training data.")] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Answer about this share, the surest, and leave the rest to a person: 0.9.")
    ] = None,
    base: Annotated[Path | None, typer.Option(help="Folder of the local base model, if it moved.")] = None,
) -> None:
    """Answer new texts or prompts with a saved model."""
    from showdown import api
    from showdown.prediction.answer import answer_into, answers_in_lines
    from showdown.prediction.file import TextFile
    from showdown.prediction.request import default_file, row_and_file

    quiet_libraries()
    method, file = row_and_file(model, words or [], method, file)
    if (text is None) == (file is None):
        raise UserError("give either --text or --file")
    output = output or default_file(file)
    opened = api.load_model(model, method, base=base)
    if file is None or output is None:
        lines, cut = answers_in_lines(opened, text or [], coverage)
        for line in lines:
            print(line)
        for line in cut:
            say(line, err=True)
        return
    requested = TextFile(file=file, column=column, encoding=encoding, separator=separator, coverage=coverage)
    done = answer_into(output, opened, requested)
    for line in done.notices:
        say(line)
    left = "" if coverage is None else f", {done.left_to_person} left to a person"
    say(f"{done.rows} row{'' if done.rows == 1 else 's'} answered{left}: {output}")


app.command()(serve)


@app.command()
def methods() -> None:
    """List the methods."""
    from showdown.methods.table import method_lines

    for line in method_lines():
        say(line)


@app.command()
def doctor(
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure this device for forecasts, in under a minute, and keep its rates."),
    ] = False,
) -> None:
    """Check which methods can run here, and how to fix the others."""
    from showdown.runner.doctor import check_machine, measure_machine

    if measure:
        for line in measure_machine(say):
            say(line)
        return

    for line in check_machine():
        say(line)


def _json_of(found: object) -> str:
    """Return JSON for the terminal: letters that it lacks are escaped."""
    import json

    every_letter = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(found, indent=2, ensure_ascii=not every_letter)


def _judge_options(
    margin: float | None, metric: str | None, price_per_hour: float | None, price_per_kwh: float | None
) -> "JudgeOptions":
    return {
        "margin_points": margin,
        "metric": metric,
        "price_per_hour": price_per_hour,
        "price_per_kwh": price_per_kwh,
    }


def _given(task: str | None, text: str | None, label: str | None) -> list[str]:
    """Return the overrides that options of their own stand for."""
    import json

    given = {"task": task, "data.text": text, "data.label": label}
    return [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]


def _terminated(signal_number: int, frame: FrameType | None) -> NoReturn:
    del frame
    raise Terminated(signal_number)


def _leave(message: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # the terminal may be gone
        say(message, err=True)
    sys.exit(code)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; bad input is one line and exit code 2."""
    escape_unencodable()
    signal.signal(signal.SIGTERM, _terminated)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        signal.signal(signal.SIGHUP, _terminated)
    try:
        code = app(args=arguments, standalone_mode=False)
    except UserError as error:
        _leave(f"error: {error}", EXIT_BAD_INPUT)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _leave(f"error: {place}{error.strerror or str(error).splitlines()[0]}", EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        _leave("stopped; run the same command again to continue", EXIT_INTERRUPTED)
    except Terminated as ended:
        _leave("terminated; run the same command again to continue", ended.exit_code)
    except typer.Abort:
        _leave("stopped; run the same command again to continue", EXIT_INTERRUPTED)
    except Exception as error:
        # A usage error. Typer carries its own copy of click, so that the class of the error has no stable name.
        if not hasattr(error, "format_message"):
            raise
        message = " ".join(str(error.format_message()).split()).rstrip(".")
        _leave(f"error: {message}. See `showdown --help`, or `showdown COMMAND --help`.", EXIT_BAD_INPUT)
    if code == EXIT_INTERRUPTED:  # Typer's own code for Ctrl-C, without a message
        _leave("stopped; run the same command again to continue", EXIT_INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
