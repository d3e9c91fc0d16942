"""The command line: every command is a thin call."""

import contextlib
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from showdown.commands import folders, start
from showdown.commands.export import export
from showdown.commands.options import (
    EXIT_BAD_INPUT,
    EXIT_FINDINGS,
    EXIT_SOME_FAILED,
    FORMAT_HELP,
    Finished,
    Label,
    Margin,
    Methods,
    Metric,
    Overrides,
    PerHour,
    PerKwh,
    Target,
    TaskName,
    Text,
    folder_named,
    given_by,
    json_of,
    judge_options,
)
from showdown.commands.predict import predict
from showdown.commands.quiet import quiet_libraries
from showdown.commands.serve import serve
from showdown.core.errors import UserError
from showdown.core.terminal import escape_unencodable, open_console, print_lines, say
from showdown.core.version import VERSION

EXIT_INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="showdown",
    help="Compare fine-tuning methods on your labelled text, and say when no difference was shown.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Terminated(BaseException):
    """A signal to end: SIGTERM, or SIGHUP when the terminal is gone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@app.callback(invoke_without_command=True)
def showdown(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Answer a call without a command."""
    if version:
        say(f"showdown {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(EXIT_BAD_INPUT)


app.command()(start.init)


@app.command()
def run(
    target: Target,
    text: Text = None,
    label: Label = None,
    output: Annotated[
        Path | None,
        typer.Option(parser=folder_named, metavar="PATH", help="Folder to write; showdown-out/NAME by default."),
    ] = None,
    track: Annotated[
        list[str] | None, typer.Option(help="Copy every run's numbers for wandb, mlflow, tensorboard or trackio.")
    ] = None,
    *,
    task: TaskName = None,
    methods: Methods = None,
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="More methods, as rows beside those that there are; finished runs stay."),
    ] = None,
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
    """Run a comparison, or continue it and see its table."""
    import json
    from contextlib import closing

    from showdown import api
    from showdown.config.target import comparison_for, default_output
    from showdown.display.terminal import display_for
    from showdown.report.forecast import forecast_table
    from showdown.report.formats import write_report
    from showdown.report.terminal import print_table

    given = given_by(task, text, label)
    given += [f"trackers={json.dumps(track)}"] if track else []
    places = {"gpus": gpus, "executor": executor, "address": address}
    given += [f"{key}={json.dumps(value)}" for key, value in places.items() if value is not None]
    given += [] if margin is None else [f"margin_points={margin}"]
    given += [] if metric is None else [f"protocol.metric={json.dumps(metric)}"]
    comparison = comparison_for(target, methods=methods, add=add or (), overrides=[*given, *(overrides or [])], say=say)
    folder = output or default_output(comparison, target)
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
    output: Annotated[
        Path | None,
        typer.Option(
            parser=folder_named,
            metavar="PATH",
            help="Folder whose finished runs are not counted; that of `showdown run` by default, none with --gpu.",
        ),
    ] = None,
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
            say(json_of([one.model_dump(mode="json") for one in found]))
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
        output=output,
        budget=budget,
        methods=methods,
        overrides=[*given_by(task, text, label), *(overrides or [])],
    )
    if machine:
        say(json_of(found_plan.model_dump(mode="json")))
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
    comparison = comparison_for(target, overrides=[*given_by(task, text, label), *(overrides or [])], say=say_guess)
    found = api.audit(comparison, listing=output)
    if machine:
        say(json_of({**found.facts, "findings": found.findings}))
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
        typer.Option("--output", parser=folder_named, metavar="PATH", help="Where a report of several goes."),
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
    options = judge_options(margin, metric, price_per_hour, price_per_kwh)
    if len(outputs) > 1:
        from showdown.report.across.terminal import print_beside

        print_beside(api.beside(*outputs, **options), open_console())
    elif folder is not None:
        raise UserError("--output is for a report of several comparisons; that of one goes into its folder")
    for path in api.write_reports(*outputs, formats=requested, folder=folder, **options):
        say(path)


app.command()(folders.show)
app.command()(folders.ls)
app.command()(folders.rm)


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
    verdict = api.judge(output, limits=limits, **judge_options(margin, metric, price_per_hour, price_per_kwh))
    found = verdict.recommendation
    priced = max_cost is not None or price_per_hour is not None
    more = [*found.warnings, *found.reasons, *found.flips, *(costs(api.load(output), verdict) if priced else [])]
    print_lines([found.sentence, *(f"- {line}" for line in more)])


app.command()(predict)
app.command()(export)


app.command()(serve)


@app.command()
def methods() -> None:
    """List the methods."""
    from showdown.methods.table import method_lines

    for line in method_lines():
        say(line)


app.command()(start.data)
app.command()(start.doctor)


def _terminated(signal_number: int, frame: FrameType | None) -> NoReturn:
    del frame
    raise Terminated(signal_number)


def _leave(message: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # the terminal may be gone
        say(message, err=True)
    sys.exit(code)


def _on_terminal() -> bool:
    """Return whether what is said goes to a terminal that is still there."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; bad input is one line and exit code 2."""
    escape_unencodable()
    signal.signal(signal.SIGTERM, _terminated)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        signal.signal(signal.SIGHUP, _terminated)
    on_terminal = _on_terminal()
    try:
        code = app(args=arguments, standalone_mode=False)
    except UserError as error:
        _leave(f"error: {error}", EXIT_BAD_INPUT)
    except OSError as error:
        if on_terminal and not _on_terminal():  # writing to it may fail before its SIGHUP is handled
            sys.exit(128 + signal.SIGHUP)
        place = f"{error.filename}: " if error.filename else ""
        _leave(f"error: {place}{error.strerror or str(error).splitlines()[0]}", EXIT_BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        _leave("stopped; run the same command again to continue", EXIT_INTERRUPTED)
    except Terminated as ended:
        _leave("terminated; run the same command again to continue", ended.exit_code)
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
