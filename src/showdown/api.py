"""Showdown from Python.

results = showdown.run("comparisons/quickstart.yaml", output="out")
print(results.runs[0].accuracy, showdown.judge("out").sentences[0])
print(showdown.load_model("out", "lora").predict(["Eight years of ABAP ..."]))

Every function raises `UserError` for bad input, with the place and the fix in one line.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from showdown.config.target import Target, comparison_for, default_output
from showdown.core.errors import UserError
from showdown.core.record import Results
from showdown.core.spec import Comparison
from showdown.runner.store import read_results

if TYPE_CHECKING:
    from showdown.core.forecast import Forecast
    from showdown.display.display import Display
    from showdown.exporting.export import Exported
    from showdown.folders.listing import Listed
    from showdown.folders.removal import Removal
    from showdown.planning.options import PlanOptions
    from showdown.planning.planned import Planned
    from showdown.prediction.model import Model, Prediction
    from showdown.prediction.writer import Prompt, WriterModel, WrittenAnswer
    from showdown.report.across.beside import Beside
    from showdown.runner.audit import Audited
    from showdown.serving.limits import Limits
    from showdown.serving.options import ServeOptions
    from showdown.start.begin import Begun
    from showdown.verdict.model import Verdict
    from showdown.verdict.options import JudgeOptions


def init(
    source: str | Path,
    *,
    output: Path | str | None = None,
    overrides: Sequence[str] = (),
    hours: float = 1.0,
    force: bool = False,
    say: "Callable[[str], None] | None" = None,
) -> "Begun":
    """Choose a comparison that fits data and machine, and write it as a commented YAML file.

    Args:
        source: a data file, a Hugging Face dataset id, `resumes` or `notes`.
        output: the file; NAME.yaml in this folder by default.
        overrides: `dotted.key=value` each: what is not to be chosen.
        hours: that the comparison may take on this machine, by what is expected.
        force: whether a file that is there is replaced.
        say: called with a line about the data while it goes on.

    """
    from showdown.start.begin import begin

    place = None if output is None else Path(output)
    silent: Callable[[str], None] = lambda line: None  # noqa: E731
    return begin(str(source), output=place, overrides=overrides, hours=hours, force=force, say=say or silent)


def run(
    comparison: Target,
    *,
    output: Path | str | None = None,
    methods: Sequence[str] | None = None,
    add: Sequence[str] = (),
    overrides: Sequence[str] = (),
    display: "Display | None" = None,
) -> Results:
    """Run what is left of a comparison, and return its results.

    Args:
        comparison: a comparison, its mapping, its YAML file, the folder that it was run into, or a data file.
        output: its folder; `showdown-out/NAME` by default.
        methods: the arms to run; by default all of the comparison, or the default methods for a data file.
        add: methods that become arms beside those that there are.
        overrides: `dotted.key=value` each, for a file.
        display: shows the progress; silent by default.

    """
    from showdown.display.display import Silent
    from showdown.runner.execute import execute
    from showdown.trackers.tracked import Tracked

    display = display or Silent()
    requested = comparison_for(comparison, methods=methods, add=add, overrides=overrides, say=display.say)
    if output is not None and not str(output).strip():
        raise UserError("the output folder has no name; name one, or leave it out for showdown-out/NAME")
    folder = Path(output) if output else default_output(requested, comparison)
    if not requested.trackers:
        return execute(requested, folder, display)
    tracked = Tracked(display, requested.trackers, folder, requested.name)
    tracked.complete(results := execute(requested, folder, tracked))
    return results


def dry_run(
    comparison: Target,
    *,
    output: Path | str | None = None,
    methods: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    display: "Display | None" = None,
) -> "Forecast | None":
    """Do all that `run` does before its first run, write nothing, and return the forecast. Arguments are as in `run`.

    None is returned where nothing is left to run, or no forecast can be made here.
    """
    from showdown.display.display import Silent
    from showdown.runner.execute import rehearse

    display = display or Silent()
    requested = comparison_for(comparison, methods=methods, overrides=overrides, say=display.say)
    return rehearse(requested, Path(output) if output else default_output(requested, comparison), display)


def plan(
    comparison: Target,
    *,
    methods: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    **options: Unpack["PlanOptions"],
) -> "Planned":
    """Say what a comparison will need before it runs: memory, time and money of every arm. Nothing is written.

    Runs that are finished in its folder are not counted, unless `gpu` names a device.

    Args:
        comparison: as in `run`; so for the next two.
        methods: the arms.
        overrides: `dotted.key=value` each.
        options: `model`, `gpu`, `gpus`, `price_per_hour`, `output`, `budget`, as in `planning.options.PlanOptions`.

    """
    import json

    from showdown.planning.planned import planned
    from showdown.runner.device import devices_here, devices_named

    budget, gpu, model = options.get("budget"), options.get("gpu"), options.get("model")
    if budget is not None and not 0.0 < budget < float("inf"):
        raise UserError(f"--budget {budget:g}: give an amount above 0")
    count, price = options.get("gpus"), options.get("price_per_hour")
    devices = devices_here(count, price) if gpu is None else devices_named(gpu, count, price)
    given = [] if model is None else [f"model.id={json.dumps(model)}"]
    requested = comparison_for(comparison, methods=methods, overrides=[*given, *overrides])
    output = options.get("output")
    if output is None and gpu is None:
        output = default_output(requested, comparison)
    return planned(requested, devices, budget, None if output is None else Path(output))


def audit(comparison: Comparison, *, listing: Path | None = None) -> "Audited":
    """Audit a comparison's data, and write the rows behind the findings into the CSV `listing`."""
    from showdown.runner.audit import audit as audit_data

    return audit_data(comparison, listing)


