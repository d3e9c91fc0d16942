"""Fits the forecast's coefficients and spreads on the cells of the calibration sets, and writes `fitted.json`.

    python -m benchmarks.lib.forecast_fit benchmarks/results/gpu/forecast-calibration.json \
        benchmarks/results/cpu/forecast-calibration.json --out src/showdown/forecast/fitted.json

Each path (a GPU or a CPU; decoders that the engine packs, or other modules) has its own coefficients, one for each kind
of work. They minimise the squared logarithms of forecast over measured seconds, and of each coefficient over what it is
beforehand, so that a kind that no cell tells apart keeps its value. Work is counted anew by the code as it is; what was
measured is read from the files.
"""

import argparse
import json
import math
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lib.forecast_cells import Cell, forecast_cell
from benchmarks.lib.forecast_sets import cpu_calibration, gpu_calibration
from showdown.core.forecast import DeviceProfile
from showdown.forecast.fitted import COEFFICIENTS, HOST_KINDS
from showdown.forecast.peak import peak_of
from showdown.forecast.step import weighed

_DATA_SPREAD = 0.05
_PRIOR_SPREAD = {True: 1.2, False: 0.35}
"""Of the logarithm of a coefficient: of launches, of which little is known, and of kernels whose rates are measured."""
_LEFT_OUT = {"bert-base classification full speed 16-32 x16"}
"""The first cell of its kind: its few steps of 122 ms, twice those of longer rows, still loaded kernels."""
_WIDEST = 0.5


def counted_again(job: tuple[Cell, dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """Return a measured cell with its work and its peak as the present code counts them."""
    cell, found, profile = job
    forecast = forecast_cell(
        cell, DeviceProfile.model_validate(profile), steps=found["steps"], warmup=found["warmup_steps"]
    )
    return {
        "cell": cell.name,
        "features": forecast.features(),
        "measured": found["measured"],
        "peak_gb": peak_of(forecast.step).allocated_gb.expected,
        "process_gb": found["measured"]["libraries_gb"],
    }


def logarithms(path: str, cells: list[dict[str, Any]], coefficients: dict[str, float]) -> list[float]:
    """Return the logarithm of forecast over measured seconds of each cell."""
    on_gpu = path.startswith("gpu")
    return [
        math.log(
            np.mean([weighed(step, coefficients, on_gpu=on_gpu) for step in cell["features"]["steps"]])
            / cell["measured"]["seconds_a_step"]
        )
        for cell in cells
    ]


def fitted(path: str, cells: list[dict[str, Any]]) -> dict[str, float]:
    """Return the coefficients of one path (Levenberg and Marquardt's method, on their logarithms)."""
    kinds = sorted({kind for cell in cells for step in cell["features"]["steps"] for kind in step})
    before = np.array([math.log(COEFFICIENTS[path].get(kind, 1.0)) for kind in kinds])
    spreads = np.array([_PRIOR_SPREAD[kind in HOST_KINDS] for kind in kinds])

    def errors(logs: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        found = logarithms(path, cells, dict(zip(kinds, np.exp(logs), strict=True)))
        return np.concatenate([np.array(found) / _DATA_SPREAD, (logs - before) / spreads])

    logs, damping = before.copy(), 1.0
    now = errors(logs)
    for _ in range(60):
        slopes = np.stack([(errors(logs + step) - now) / 1e-4 for step in np.eye(len(logs)) * 1e-4], axis=1)
        move = np.linalg.solve(slopes.T @ slopes + damping * np.eye(len(logs)), -slopes.T @ now)
        tried = errors(logs + move)
        if tried @ tried < now @ now:
            logs, now, damping = logs + move, tried, damping / 3
        else:
            damping *= 4
    return {kind: float(f"{value:.4g}") for kind, value in zip(kinds, np.exp(logs), strict=True)}


def spread(errors: list[float], narrowest: float) -> list[float]:
    """Return between which multiples nine of ten measurements lie, by the logarithms of forecast over measured.

    They are 1.75 root mean squares to either side, a little more than a normal distribution's 1.65 since cells are few;
    no range is narrower than `narrowest`.
    """
    width = float(np.clip(1.75 * np.sqrt(np.mean(np.square(errors))), narrowest, _WIDEST))
    return [round(math.exp(-width), 3), round(math.exp(width), 3)]


def main() -> None:
    """Fit on result files and write the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    cells = {cell.name: cell for cell in (*gpu_calibration(), *cpu_calibration())}
    jobs = []
    for path in options.results:
        results = json.loads(path.read_text())["results"]
        known = [one for one in results["cells"] if "seconds_a_step" in one.get("measured", {})]
        known = [one for one in known if one["cell"] not in _LEFT_OUT]
        jobs += [(cells[one["cell"]], one, results["profile"]) for one in known]
    with ProcessPoolExecutor(options.processes) as pool:
        counted = list(pool.map(counted_again, jobs))
    by_path: dict[str, list[dict[str, Any]]] = {}
    for one in counted:
        by_path.setdefault(one["features"]["path"], []).append(one)
    found: dict[str, Any] = {"coefficients": {}, "time_spread": {}, "memory_spread": {}}
    for path, some in sorted(by_path.items()):
        found["coefficients"][path] = fitted(path, some)
        times = logarithms(path, some, found["coefficients"][path])
        beside = [one["process_gb"] for one in some]
        peaks = [
            math.log((one["peak_gb"] - less) / (one["measured"]["peak_gb"] - less))
            for one, less in zip(some, beside, strict=True)
        ]
        found["time_spread"][path], found["memory_spread"][path] = spread(times, 0.08), spread(peaks, 0.05)
        for one, time, peak in zip(some, times, peaks, strict=True):
            seconds, gigabytes = one["measured"]["seconds_a_step"], one["measured"]["peak_gb"]
            line = f"{one['cell']}: {seconds * 1e3:.1f} ms {math.expm1(time):+.1%}, {gigabytes:.3f} GB"
            print(f"{line} {math.expm1(peak):+.1%}")
        print(path, found["coefficients"][path], found["time_spread"][path], found["memory_spread"][path], flush=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
