"""Giving each run its memory settings before the first one starts."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from showdown.core.files import read_file, write_json
from showdown.core.memory import MemorySettings
from showdown.core.method import TunedMethod
from showdown.core.record import RunRecord
from showdown.core.spec import RunSpec
from showdown.measure.system import has_gpu
from showdown.methods.table import method_class
from showdown.runner.store import Store
from showdown.stages.devices import devices_of_runs
from showdown.stages.memory_plan import read_plan
from showdown.stages.results import StageError


def trains(spec: RunSpec) -> bool:
    """Return whether a run fine-tunes a network, which is what memory is planned for."""
    return issubclass(method_class(spec.method), TunedMethod)


def with_memory(
    waiting: Sequence[RunSpec],
    store: Store,
    plan_stage: Callable[[Path], StageError | None],
    *,
    gpu: bool = False,
    slots: int = 1,
    together: Literal["auto"] | int = 1,
) -> tuple[list[RunSpec], StageError | None]:
    """Return the runs with the memory settings of the comparison's plan.

    On a machine without a GPU nothing is planned. A run that is trained already, but not yet scored, keeps the settings
    that it was trained with.

    Args:
        waiting: the runs that are not finished.
        store: the comparison's folder, with its `comparison.json` and the processed rows.
        plan_stage: runs the stage `plan` with the folder of one run, and returns its error.
        gpu: whether runs go to machines with a GPU, whether or not this one has one.
        slots: GPUs that can train one run together.
        together: how many of them do, the comparison's `gpus_per_run`.

    Returns:
        The runs, and the error of the plan: the runs that train then have no settings and cannot start.

    """
    training = [spec for spec in waiting if trains(spec)]
    if not training or not (gpu or has_gpu()):
        return list(waiting), None
    folder = store.run_folder(training[0].run_id)
    folder.mkdir(parents=True, exist_ok=True)
    trained_with = {spec.run_id: _trained_with(store.run_folder(spec.run_id)) for spec in training}
    first = training[0].model_copy(update={"memory": trained_with[training[0].run_id]})
    write_json(folder / "spec.json", first.model_dump(mode="json"))
    error = plan_stage(folder)
    plan = read_plan(store.root)
    if error or plan is None:
        return list(waiting), error or StageError(status="failed", error=f"no memory plan in {store.root}")
    left = [spec for spec in training if trained_with[spec.run_id] is None]
    rule = devices_of_runs(
        len(left),
        slots=slots,
        gpus_per_run=together,
        deterministic=any(spec.protocol.deterministic for spec in left),
    )
    return [
        spec.model_copy(update={"memory": trained_with.get(spec.run_id) or rule.settings(spec.name, plan.offers)})
        for spec in waiting
    ], None


def with_current_spec(record: RunRecord, spec: RunSpec) -> RunRecord:
    """Return the record of a finished run with the spec of today, but with the memory settings that it ran with."""
    return record.model_copy(update={"spec": spec.model_copy(update={"memory": record.spec.memory})})


def _trained_with(folder: Path) -> MemorySettings | None:
    """Return the memory settings of a training that is over; None where there is none."""
    if not (folder / "train.json").exists():
        return None
    try:
        return RunSpec.model_validate_json(read_file(folder / "spec.json")).memory
    except (OSError, ValueError):
        return None
