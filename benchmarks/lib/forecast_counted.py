"""Measured cells of result files, each with its work and its peak as the code as it is counts them."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.lib.forecast_cells import Cell, CellForecast, Steps, forecast_cell
from benchmarks.lib.forecast_sets import SETS
from showdown.core.forecast import DeviceProfile
from showdown.forecast.peak import Peak, memory_path, peak_of
from showdown.forecast.profiles import profile_of
from showdown.forecast.step import weighed

_COUNTED_STEPS = 8
"""Of those that are timed: their work stands for that of all."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A cell as it was measured, and what the code counts."""

    cell: str
    machine: str
    """The file that it comes from: a call of the benchmark on one machine."""
    path: str
    """Whose coefficients it takes. So for the next."""
    memory_path: str
    work: list[dict[str, float]]
    """Of some steps, by kind."""
    peak: Peak
    counted_gb: float
    """Expected of the peak, without a process's libraries on a CPU."""
    process_gb: float
    """Of a process with its libraries on a CPU, as the profile has it; 0 on a GPU."""
    warm: bool
    """Whether its seconds are those of a training of usual length: see `_is_warm`."""
    weights: int
    settings: dict[str, Any]
    seconds: float | None
    """Measured, of a step; None where it ran out of memory."""
    peak_gb: float | None
    """Measured; on a CPU with the profile's libraries in place of those of its process, which made a forecast first."""

    def forecast_seconds(self, coefficients: dict[str, float]) -> float:
        """Return what a step takes by these coefficients."""
        on_gpu = self.path.startswith("gpu")
        return float(np.mean([weighed(step, coefficients, on_gpu=on_gpu) for step in self.work]))


def counted(paths: Sequence[Path], processes: int, shipped: str | None = None) -> list[Counted]:
    """Return the cells of result files, but for those that failed for another reason than memory.

    Args:
        paths: the files.
        processes: that count beside each other.
        shipped: name of a profile in place of that of a file, whose launches and memory it takes.

    """
    jobs = []
    for path in paths:
        results = json.loads(path.read_text())["results"]
        if shipped:
            results["profile"] = _with_launches_of(results["profile"], shipped)
        results["profile"] = _with_usual_launches(results)
        cells = {cell.name: cell for some in SETS[path.parent.name].values() for cell in some()}
        jobs += [
            (cells[one["cell"]], one, results["profile"], path.stem) for one in results["cells"] if one.get("measured")
        ]
    if processes == 1:
        return list(map(_counted, jobs))
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(_counted, jobs))


def _with_usual_launches(results: dict[str, Any]) -> dict[str, Any]:
    """Return a file's profile with the median of the launches measured before each cell, where they were.

    One measurement differs from the next by up to a half, without a relation to the steps behind it.
    """
    profile: dict[str, Any] = results["profile"]
    measured = [cell["launch_us"] for cell in results["cells"] if "launch_us" in cell]
    return profile | {"rates": {**profile["rates"], "launch_us": median(measured)}} if measured else profile


def _with_launches_of(measured: dict[str, Any], shipped: str) -> dict[str, Any]:
    found = profile_of(shipped).model_dump()
    found["rates"]["launch_us"] = measured["rates"]["launch_us"]
    return found | {"memory_gb": measured["memory_gb"]}


def _counted(job: tuple[Cell, dict[str, Any], dict[str, Any], str]) -> Counted:
    cell, found, profile, machine = job
    measured = found["measured"]
    steps = Steps(
        drawn=found["steps"],
        warmup=measured.get("warmup_steps", found.get("warmup_steps", 0)),
        timed=measured.get("steps_timed") if "largest_first" in found else None,
        largest_first=found.get("largest_first", False),
    )
    forecast = forecast_cell(cell, DeviceProfile.model_validate(profile), steps)
    rows, peak = forecast.rows, peak_of(forecast.step)
    libraries_gb = measured.get("libraries_gb", 0.0)
    process_gb = 0.0 if forecast.step.on_gpu else forecast.step.rates.plain("process_gb")
    return Counted(
        cell=cell.name,
        machine=machine,
        path=forecast.step.path,
        memory_path=memory_path(forecast.step),
        work=[
            dict(forecast.step.step_work([rows[row] for row in step])) for step in forecast.measured[:_COUNTED_STEPS]
        ],
        peak=peak,
        counted_gb=peak.allocated_gb.expected - (0.0 if forecast.step.on_gpu else forecast.step.rates.process_gb),
        process_gb=process_gb,
        warm=_is_warm(found, forecast),
        weights=found["weights"],
        settings=found["settings"],
        seconds=measured.get("seconds_a_step"),
        peak_gb=measured["peak_gb"] - libraries_gb + process_gb if "peak_gb" in measured else None,
    )


def _is_warm(found: dict[str, Any], forecast: CellForecast) -> bool:
    """Return whether the steps that were timed are like those of a training of usual length.

    In the first files padded rows on a GPU waited for cuDNN's plans, packs that come in many sizes were still being
    recorded as CUDA graphs, and host memory for the inputs of recomputed layers was still growing.
    """
    if "largest_first" in found or forecast.arm.job.placement.device == "cpu":
        return not found.get("cudnn_plans")
    first = [forecast.rows[row] for row in forecast.measured[0]]
    several = len(forecast.step.packs(first)) > 1 or forecast.settings.recompute
    return forecast.arm.decoder and not several
