"""Finding a saved model: in a folder of its own, or in a comparison's folder by the name of its arm."""

from pathlib import Path

from showdown.core.artifact import MODEL_FILE, read_confidence, read_description
from showdown.core.bounds import RequestedData, requested_data
from showdown.core.chat import Systems, systems_of
from showdown.core.errors import UserError, suggestion, then
from showdown.core.files import refuse_unsafe
from showdown.core.record import Results, RunRecord
from showdown.core.spec import RunSpec
from showdown.data.prepare import load_side, partition_folder
from showdown.models.source import was_local
from showdown.prediction.model import Model
from showdown.prediction.open import open_model
from showdown.prediction.writer import WriterModel
from showdown.runner.retention import best_of_each_arm
from showdown.runner.store import Store, read_results


def load_model(folder: Path, arm: str | None = None, base: Path | None = None) -> Model | WriterModel:
    """Open a saved model.

    Args:
        folder: a saved model (the folder `artifact` of a run, or a copy of it), or a comparison.
        arm: name of the comparison's arm; None for a saved model.
        base: where the pretrained model is now, if it was a local folder; its files must be the same.

    Raises:
        UserError: when there is no such model, or it is damaged, or cannot run on this machine.

    """
    if (folder / "results.json").is_file():
        return _load_from_comparison(folder, arm, base)
    if arm is None:
        return _load_alone(folder, base)
    if (folder / MODEL_FILE).is_file():
        raise UserError(f"{folder} is a saved model, not a comparison with rows; leave `{arm}` out")
    return _load_from_comparison(folder, arm, base)


def _load_alone(folder: Path, base: Path | None) -> Model | WriterModel:
    """Open a model from its folder alone."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; give a comparison's folder, or a saved model")
    refuse_unsafe(folder)
    description = read_description(folder)
    spec = on_base(description.spec, base)
    _require_base(spec, folder)
    return open_model(
        spec,
        description.labels,
        folder,
        data=RequestedData(text=description.text_column, clean=description.clean, system=description.system),
        confidence=read_confidence(folder),
        fix="copy the whole folder again",
        hint=hint_on_system(description.systems, description.system),
    )


def on_base(spec: RunSpec, base: Path | None) -> RunSpec:
    """Return the spec with the pretrained model in another folder; its revision stays, and is checked when it loads."""
    if base is None:
        return spec
    if not base.is_dir():
        raise UserError(f"--base {base}: no such folder; give the folder of the pretrained model")
    return spec.model_copy(update={"model": spec.model.model_copy(update={"id": str(base)})})


def _require_base(spec: RunSpec, folder: Path) -> None:
    """Refuse a model without its base, which was a local folder elsewhere. A whole network needs no base."""
    if (
        spec.needs == "text"
        or not was_local(spec.model)
        or Path(spec.model.id).is_dir()
        or (folder / "config.json").is_file()
    ):
        return
    raise UserError(
        f"{folder} was trained on the local model `{spec.model.id}`, which is not here; give its folder with --base"
    )


def _load_from_comparison(output: Path, arm: str | None, base: Path | None) -> Model | WriterModel:
    """Open the best saved model of an arm, also one of an earlier version, which does not describe itself."""
    results = read_results(output)
    names = list(dict.fromkeys(run.name for run in results.runs))
    if arm is None:
        raise UserError(
            f"{output} is a comparison: name the row whose model answers (--method); it has {', '.join(names)}"
        )
    record = kept_run(results, output, arm, names)
    folder = Store(output).run_folder(record.run_id)
    data, hint = requested_data(results.comparison), None
    if not record.labels:
        systems, system = _trained_with(results, output, record, data.system)
        data, hint = data.model_copy(update={"system": system}), hint_on_system(systems, system)
    return open_model(
        on_base(record.spec, base),
        record.labels,
        folder / "artifact",
        data=data,
        confidence=record.confidence,
        fix=f"remove {folder} and run the comparison again",
        hint=hint,
    )


def _trained_with(
    results: Results, output: Path, record: RunRecord, requested: str | None
) -> tuple[Systems | None, str | None]:
    """Return which system messages the training prompts of a run had, and the one that all have in common.

    The saved model says so, but for one of an earlier version: then the training rows are looked at, if they are there.
    """
    try:
        description = read_description(Store(output).run_folder(record.run_id) / "artifact")
        if description.systems is not None:
            return description.systems, description.system
        count = int(results.data.get("partitions", 1))
        place = partition_folder(Store(output).processed_folder, record.partition, count)
        return systems_of(load_side(place, "train").texts)
    except (UserError, ValueError):
        return None, requested


def hint_on_system(systems: Systems | None, system: str | None) -> str | None:
    """Return what a user of a model that writes must know of the system message before prompts, or None.

    Args:
        systems: which ones the training prompts had; None where that is not known.
        system: the one that is put before prompts without one.

    """
    if systems == "several":
        return (
            "the prompts of its training had different system messages, so none is put before yours; name one with "
            "--system"
        )
    if systems is None and system is None:
        return (
            "this saved model is of an earlier version and does not say which system message its training prompts had; "
            "if they had one, name it with --system"
        )
    return None


def kept_run(results: Results, output: Path, arm: str, names: list[str]) -> RunRecord:
    """Return the run of an arm whose model was kept: the best on validation rows, where there are several."""
    if arm not in names:
        raise UserError(f"no row `{arm}` in {output}{then(suggestion(arm, names), 'it has ' + ', '.join(names))}")
    store = Store(output)
    kept = [
        run
        for run in results.full_size.runs
        if run.name == arm and run.status == "completed" and (store.run_folder(run.run_id) / "artifact").is_dir()
    ]
    if not kept:
        states = ", ".join(sorted({run.status for run in results.runs if run.name == arm}))
        raise UserError(
            f"no saved model of `{arm}` in {output} (its runs: {states}): it was removed, or not kept; run the "
            "comparison with `keep_models: best`, into another folder where its runs are completed here"
        )
    (best,) = best_of_each_arm(kept)
    return best