def load(output: Path | str) -> Results:
    """Read the results of a comparison's folder."""
    return read_results(Path(output))


def judge(
    output: Path | str, *, limits: Mapping[str, float | None] | None = None, **options: Unpack["JudgeOptions"]
) -> "Verdict":
    """Judge a comparison: intervals, tests, which differences were shown, and which method to take under limits.

    Args:
        limits: `max_memory_gb`, `max_cost`, `min_f1_macro`, `max_latency_ms`, `max_train_seconds`,
            `max_general_loss_rise`; none by default.
        options: `margin_points`, `metric`, `price_per_hour`, `price_per_kwh`, as in `verdict.options.JudgeOptions`.

    """
    return _judged(load(output), output, limits, options)


def _judged(
    results: Results, output: Path | str, limits: Mapping[str, float | None] | None, options: "JudgeOptions"
) -> "Verdict":
    from showdown.verdict.options import checked_limits, checked_margin, checked_price
    from showdown.verdict.summary import judge as judge_results

    return judge_results(
        results,
        Path(output),
        limits=checked_limits(limits),
        price=checked_price(options.get("price_per_hour"), options.get("price_per_kwh")),
        margin_points=checked_margin(options.get("margin_points")),
        metric=options.get("metric"),
    )


def write_reports(
    *outputs: Path | str,
    formats: Sequence[str] | None = None,
    folder: Path | str | None = None,
    **options: Unpack["JudgeOptions"],
) -> list[Path]:
    """Write a comparison's report into its folder, or one of several comparisons; return the files written.

    Args:
        formats: names of formats; for one comparison HTML, Markdown, PDF and figures by default.
        folder: where a report of several goes; by default beside the first of them.
        options: as in `judge`.

    """
    if len(outputs) > 1:
        from showdown.report.across.formats import folder_beside, write_beside

        place = Path(folder) if folder else folder_beside(outputs)
        return write_beside(lambda: beside(*outputs, **options), place, formats)
    from showdown.report.formats import write_reports as write_all

    def judged() -> "tuple[Results, Verdict]":
        results = load(outputs[0])  # once: those of ten thousand runs take half a gigabyte
        return results, _judged(results, outputs[0], None, options)

    return write_all(judged, Path(outputs[0]), formats)


def beside(*outputs: Path | str, **options: Unpack["JudgeOptions"]) -> "Beside":
    """Lay comparisons beside each other: one table, what differs, and what may be said of the differences."""
    from showdown.report.across.beside import lay_folders_beside
    from showdown.verdict.across import Judged

    return lay_folders_beside(
        [Path(output) for output in outputs],
        lambda folder: Judged(results=load(folder), verdict=judge(folder, **options), folder=folder),
    )


def sync(output: Path | str) -> Iterator[tuple[str, str]]:
    """Send what trackers wrote to where each tool's own settings say; yields its name and what was done."""
    from showdown.trackers.upload import upload

    return upload(Path(output), load(output).name)


