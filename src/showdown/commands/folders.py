"""Commands about folders that hold comparisons: show, ls, rm."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from showdown.commands.options import Finished, Margin, Metric, PerHour, PerKwh, json_of, judge_options
from showdown.core.errors import UserError
from showdown.core.terminal import can_ask, confirmed, open_console, say

if TYPE_CHECKING:
    from showdown.folders.listing import Listed

_HEADINGS = ["Folder", "State", "Best method", "Size", "Rows", "Model", "Task", "Name", "Written"]
_DEPTH = "four levels"
_WORTH_SAYING_GB = 0.05
_LEAVING = ["Name", "Task", "Written", "Model", "Rows", "Size"]


def show(
    output: Finished,
    *,
    margin: Margin = None,
    metric: Metric = None,
    price_per_hour: PerHour = None,
    price_per_kwh: PerKwh = None,
) -> None:
    """Print a comparison's table and verdict again."""
    from showdown import api
    from showdown.report.terminal import print_table

    verdict = api.judge(output, **judge_options(margin, metric, price_per_hour, price_per_kwh))
    results = api.load(output)
    print_table(results, verdict, open_console())
    waiting = sum(run.status == "waiting" for run in results.runs)
    if waiting:
        say(f"\n{waiting} of {len(results.runs)} runs are left: `showdown run {output}` goes on with them")


def ls(
    folder: Annotated[Path, typer.Argument(help="Looked through, four levels deep.")] = Path(),
    *,
    machine: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """List the comparisons here: state, best method, size."""
    from showdown import api
    from showdown.report.terminal import print_grid

    found = api.comparisons(folder)
    if machine:
        say(json_of([one.model_dump(mode="json") for one in found]))
        return
    if not found:
        say(f"no comparison in {folder.resolve()} or {_DEPTH} below; `showdown run` writes one into showdown-out")
        return
    print_grid(
        _HEADINGS, list(map(_cells, found)), open_console(), left=3, leaving=_LEAVING, elsewhere="--json has all"
    )
    for one in found:
        if one.why is not None:
            say(f"{one.folder}: {one.why}")
    models = sum(one.models_gb for one in found)
    if models >= _WORTH_SAYING_GB:
        say(f"Saved models take {_size(models)} of this; `showdown rm FOLDER --models` removes all but the best")


def rm(
    output: Finished,
    *,
    models: Annotated[
        bool, typer.Option("--models", help="The saved models of finished runs; results and predictions stay.")
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD",
            help="Row whose best model stays, for --models; may be given again. Without it: the one with the best "
            "score, and the recommended one.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole comparison.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a comparison's saved models, or all of it."""
    from showdown import api

    if models == everything:
        raise UserError("say what to remove: --models (results and predictions stay), or --all (the whole comparison)")
    if keep and everything:
        raise UserError("--keep is for --models; --all keeps nothing")
    found = api.to_remove(output, models=models, keep=keep or ())
    if not found.paths:
        say(f"nothing to remove in {output}: {'; '.join(found.says[1:]) or found.says[0]}")
        return
    for line in found.says:
        say(line)
    if not yes:
        if not can_ask():
            raise UserError("not a terminal, where you could be asked: add --yes to remove this")
        if not confirmed(f"Remove {_size(found.size_gb)}?"):
            say("nothing was removed")
            return
    api.remove(found)
    say(f"removed; {_size(found.size_gb)} are free again")


def _size(gigabytes: float) -> str:
    from showdown.folders.removal import shown_size

    return shown_size(gigabytes)


def _cells(one: "Listed") -> list[str]:
    failed = f", {one.failed} without a score" if one.failed else ""
    state = f"{one.state}, {one.ended} of {one.runs} runs{failed}" if one.runs is not None else one.state
    if one.state == "finished":
        state = f"finished{failed}"
    best = "-" if one.best is None else f"{one.best}, {one.score}"
    rows = "-" if one.rows is None else f"{one.rows:,}"
    written = one.changed.replace("T", " ")[: len("2026-01-01 12:00")]
    return [one.folder, state, best, _size(one.size_gb), rows, one.model or "-", one.task, one.name, f"{written} UTC"]
