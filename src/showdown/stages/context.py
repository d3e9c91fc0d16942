"""What every stage of a run begins with: the run, its folder, its clock, and whom it tells."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from showdown.core.events import EventWriter
from showdown.core.method import Job
from showdown.core.record import Phase
from showdown.core.spec import RunSpec
from showdown.data.prepare import load_labels
from showdown.measure.memory import memory_of
from showdown.measure.phases import PhaseClock
from showdown.measure.system import process_age_seconds
from showdown.stages.artifact import job_of


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """What every part of a stage needs."""

    spec: RunSpec
    folder: Path
    job: Job
    clock: PhaseClock
    events: EventWriter

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge what happens inside to a phase, and tell of it."""
        self.events.phase(name)
        with self.clock.phase(name):
            yield


def open_context(
    spec: RunSpec, folder: Path, processed: Path, events: EventWriter, *, fresh: bool = True
) -> StageContext:
    """Set the stage: seeds, number types, the clock; the process's start and imports are its first phase.

    Args:
        spec: the run.
        folder: the run's folder.
        processed: folder of the processed rows.
        events: told what happens.
        fresh: whether the process began for this stage; of another's start nothing is charged.

    """
    import torch

    job = job_of(spec, load_labels(processed))
    torch.manual_seed(spec.seed)
    if spec.protocol.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    memory = memory_of(job.placement.device)
    started_seconds = process_age_seconds(psutil.Process()) if fresh else 0.0
    peak = memory.peak()
    clock = PhaseClock(memory, events.entered)
    clock.add(
        [
            Phase(
                name="start",
                seconds=round(started_seconds, 4),
                peak_allocated_gb=peak.allocated_gb,
                peak_reserved_gb=peak.reserved_gb,
                peak_device_gb=peak.device_gb,
            )
        ]
    )
    return StageContext(spec=spec, folder=folder, job=job, clock=clock, events=events)