def export(
    output: Path | str,
    row: str | None,
    folder: Path | str,
    *,
    form: str | None = None,
    base: Path | str | None = None,
    push: str | None = None,
    public: bool = False,
) -> "Exported":
    """Write the saved model of a comparison's row in a form that others use, and score it again on the test rows.

    Args:
        output: the comparison's folder, which keeps the record; reports show it.
        row: of the table.
        folder: where the model and its card go: a new folder, or an empty one.
        form: `adapter`, `merged`, `skops`, `onnx`, `onnx-int8`, `gguf` or `gguf-q8`; by default the first that goes.
        base: where its base model is now, if that was a local folder.
        push: `user/name` on the Hugging Face hub, where it is sent with huggingface_hub's login.
        public: whether a new repository there is public.

    """
    from dataclasses import replace

    from showdown.exporting.export import export as export_model
    from showdown.exporting.push import checked_name
    from showdown.exporting.push import push as push_folder

    name = None if push is None else checked_name(push)
    done = export_model(Path(output), row, Path(folder), form=form, base=None if base is None else Path(base))
    return done if name is None else replace(done, address=push_folder(done.folder, name, public=public))


def load_model(folder: Path | str, row: str | None = None, *, base: Path | str | None = None) -> "Model | WriterModel":
    """Open a saved model (an `artifact` folder or a copy), or that of a row. `base`: where its base model is now."""
    from showdown.prediction.load import load_model as load_saved

    return load_saved(Path(folder), row, None if base is None else Path(base))


def predict(
    output: Path | str,
    row: str,
    texts: "Sequence[Prompt]",
    *,
    coverage: float | None = None,
    threshold: float | None = None,
    top: int = 1,
) -> "list[Prediction] | list[WrittenAnswer]":
    """Answer texts with the saved model of a comparison's row, as its `predict` says.

    For a model that writes, a text may also be a chat: a list of messages, the last of which is the user's.
    """
    from showdown.prediction.writer import WriterModel

    model = load_model(output, row)
    if isinstance(model, WriterModel):
        model.refuse_options(coverage=coverage, threshold=threshold, top=top)
        return model.predict(texts)
    plain = [text for text in texts if isinstance(text, str)]
    if len(plain) < len(texts):
        raise UserError(f"`{row}` gives labels to texts: give each as a str, not as a chat")
    return model.predict(plain, coverage=coverage, threshold=threshold, top=top)


def data_sets(folder: Path | str = ".") -> list[str]:
    """Return a line for each data set that can be had by name; `folder` is where one that was brought would be."""
    from showdown.data.catalogue import catalogue

    return catalogue(Path(folder))


def fetch(name: str, *, folder: Path | str = ".", force: bool = False) -> tuple[Path, list[str]]:
    """Bring a data set, such as `study`, from Kaggle into a folder; return its file, and what is to be known of it."""
    from showdown.data.catalogue import fetch as fetch_set

    return fetch_set(name, Path(folder), force=force)


def comparisons(folder: Path | str = ".") -> "list[Listed]":
    """Return the comparisons in a folder and below it in short, the newest first."""
    from showdown.folders.listing import comparisons_in

    return comparisons_in(Path(folder))


def to_remove(output: Path | str, *, models: bool, keep: Sequence[str] = ()) -> "Removal":
    """Return what would be removed of a comparison. Nothing is removed before it is given to `remove`.

    Args:
        output: its folder.
        models: whether saved models alone are, but for those of the rows `keep`; otherwise all that Showdown wrote.
        keep: rows; by default the one with the best score, and the recommended one.

    """
    from showdown.folders.removal import models_to_remove, whole_comparison

    return models_to_remove(Path(output), keep) if models else whole_comparison(Path(output))


def remove(found: "Removal") -> None:
    """Remove what `to_remove` returned."""
    from showdown.folders.removal import carry_out

    carry_out(found)


def serve(
    folder: Path | str,
    row: str | None = None,
    *,
    limits: "Limits | None" = None,
    say: Callable[[str], None] = lambda _: None,
    **options: Unpack["ServeOptions"],
) -> None:
    """Serve a saved model over HTTP until SIGTERM or SIGINT ends it. Call it from the main thread.

    Args:
        folder: as in `load_model`; so for `row`.
        row: of a comparison.
        limits: of what is accepted, by default those of `showdown serve`.
        say: is told where the server listens, and that it ended.
        options: `base`, `host`, `port`, `token_file`, `coverage`, `system`, as in `serving.options.ServeOptions`.

    """
    from showdown.serving.limits import Limits
    from showdown.serving.run import serve as serve_model

    serve_model(Path(folder), row, limits or Limits(), say, options)
