"""What is left to do of a comparison: its finished runs, and the stages of the others that are whole."""

from collections.abc import Callable, Sequence
from pathlib import Path

from showdown.core.events import StageName
from showdown.core.files import read_file, write_json
from showdown.core.manifest import damage
from showdown.core.predictions import digest, torn_predictions
from showdown.core.record import RunRecord, Status
from showdown.core.spec import RunSpec
from showdown.methods.table import is_tuned
from showdown.runner.memory import with_current_spec
from showdown.runner.memory_retry import why_try_again
from showdown.runner.prepared import Ready
from showdown.runner.record import run_record
from showdown.runner.stage_trace import ended_for_memory, remove_trace
from showdown.runner.store import RESULT_FILE, SCORE_FILE, TRAIN_FILE, TUNE_FILE, Store, read_record, read_stage
from showdown.stages.results import ScoreStage, StageError, TrainStage, TuneStage

_FINAL: tuple[Status, ...] = ("completed", "diverged", "out-of-memory")
"""What is not tried again, because it would come out the same. `out-of-memory` is tried again with more memory."""

PREDICTIONS_FILE = "predictions.csv"
Say = Callable[[str], None]


def finished_record(store: Store, ready: Ready, spec: RunSpec, say: Say) -> RunRecord | None:
    """Return the record of a run that is over; None where it is still to be done.

    Args:
        store: the comparison's folder, which is locked.
        ready: the comparison.
        spec: the run.
        say: gets a line where a run is done again.

    Raises:
        UserError: when another version of Showdown wrote the run's files.

    """
    record = _final_record(store, ready, spec, say)
    if record is None:
        store.refuse_other_stage_files(spec.run_id)
        remove_trace(store.run_folder(spec.run_id))  # a trace means from now on that a stage is running
    return record


def left_of(specs: Sequence[RunSpec], store: Store) -> list[RunSpec]:
    """Return the runs that are still to be done, without touching their folder.

    Args:
        specs: all runs of a comparison.
        store: its folder, in which another process may work.

    Raises:
        UserError: when another version of Showdown wrote the record of a run.

    """
    return [spec for spec in specs if not _is_over(spec, store)]


def _is_over(spec: RunSpec, store: Store) -> bool:
    record = read_record(store.run_folder(spec.run_id) / RESULT_FILE)
    return record is not None and record.status in _FINAL and _why_again(store, spec, record) is None


def _final_record(store: Store, ready: Ready, spec: RunSpec, say: Say) -> RunRecord | None:
    folder = store.run_folder(spec.run_id)
    path = folder / RESULT_FILE
    record = read_record(path)
    if record is None:
        if path.exists():
            say(f"{path} is cut short; the run is done again")
        why = ended_for_memory(folder)
        return _killed_before(store, ready, spec, why, say) if why else None
    if again := _why_again(store, spec, record):
        say(again)
        return None
    # Settings that are no part of a run's identity may have changed since.
    return with_current_spec(record, spec) if record.status in _FINAL else None


def _why_again(store: Store, spec: RunSpec, record: RunRecord) -> str | None:
    """Return why a run with a record is done again, in a line; None where nothing asks for it."""
    if torn := torn_predictions(store.root, record):
        return torn
    if record.status == "out-of-memory" and (why := why_try_again(record, store.run_folder(spec.run_id))):
        return f"{spec.name}, seed {spec.seed}: out of memory before, {why}; it is done again"
    return None


def _killed_before(store: Store, ready: Ready, spec: RunSpec, why: str, say: Say) -> RunRecord:
    """Record a run that ended for memory together with the whole comparison, rather than start it to end again."""
    folder = store.run_folder(spec.run_id)
    error = f"the comparison before this one was {why}; with more memory it is tried again, or remove {folder}"
    record = run_record(spec, store, ready, StageError(status="out-of-memory", error=error))
    say(f"{spec.name}, seed {spec.seed}: out-of-memory: {error}")
    write_json(folder / RESULT_FILE, record.model_dump(mode="json"))
    return record


def is_due(store: Store, spec: RunSpec, stage: StageName, say: Say) -> bool:
    """Tell whether a stage of a run is still to be done.

    Args:
        store: the comparison's folder.
        spec: the run.
        stage: which.
        say: gets a line where a stage is damaged and done again.

    """
    folder = store.run_folder(spec.run_id)
    if stage == "tune":
        return is_tuned(spec) and read_stage(TuneStage, folder / TUNE_FILE) is None
    return stage == "score" or not _is_trained(folder, say)


def is_whole(folder: Path, stage: StageName) -> bool:
    """Tell whether the files of a stage lie in a run's folder, whole. Those of an earlier scoring count too.

    Args:
        folder: the run's.
        stage: which.

    """
    if stage == "tune":
        return read_stage(TuneStage, folder / TUNE_FILE) is not None
    if stage == "train":
        return _is_trained(folder, lambda line: None)
    scored = read_stage(ScoreStage, folder / SCORE_FILE) if stage == "score" else None
    if scored is None or scored.predictions_sha256 is None:
        return False
    try:
        return digest(read_file(folder / PREDICTIONS_FILE)) == scored.predictions_sha256
    except OSError:
        return False


def _is_trained(folder: Path, say: Say) -> bool:
    """Tell whether the training stage of an interrupted run is whole."""
    path = folder / TRAIN_FILE
    if read_stage(TrainStage, path) is None:
        if path.exists():
            say(f"{path} is cut short; the run is done again")
        return False
    fault = damage(folder / "artifact")
    if fault:
        say(f"damaged model ignored: {fault} is cut short or missing; the run is done again")
    return fault is None
