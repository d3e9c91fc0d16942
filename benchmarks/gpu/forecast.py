"""Trainings on a GPU that the forecast is fitted on or judged by: memory and seconds a step.

    python -m benchmarks.gpu.forecast --cells second-calibration plans proof --out benchmarks/results

Each set has a file of its own, which is written after each cell. Their forecasts are made from these files by the code
as it is (`benchmarks.lib.forecast_proof`); what is measured does not depend on them. Sets are in
`benchmarks/lib/forecast_sets.py`.
"""

import time
from typing import Any

import torch

from benchmarks.lib.forecast_cells import measured_cell
from benchmarks.lib.forecast_sets import SETS
from benchmarks.lib.result import argument_parser, place_of, write_result
from showdown.forecast.measure import measure_device, with_own_launches
from showdown.forecast.needs import CONTEXT_GB
from showdown.forecast.profiles import profile_of


def main() -> None:
    """Measure the cells of sets and write them."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--cells", choices=list(SETS["gpu"]), nargs="+", default=["proof"], metavar="SET")
    parser.add_argument("--only", default="", metavar="WORD", help="only cells whose name has this word")
    parser.add_argument("--device-profile", default="", metavar="NAME", help="a shipped profile; else it is measured")
    parser.add_argument("--memory-gb", type=float, metavar="GB", help="take the GPU for one of so much memory")
    parser.add_argument("--seconds", type=float, default=480.0, help="no cell begins after so many")
    options = parser.parse_args()
    begun = time.perf_counter()
    shipped = options.device_profile
    profile = with_own_launches(profile_of(shipped)) if shipped else measure_device(print)
    if options.memory_gb:
        share = (options.memory_gb - CONTEXT_GB) / profile.memory_gb
        torch.cuda.set_per_process_memory_fraction(share)
        profile = profile.model_copy(update={"memory_gb": options.memory_gb})
    print(profile.model_dump_json(), flush=True)
    place = place_of("cuda")
    for name in options.cells:
        found: dict[str, Any] = {"profile": profile.model_dump(), "cells": []}
        for cell in SETS["gpu"][name]():
            if options.only in cell.name and time.perf_counter() - begun < options.seconds:
                found["cells"].append(measured_cell(cell, profile, plans=name == "plans"))
                found["seconds"] = time.perf_counter() - begun
                write_result(options, found, place=place, variant=None if name == "proof" else name)


if __name__ == "__main__":
    main()
