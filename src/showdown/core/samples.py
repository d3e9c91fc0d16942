"""Samples of the system during a run, from the run's `system.jsonl` with one JSON object a line."""

import json
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError

from showdown.core.record import SCORING_PHASES, TRAINING_PHASE, TUNING_PHASE, Energy
from showdown.core.strict import Strict

_JOULES_PER_KWH = 3.6e6


class Sample(Strict):
    """The state of the run's process and of its GPU at one moment. A value that cannot be read is None."""

    seconds: float
    """Time since the start of the run. A resumed run continues at its last sample."""
    phase: str | None
    """The current phase, named as in the run's record."""
    cpu_percent: float | None
    """Processor use of the run's process since the previous sample; 100 is one core."""
    ram_gb: float | None
    """Resident set of the run's process, GB of 1e9 bytes."""
    gpu_utilisation_percent: float | None
    """Share of the driver's last sampling interval in which a kernel ran on the GPU."""
    gpu_memory_gb: float | None
    """Device memory that all processes use, GB of 1e9 bytes."""
    gpu_power_watts: float | None
    gpu_temperature_c: float | None
    gpu_energy_joules: float | None
    """Energy of the device since the start of the run, by its own counter."""
    others_share: float | None = None
    """Share of all processors that other processes used since the previous sample, 0 to 1."""
    load_average: float | None = None
    """The system's 1-minute load average divided by the number of processors."""
    gpu_others_percent: float | None = None
    """Use of the GPU by other processes, as the driver reports it."""


def read_samples(path: Path) -> list[Sample]:
    """Return a run's samples in order; empty when there are none. A line that a kill truncated is skipped."""
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
    """Return the energy of a run by the device's own counter; None when the counter cannot be read.

    The energy between two samples counts for the phase of the first.
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
