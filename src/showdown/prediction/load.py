"""Finding a saved model: in a folder of its own, or in a comparison's folder by the name of its arm."""

from pathlib import Path

from showdown.core.artifact import MODEL_FILE, read_confidence, read_description
from showdown.core.bounds import RequestedData, requested_data
from showdown.core.errors import UserError, suggestion, then
from showdown.core.files import refuse_unsafe
from showdown.core.record import Results, RunRecord
from showdown.core.spec import RunSpec
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
    spec = _on_base(description.spec, base)
    _require_base(spec, folder)
    return open_model(
        spec,
        description.labels,
        folder,
        data=RequestedData(text=description.text_column, clean=description.clean, system=description.system),
        confidence=read_confidence(folder),
        fix="copy the whole folder again",
    )


def _on_base(spec: RunSpec, base: Path | None) -> RunSpec:
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
    record = _kept_run(results, output, arm, names)
    folder = Store(output).run_folder(record.run_id)
    return open_model(
        _on_base(record.spec, base),
        record.labels,
        folder / "artifact",
        data=requested_data(results.comparison),
        confidence=record.confidence,
        fix=f"remove {folder} and run the comparison again",
    )


def _kept_run(results: Results, output: Path, arm: str, names: list[str]) -> RunRecord:
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
