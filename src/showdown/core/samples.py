"""What the system did while a run went: samples in the run's `system.jsonl`, one JSON object a line."""

import json
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError

from showdown.core.record import SCORING_PHASES, TRAINING_PHASE, TUNING_PHASE, Energy
from showdown.core.strict import Strict

_JOULES_PER_KWH = 3.6e6


class Sample(Strict):
    """The state of the run's process and of its GPU at one moment. What cannot be read is None."""

    seconds: float
    """Since the run's start. A run that was interrupted goes on where its samples end."""
    phase: str | None
    """The phase that was open, named as in the run's record."""
    cpu_percent: float | None
    """Of the run's process since the sample before; 100 is one core."""
    ram_gb: float | None
    """Resident set of the run's process, GB of 1e9 bytes."""
    gpu_utilisation_percent: float | None
    """Share of the last moment in which something ran on the GPU, by its driver."""
    gpu_memory_gb: float | None
    """In use on the device by all processes, GB of 1e9 bytes."""
    gpu_power_watts: float | None
    gpu_temperature_c: float | None
    gpu_energy_joules: float | None
    """Spent by the device since the run's start, by its own counter."""
    others_share: float | None = None
    """Share of all processors that other processes used since the sample before, 0 to 1."""
    load_average: float | None = None
    """The system's 1-minute load average for each processor."""
    gpu_others_percent: float | None = None
    """Use of the GPU by other processes, by its driver."""


def read_samples(path: Path) -> list[Sample]:
    """Read a run's samples in order; empty where there are none. A line that a kill cut short is passed over."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in content.splitlines():
        try:
            found.append(Sample.model_validate(json.loads(line)))
        except (ValueError, ValidationError):
            continue
    return found


def energy_of(samples: Sequence[Sample]) -> Energy | None:
    """Return what the device spent by its own counter; None where the counter cannot be read.

    What was spent between two samples goes to the phase of the first.
    """
    known = [sample for sample in samples if sample.gpu_energy_joules is not None]
    if len(known) < 2:
        return None
    phases = {sample.phase for sample in known}
    return Energy(
        training=_kwh(known, {TRAINING_PHASE}) if TRAINING_PHASE in phases else None,
        run=_kwh(known, None),
        tuning=_kwh(known, {TUNING_PHASE}) if TUNING_PHASE in phases else None,
        scoring=_kwh(known, SCORING_PHASES),
    )


def _kwh(known: Sequence[Sample], phases: Collection[str] | None) -> float:
    joules = sum(
        (after.gpu_energy_joules or 0.0) - (before.gpu_energy_joules or 0.0)
        for before, after in pairwise(known)
        if phases is None or before.phase in phases
    )
    return round(joules / _JOULES_PER_KWH, 9)
