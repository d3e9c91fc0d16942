"""The forecast on a GPU: cells that are forecast, then trained, and both set beside each other.

    python -m benchmarks.gpu.forecast --cells calibration --variant calibration --out benchmarks/results
    python -m benchmarks.gpu.forecast --cells proof --out benchmarks/results

`calibration` measures the GPU (`showdown doctor --measure`) and the trainings that coefficients are fitted on. `proof`
takes the shipped profile, and shapes and lengths that no coefficient has seen. The result is written after each cell.
"""

import time
from typing import Any

from benchmarks.lib.forecast_cells import measured_cell
from benchmarks.lib.forecast_sets import gpu_calibration, gpu_proof
from benchmarks.lib.result import argument_parser, place_of, write_result
from showdown.core.forecast import DeviceProfile
from showdown.forecast.measure import measure_device
from showdown.forecast.profiles import profile_of


def main() -> None:
    """Measure the cells of a set and write them."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--cells", choices=["calibration", "proof"], default="proof")
    parser.add_argument("--only", default="", metavar="WORD", help="only cells whose name has this word")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first cells")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="every N-th cell from the I-th on")
    parser.add_argument("--device-profile", default="", metavar="NAME", help="a shipped profile; else it is measured")
    parser.add_argument("--seconds", type=float, default=480.0, help="no cell begins after so many")
    options = parser.parse_args()
    begun = time.perf_counter()
    profile: DeviceProfile = profile_of(options.device_profile) if options.device_profile else measure_device(print)
    print(profile.model_dump_json(), flush=True)
    place = place_of("cuda")
    found: dict[str, Any] = {"profile": profile.model_dump(), "cells": []}
    cells = gpu_calibration() if options.cells == "calibration" else gpu_proof()
    part, parts = map(int, options.part.split("/"))
    for cell in cells[options.skip :][part - 1 :: parts]:
        if options.only in cell.name and time.perf_counter() - begun < options.seconds:
            found["cells"].append(measured_cell(cell, profile, try_what_does_not_fit=options.cells == "proof"))
            found["seconds"] = time.perf_counter() - begun
            write_result(options, found, place=place)


if __name__ == "__main__":
    main()
