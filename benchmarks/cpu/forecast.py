"""Trainings on a CPU that the forecast is fitted on or judged by, in a process each: memory and seconds a step.

    python -m benchmarks.cpu.forecast --cells proof --out benchmarks/results

As `benchmarks.gpu.forecast`. The processors must be idle; torch takes a thread for each that the process may use.
"""

import time
from typing import Any

from benchmarks.lib.forecast_cells import Cell, measured_cell
from benchmarks.lib.forecast_sets import SETS
from benchmarks.lib.processes import in_a_process
from benchmarks.lib.result import argument_parser, place_of, write_result
from showdown.core.forecast import DeviceProfile
from showdown.forecast.measure import measure_device
from showdown.forecast.profiles import profile_of


def measure(cell: Cell, profile: DeviceProfile) -> dict[str, Any]:
    """Train a cell in this process."""
    return measured_cell(cell, profile)


def main() -> None:
    """Measure the cells of a set and write them."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--cells", choices=list(SETS["cpu"]), default="proof")
    parser.add_argument("--only", default="", metavar="WORD", help="only cells whose name has this word")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first cells")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="every N-th cell from the I-th on")
    parser.add_argument("--device-profile", default="", metavar="NAME", help="a shipped profile; else it is measured")
    parser.add_argument("--seconds", type=float, default=900.0, help="no cell begins after so many")
    options = parser.parse_args()
    begun = time.perf_counter()
    profile = profile_of(options.device_profile) if options.device_profile else measure_device(print, "cpu")
    print(profile.model_dump_json(), flush=True)
    found: dict[str, Any] = {"profile": profile.model_dump(), "cells": []}
    cells = SETS["cpu"][options.cells]()
    part, parts = map(int, options.part.split("/"))
    for cell in cells[options.skip :][part - 1 :: parts]:
        if options.only in cell.name and time.perf_counter() - begun < options.seconds:
            one = in_a_process(measure, (cell, profile), device="cpu", start="spawn", seconds=120)
            one.pop("place", None)
            found["cells"].append({"cell": cell.name, **one})
            found["seconds"] = time.perf_counter() - begun
            write_result(options, found, place=place_of("cpu"))


if __name__ == "__main__":
    main()
