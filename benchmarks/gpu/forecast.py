"""Trainings on a GPU that the forecast is fitted on or judged by: memory and seconds a step.

    python -m benchmarks.gpu.forecast --cells second-calibration plans proof --gpus 0,1,2,3 --out benchmarks/results

Each cell is trained in a process of its own, as a run of the product is: in one process, the same steps took up to a
half longer after some minutes. Each set has a file of its own, which is written after each cell. Their forecasts are
made from these files by the code as it is (`benchmarks.lib.forecast_proof`); what is measured does not depend on them.
Sets are in `benchmarks/lib/forecast_sets.py`. Each GPU takes the next cell when it is free.
"""

import time
from itertools import takewhile
from typing import Any

from benchmarks.lib.forecast_cells import Cell, measured_cell
from benchmarks.lib.forecast_sets import SETS
from benchmarks.lib.processes import on_each_gpu, way_to_start
from benchmarks.lib.result import Place, argument_parser, write_result
from showdown.core.forecast import DeviceProfile
from showdown.core.record import GB
from showdown.forecast.measure import measure_device, with_own_launches
from showdown.forecast.needs import CONTEXT_GB
from showdown.forecast.profiles import profile_of

_LIBRARIES = ("bitsandbytes", "peft", "transformers")
_MOST_SECONDS = 120.0
"""Of a cell, and of the profile."""
_VARIANTS: dict[str, str | None] = {"proof": None}
"""Names of files that are not those of their sets."""


def measure_profile(shipped: str, memory_gb: float | None) -> dict[str, Any]:
    """Return the rates of this process's GPU, measured or those that are shipped with the launches of this host.

    Args:
        shipped: name of a shipped profile; empty to measure.
        memory_gb: take the GPU for one of so much memory.

    """
    profile = with_own_launches(profile_of(shipped)) if shipped else measure_device(print)
    return {"profile": profile.model_copy(update={"memory_gb": memory_gb} if memory_gb else {}).model_dump()}


def measure_cell(name: str, cell: Cell, profile: DeviceProfile, memory_gb: float | None) -> dict[str, Any]:
    """Train a cell in this process.

    Args:
        name: of its set.
        cell: the cell.
        profile: of the GPU.
        memory_gb: take the GPU for one of so much memory.

    """
    import torch

    if memory_gb:
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(GB * (memory_gb - CONTEXT_GB) / whole)
    return measured_cell(cell, profile, plans=name == "plans")


def main() -> None:
    """Measure the cells of sets and write them."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--cells", choices=list(SETS["gpu"]), nargs="+", default=["proof"], metavar="SET")
    parser.add_argument("--only", default="", metavar="WORD", help="only cells whose name has this word")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first cells of each set")
    parser.add_argument("--gpus", default="0", help="as in CUDA_VISIBLE_DEVICES")
    parser.add_argument("--device-profile", default="", metavar="NAME", help="a shipped profile; else it is measured")
    parser.add_argument("--memory-gb", type=float, metavar="GB", help="take each GPU for one of so much memory")
    parser.add_argument("--seconds", type=float, default=480.0, help="no cell begins after so many")
    options = parser.parse_args()
    begun, gpus = time.perf_counter(), options.gpus.split(",")
    ways: dict[str, Any] = {"device": "cuda", "start": way_to_start("cuda", _LIBRARIES), "seconds": _MOST_SECONDS}
    ((_, rates),) = on_each_gpu(measure_profile, [(options.device_profile, options.memory_gb)], gpus, **ways)
    profile = DeviceProfile.model_validate(rates["profile"])
    print(profile.model_dump_json(), flush=True)
    cells = [(name, cell) for name in options.cells for cell in SETS["gpu"][name]()[options.skip :]]
    cells = [(name, cell) for name, cell in cells if options.only in cell.name]
    in_time = takewhile(lambda _: time.perf_counter() - begun < options.seconds, cells)
    jobs = ((name, cell, profile, options.memory_gb) for name, cell in in_time)
    measured: dict[int, dict[str, Any]] = {}
    for number, one in on_each_gpu(measure_cell, jobs, gpus, **ways):
        name, cell = cells[number]
        place = Place.model_validate(one.pop("place", rates["place"]))
        measured[number] = {"cell": cell.name, **one}
        found = {
            "profile": profile.model_dump(),
            "cells": [measured[known] for known in sorted(measured) if cells[known][0] == name],
            "seconds": time.perf_counter() - begun,
        }
        write_result(options, found, place=place, variant=options.variant or _VARIANTS.get(name, name))


if __name__ == "__main__":
    main()
